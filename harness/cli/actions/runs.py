"""Tables of recorded runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from harness.cli.layout import paragraph, table
from harness.cli.options import plain, print_json
from harness.cli.terminal import cell, metric_table, record_table
from harness.paths import runs_root
from harness.record import BEFORE_PICTURES, Record, all_runs, find_run

_MARK = "*"


def print_runs(root: str | None, status: str | None, as_json: bool) -> None:
    """Print one line per run."""
    place = runs_root(root)
    records = [record for folder in all_runs(Path(place.path)) if (record := folder.read()) is not None]
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
    else:
        state = f" that are {status}" if status else ""
        click.echo(
            f"No runs{state} in {place}. Start with: harness run --method cskt --dataset icfg --synthetic"
        )


def print_run(name: str, root: str | None, as_json: bool) -> None:
    """Print all there is to know of one run."""
    from harness.inference.transfer import results_of

    folder = find_run(name, runs_root(root).path)
    record = folder.read()
    assert record is not None
    if as_json:
        print_json(
            record.model_dump(mode="json") | {"history": folder.history(), "transfer": results_of(folder)}
        )
        return
    if record.status == "finished":
        record_table(record)
    else:
        click.echo(f"{record.name}: {record.status}")
    for result in results_of(folder):
        metric_table(_title(result), (result["metrics"], result["intervals"]))
    _print_details(record, folder.path)


def _print_details(record: Record, path: Path) -> None:
    if record.error:
        click.echo(plain(f"error: {record.error['message']}\n\n{record.error['traceback']}"))
    packages = ", ".join(
        f"{name} {version}" for name, version in record.environment.get("packages", {}).items()
    )
    lines = [
        f"started {record.started}, ended {record.finished}, {record.seconds:.0f} s",
        f"folder   {path}",
        f"identity {record.identity}",
        f"data     {record.fingerprint}",
        *(f"pictures {sha256} of {split}" for split, sha256 in record.pictures.items()),
        *[f"pictures unknown: {BEFORE_PICTURES}"] * _is_before(record),
        f"versions {record.versions}; {packages}",
        f"MLflow   {record.tracking.get('run_id')} at {record.tracking.get('uri')}",
    ]
    for line in lines:
        paragraph("", line, indent=9)


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
    return [
        f"{record.name} {_MARK}" if _is_before(record) else record.name,
        record.status,
        record.selection.get("rule", "–"),
        f"{record.data['train_pairs']:,}" if _has_pairs(record) else "–",
        cell(record.metrics.get(key + "R1"), record.intervals.get(key + "R1")),
        cell(record.metrics.get(key + "mAP")),
        f"{record.seconds:.0f} s",
    ]


def _left_out(record: Record) -> str:
    """Return how many images of each split a run left out, as short as can be; nothing where it left out none."""
    known = record.data.get("left_out", {"of any split": record.data.get("bad_images", 0)})
    return ", ".join(f"{n:,} {split}" for split, n in known.items() if n)


def _has_pairs(record: Record) -> bool:
    return "train_pairs" in record.data and record.selection.get("rule") != "none"
