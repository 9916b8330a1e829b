"""Find the studies of a storage: list them, open one."""

from pathlib import Path
from typing import Any

from harness.addresses import sqlite_file
from harness.errors import UsageError
from harness.paths import runs_root
from harness.queue.optuna_storage import may_exist, study_names
from harness.queue.queue import Queue, TrialState
from harness.queue.storage_place import storage_url
from harness.sweep.ended_trials import KIND, ended_trials
from harness.sweep.trial import best_of


def list_studies(runs: str | Path | None = None, storage: str | None = None) -> list[dict[str, Any]]:
    """Return each study of a storage: kind, how many of its jobs ended, run and wait, and the best value."""
    root = runs_root(runs).path
    url = storage_url(storage, root)
    if not may_exist(url):
        return []
    return [_line(name, url, root) for name in study_names(url)]


def open_study(study: str, root: Path, storage: str | None) -> Queue:
    """Return the queue of a study that a sweep made; raise `UsageError` when there is none of that name."""
    url = storage_url(storage, root)
    if not may_exist(url):
        raise UsageError(f"There is no study storage at {sqlite_file(url)} yet: `harness sweep` creates it.")
    queue = Queue(study, url, directions=None, folder=root / "studies" / study)
    if queue.notes.get("kind") != KIND:
        raise UsageError(f"{study!r} is not a study of `harness sweep`: `harness sweep list` shows them.")
    return queue


def _line(name: str, url: str, root: Path) -> dict[str, Any]:
    queue = Queue(name, url, directions=None, folder=root / "studies" / name)
    states = [job.state for job in queue.jobs().values()]
    line: dict[str, Any] = {
        "study": name,
        "kind": queue.notes.get("kind", "unknown"),
        "ended": sum(state.is_finished() for state in states),
        "running": states.count(TrialState.RUNNING),
        "waiting": states.count(TrialState.WAITING),
        "best": None,
    }
    if line["kind"] == KIND and (best := best_of(ended_trials(queue))):
        line["best"] = best.value
    return line
