"""Tables of recorded runs."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.layout import paragraph, table
from harness.cli.options import plain, print_json, printed_command
from harness.cli.terminal import cell, fault_lines, interval_line, metric_table, record_table
from harness.config.values import flatten
from harness.errors import DataError, HarnessError, many
from harness.files import write_text
from harness.paths import runs_root
from harness.record import (
    BEFORE_PICTURES,
    EARLIER_INTERVALS,
    UNKNOWN,
    WHOLE,
    Record,
    RunFolder,
    all_runs,
    find_run,
    has_earlier_intervals,
    reached,
    readable,
)

if TYPE_CHECKING:
    from harness.analysis.reread import Outcome

_MARK, _EARLIER = "*", "‡"


def print_runs(root: str | None, status: str | None, as_json: bool) -> None:
    """Print one line per run."""
    place = runs_root(root)
    records = [record for _, record in readable(all_runs(place.path), _tell)]
    chosen = [record for record in records if status in (None, record.status)]
    if as_json:
        print_json([record.model_dump(mode="json", exclude={"sources", "environment"}) for record in chosen])
    elif chosen:
        without = [_left_out(record) for record in chosen]
        header = ("run", "status", "rule", "pairs", "R@1 [95 %]", "mAP", "time", *["left out"] * any(without))
        rows = [
            [*_row(record), *[words] * any(without)] for record, words in zip(chosen, without, strict=True)
        ]
        leaving = ("time", "pairs", "mAP", "rule", "status")
        table(f"runs in {place}", header, rows, text=(*header[:3], "left out"), leaving=leaving)
        if any(map(_is_before, chosen)):
            paragraph("", f"{_MARK} {BEFORE_PICTURES}", indent=2)
        if any(map(has_earlier_intervals, chosen)):
            paragraph("", f"{_EARLIER} {EARLIER_INTERVALS}", indent=2)
        faulty = [record.name for record in chosen if record.data.get("faults")]
        if faulty:
            paragraph("", f"faults of the data, by harness runs show RUN: {', '.join(faulty)}", indent=2)
    else:
        state = f" that are {status}" if status else ""
        click.echo(
            f"No runs{state} in {place}. Start with: harness run --method cskt --dataset icfg --synthetic"
        )


def _tell(file: Path, why: str) -> None:
    click.echo(plain(f"left out: {why}"), err=True)


def print_run(name: str, root: str | None, as_json: bool) -> None:
    """Print all there is to know of one run."""
    folder = find_run(name, runs_root(root).path)
    record = folder.read()
    assert record is not None
    if as_json:
        print_json(
            record.model_dump(mode="json")
            | {"history": _history(folder), "transfer": list(folder.results()), "kept": folder.states()}
        )
        return
    if record.status == "finished":
        record_table(record)
    else:
        paragraph("", f"{record.name}: {_state(record)}")
        if resume := _resume(record, root):
            click.echo(plain(f"resume it: {resume}"))
        fault_lines(record.data)
    for result in folder.results():
        metric_table(_title(result), (result["metrics"], result["intervals"]))
        interval_line(result)
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
    yield "command", record.command or "not recorded"
    changed = [f"{key}={value} (default {old})" for key, old, value in _differences(record)]
    yield "config", ", ".join(changed) or "nothing differs from the default"
    yield from _selection(record)
    yield "started", f"{record.started}, ended {record.finished or '–'}, {record.seconds:.0f} s"
    yield "folder", str(folder.path)
    yield from _files(folder)
    yield "identity", record.identity
    yield "data", record.fingerprint
    for split, sha256 in record.pictures.items():
        yield "pictures", f"{sha256} of {split}"
    if _is_before(record):
        yield "pictures", f"unknown: {BEFORE_PICTURES}"
    packages = record.environment.get("packages", {})
    yield (
        "versions",
        ", ".join(f"{name} {version}" for name, version in {**record.versions, **packages}.items()),
    )
    if record.weights_sha256:
        yield "weights", record.weights_sha256
    yield "MLflow", f"{record.tracking.get('run_id')} at {record.tracking.get('uri')}"


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


def _status(record: Record) -> str:
    host = record.environment.get("host")
    elsewhere = record.status == "running" and host not in (None, socket.gethostname())
    return f"{record.status} on {host} (or gone)" if elsewhere else str(record.status)


def _state(record: Record) -> str:
    """Return a run's state, and of one that did not finish how far it came."""
    return ", ".join(filter(None, [_status(record), reached(record.progress)]))


def _short_state(record: Record) -> str:
    """Return a run's state with the epochs done of those to do, as `interrupted 3/60`."""
    known = record.progress.get("epochs")
    return f"{_status(record)} {record.progress['epoch']}/{known}" if known else _status(record)


def _resume(record: Record, root: str | None) -> str | None:
    """Return the command that goes on with a run; None where none does."""
    if record.status not in ("interrupted", "failed") or record.imported:
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


def print_reread(names: Sequence[str], root: str | None, as_json: bool) -> None:
    """Re-read runs and print which intervals changed, how many were left, and why others were skipped."""
    from harness.analysis.reread import reread_runs

    found = reread_runs(names, root)
    if as_json:
        print_json(found.as_dict())
    elif found.reread or found.left or found.skipped:
        _print_reread(found)
        _print_reread_counts(found, root)
    else:
        click.echo(plain(f"No finished runs in {runs_root(root)}: nothing to re-read."))


def _print_reread(found: "Outcome") -> None:
    if found.reread:
        header = ("result", "R@1 [95 %] before", "now")
        rows = [(one.result, cell(one.value, one.before), cell(one.value, one.now)) for one in found.reread]
        table("intervals made anew", header, rows)
    if found.skipped:
        table("left alone", ("result", "why"), found.skipped.items(), text=("result", "why"))


def _print_reread_counts(found: "Outcome", root: str | None) -> None:
    from harness.evaluate.intervals import METHOD

    already = "is" if found.left == 1 else "are"
    paragraph(
        "",
        f"re-read {many(len(found.reread), 'result')} by method {METHOD}; {found.left} {already} by it already; "
        f"{len(found.skipped)} left alone",
    )
    if found.unsent:
        sync = printed_command("runs", "sync", runs=root)
        n = len(found.unsent)
        click.echo(plain(f"MLflow has not got the new intervals of {n} of them: {sync}"))


def _title(result: Mapping[str, Any]) -> str:
    """Return what a result on another dataset is called, with what it stands without."""
    n = result.get("left_out") or result.get("bad_images", 0)
    without = f" without {n:,} unreadable images" if n else ""
    return f"on {result['dataset']}{without}" + ("" if "pictures" in result else f" · {BEFORE_PICTURES}")


def _is_before(record: Record) -> bool:
    """Whether a run depends on pictures and does not know on which."""
    return not record.pictures and bool(record.fingerprint)


def _row(record: Record) -> list[Any]:
    key = f"test/{record.config['dataset']['name']}/t2i/"
    rule = record.selection.get("rule", "–")
    return [
        f"{record.name} {_MARK}" if _is_before(record) else record.name,
        _short_state(record),
        "untrained" if rule == "none" else rule,
        f"{record.data['train_pairs']:,}" if _has_pairs(record) else "–",
        cell(record.metrics.get(key + "R1"), record.intervals.get(key + "R1"))
        + f" {_EARLIER}" * has_earlier_intervals(record),
        cell(record.metrics.get(key + "mAP")),
        f"{record.seconds:.0f} s",
    ]


def _left_out(record: Record) -> str:
    """Return how many images of each split a run left out, as short as can be; nothing where it left out none."""
    known = record.data.get("left_out", {"of any split": record.data.get("bad_images", 0)})
    return ", ".join(f"{n:,} {split}" for split, n in known.items() if n)


def _has_pairs(record: Record) -> bool:
    return "train_pairs" in record.data and record.selection.get("rule") != "none"
