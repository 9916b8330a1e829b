"""A listener that keeps what a person should know."""

from harness.listener import Listener


class Notes(Listener):
    """Keeps the notes, in order."""

    def __init__(self):
        self.notes = []

    def on_note(self, text):
        self.notes.append(text)
