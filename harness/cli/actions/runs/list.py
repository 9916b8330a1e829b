"""Table the recorded runs."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from harness.cli.actions.runs.stale import older_records, print_older
from harness.cli.actions.runs.states import is_before_pictures, short_state, tell
from harness.cli.layout import paragraph, size, table
from harness.cli.options import plain, print_json
from harness.cli.terminal import cell, no_interval_lines
from harness.errors import listed, many, nearest
from harness.paths import Place, runs_root
from harness.record import (
    BEFORE_PICTURES,
    EARLIER_INTERVALS,
    Record,
    all_runs,
    has_earlier_intervals,
    readable,
    sets_name,
    twin_name,
)
from harness.record.marks import Marks, disk_bytes, parse_since, parse_tag, read_marks
from harness.registry.set_names import split_sets

_MARK, _EARLIER = "*", "‡"


def print_runs(
    root: str | None, status: str | None, as_json: bool, *, stale: bool = False, **asked: Any
) -> None:
    """Print one line per run, of those that fit what is asked (`chosen_runs`); `stale`: of those that are older."""
    place = runs_root(root)
    asked |= {"status": status}
    chosen = chosen_runs(place.path, **asked)
    if stale and chosen:
        _print_stale(place, chosen, as_json)
    elif as_json:
        print_json([_values(run) for run in chosen])
    elif chosen:
        _print_table(f"runs in {place}", chosen)
    elif others := chosen_runs(place.path, archived=True):
        _say_none_fits(place, others, **asked)
    else:
        click.echo(f"No runs in {place}. Start with:\n  harness run --method cskt --dataset icfg --synthetic")


def _print_stale(place: Place, chosen: Sequence["Listed"], as_json: bool) -> None:
    """Print the runs that are older than what is here, each with what is older and what repeats it."""
    found = older_records(place.path, [run.record for run in chosen])
    stale = [run for run in chosen if run.record.name in found and found[run.record.name].why]
    if as_json:
        print_json([_values(run) | {"older": vars(found[run.record.name])} for run in stale])
        return
    if stale:
        _print_table(f"runs in {place} that are older than what is here", stale)
    else:
        paragraph("", f"No finished run in {place} is older than what is here.")
    print_older(found)


def _say_none_fits(place: Place, others: Sequence["Listed"], **asked: Any) -> None:
    """Say that runs are there but none is what is asked, and what may be meant."""
    archived = sum(run.marks.archived for run in others)
    hidden = f", {archived:,} of them archived" if archived and not asked.get("archived") else ""
    line = f"None of the {many(len(others), 'run')} in {place}{hidden}, is what is asked for."
    for kind in ("method", "dataset"):
        known = {run.record.config[kind]["name"] for run in others}
        if (name := asked.get(kind)) and name.replace("-", "_").removesuffix("_twin") not in known:
            line += f" Their {kind}s are {listed(sorted(known))}.{nearest(name, known)}"
    paragraph("", plain(line))


class Listed(NamedTuple):
    """A run as it is listed: its record, what a person says of it, and the bytes of its folder."""

    record: Record
    marks: Marks
    size: int

    @property
    def r1(self) -> float:
        """R@1 from text to image on its own test split, below 0 where there is none."""
        return self.record.metrics.get(f"test/{self.record.config['dataset']['name']}/t2i/R1", -1.0)


_ORDERS: dict[str, Callable[[Listed], Any]] = {
    "name": lambda run: run.record.name,
    "r1": lambda run: -run.r1,
    "time": lambda run: -run.record.seconds,
    "size": lambda run: -run.size,
}


def chosen_runs(
    root: Path,
    *,
    status: str | None = None,
    method: str | None = None,
    dataset: str | None = None,
    tag: str | None = None,
    since: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    archived: bool = False,
) -> list[Listed]:
    """Return the runs that fit, in order; of those by age the newest `limit`, of others the first."""
    after = None if since is None else parse_since(since)
    wanted_tag = None if tag is None else parse_tag(tag)
    found = []
    for folder, record in readable(all_runs(root), tell):
        marks, config = read_marks(folder), record.config
        fits = (
            status in (None, record.status)
            and method in (None, config["method"]["name"], config["method"]["name"].replace("_", "-"))
            and dataset in (None, *_data_names(record))
            and (archived or not marks.archived)
            and (wanted_tag is None or _has_tag(marks, *wanted_tag))
            and (after is None or (record.started and datetime.fromisoformat(record.started) >= after))
        )
        if fits:
            found.append(Listed(record, marks, disk_bytes(folder)))
    found.sort(key=lambda run: run.record.started)
    if sort in _ORDERS:
        found.sort(key=_ORDERS[sort])
        return found[:limit]
    return found[-limit:] if limit else found


def _data_names(record: Record) -> list[str]:
    """Return the names by which a run's data may be asked for: each of its datasets, and all of a joint training."""
    trained = sets_name(record.config)
    names = dict.fromkeys((*split_sets(trained), trained))
    return [*names, *(twin_name(name, record.synthetic) for name in names)]


def _has_tag(marks: Marks, name: str, value: str) -> bool:
    return name in marks.tags and value in ("", marks.tags[name])


def _values(run: Listed) -> dict[str, Any]:
    record = run.record.model_dump(mode="json", exclude={"sources", "environment"})
    return record | {"marks": run.marks.model_dump(), "bytes": run.size}


def _print_table(title: str, chosen: Sequence[Listed]) -> None:
    records = [run.record for run in chosen]
    extra = {
        "left out": [_left_out(record) for record in records],
        "tags": [_tags(run.marks) for run in chosen],
    }
    shown = {name: column for name, column in extra.items() if any(column)}
    header = ("run", "status", "rule", "pairs", "R@1 [95 %]", "mAP", "time", "disk", *shown)
    rows = [
        [*_row(run.record), size(run.size), *(column[place] for column in shown.values())]
        for place, run in enumerate(chosen)
    ]
    leaving = ("disk", "time", "pairs", "mAP", "rule", "status")
    table(title, header, rows, text=(*header[:3], *extra), leaving=leaving)
    paragraph("", f"{many(len(chosen), 'run')}, {size(sum(run.size for run in chosen))} on disk", indent=2)
    _print_remarks(records)


def _tags(marks: Marks) -> str:
    words = [f"{name}={value}" if value else name for name, value in marks.tags.items()]
    return ", ".join([*["archived"] * marks.archived, *words])


def _print_remarks(records: Sequence[Record]) -> None:
    if any(map(is_before_pictures, records)):
        paragraph("", f"{_MARK} {BEFORE_PICTURES}", indent=2)
    no_interval_lines([ends for record in records for ends in record.intervals.values()])
    if any(map(has_earlier_intervals, records)):
        paragraph("", f"{_EARLIER} {EARLIER_INTERVALS}", indent=2)
    faulty = [record.name for record in records if record.data.get("faults")]
    if faulty:
        paragraph("", f"faults of the data, by harness runs show RUN: {', '.join(faulty)}", indent=2)


def _row(record: Record) -> list[Any]:
    key = f"test/{record.config['dataset']['name']}/t2i/"
    rule = record.selection.get("rule", "–")
    return [
        f"{record.name} {_MARK}" if is_before_pictures(record) else record.name,
        short_state(record),
        ("untrained" if rule == "none" else rule) + ", scored" * bool(record.scored),
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
