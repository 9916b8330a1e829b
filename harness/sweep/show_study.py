"""Read what a study found, and its best configuration."""

from pathlib import Path

from harness.errors import HarnessError, UsageError
from harness.paths import runs_root
from harness.presets.resolve import build_stored
from harness.sweep.list_studies import open_study
from harness.sweep.stored_sweep import read_spec, study_on, summary_of
from harness.sweep.study_folder import BEST, keep_tests, preset_text, reuse_command
from harness.sweep.summary import Summary


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
