"""What a report misses to be whole, and the commands that make it, safe to paste into a shell."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.panels import Panel
from harness.rows import UNTRAINED

if TYPE_CHECKING:
    from pandas import DataFrame

FLOOR = "zero_shot"
RIVALS = ("linear_probe", "full_finetune")
RESUMABLE = ("interrupted", "failed")


@dataclass(frozen=True)
class Gap:
    """Something that a report misses, and the commands that make it."""

    what: str
    commands: tuple[str, ...] = ()


def run_command(method: str, dataset: str, synthetic: bool) -> str:
    """Return the command that makes a missing run.

    >>> run_command("zero_shot", "icfg", True)
    'harness run --method zero_shot --dataset icfg --synthetic'
    """
    words = ["harness", "run", "--method", method, "--dataset", dataset]
    return shlex.join([*words, "--synthetic"] if synthetic else words)


def evaluate_command(run: str, datasets: Sequence[str]) -> str:
    """Return the command that tests a run on other datasets.

    >>> evaluate_command("cskt-icfg-1a2b", ["cuhk", "rstp"])
    'harness evaluate cskt-icfg-1a2b --dataset cuhk --dataset rstp'
    """
    return shlex.join(
        ["harness", "evaluate", run, *(word for name in datasets for word in ("--dataset", name))]
    )


def beginning(*datasets: str) -> Gap:
    """Return the gap of a report without any result: how to make some on the synthetic twins."""
    methods = (FLOOR, *RIVALS)
    commands = [run_command(method, dataset, True) for dataset in datasets for method in methods]
    return Gap("No finished run of the chosen experiment and datasets. To begin:", tuple(commands))


def floor_gap(panel: Panel, dataset: str) -> list[Gap]:
    """Return a gap when the panel has no method that trains nothing."""
    rows = panel.rows
    if (rows["rule"] == UNTRAINED).any():
        return []
    what = f"Protocol {panel.number}: no untrained method, the floor of the comparison."
    return [Gap(what, (run_command(FLOOR, dataset, bool(rows["synthetic"].iloc[0])),))]


def untested_gaps(panel: Panel, tests: Sequence[str]) -> list[Gap]:
    """Return a gap for each condition of which some seed has not seen all test sets."""
    parts = panel.rows.groupby("condition", sort=False)
    return [gap for _, part in parts if (gap := _untested(part, tests))]


def unfinished_gaps(unfinished: "DataFrame") -> list[Gap]:
    """Return a gap for each run that did not finish, with the command that takes it up again."""
    found = []
    for row in unfinished.to_dict("records"):
        commands = (
            (shlex.join(["harness", "runs", "resume", row["run"]]),) if row["status"] in RESUMABLE else ()
        )
        found.append(Gap(f"The run {row['run']} is {row['status']} and not counted.", commands))
    return found


def _untested(part: "DataFrame", tests: Sequence[str]) -> Gap | None:
    records = part.to_dict("records")
    runs = dict.fromkeys(run for row in records for run in row["runs"])
    seen = {run: {row["tested_on"] for row in records if run in row["runs"]} for run in runs}
    commands = [evaluate_command(run, sorted(missing)) for run in runs if (missing := set(tests) - seen[run])]
    if not commands:
        return None
    names = ", ".join(sorted(set(tests) - set.intersection(*seen.values())))
    first = records[0]
    return Gap(f"{first['label']} trained on {first['trained_on']}: not tested on {names}.", tuple(commands))
