"""What a long piece of work tells whoever watches; the base class stays silent."""

from typing import Any


class Listener:
    """Hears of stages, steps and epochs. The command line draws them; a sweep may stop a run from `on_epoch`."""

    def on_stage(self, text: str) -> None:
        """Hear that a named stage begins."""

    def on_count(self, done: int, total: int) -> None:
        """Hear how much of the present stage is done."""

    def on_note(self, text: str) -> None:
        """Hear something a person should know."""

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Hear that a training step is done."""

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Hear an epoch's metrics; never of the test split."""

    def on_resume(self, history: list[dict[str, float]], step: int) -> None:
        """Hear that training goes on after these epochs, from a step of the next one."""

    def on_start(self, name: str, record: Any) -> None:
        """Hear that a run has its record."""


class Listeners(Listener):
    """Tells everything to several listeners, in order."""

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = listeners

    def on_stage(self, text: str) -> None:
        """Tell all."""
        for listener in self.listeners:
            listener.on_stage(text)

    def on_count(self, done: int, total: int) -> None:
        """Tell all."""
        for listener in self.listeners:
            listener.on_count(done, total)

    def on_note(self, text: str) -> None:
        """Tell all."""
        for listener in self.listeners:
            listener.on_note(text)

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Tell all."""
        for listener in self.listeners:
            listener.on_step(epoch, step, n_steps)

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Tell all."""
        for listener in self.listeners:
            listener.on_epoch(epoch, row)

    def on_resume(self, history: list[dict[str, float]], step: int) -> None:
        """Tell all."""
        for listener in self.listeners:
            listener.on_resume(history, step)

    def on_start(self, name: str, record: Any) -> None:
        """Tell all."""
        for listener in self.listeners:
            listener.on_start(name, record)
