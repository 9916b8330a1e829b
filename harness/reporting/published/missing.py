"""Published results without a run, and the runs and suites that would make one."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from harness.datasets import DATASETS
from harness.errors import listed, many
from harness.metric_names import METRICS
from harness.pages.escaping import visible
from harness.pages.tables import DASH
from harness.reporting.missing import evaluate_command, run_command
from harness.reporting.published.matches import Row, is_twin, short_paper
from harness.reporting.published.settings import RELEASED, has_released, names_settings
from harness.reports import Gap
from harness.results.panels import Panel
from harness.results.run_table import UNTRAINED


def missing(published: Sequence[Row], panels: Sequence[Panel], datasets: Sequence[str] = ()) -> list[Gap]:
    """Return one gap for each published method and dataset without a result on real data, with its commands.

    Published rows that name their settings count separately: those without a result are one gap per table.
    """
    rows = [row for panel in panels if not is_twin(panel) for row in panel.records]
    there = {str(_cell(row | {"counterpart": row["method"]})) for row in rows}
    beside = {_settings_of(one) for row in rows for one in row["published"]}
    asked = {name.replace("-", "_") for name in datasets}
    cells: dict[str, list[Row]] = {}
    for one in published:
        wanted = not asked or {one["tested_on"], one["trained_on"] or one["tested_on"]} <= asked
        found = _settings_of(one) in beside if names_settings(one) else str(_cell(one)) in there
        if wanted and not found and any(one[name] is not None for name in METRICS):
            cells.setdefault(_group(one), []).append(one)
    return [_settings_gap(rows) if names_settings(rows[0]) else _missing_gap(rows) for rows in cells.values()]


def released_command(method: str, dataset: str) -> str:
    """Return the command that runs a method as its authors' code does, where a preset repeats it."""
    return run_command(method, dataset, False) + f" --preset {RELEASED}" * has_released(method)


def cell_text(row: Mapping[Any, Any]) -> str:
    """Return where a result was trained and tested; one name for both where they are the same.

    >>> cell_text({"trained_on": "icfg", "tested_on": "cuhk", "rule": "val"})
    'icfg → cuhk'
    """
    alone = row["rule"] == UNTRAINED or row["trained_on"] in (None, row["tested_on"])
    return str(row["tested_on"]) if alone else f"{row['trained_on']} → {row['tested_on']}"


def printed(value: float | None) -> str:
    """Return a published figure as it is printed; a dash where there is none.

    >>> printed(13.45), printed(None)
    ('13.45', '–')
    """
    return DASH if value is None or value != value else f"{value:.2f}"


def _settings_of(row: Row) -> str:
    parts = ("counterpart", "trained_on", "tested_on", "presets", "set", "backbone", "R1")
    return str([row.get(part) for part in parts])


def _group(row: Row) -> str:
    return str((_cell(row), row["tables"][0])) if names_settings(row) else str(_cell(row))


def _cell(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    trained_on = None if row.get("rule") == UNTRAINED else row["trained_on"]
    return row["counterpart"], trained_on, row["tested_on"]


def _missing_gap(rows: Sequence[Row]) -> Gap:
    first = rows[0]
    figures = "; ".join(
        f"R@1 {printed(row['R1'])} ({visible(row['method'])}, {short_paper(row['paper'])})" for row in rows
    )
    what = f"{first['counterpart']} on {cell_text(first)}: published {figures}; no run on real data."
    return Gap(what, tuple(_commands(first)))


def _settings_gap(rows: Sequence[Row]) -> Gap:
    """Return the gap of a table's rows of one method and dataset: their suite, or else a run for each setting."""
    first = rows[0]
    names = list(dict.fromkeys(visible(row["method"]) for row in rows))
    what = (
        f"{first['counterpart']} on {cell_text(first)}, table {first['tables'][0]}: "
        f"{many(len(rows), 'published result')} ({listed(names, 3)}) without a run on real data."
    )
    suite = _suite_of(first)
    if suite is not None:
        return Gap(what, (f"harness suite run {suite}",))
    return Gap(what, tuple(dict.fromkeys(_run_command(row) for row in rows)) if _commands(first) else ())


def _suite_of(row: Row) -> str | None:
    """Return the shipped suite whose own table this is: the first that it names, with the row's method and dataset."""
    from harness.suites.suite_files import load_suite, suite_names

    for suite in map(load_suite, suite_names()):
        methods = {each.method for each in suite.rows}
        if suite.published[:1] == (row["tables"][0],) and row["counterpart"] in methods:
            return suite.name if row["tested_on"] in suite.datasets else None
    return None


def _run_command(row: Row) -> str:
    from harness.presets.resolve import override

    words = [run_command(row["counterpart"], row["trained_on"] or row["tested_on"], False)]
    words += [f"--preset {shlex.quote(name)}" for name in row["presets"]]
    words += [f"--set {shlex.quote(override(key, value))}" for key, value in row["set"].items()]
    return " ".join(words)


def _commands(row: Row) -> list[str]:
    from harness.methods import METHODS

    if row["counterpart"] not in METHODS.names() or row["tested_on"] not in DATASETS.names():
        return []
    trained_on = row["trained_on"] or row["tested_on"]
    command = released_command(row["counterpart"], trained_on)
    return (
        [command]
        if trained_on == row["tested_on"]
        else [command, evaluate_command("RUN", [row["tested_on"]])]
    )
