"""Look at studies from outside: list them, read what one found, return its best configuration."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.addresses import sqlite_file
from harness.errors import HarnessError, UsageError
from harness.paths import runs_root
from harness.presets.resolve import build_stored
from harness.queue.optuna_storage import may_exist, storage_url, study_names
from harness.queue.queue import Queue, TrialState
from harness.sweep.stored_sweep import KIND, read_spec, study_on, summary_of
from harness.sweep.study_folder import BEST, keep_tests, preset_text, reuse_command
from harness.sweep.summary import Summary


def list_studies(runs: str | Path | None = None, storage: str | None = None) -> list[dict[str, Any]]:
    """Return each study of a storage: kind, how many of its jobs ended, run and wait, and the best value."""
    root = runs_root(runs).path
    url = storage_url(storage, root)
    if not may_exist(url):
        return []
    return [_line(name, url, root) for name in study_names(url)]


def find_summary(
    study: str, runs: str | Path | None = None, storage: str | None = None, importance: bool = True
) -> Summary:
    """Return what a study found so far; raise `UsageError` for one that the storage does not hold."""
    root = runs_root(runs).path
    queue = open_study(study, root, storage)
    config, axes, search = read_spec(queue)
    summary = summary_of(study_on(queue, config, axes, search), config, importance)
    folder = root / "studies" / study
    keep_tests(summary, folder)
    if summary.config is not None and (folder / BEST).is_file():
        place = None if root == runs_root().path else root
        summary.preset = str(folder / BEST)
        summary.command = reuse_command(build_stored(summary.config), folder / BEST, place)
    return summary


def best_preset(
    study: str,
    runs: str | Path | None = None,
    storage: str | None = None,
    method: str | None = None,
    synthetic: bool | None = None,
) -> str:
    """Return a study's best configuration as the text of a preset.

    Raises `HarnessError` when no trial finished, and `UsageError` when the study searched another method than
    `method`, or twins where real data are asked for, or the other way round; None asks for nothing.
    """
    summary = find_summary(study, runs, storage, importance=False)
    if summary.config is None:
        raise HarnessError(f"No trial of the study {study} finished within its constraints yet.")
    config = build_stored(summary.config)
    if method is not None and config.method.name != method:
        raise UsageError(
            f"The study {study!r} searched {config.method.name}, not {method}: name a study of {method}."
        )
    if synthetic is not None and config.dataset.synthetic != synthetic:
        worlds = {True: "synthetic twins", False: "real data"}
        raise UsageError(
            f"The study {study!r} searched on {worlds[config.dataset.synthetic]}, not on {worlds[synthetic]}: what is "
            "best on one need not be good on the other."
        )
    return preset_text(config, summary)


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
    if line["kind"] == KIND:
        with suppress(UsageError):
            config, axes, search = read_spec(queue)
            best = summary_of(study_on(queue, config, axes, search), config).best
            line["best"] = None if best is None else best.value
    return line
