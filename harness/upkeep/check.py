"""Compare figures with what is expected of them: read again, or trained and tested again."""

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import unknown
from harness.listener import Listener
from harness.paths import runs_root
from harness.record import RunFolder
from harness.run.run import run
from harness.upkeep.expected import Expected, Figure, Result
from harness.upkeep.found import Found, NotThere, Results, mean_figures

# Figures that were written with two decimals are compared with a hair's breadth to spare.
_SPARE = 1e-9
# What is less would lie 0.00 off.
_SHOWN = 0.005


@dataclass(frozen=True)
class Checked:
    """A figure beside what is expected of it.

    Attributes:
        result: name of the result.
        figure: name of the figure, as `t2i/R1`.
        low, high: where it should be, in percent; None where that is not filled in yet.
        found: where it is, of several seeds the mean; None where its runs are not there.
    """

    result: str
    figure: str
    low: float | None
    high: float | None
    found: float | None

    @property
    def holds(self) -> bool:
        """Whether the figure is where it should be."""
        if self.low is None or self.high is None or self.found is None:
            return False
        return self.low - _SPARE <= self.found <= self.high + _SPARE

    @property
    def verdict(self) -> str:
        """What there is to say of it in two words.

        >>> [Checked("cskt", "t2i/R1", 29.0, 31.5, found).verdict for found in (30.0, 28.25, 31.502, None)]
        ['as expected', '0.75 below', '0.002 above', 'not there']
        """
        if self.found is None:
            return "not there"
        if self.low is None or self.high is None:
            return "not filled in"
        if self.holds:
            return "as expected"
        below = self.found < self.low
        off = self.low - self.found if below else self.found - self.high
        digits = 2 if off >= _SHOWN else math.ceil(-math.log10(off))
        return f"{off:.{digits}f} {'below' if below else 'above'}"


@dataclass(frozen=True)
class Absent:
    """A result whose runs are not there: why in words, and the words of the command that makes what is missing."""

    result: str
    why: str
    command: list[str]


@dataclass
class Checks:
    """What came of a file of expectations.

    Attributes:
        figures: each that was checked.
        absent: the results that are not there.
        runs: names of the runs of each result that is there.
        notes: what is to be said, each in a sentence.
    """

    figures: list[Checked]
    absent: list[Absent]
    runs: dict[str, list[str]]
    notes: list[str]

    @property
    def hold(self) -> bool:
        """Whether all figures are where they should be."""
        return all(checked.holds for checked in self.figures)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        figures = [asdict(one) | {"holds": one.holds, "verdict": one.verdict} for one in self.figures]
        return asdict(self) | {"holds": self.hold, "figures": figures}


@dataclass(frozen=True)
class How:
    """How results are checked.

    Attributes:
        only: names of the results that are checked; all where there is none.
        rerun: run all again that can be, not only those whose entry says so.
        runs: folder of the records; else `HARNESS_RUNS`, else `./runs`.
        data_root: folder that holds the datasets.
        device: `auto`, `cpu` or `cuda`, for what is run again.
    """

    only: Sequence[str] = ()
    rerun: bool = False
    runs: str | None = None
    data_root: str | None = None
    device: str = "auto"


def check(file: Path, expected: Expected, how: How, listener: Listener | None = None) -> Checks:
    """Check the results of a file.

    Args:
        file: where the expectations are from; presets and bundles are relative to it.
        expected: its contents.
        how: which of them, and how.
        listener: hears of what is run again.

    Raises `UsageError` for names and settings that are not known, and `DataError` for results that are damaged. What is
    run again is in a folder of its own that is removed, and in no store.
    """
    chosen = chosen_results(expected, how.only)
    done = Checks([], [], {}, [])
    for result, found in results_found(file, chosen, how, listener or Listener()):
        if isinstance(found, Absent):
            done.absent.append(found)
        else:
            done.runs[result.name] = found.runs
            done.notes += [f"{result.name}: {note}" for note in found.notes]
        figures = {} if isinstance(found, Absent) else found.figures
        done.figures += [
            _checked(result.name, name, figure, figures.get(name)) for name, figure in result.figures.items()
        ]
    return done


def chosen_results(expected: Expected, only: Sequence[str]) -> list[Result]:
    """Return the results of these names, or all; raise `UsageError` for an unknown name."""
    known = [result.name for result in expected.results]
    for name in only:
        if name not in known:
            raise unknown("result", name, known)
    return [result for result in expected.results if not only or result.name in only]


def results_found(
    file: Path, chosen: Sequence[Result], how: How, listener: Listener
) -> Iterator[tuple[Result, Found | Absent]]:
    """Yield each result with what is there of it; all settings are resolved before any work."""
    with Results(file, runs_root(how.runs).path, how.data_root) as results:
        for result in chosen:
            if result.run is None:
                results.configs(result)
        for result in chosen:
            again = result.rerun or (how.rerun and _can_run(result))
            try:
                yield result, _rerun(result, results, how, listener) if again else results.find(result)
            except NotThere as error:
                yield result, Absent(result.name, str(error), error.command)


def _can_run(result: Result) -> bool:
    return result.method is not None and result.tested_on is None


def _rerun(result: Result, results: Results, how: How, listener: Listener) -> Found:
    """Train and test a result's runs again, apart from all others."""
    with tempfile.TemporaryDirectory(prefix="harness-check-") as name, _own_store():
        records = [
            run(config, runs=name, device=how.device, listener=listener) for config in results.configs(result)
        ]
        runs = [(RunFolder(Path(name) / record.name), record) for record in records]
        return Found([record.name for record in records], mean_figures(runs, None))


@contextmanager
def _own_store() -> Iterator[None]:
    """Let runs be tracked beside their records alone, not in the user's store."""
    named = os.environ.pop("MLFLOW_TRACKING_URI", None)
    try:
        yield
    finally:
        if named is not None:
            os.environ["MLFLOW_TRACKING_URI"] = named


def _checked(result: str, name: str, figure: Figure | None, found: float | None) -> Checked:
    low, high = figure.ends if figure is not None else (None, None)
    return Checked(result, name, low, high, found)
