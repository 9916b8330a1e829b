"""The runs that an expectation is about, read from the folder of the runs or from a bundle, and their figures."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import isclose
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.bundle.layout import RUNS
from harness.bundle.zips import unpack
from harness.config.identity import identity_values
from harness.config.sections import RunConfig
from harness.errors import DataError, HarnessError, listed
from harness.evaluate.measure import metrics_of
from harness.presets.resolve import build_stored, override, resolve
from harness.record import QUERIES, Record, RunFolder, all_runs, queries_elsewhere, readable
from harness.upkeep.expected import Result

_CLOSE = 1e-6
Run = tuple[RunFolder, Record]


class NotThere(DataError):
    """A run that is expected is not there; `command` makes it, empty where none does."""

    def __init__(self, why: str, command: Sequence[str] = ()) -> None:
        super().__init__(why)
        self.command = list(command)


@dataclass
class Found:
    """What was found of a result.

    Attributes:
        runs: names of its runs.
        figures: by name, in percent; of several seeds the mean.
        notes: what is to be said of it, each in a sentence.
    """

    runs: list[str]
    figures: dict[str, float]
    notes: list[str] = field(default_factory=list)


class Results:
    """Where results are found: the folder of the runs, and bundles, each unpacked once; a context that cleans up."""

    def __init__(self, file: Path, root: Path, data_root: str | None = None) -> None:
        self.file, self.root, self.data_root = file, root, data_root
        self._stack = ExitStack()
        self._known: dict[str | None, list[Run]] = {}

    def __enter__(self) -> "Results":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def find(self, result: Result) -> Found:
        """Return what is there of a result, computed from its per-query results.

        Raises `NotThere` for runs that are not there, `DataError` for damaged ones, and `UsageError` for settings that
        no run can have.
        """
        runs, notes = self._named(result) if result.run else self._described(result)
        return Found([record.name for _, record in runs], mean_figures(runs, result.tested_on), notes)

    def configs(self, result: Result) -> list[RunConfig]:
        """Return the configs of the runs that are described; raise `UsageError` for what no run can have."""
        assert result.method is not None
        assert result.dataset is not None
        try:
            configs = [
                resolve(
                    result.method,
                    result.dataset,
                    synthetic=result.synthetic,
                    presets=self._presets(result),
                    overrides=[*self._settings(result), f"seed={seed}"],
                )
                for seed in result.seeds
            ]
        except HarnessError as error:
            error.args = (f"{self.file}: result {result.name!r}: {error}",)
            raise
        return [config.on_data(self.data_root) if self.data_root else config for config in configs]

    def command(self, result: Result, seed: int) -> list[str]:
        """Return the words of the command that makes a run of a result."""
        words = [
            "run",
            "-m",
            str(result.method),
            "-d",
            str(result.dataset),
            *["--synthetic"] * result.synthetic,
        ]
        words += [word for name in self._presets(result) for word in ("--preset", name)]
        words += [word for text in self._settings(result) for word in ("--set", text)]
        place = ["--data-root", self.data_root] if self.data_root else []
        return [*words, "--seed", str(seed), *place]

    def _presets(self, result: Result) -> list[str]:
        files = (".yaml", ".yml")
        return [str(self.file.parent / name) if name.endswith(files) else name for name in result.presets]

    def _settings(self, result: Result) -> list[str]:
        return [override(key, value) for key, value in result.set.items()]

    def _runs(self, bundle: str | None) -> list[Run]:
        """Return the finished runs of the folder of the runs, or of a bundle."""
        if bundle not in self._known:
            folders = all_runs(self.root) if bundle is None else self._unpacked(self.file.parent / bundle)
            found = readable(folders, lambda file, why: None)
            self._known[bundle] = [run for run in found if run[1].status == "finished"]
        return self._known[bundle]

    def _unpacked(self, bundle: Path) -> list[RunFolder]:
        work = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-check-")))
        _, faults = unpack(bundle, work)
        if faults:
            raise DataError(f"{bundle}: {listed(faults, 3)}: ask for the bundle again.")
        return [RunFolder(folder) for folder in sorted((work / RUNS).iterdir())]

    def _place(self, result: Result) -> str:
        return str(self.file.parent / result.bundle) if result.bundle else str(self.root)

    def _named(self, result: Result) -> tuple[list[Run], list[str]]:
        name = str(result.run)
        runs = self._runs(result.bundle)
        found = [run for run in runs if run[1].name == name] or [
            run for run in runs if run[1].name.startswith(name)
        ]
        if not found:
            raise NotThere(f"there is no finished run {name} in {self._place(result)}")
        if len(found) > 1:
            names = listed([record.name for _, record in found], 3)
            raise DataError(
                f"{self.file}: result {result.name!r}: {name} is the beginning of {names}: give more of it."
            )
        return found, []

    def _described(self, result: Result) -> tuple[list[Run], list[str]]:
        """Return the newest run of each seed with the settings that are described."""
        found, notes = [], []
        for seed, config in zip(result.seeds, self.configs(result), strict=True):
            fits = [run for run in self._runs(result.bundle) if _has(run[1], config, result)]
            if not fits:
                why = f"no finished run with these settings and seed {seed} in {self._place(result)}"
                raise NotThere(why, [] if result.bundle else self.command(result, seed))
            newest = max(fits, key=lambda run: run[1].started)
            if len(fits) > 1:
                notes.append(f"{len(fits)} runs have these settings; the newest is {newest[1].name}")
            found.append(newest)
        return found, notes


def _has(record: Record, config: RunConfig, result: Result) -> bool:
    """Whether a record is of a config, whatever data and weights it had."""
    own = record.config
    names = (own["method"]["name"], own["dataset"]["name"], own.get("seed"), record.synthetic)
    if names != (config.method.name, config.dataset.name, config.seed, result.synthetic):
        return False
    if record.scored or record.imported:
        return False
    try:
        return _values(build_stored(own)) == _values(config)
    except (HarnessError, LookupError, TypeError, ValueError):
        return False


def _values(config: RunConfig) -> dict[str, Any]:
    return identity_values(config.fitted(1))


def mean_figures(runs: Sequence[Run], tested_on: str | None) -> dict[str, float]:
    """Return each figure in percent, of several runs the mean, computed from their per-query results.

    Raises `NotThere` where a run was not tested on that dataset, and `DataError` for results that are damaged, or are
    not those that the record has.
    """
    each = [_figures(folder, record, tested_on) for folder, record in runs]
    return {name: sum(one[name] for one in each) / len(each) for name in each[0]}


def _figures(folder: RunFolder, record: Record, tested_on: str | None) -> dict[str, float]:
    dataset = str(record.config["dataset"]["name"])
    said, file = record.metrics, QUERIES
    if tested_on is not None and tested_on != dataset:
        results = {str(result["dataset"]): result for result in folder.results(lambda file, why: None)}
        if tested_on not in results:
            raise NotThere(
                f"{record.name} was not tested on {tested_on}", ["evaluate", record.name, "-d", tested_on]
            )
        dataset, said, file = tested_on, results[tested_on]["metrics"], queries_elsewhere(tested_on)
    try:
        found = metrics_of(folder.queries(file))
    except KeyError as error:
        raise DataError(f"{folder.file(file)} lacks {error}: it is no file of per-query results.") from error
    if unlike := list(_unlike(said, found, f"test/{dataset}/")):
        raise DataError(
            f"the record of {record.name} is not as its per-query results give it: {listed(unlike, 3)}"
        )
    return found


def _unlike(said: dict[str, float], found: dict[str, float], prefix: str) -> Iterator[str]:
    for name, value in found.items():
        own = said.get(prefix + name)
        if own is not None and not isclose(own, value, rel_tol=_CLOSE, abs_tol=_CLOSE):
            yield f"{name} {own:.4f} is said, {value:.4f} follows"
