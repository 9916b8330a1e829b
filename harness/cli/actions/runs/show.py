"""Show all there is to know of one run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from harness.cli.actions.runs.states import is_before_pictures, state
from harness.cli.layout import paragraph, table
from harness.cli.options import plain, print_json, printed_command
from harness.cli.terminal import fault_lines, interval_line, met_lines, metric_table, record_table
from harness.config.values import flatten
from harness.data.protocols.galleries import parse_test
from harness.errors import DataError, HarnessError, many
from harness.files import write_text
from harness.paths import runs_root
from harness.record import (
    BEFORE_PICTURES,
    UNKNOWN,
    WHOLE,
    Record,
    RunFolder,
    find_run,
)
from harness.record.marks import read_marks
from harness.results.versions import older_of


def print_run(name: str, root: str | None, as_json: bool) -> None:
    """Print all there is to know of one run."""
    folder = find_run(name, runs_root(root).path)
    record = folder.read()
    assert record is not None
    if as_json:
        print_json(
            record.model_dump(mode="json")
            | {"history": _history(folder), "transfer": list(folder.results()), "kept": folder.states()}
            | {"marks": read_marks(folder).model_dump()}
        )
        return
    if record.status == "finished":
        record_table(record)
    else:
        paragraph("", f"{record.name}: {state(record)}")
        if resume := _resume(record, root):
            click.echo(plain(f"resume it: {resume}"))
        fault_lines(record.data)
    for result in folder.results():
        metric_table(_title(result), (result["metrics"], result["intervals"]))
        interval_line(result)
        if not record.synthetic:
            met_lines(record.learned_from, parse_test(str(result["dataset"]))[0])
        fault_lines(result)
    _print_history(_history(folder))
    if record.error:
        click.echo(plain(f"error: {record.error['message']}\n\n{record.error['traceback']}"))
    for head, text in _details(record, folder):
        paragraph(f"{head:<9} ", text)


def _print_history(history: Sequence[dict[str, float]]) -> None:
    """Print a row for each finished epoch."""
    if not history:
        return
    names = {"val/t2i/R1": "val R@1", "val/t2i/mAP": "val mAP", "lr": "lr", "seconds": "time"}
    digits = {"val/t2i/R1": "{:.1f}", "val/t2i/mAP": "{:.1f}", "lr": "{:.2e}", "seconds": "{:.1f} s"}
    rows = [
        [f"{row['epoch']:.0f}", f"{row['train/loss']:.4f}" if "train/loss" in row else "–"]
        + [digits[key].format(row[key]) if key in row else "–" for key in names]
        for row in history
    ]
    table("epochs", ("epoch", "loss", *names.values()), rows, text=(), leaving=("lr", "time", "val mAP"))


def _history(folder: RunFolder) -> list[dict[str, float]]:
    """Return the metrics of each finished epoch; none of a damaged file, which is named among the files."""
    with suppress(DataError):
        return folder.history()
    return []


def _files(folder: RunFolder) -> Iterator[tuple[str, str]]:
    """Yield what is known of the files of a run: which are whole, and a line of each other one."""
    states = folder.states()
    if whole := [name for name, state in states.items() if state == WHOLE]:
        yield "files", f"whole: {', '.join(whole)}"
    for line in folder.faults():
        yield "files", line
    if unknown := [name for name, state in states.items() if state == UNKNOWN]:
        yield "files", f"{UNKNOWN}: {', '.join(unknown)}"


def _details(record: Record, folder: RunFolder) -> Iterator[tuple[str, str]]:
    """Yield what there is to know of a run besides its results."""
    command = _repeating(record)
    yield "command", command or "not recorded"
    if record.command and record.command != command:
        yield "made by", record.command
    if not record.scored:
        changed = [f"{key}={value} (default {old})" for key, old, value in _differences(record)]
        yield "config", ", ".join(changed) or "nothing differs from the default"
        yield from _selection(record)
    yield "started", f"{record.started}, ended {record.finished or '–'}, {record.seconds:.0f} s"
    yield from _said(folder)
    yield "folder", str(folder.path)
    yield from _files(folder)
    yield "identity", record.identity
    yield "data", record.fingerprint
    for split, sha256 in record.pictures.items():
        yield "pictures", f"{sha256} of {split}"
    for name, held in record.further.items():
        yield (
            "further",
            f"{name}: annotation {held['fingerprint'][:12]}, {held['train']['captions']:,} training pairs",
        )
    if is_before_pictures(record):
        yield "pictures", f"unknown: {BEFORE_PICTURES}"
    packages = record.environment.get("packages", {})
    yield (
        "versions",
        ", ".join(f"{name} {version}" for name, version in {**record.versions, **packages}.items()),
    )
    for words in older_of(record):
        yield "older", words
    if record.weights_sha256:
        yield "weights", record.weights_sha256
    yield "MLflow", f"{record.tracking.get('run_id')} at {record.tracking.get('uri')}"


def _said(folder: RunFolder) -> Iterator[tuple[str, str]]:
    """Yield what a person says of a run."""
    said = read_marks(folder)
    if said.archived:
        yield "archived", "harness runs restore brings it back to lists and reports"
    if said.tags:
        yield "tags", ", ".join(f"{name}={value}" if value else name for name, value in said.tags.items())
    if said.note:
        yield "note", said.note


def _repeating(record: Record) -> str | None:
    """Return the command that repeats a run."""
    from harness.presets.repeat import repeating_command

    return repeating_command(record)


def _differences(record: Record) -> Sequence[tuple[str, Any, Any]]:
    """Return what differs from the defaults of today; nothing of a run whose settings are not known any more."""
    from harness.presets.stored import stored_differences

    try:
        return stored_differences(record.config)
    except HarnessError:
        return [(key, "unknown", value) for key, value in flatten(record.config).items()]


def _selection(record: Record) -> Iterator[tuple[str, str]]:
    """Yield how the epoch was chosen and how often the test split was read."""
    chosen = record.selection
    if not chosen:
        return
    if chosen["rule"] == "none":
        yield "epoch", "none: the method trains nothing"
    elif "epoch" in chosen:
        score = f", validation R@1 {chosen['val/t2i/R1']:.1f}" if "val/t2i/R1" in chosen else ""
        yield "epoch", f"{chosen['epoch']} of {chosen['epochs']} by the rule {chosen['rule']}{score}"
    if record.study is not None:
        yield "test", "never read: a trial of a study"
    elif record.oracle:
        yield "test", "read after each epoch (eval.test_each_epoch), then once with the chosen weights"
    elif record.metrics:
        yield "test", "read once, with the chosen weights"


def _resume(record: Record, root: str | None) -> str | None:
    """Return the command that goes on with a run; None where none does."""
    if record.status not in ("interrupted", "failed") or record.imported or record.scored:
        return None
    if record.study is not None:
        return f"harness sweep resumes the trials of the study {record.study}"
    return printed_command("runs", "resume", record.name, runs=root)


def print_queries(
    name: str, root: str | None, direction: str, dataset: str | None, data_root: str | None, out: str | None
) -> None:
    """Print the per-query results of a run as CSV, or write them to a file."""
    from harness.analysis.query_table import csv_text, query_table

    folder = find_run(name, runs_root(root).path)
    text = csv_text(query_table(folder, direction=direction, dataset=dataset, root=data_root))
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(Path(out), text)
        click.echo(f"wrote {plain(out)}", err=True)


def _title(result: Mapping[str, Any]) -> str:
    """Return what a result on another dataset is called, with what it stands without."""
    n = result.get("left_out") or result.get("bad_images", 0)
    without = f" without {many(n, 'unreadable image')}" if n else ""
    return f"on {result['dataset']}{without}" + ("" if "pictures" in result else f" · {BEFORE_PICTURES}")
