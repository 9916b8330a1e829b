"""Show how far a command has come: bars and lines on a terminal, elsewhere lines with the time of day."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from harness.cli.layout import folded, joined
from harness.cli.options import plain
from harness.listener import Listener
from harness.record import twin_name
from harness.record.time_left import VALIDATION_SECONDS, TimeLeft, duration

_STAGE_EVERY, _EVERY, _LOOK = 10.0, 30.0, 1.0
_R1 = "val/t2i/R1"

Expected = Callable[[Any], float | None]


class Several:
    """The runs of one command, in order: which of them the present one is, and how long the others take.

    Args:
        configs: of all runs.
        expected: returns the seconds that a run of a config takes; None while nothing tells it.
    """

    def __init__(self, configs: Sequence[Any], expected: Expected) -> None:
        self.configs, self.expected = list(configs), expected
        self.number = 0
        self._own: float | None = None
        self._later: list[tuple[Any, float | None]] = []

    def begin(self, record: Any) -> None:
        """Take the run that begins, and ask anew how long the others take."""
        wanted = _key(record.config)
        self.number = next((n for n, one in enumerate(self.configs, 1) if _key_of(one) == wanted), 0)
        if self.number and len(self.configs) > 1:
            self._own = self.expected(self.configs[self.number - 1])
            self._later = [(one, self.expected(one)) for one in self.configs[self.number :]]

    def seed(self) -> str:
        """Return which of the seeds of its method and dataset the present run is; empty where there is one."""
        if not self.number:
            return ""
        own = _key_of(self.configs[self.number - 1])
        alike = [_key_of(one) for one in self.configs if _key_of(one)[:2] == own[:2]]
        return f" ({alike.index(own) + 1} of {len(alike)})" if len(alike) > 1 else ""

    def words(self, ran: float, left: float | None) -> str:
        """Return `run 3 of 12, about 25 min left`, without the time while it is unknown; empty for a single run.

        Args:
            ran: seconds that the present run has taken.
            left: seconds that it still takes; None while that is unknown.
        """
        if len(self.configs) < 2 or not self.number:
            return ""
        if left is None and self._own is not None:
            left = max(self._own - ran, 0.0)
        own = _key_of(self.configs[self.number - 1])[:2]
        alike = None if left is None else ran + left
        later = [alike if alike is not None and _key_of(c)[:2] == own else t for c, t in self._later]
        parts = [left, *later]
        known = [part for part in parts if part is not None]
        time_left = f", about {duration(sum(known))} left" if len(known) == len(parts) else ""
        return f"run {self.number} of {len(self.configs)}{time_left}"


def _key(config: Mapping[str, Any]) -> tuple[Any, ...]:
    return config["method"]["name"], config["dataset"]["name"], config["seed"]


def _key_of(config: Any) -> tuple[Any, ...]:
    return config.method.name, config.dataset.name, config.seed


class TerminalListener(Listener):
    """Shows stages, bars and a line for each epoch; elsewhere than on a terminal a line every half minute as well.

    Attributes:
        several: the runs of the whole command.
        name: of the run that began last; empty before one did.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet, self.live = quiet, sys.stderr.isatty() and not quiet
        self.several = Several([], lambda config: None)
        self.name = ""
        self._left, self._at_most = TimeLeft(0), ""
        self._began, self._said, self._share = time.monotonic(), time.monotonic(), 0.0
        self._stage = self._doing = ""
        self._bar: Any = None
        self._task: Any = None
        self._closed = threading.Event()
        self._pulse: threading.Thread | None = None

    def expect(self, configs: Sequence[Any], expected: Expected) -> None:
        """Take the runs of the whole command, and how long each should take."""
        self.several = Several(configs, expected)

    def on_start(self, name: str, record: Any) -> None:
        """Name the run that begins."""
        self.name = name
        config, self._began, self._share = record.config, time.monotonic(), 0.0
        # Of a trial no epochs are told: a sweep says a line for each.
        epochs = 0 if record.study else config["train"]["epochs"]
        self._left = TimeLeft(epochs, config["eval"]["every"])
        self._at_most = "at most " if config["train"].get("patience") else ""
        self.several.begin(record)
        self._beat()
        if record.study is None:
            what = f"{config['method']['name']} on {twin_name(config['dataset']['name'], record.synthetic)}"
            seed = f"seed {config['seed']}{self.several.seed()}"
            self._say(what, seed, self.several.words(0.0, None))

    def on_stage(self, text: str) -> None:
        """Name the stage."""
        self._stage = self._doing = text
        self._say(text)

    def on_count(self, done: int, total: int) -> None:
        """Draw the stage's bar."""
        self._doing = f"{self._stage}: {done:,} of {total:,}"
        if self.live:
            self._draw(self._stage, done, total, None)
        elif time.monotonic() - self._said > _STAGE_EVERY:
            self._say(self._doing)

    def on_note(self, text: str) -> None:
        """Say something a person should know."""
        self._close_bar()
        text = plain(text)
        for line in folded(text, indent=2, error=True) if self.live else [text]:
            click.echo(line, err=True)

    def on_resume(self, history: list[dict[str, float]], step: int) -> None:
        """Say where training resumes."""
        self._left.resume(history)
        self._say(f"resuming from the checkpoint: epoch {len(history) + 1}, step {step + 1}")

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        """Draw the epoch's bar."""
        self._share = step / n_steps
        place = f"step {step}/{n_steps}" if step < n_steps else "validating"
        self._doing = f"{self._epoch(epoch)} · {place}"
        if self.live:
            left = " · ".join(filter(None, (self._time_left(), self._whole())))
            self._draw(self._epoch(epoch), step, n_steps, left)

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Say the epoch's loss and validation, its time, and the time that is left."""
        self._left.add(row)
        self._share = 0.0
        self._doing = f"{self._epoch(epoch)} done"
        took = row["seconds"] + row.get(VALIDATION_SECONDS, 0.0)
        loss = f"loss {row['train/loss']:.4f}" if "train/loss" in row else ""
        time_taken = f"{took:.1f} s" if took < 10 else duration(took)
        self._say(self._epoch(epoch), loss, self._score(row), time_taken, self._time_left())

    def close(self) -> None:
        """End whatever is drawn or said."""
        self._closed.set()
        if self._pulse is not None:
            # A thread that writes while the interpreter ends would abort it.
            self._pulse.join()
        self._close_bar()

    def _epoch(self, epoch: int) -> str:
        return f"epoch {epoch}/{self._left.epochs}" if self._left.epochs else f"epoch {epoch}"

    def _score(self, row: Mapping[str, float]) -> str:
        """Return the validation of an epoch beside the best one so far."""
        if _R1 not in row:
            return ""
        rows = [one for one in self._left.rows if _R1 in one]
        best = max(rows, key=lambda one: (one[_R1], one.get("val/t2i/mAP", 0.0), -one.get("epoch", 0)))
        which = "best" if best is row else f"best {best[_R1]:.1f} at {best.get('epoch', 0):.0f}"
        return f"val R@1 {row[_R1]:.1f} ({which})"

    def _time_left(self) -> str:
        """Return how long the training still takes; empty while that is unknown, and at its end."""
        left = self._left.seconds(self._share) if self._left.epochs else None
        return f"{self._at_most}{duration(left)} left" if left else ""

    def _whole(self) -> str:
        left = self._left.seconds(self._share) if self._left.epochs else None
        return self.several.words(time.monotonic() - self._began, left)

    def _say(self, *parts: str) -> None:
        """Print the parts of a line that are not empty, within the terminal's width."""
        self._said = time.monotonic()
        self._close_bar()
        if self.quiet:
            return
        stamp = "" if self.live else f"{time.strftime('%H:%M:%S')} "
        known = [plain(part) for part in parts if part]
        lines = joined(known, indent=2, error=True) if self.live else [" · ".join(known)]
        for line in lines:
            click.echo(f"{stamp}{line}", err=True)

    def _beat(self) -> None:
        """See to it that a log never stays silent for long while a run is under way."""
        if self._pulse is None and not (self.live or self.quiet):
            self._pulse = threading.Thread(target=self._speak, name="progress", daemon=True)
            self._pulse.start()

    def _speak(self) -> None:
        while not self._closed.wait(_LOOK):
            if time.monotonic() - self._said >= _EVERY - _LOOK:
                self._say(self._doing, self._time_left(), self._whole())

    def _draw(self, text: str, done: int, total: int, left: str | None) -> None:
        """Draw a bar, behind it what is left; None for the time that rich reckons from the bar alone."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=12),
                MofNCompleteColumn(),
                TextColumn("{task.fields[left]}") if left is not None else TimeRemainingColumn(),
            )
            self._bar = Progress(
                *columns, console=Console(stderr=True, highlight=False, markup=False), transient=True
            )
            self._task = self._bar.add_task(plain(text), total=total, left=left)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total, description=plain(text), left=left)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


@contextmanager
def watching(quiet: bool) -> Iterator[TerminalListener]:
    """Yield a terminal listener and clear its bars at the end."""
    listener = TerminalListener(quiet)
    try:
        yield listener
    finally:
        listener.close()
