"""What a report reads: an MLflow experiment, narrowed to what is wanted."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.protocols.galleries import parse_test
from harness.datasets import DATASETS
from harness.errors import UsageError, listed, unknown
from harness.evaluate.per_identity import Persons
from harness.files import BROKEN, load_arrays, replaced
from harness.registry.set_names import split_sets
from harness.results.run_table import UNTRAINED, read_runs, read_unfinished
from harness.results.seeds.over_seeds import Queries, combine_seeds
from harness.secrets import without_secrets
from harness.track.mlflow_store import Store
from harness.track.tags import SUITE

if TYPE_CHECKING:
    from pandas import DataFrame

log = logging.getLogger(__name__)


@dataclass
class Source:
    """Where a report's numbers come from.

    Attributes:
        runs: folder of the records and of the default store; else `HARNESS_RUNS`, else `./runs`.
        experiment: of MLflow; else `MLFLOW_EXPERIMENT_NAME`, else the harness's own.
        datasets: only results trained and tested on these; none means all.
        suite: only runs that are cells of this suite; none means all.
        subjects: what the report is about, as its `takes` asks for: names of runs, a study, a dataset.
        queries: numbers of the queries to look at closely; none lets the report choose.
    """

    runs: str | None = None
    experiment: str | None = None
    datasets: Sequence[str] = ()
    suite: str | None = None
    subjects: Sequence[str] = ()
    queries: Sequence[int] = ()

    @cached_property
    def store(self) -> Store | None:
        """The MLflow store; None while there is none."""
        return Store.existing(Path(self.runs) if self.runs else None, self.experiment)

    @cached_property
    def single_runs(self) -> "DataFrame":
        """One row for each finished run and test set, newest first (`harness.results.run_table.read_runs`).

        Raises `UsageError` for an unknown dataset, and for a suite of which no run is tracked.
        """
        from pandas import DataFrame

        names = [name.replace("-", "_") for name in self.datasets]
        if self.store is None:
            return _narrowed(DataFrame(), names)
        safe = [name for name in names if name.isidentifier()]
        rows = _narrowed(read_runs(self.store, self.suite, safe), names)
        if self.suite is not None and not len(rows):
            _must_be_tracked(self.store, self.suite)
        return rows

    @cached_property
    def unfinished(self) -> "DataFrame":
        """The runs that did not finish."""
        from pandas import DataFrame

        return read_unfinished(self.store, self.suite) if self.store else DataFrame(columns=["run", "status"])

    def combined(self, rows: "DataFrame") -> tuple["DataFrame", dict[str, Persons]]:
        """Return single runs with their seeds combined, and each result per identity."""
        if self.store is None or not len(rows):
            return combine_seeds(rows, lambda run_id, name: None)
        groups = {group.id: dict(group.metrics) for group in self.store.finished_runs("group")}
        with tempfile.TemporaryDirectory(prefix="harness-report-") as folder:
            return combine_seeds(rows, query_reader(self.store, Path(folder)), groups)

    def fetch(self, run_id: str, name: str, to: Path) -> bool:
        """Copy an artifact of a run to a file; say whether the run has it."""
        with tempfile.TemporaryDirectory(prefix="harness-report-") as folder:
            found = self.store.artifact(run_id, name, Path(folder)) if self.store else None
            if found is None:
                return False
            with replaced(to) as temporary:
                shutil.copyfile(found, temporary)
        return True

    def run_named(self, name: str) -> dict[str, Any]:
        """Return the row of a run on its own test set, by its name or how that begins; the newest of one name.

        Raises `UsageError` when no finished run, or several, are called so.
        """
        rows = self.single_runs
        own = rows[rows["in_domain"]] if len(rows) else rows
        own = own[own["tested_on"].map(lambda test: parse_test(test)[1] is None)] if len(own) else own
        fits = own[own["run"].str.startswith(name)] if len(own) else own
        if not len(fits):
            raise unknown("run", name, list(own["run"]) if len(own) else [])
        names = list(dict.fromkeys(fits["run"]))
        if len(names) > 1 and name not in names:
            raise UsageError(f"{name!r} fits several runs ({listed(names, 5)}): write more of the name.")
        return dict(fits[fits["run"] == name].iloc[0] if name in names else fits.iloc[0])


def query_reader(store: Store, folder: Path) -> Queries:
    """Return a function that fetches a run's per-query results from MLflow; None for what is not there or broken."""

    def read(run_id: str, name: str) -> Mapping[str, Any] | None:
        return _read_arrays(store, run_id, name, folder, lambda key: key.startswith("t2i/"))

    return read


def _read_arrays(
    store: Store, run_id: str, name: str, folder: Path, wanted: Callable[[str], bool] = lambda key: True
) -> dict[str, Any] | None:
    """Return the arrays of an `.npz` artifact of a run, fetched into `folder`; None for one not there or broken."""
    file = store.artifact(run_id, name, folder)
    if file is None:
        return None
    try:
        return load_arrays(file, wanted)
    except BROKEN as error:
        run = store.run(run_id).name
        log.warning("%s of the run %s cannot be read from MLflow: %s", name, run, without_secrets(error))
        return None


def _must_be_tracked(store: Store, suite: str) -> None:
    """Raise `UsageError` with the nearest match where no run, finished or not, is a cell of the suite."""
    runs = [*store.finished_runs(), *store.unfinished_runs()]
    known = {key.removeprefix(SUITE) for run in runs for key in run.tags if key.startswith(SUITE)}
    if suite not in known:
        raise unknown("suite of tracked runs", suite, known)


def _narrowed(rows: "DataFrame", names: Sequence[str]) -> "DataFrame":
    """Return the rows trained, also jointly, and tested on the datasets; an untrained method counts wherever it ran."""
    known = {*DATASETS.names(), *(rows["tested_on"] if len(rows) else ())}
    for name in names:
        if name not in known:
            raise unknown("dataset", name, known)
    if not names or not len(rows):
        return rows
    own = rows["trained_on"].map(lambda name: not set(names).isdisjoint(split_sets(name)))
    trained = own | (rows["rule"] == UNTRAINED)
    return rows[trained & rows["tested_on"].map(lambda name: parse_test(name)[0]).isin(names)]
