"""What a bundle says of its runs together: seeds combined, ranks and differences, from the per-query results alone."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bundle.layout import PERSONS, RESULTS, RUNS
from harness.evaluate.per_identity import Persons, persons_key, write_persons
from harness.files import write_json
from harness.metric_names import METRICS
from harness.record import Record, RunFolder
from harness.results.method_ranks import pairs, ranked
from harness.results.panels import Panel, dataset_facts, split_panels
from harness.results.run_table import json_cell, run_rows
from harness.results.seeds.over_seeds import combine_seeds
from harness.track.tags import record_row

if TYPE_CHECKING:
    from pandas import DataFrame

_ENDS = ("", "_low", "_high")
_RANKS = ("rank_low", "rank_high", "rank_persons_only")
_PAIR = ("difference", "difference_low", "difference_high", "p", "p_holm", "detectable", "persons_only")


def run_folders(folder: Path) -> list[RunFolder]:
    """Return the runs of an unpacked bundle, by name."""
    return [RunFolder(path) for path in sorted((folder / RUNS).iterdir())]


def write_figures(folder: Path) -> None:
    """Write what the runs of an unpacked bundle say together: results.json and persons.npz."""
    found, persons = figures(folder)
    write_json(folder / RESULTS, found)
    write_persons(folder / PERSONS, persons)


def figures(folder: Path) -> tuple[dict[str, Any], dict[str, Persons]]:
    """Return the tables of an unpacked bundle as plain values, and each result per identity.

    A table holds results on one test set that may be compared, best first, and the difference of each two. A result is
    named after its first run: the hash of its condition is another once the harness knows one setting more.
    """
    combined, persons = combined_runs(run_folders(folder))
    panels = split_panels(combined, dataset_facts, persons)
    names = {
        persons_key(row): f"{row['runs'][0]} on {row['tested_on']}" for row in combined.to_dict("records")
    }
    return {"tables": [_table(panel) for panel in panels]}, {names[key]: one for key, one in persons.items()}


def combined_runs(folders: Sequence[RunFolder]) -> tuple["DataFrame", dict[str, Persons]]:
    """Return the results of runs on disk with their seeds combined, and each result per identity, without a store."""
    from pandas import DataFrame

    records: dict[str, tuple[RunFolder, Record]] = {}
    for run in folders:
        record = run.read()
        assert record is not None
        records[record.name] = (run, record)
    rows = [record_row(record, run.results()) for run, record in records.values()]
    known = {row.name: row for row in rows}
    newest = sorted(rows, key=lambda row: (-(row.started or 0), row.name))
    table = DataFrame([line for row in newest for line in run_rows(row, known)])
    return combine_seeds(table, partial(_queries, records))


def _queries(
    records: Mapping[str, tuple[RunFolder, Record]], run: str, name: str
) -> Mapping[str, Any] | None:
    folder, _ = records[run]
    return folder.queries(name) if folder.file(name).is_file() else None


def _table(panel: Panel) -> dict[str, Any]:
    rows = ranked(panel).to_dict("records")
    between = pairs(panel).to_dict("records")
    return {
        "tested_on": str(panel.records[0]["tested_on"]),
        "facts": panel.facts,
        "results": [_result(row) for row in rows],
        "differences": [_difference(line, rows) for line in between],
    }


def _result(row: Mapping[Any, Any]) -> dict[str, Any]:
    names = [name + end for name in METRICS for end in _ENDS]
    said = {"label": row["label"], "runs": list(row["runs"]), "interval": row["interval"]}
    return said | {name: json_cell(row[name]) for name in (*names, *_RANKS)}


def _difference(line: Mapping[Any, Any], rows: list[Any]) -> dict[str, Any]:
    """Return the difference of the first result minus the second, in points of R@1."""
    one, other = (rows[int(line[name]) - 1]["runs"][0] for name in ("place", "other_place"))
    return {"of": one, "minus": other} | {name: json_cell(line[name]) for name in _PAIR}
