"""What a suite would do, and its state: its cells, those that are done, time and disk that the rest takes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.config.identity import identity_values
from harness.config.values import content_hash
from harness.data.protocols.galleries import parse_test
from harness.data.protocols.joint_names import parts_of
from harness.data.reading import known_faults
from harness.errors import UnknownName, UsageError
from harness.inference.transfer import results_of
from harness.paths import runs_root
from harness.presets.resolve import build_stored
from harness.queue.optuna_storage import may_exist
from harness.queue.queue import Queue
from harness.queue.storage_place import storage_url
from harness.record import Record, RunFolder
from harness.run.estimate import expected_seconds, finished_runs, store_bytes, weight_bytes
from harness.suites.cell_jobs import CellState, cell_key, queue_name, queued
from harness.suites.cells import Cell, Expansion

STATES = ("done", "failed", "running", "waiting", "missing")


@dataclass(frozen=True)
class PlannedCell:
    """A cell and its state.

    Attributes:
        state: one of `STATES`; `missing` is not queued yet.
        run: its run, when one is there; it may have been made by another suite or by hand.
        seconds: what it took, or should take judging by earlier runs of its method; None: no estimate yet.
        weights: bytes of weights that it will store.
        source: the cell whose run it starts from, if it does.
    """

    name: str
    tests: tuple[str, ...]
    state: str
    run: str | None
    seconds: float | None
    weights: int
    error: dict[str, str] | None = None
    source: str | None = None


@dataclass(frozen=True)
class SuitePlan:
    """A suite's cells, and what the ones to be done take.

    Attributes:
        seconds: expected time of all that is not done, one after the other, as far as there are estimates.
        unknown: number of cells without an estimate.
        weights: bytes of weights to be stored.
        stores: bytes of the image stores of the datasets still to be run on, should none of them be there yet.
        faults: by dataset, a line for all that is wrong or odd with the real data of the cells to be done.
    """

    suite: str
    synthetic: bool
    cells: tuple[PlannedCell, ...]
    counts: dict[str, int]
    seconds: float
    unknown: int
    weights: int
    stores: int
    faults: dict[str, list[str]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return asdict(self)


def make_suite_plan(
    expansion: Expansion, runs: str | Path | None = None, storage: str | None = None
) -> SuitePlan:
    """Return the state of each cell and what the rest takes; reads records and the queue, runs nothing."""
    root, cells = runs_root(runs).path, expansion.cells
    states = _queued(queue_name(expansion.suite.name, expansion.synthetic), root, storage)
    finished = finished_runs(root)
    found = {key: record for record in finished if (key := _config_key(record)) is not None}
    planned: list[PlannedCell] = []
    for cell in cells:
        known = next((one.run for one in planned if one.name == cell.source and one.state == "done"), None)
        state = states.get(cell_key(cell))
        begun = cell.started_from(known) if known is not None else cell
        planned.append(_planned(begun, state, found, finished, root))
    rest = [(cell, plan) for cell, plan in zip(cells, planned, strict=True) if plan.state != "done"]
    return SuitePlan(
        suite=expansion.suite.name,
        synthetic=expansion.synthetic,
        cells=tuple(planned),
        counts={state: Counter(plan.state for plan in planned)[state] for state in STATES},
        seconds=sum(plan.seconds or 0.0 for _, plan in rest),
        unknown=sum(plan.seconds is None for _, plan in rest),
        weights=sum(plan.weights for _, plan in rest),
        stores=store_bytes(_stores(cell for cell, _ in rest)),
        faults=_faults(cell for cell, _ in rest),
    )


def _faults(cells: Iterable[Cell]) -> dict[str, list[str]]:
    configs = {cell.dataset: cell.config.dataset for cell in cells if not cell.config.dataset.synthetic}
    return {name: lines for name, config in configs.items() if (lines := known_faults(config))}


def _queued(name: str, root: Path, storage: str | None) -> dict[str, CellState]:
    """Return the states of the cells of a queue by key; none while there is no queue."""
    url = storage_url(storage, root)
    if not may_exist(url):
        return {}
    try:
        queue = Queue(name, url, directions=None, folder=root / "studies" / name)
    except UnknownName:
        return {}
    return {state.key: state for state in queued(queue)}


def _planned(
    cell: Cell, state: CellState | None, found: dict[str, Record], finished: Sequence[Record], root: Path
) -> PlannedCell:
    ready = cell.source is None or cell.config.backbone.init_from is not None
    record = found.get(content_hash(identity_values(cell.config))) if ready else None
    if record is not None and not _is_tested(cell, RunFolder(root / record.name)):
        record = None
    name = "done" if record is not None else "missing"
    run = record.name if record is not None else None
    seconds = record.seconds if record is not None else expected_seconds(cell.config, finished)[0]
    if state is not None and state.state == "done" and state.run is not None:
        here = RunFolder(root / state.run).glance()
        if record is not None or here is None or here.status == "finished":
            name, run, seconds = "done", state.run, state.seconds
    elif state is not None and record is None:
        name, run = state.state, state.run
    error = state.error if state is not None and name != "done" else None
    weights = weight_bytes(cell.config)
    return PlannedCell(cell.name, cell.tests, name, run, seconds, weights, error, cell.source)


def _config_key(record: Record) -> str | None:
    """Return what makes two configs one run; None for a config that can no longer be read."""
    try:
        return content_hash(identity_values(build_stored(record.config)))
    except (UsageError, ValidationError):
        return None


def _is_tested(cell: Cell, folder: RunFolder) -> bool:
    return {*cell.tests} <= {result["dataset"] for result in results_of(folder)}


def _stores(cells: Iterable[Cell]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the image stores that real runs read, by dataset and image size; twins take next to nothing."""
    for cell in cells:
        if not cell.config.dataset.synthetic and cell.config.dataset.store == "disk":
            tests = [parse_test(name)[0] for name in cell.tests]
            names = dict.fromkeys([*parts_of(cell.dataset), *tests])
            yield from ((name, cell.config.backbone.image_size) for name in names)
