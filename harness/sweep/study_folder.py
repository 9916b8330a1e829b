"""The files of a study's folder: its summary and its best configuration as a preset."""

import shlex
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from harness.config.sections import RunConfig
from harness.config.values import flatten, merge, nest
from harness.errors import DataError
from harness.files import read_json, write_json, write_text
from harness.presets.preset_files import EXPORTED
from harness.presets.repeat import data_options
from harness.presets.resolve import build_stored, resolve
from harness.record import Record, RunFolder, warn
from harness.sweep.summary import Summary

BEST = "best.yaml"
SUMMARY = "study.json"
_NOT_EXPORTED = ("seed", "method.name", "dataset.name", "dataset.synthetic", "dataset.root")


def write_results(folder: Path, summary: Summary, runs: Path | None = None) -> list[Path]:
    """Write the summary, and the best configuration as a preset with the command that uses it; return the files."""
    files = [folder / SUMMARY]
    if summary.best is not None and summary.config is not None:
        config = build_stored(summary.config)
        preset = folder / BEST
        _write_preset(preset, config, summary)
        summary.preset, summary.command = str(preset), reuse_command(config, preset, runs)
        files.append(preset)
    exclude = {"tests": {"__all__": {"sources", "environment"}}}
    write_json(files[0], summary.model_dump(mode="json", exclude=exclude))
    return files


def keep_tests(summary: Summary, folder: Path) -> None:
    """Put the tests of an earlier summary into one without, if they are tests of the same best configuration."""
    if summary.best is None or not (folder / SUMMARY).is_file():
        return
    file, root = folder / SUMMARY, folder.parent.parent
    try:
        written = read_json(file, of=dict)
        if (written.get("best") or {}).get("params") == summary.best.params:
            tests = [_today(Record.model_validate(record), root) for record in written["tests"]]
            summary.test = written["test"] and _group_today(written["test"], root)
            summary.tests = tests
    except (DataError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = (str(error).splitlines() or [""])[0]
        warn(
            file,
            why if isinstance(error, DataError) else f"{file} is no summary of a study ({why}): remove it.",
        )


def _today(record: Record, root: Path) -> Record:
    """Return a test's record with the intervals that its run has now, which may have been re-read."""
    now = RunFolder(root / record.name).glance()
    if now is None or now.metrics != record.metrics:
        return record
    return record.model_copy(update={"intervals": now.intervals, "interval_method": now.interval_method})


def _group_today(group: dict[str, Any], root: Path) -> dict[str, Any]:
    """Return a group of seeds as it is recorded now."""
    file = root / "groups" / f"{group['name']}.json"
    with suppress(DataError):
        return dict(read_json(file, of=dict)) if file.is_file() else group
    return group


def _preset_values(config: RunConfig, searched: Collection[str] = ()) -> dict[str, Any]:
    """Return what a preset must hold so that a run of the same method and dataset gets this config, seed apart.

    What was searched is there even where the best value is the default.
    """
    plain = resolve(config.method.name, config.dataset.name, synthetic=config.dataset.synthetic)
    before, after = (flatten(one.model_dump(mode="json")) for one in (plain, config))
    values: dict[str, Any] = {}
    for key, value in after.items():
        if key not in _NOT_EXPORTED and (value != before.get(key) or key in searched):
            merge(values, nest(key, value))
    return values


def _write_preset(file: Path, config: RunConfig, summary: Summary) -> None:
    """Write the best configuration as a preset that says where it comes from."""
    write_text(file, preset_text(config, summary))


def preset_text(config: RunConfig, summary: Summary) -> str:
    """Return the best configuration as a preset."""
    best = summary.best
    assert best is not None
    head = (
        f"{EXPORTED}{summary.study}: trial {best.number} of {len(summary.trials)} has the best {summary.objective}, "
        f"{best.value:.2f}.\n# Chosen on validation{' of the synthetic twin' if summary.synthetic else ''}; "
        "test data played no part.\n"
    )
    return head + yaml.safe_dump(_preset_values(config, best.params), sort_keys=False)


def reuse_command(config: RunConfig, preset: Path, runs: Path | None = None) -> str:
    """Return the command that runs the best configuration again."""
    parts = ["harness", "run", "--method", config.method.name, *data_options(config.dataset.model_dump())]
    parts += ["--synthetic"] * config.dataset.synthetic
    parts += ["--preset", str(preset)]
    for flag, value in (("--data-root", config.dataset.root), ("--runs", runs)):
        parts += [flag, str(value)] if value else []
    return shlex.join(parts)
