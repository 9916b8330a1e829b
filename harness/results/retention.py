"""How much of the untrained method's accuracy on other datasets training on one dataset retains."""

from typing import TYPE_CHECKING, Any

from harness.results.run_table import UNTRAINED

if TYPE_CHECKING:
    from pandas import DataFrame

SAME = (
    "synthetic",
    "weights",
    "image_size",
    "text_length",
    "preprocessing",
    "tested_on",
    "test_fingerprint",
    "pictures",
    "protocol",
)


def with_retention(rows: "DataFrame") -> "DataFrame":
    """Return single runs with `retention` and `retained_on`, for those that were tested on other datasets too.

    Retention is R@1 on other datasets than the run's own minus the R@1 of the untrained backbone there, in points,
    mean over those datasets; above 0, training elsewhere helped. Of several untrained results the first counts.
    `retained_on` names the datasets. Both are None for a run that was tested nowhere else, where no untrained method
    was, or that trains nothing itself.

    Args:
        rows: one row for each run and test set (`harness.results.run_table.read_runs`).
    """
    records = rows.to_dict("records")
    floors: dict[tuple[Any, ...], float] = {}
    for row in records:
        if row["rule"] == UNTRAINED:
            floors.setdefault(_setting(row), row["R1"])
    found: dict[str, dict[str, float]] = {}
    for row in records:
        floor = floors.get(_setting(row))
        if row["rule"] != UNTRAINED and not row["in_domain"] and floor is not None:
            found.setdefault(row["run_id"], {})[row["tested_on"]] = row["R1"] - floor
    kept = [found.get(row["run_id"], {}) for row in records]
    means: Any = [sum(one.values()) / len(one) if one else None for one in kept]
    names: Any = [", ".join(sorted(one)) or None for one in kept]
    return rows.assign(retention=means, retained_on=names)


def _setting(row: dict[Any, Any]) -> tuple[Any, ...]:
    """Return what a run and the untrained method must share to be compared."""
    return tuple(row.get(name) for name in SAME)
