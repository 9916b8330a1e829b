"""A suite's cells as jobs of a queue: which there are, the state of each, and what is still to be queued."""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.config.identity import identity_values
from harness.config.removed import without_removed
from harness.config.sections import RunConfig
from harness.config.values import content_hash
from harness.errors import UsageError
from harness.presets.resolve import build_stored
from harness.queue.jobs import BEAT, ERROR, SPEC, is_cut_off
from harness.queue.queue import FrozenTrial, Queue, TrialState
from harness.queue.worker_lock import Presence
from harness.record import RunFolder, twin_name
from harness.strict_json import read_json_text
from harness.suites.cells import Cell, Expansion, row_names
from harness.suites.schema import KIND
from harness.track.tags import PLACE, SUITE

CELL, RUN, SECONDS = "cell", "run", "seconds"


def queue_name(suite: str, synthetic: bool) -> str:
    """Return the name of a suite's queue in the storage."""
    return f"suite-{twin_name(suite, synthetic)}"


def cell_key(cell: Cell) -> str:
    """Return what makes two cells the same, whatever they are called elsewhere: row, config, tests and source."""
    return _key(cell.name, cell.config, cell.tests, cell.source)


def stored_key(cell: Mapping[str, Any]) -> str:
    """Return the key of a queued cell as `cell_key` gives it today: without the settings that are gone since."""
    if without_removed(cell["config"]) == cell["config"]:
        return str(cell["key"])
    return _key_today(json.dumps(cell))


@cache
def _key_today(text: str) -> str:
    cell = read_json_text(text, finite=False)
    with suppress(UsageError):
        return _key(cell["name"], build_stored(cell["config"]), cell["tests"], cell.get("source"))
    return str(cell["key"])


def _key(name: str, config: RunConfig, tests: Sequence[str], source: str | None) -> str:
    parts = [name, identity_values(config), list(tests), *([] if source is None else [source])]
    return content_hash(parts)[:16]


def marks_of(suite: str, row: str, rows: Sequence[str]) -> dict[str, str]:
    """Return the tags of a suite's run: what its row is called, and the row's place among the suite's rows.

    >>> marks_of("mine", "slow", ["fast", "slow"])
    {'harness.suite.mine': 'slow', 'harness.suite_place.mine': '1'}
    """
    place = {f"{PLACE}{suite}": str(rows.index(row))} if row in rows else {}
    return {f"{SUITE}{suite}": row} | place


@dataclass(frozen=True)
class CellState:
    """The state of a queued cell, `done`, `failed`, `running` or `waiting`, with what is known of its run."""

    key: str
    name: str
    state: str
    run: str | None
    seconds: float | None
    error: dict[str, str] | None


def queued(queue: Queue) -> list[CellState]:
    """Return the state of each cell of a suite's queue."""
    return [_state(job) for job in queue.jobs().values() if CELL in job.user_attrs]


def shard_of(cells: Sequence[Cell], text: str | None) -> list[Cell]:
    """Return the i-th of n parts of a suite's cells, `text` being `i/n`; all without it.

    The parts are equal, except that a cell is in the part of the cell that it starts from.
    Raises `UsageError` for a part that does not exist.
    """
    if text is None:
        return list(cells)
    part, sign, whole = text.partition("/")
    if not (sign and part.isdigit() and whole.isdigit() and 1 <= int(part) <= int(whole)):
        raise UsageError(f"--shard takes i/n with i from 1 to n, such as 1/4, but got {text!r}.")
    own = {cell.name for cell in [cell for cell in cells if cell.source is None][int(part) - 1 :: int(whole)]}
    for cell in cells:
        if cell.source in own:
            own.add(cell.name)
    return [cell for cell in cells if cell.name in own]


def remember_suite(queue: Queue, expansion: Expansion, budgets: Mapping[str, int]) -> None:
    """Note for all workers which cells are wanted, and how many trials the studies had that rows build on."""
    kind = queue.notes.get("kind", KIND)
    if kind != KIND:
        raise UsageError(
            f"{queue.name!r} in {queue.place} is not a suite but a {kind}: use another --storage."
        )
    spec = {
        "suite": expansion.suite.name,
        "synthetic": expansion.synthetic,
        "cells": [cell_key(cell) for cell in expansion.cells],
        "rows": row_names(expansion.suite, expansion.synthetic),
        "budgets": dict(budgets),
    }
    queue.remember(SPEC, spec)
    queue.remember("kind", KIND)
    queue.remember(BEAT, queue.heartbeat)


def fill(queue: Queue, cells: Sequence[Cell], root: Path, retry: bool, changed: Collection[str] = ()) -> None:
    """Queue cells that are not there yet; again those whose run is gone, or that failed and are to be retried.

    `changed` holds the keys of the done cells that are of other data than those that are there now.
    """
    jobs = {stored_key(job.user_attrs[CELL]): (number, job) for number, job in queue.jobs().items()}
    for cell in cells:
        key = cell_key(cell)
        if key not in jobs:
            queue.add({CELL: _plain(cell, key)})
            continue
        number, job = jobs[key]
        gone = job.state is TrialState.COMPLETE and not _is_there(root, job)
        if gone or key in changed or (retry and job.state is TrialState.FAIL):
            queue.repeat([number])


def _plain(cell: Cell, key: str) -> dict[str, Any]:
    config = cell.config.on_data(None)
    return {
        "key": key,
        "name": cell.name,
        "row": cell.row,
        "config": config.model_dump(mode="json"),
        "tests": list(cell.tests),
        "study": cell.study,
        "source": cell.source,
    }


def _is_there(root: Path, job: FrozenTrial) -> bool:
    """Whether a finished cell's run is still among the runs of this machine, or was never on it."""
    name = job.user_attrs.get(RUN)
    if name is None or not Presence.is_of_this_machine(job.user_attrs.get("worker", "")):
        return True
    record = RunFolder(root / str(name)).glance()
    return record is not None and record.status == "finished"


def _state(job: FrozenTrial) -> CellState:
    known = job.user_attrs
    names = {
        TrialState.COMPLETE: "done",
        TrialState.FAIL: "failed",
        TrialState.RUNNING: "running",
        TrialState.WAITING: "waiting",
    }
    state = "waiting" if is_cut_off(job) else names[job.state]
    cell = known[CELL]
    return CellState(
        stored_key(cell), cell["name"], state, known.get(RUN), known.get(SECONDS), known.get(ERROR)
    )
