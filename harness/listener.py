"""Progress of a long piece of work, as callbacks; the base class stays silent."""

from typing import Any


class Listener:
    """Called with stages, steps and epochs. The command line draws them; a sweep may stop a run from `on_epoch`."""

    def on_stage(self, text: str) -> None:
        """A named stage begins."""

    def on_count(self, done: int, total: int) -> None:
        """So much of the present stage is done."""

    def on_note(self, text: str) -> None:
        """There is something a person should know."""

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """A training step is done."""

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """An epoch is done, with these metrics, never of the test split."""

    def on_resume(self, history: list[dict[str, float]], step: int) -> None:
        """Training resumes after these epochs, from a step of the next one."""

    def on_start(self, name: str, record: Any) -> None:
        """A run has its record."""


class Listeners(Listener):
    """Passes everything on to several listeners, in order."""

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = listeners

    def on_stage(self, text: str) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.on_stage(text)

    def on_count(self, done: int, total: int) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.on_count(done, total)

    def on_note(self, text: str) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.on_note(text)

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.on_step(epoch, step, n_steps)

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.on_epoch(epoch, row)

    def on_resume(self, history: list[dict[str, float]], step: int) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.on_resume(history, step)

    def on_start(self, name: str, record: Any) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.on_start(name, record)
