"""Table the recorded runs."""

from typing import Any

import click

from harness.cli.actions.runs.states import is_before_pictures, short_state, tell
from harness.cli.layout import paragraph, table
from harness.cli.options import print_json
from harness.cli.terminal import cell
from harness.paths import runs_root
from harness.record import (
    BEFORE_PICTURES,
    EARLIER_INTERVALS,
    Record,
    all_runs,
    has_earlier_intervals,
    readable,
)

_MARK, _EARLIER = "*", "‡"


def print_runs(root: str | None, status: str | None, as_json: bool) -> None:
    """Print one line per run."""
    place = runs_root(root)
    records = [record for _, record in readable(all_runs(place.path), tell)]
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
        if any(map(is_before_pictures, chosen)):
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


def _row(record: Record) -> list[Any]:
    key = f"test/{record.config['dataset']['name']}/t2i/"
    rule = record.selection.get("rule", "–")
    return [
        f"{record.name} {_MARK}" if is_before_pictures(record) else record.name,
        short_state(record),
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
