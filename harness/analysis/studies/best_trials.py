"""The best trials of a study, the configuration to use, and its results when it was retrained."""

from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.studies.figures import FINISHED, LARGE
from harness.analysis.studies.tables import trials_frame
from harness.analysis.studies.tracked_study import TrackedStudy
from harness.config.fields import Choice
from harness.errors import many
from harness.pages.escaping import visible
from harness.pages.tables import DASH, Table, interval_text
from harness.pages.theme import drawn, short_number
from harness.record.time_left import duration
from harness.sweep.space import Axis
from harness.sweep.trial import TIE

if TYPE_CHECKING:
    from pandas import DataFrame

_N_BEST, _EDGE = 10, 0.02
PRESET = "best.yaml"
_BEST_NOTE = (
    "On validation, in percent. The order of trials that differ by less than a change of seed means nothing: see what "
    "the best one reached when retrained."
)
_BIASED = (
    "The best value of the search is the largest of many noisy ones, so it is biased upwards: the same configuration "
    "retrained is expected to reach less."
)


def best_trials(study: TrackedStudy) -> "DataFrame":
    """Return the ten best trials within the limits, the best first; ties as the study breaks them."""
    rows = trials_frame(study)
    rows = rows[rows["state"] == FINISHED].astype({"mAP": float})
    order = rows.assign(tie=rows["mAP"].fillna(0.0)).sort_values(
        [study.objective, "tie", "number"], ascending=[False, False, True]
    )
    return rows.loc[order.index[:_N_BEST]].reset_index(drop=True)


def best_table(study: TrackedStudy) -> Table:
    """Tabulate the ten best trials with all they set."""
    from pandas import DataFrame

    rows = best_trials(study)
    keys = [axis.key for axis in study.axes]
    shown = bool(rows["mAP"].notna().any()) and TIE not in study.objectives
    lines = {str(row["number"]): _best_lines(row, study, shown) for row in rows.to_dict("records")}
    cells = DataFrame(lines).rename_axis("trial").reset_index()
    return Table(
        name="best_trials",
        title=f"{study.title}: the {len(rows)} best of {many(len(study.trials), 'trial')}",
        values=rows[["number", *study.objectives, "mAP", "seconds", "epochs", *keys]],
        cells=cells,
        notes=(_BEST_NOTE,),
    )


def _best_lines(row: dict[Any, Any], study: TrackedStudy, with_tie: bool) -> dict[str, str]:
    values = {name: _number_text(row[name]) for name in study.objectives}
    tie = {TIE: _number_text(row["mAP"])} if with_tie else {}
    keys = {axis.key: _setting(row[axis.key]) for axis in study.axes}
    return {**values, **tie, "time": duration(row["seconds"]) if row["seconds"] else DASH, **keys}


def _number_text(value: float) -> str:
    return DASH if value != value else f"{value:.1f}" if abs(value) < LARGE else short_number(value)


def _setting(value: Any) -> str:
    """Return a setting as a person reads it.

    >>> _setting(0.00558139), _setting("zero"), _setting(8)
    ('0.00558', 'zero', '8')
    """
    if value is None or value != value:
        return DASH
    number = isinstance(value, float)
    return (
        f"{value:.0f}"
        if number and value.is_integer() and abs(value) < 1e6
        else f"{value:.3g}"
        if number
        else drawn(str(value), 24)
    )


def configuration_table(study: TrackedStudy) -> Table:
    """Tabulate the best configuration beside the method's defaults and the space, and name values at its edge."""
    from pandas import DataFrame

    best = study.best
    assert best is not None, "a study without a finished trial has no best one"
    lines = [
        {
            "key": axis.key,
            "best": best.params.get(axis.key),
            "default": study.defaults.get(axis.key),
            "searched": str(axis).removeprefix(axis.key).strip(),
            "edge": edge(axis, best.params.get(axis.key)),
        }
        for axis in study.axes
    ]
    values = DataFrame(lines, columns=["key", "best", "default", "searched", "edge"], dtype=object)
    cells = values.assign(best=values["best"].map(_setting), default=values["default"].map(_setting))
    return Table(
        name="best_configuration",
        title=f"{study.title}: the best configuration (trial {best.number}, {study.objective} {best.value:.1f})",
        values=values,
        cells=cells.rename(columns={"edge": ""}),
        notes=(
            "At an edge: the best value may be outside. Widen the axis with --space and search under another name.",
        )
        * any(line["edge"] for line in lines),
        n_left=5,
    )


def edge(axis: Axis, value: Any) -> str:
    """Return at which edge of its range a value is, within a fiftieth of the range; nothing inside or for named values.

    >>> from harness.config.fields import Range
    >>> edge(Axis(key="lr", over=Range(low=1e-5, high=1e-2, log=True)), 0.0099)
    'at the upper edge'
    """
    if isinstance(axis.over, Choice) or not isinstance(value, int | float):
        return ""
    low, high, at = axis.over.low, axis.over.high, float(value)
    if axis.over.log and low > 0 and at > 0:
        low, high, at = np.log(low), np.log(high), np.log(at)
    if not high > low:
        return ""
    place = (at - low) / (high - low)
    return "at the lower edge" if place <= _EDGE else "at the upper edge" if place >= 1 - _EDGE else ""


def reuse_table(study: TrackedStudy) -> Table:
    """Tabulate the commands that use the best configuration again."""
    from pandas import DataFrame

    twin = " --synthetic" if study.synthetic else ""
    method, dataset = visible(study.method), visible(study.dataset)
    here = f"harness run --method {method} --dataset {dataset}{twin} --preset data/{PRESET}"
    lines = {"from this report's folder": here} if study.preset else {}
    lines |= {"where it was searched": study.command} if study.command else {}
    lines |= {"the preset alone": f"harness sweep export {study.name}"}
    frame = DataFrame({"where": list(lines), "command": list(lines.values())}, dtype=object)
    return Table("reuse", f"{study.title}: reusing the best configuration", frame, frame, n_left=2)


def worth_table(study: TrackedStudy) -> Table:
    """Tabulate the winner's value beside what the same configuration reached with fresh seeds, and on the test set."""
    from pandas import DataFrame

    best = study.best
    assert best is not None, "a study without a finished trial has tested nothing"
    lines: list[tuple[Any, ...]] = [
        ("the search, as chosen", study.objective, best.value, None, None, str(study.seeds or DASH))
    ]
    values = [trial.value for trial in study.finished if trial.value is not None]
    lines.append(
        ("the search, median trial", study.objective, median(values), None, None, str(study.seeds or DASH))
    )
    n = len(study.anew)
    if study.anew:
        found = study.anew.values()
        lines.append(("retrained, validation", study.objective, fmean(found), min(found), max(found), str(n)))
    for metric, (mean, low, high) in _test_metrics(study).items():
        lines.append(("retrained, test", metric, mean, low, high, str(n or DASH)))
    columns = ["what", "metric", "value", "low", "high", "seeds"]
    frame = DataFrame(lines, columns=columns)
    cells = frame[["what", "metric"]].assign(
        value=[interval_text(*line[2:5]) for line in lines], seeds=frame["seeds"]
    )
    title = f"{study.title}: results of the best configuration"
    return Table("tested", title, frame, cells, (_BIASED, *_retrained_notes(n)), n_left=2)


def _retrained_notes(n: int) -> tuple[str, ...]:
    if not n:
        return ()
    kind = "identities and seeds" if n > 1 else "identities"
    return (
        "Compare the first line with the third, which is on the same identities. Test galleries have other identities "
        "and another size, so the distance to the test figures says nothing by itself.",
        f"In brackets: on validation the lowest and highest seed; on test 95 % intervals over {kind}.",
    )


def _test_metrics(study: TrackedStudy) -> dict[str, tuple[float, float | None, float | None]]:
    wanted = ("t2i/R1", "t2i/R5", "t2i/R10", "t2i/mAP")
    return {name: ends for name, ends in study.test.items() if name.endswith(wanted)}
