"""Combine the seeds of one condition: mean and an interval that speaks of new persons and new seeds alike."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.rows import METRICS

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[str, Any]
Members = Sequence[Mapping[Any, Any]]
Queries = Callable[[str, str], Mapping[str, Any] | None]
COSTS = (
    "train_peak_bytes",
    "test_peak_bytes",
    "train_seconds",
    "step_seconds",
    "seconds_to_best",
    "checkpoint_bytes",
)
OF_ONE_RUN = ("run_id", "seed", "queries")
ONE_SEED = "identities"
SEVERAL_SEEDS = "seeds and identities"
NO_INTERVAL = "none: the seeds' per-query results are not at hand"


def combine_seeds(
    runs: "DataFrame", queries: Queries, groups: Mapping[str, Mapping[str, float]] | None = None
) -> "DataFrame":
    """Return one row for each condition and test set, with its seeds' mean, interval and single values.

    Args:
        runs: single runs, newest first, as `harness.rows.read_runs` gives them.
        queries: returns a run's per-query results from its id and the file's name, or None.
        groups: metrics of the tracked groups of seeds, by id; used where one holds exactly these runs.

    Costs are means over seeds. Without per-query results several seeds have a mean and no interval.
    """
    from pandas import DataFrame

    if not len(runs):
        return DataFrame()
    newest = runs.drop_duplicates(["condition", "tested_on", "seed"])
    parts = newest.groupby(["condition", "tested_on"], sort=False)
    members = ([dict(row.items()) for row in part.to_dict("records")] for _, part in parts)
    return DataFrame([_combine(rows, queries, groups or {}) for rows in members])


def _combine(members: Members, queries: Queries, groups: Mapping[str, Mapping[str, float]]) -> Row:
    members = sorted(members, key=lambda row: (row["seed"] is None, row["seed"]))
    combined: Row = {key: value for key, value in members[0].items() if key not in OF_ONE_RUN}
    combined |= {
        "runs": [row["run"] for row in members],
        "seeds": [row["seed"] for row in members],
        "n_seeds": len(members),
        "device": " + ".join(sorted({str(row["device"]) for row in members})),
        "interval": ONE_SEED,
        "R1_seeds": [row["R1"] for row in members],
    }
    combined |= {name: _mean([row.get(name) for row in members]) for name in COSTS}
    if len(members) > 1:
        combined |= _tracked(members, groups) or _computed(members, queries) or _bare(members)
    return combined


def _tracked(members: Members, groups: Mapping[str, Mapping[str, float]]) -> Row | None:
    """Return the numbers of the tracked group that holds exactly these runs of their own dataset, if there is one."""
    parents = {row["group"] for row in members}
    metrics = groups.get(str(next(iter(parents)))) if len(parents) == 1 else None
    key = f"test/{members[0]['tested_on']}/t2i/"
    if metrics is None or metrics.get("n_seeds") != len(members) or f"{key}R1" not in metrics:
        return None
    found: Row = {"interval": SEVERAL_SEEDS}
    for name in METRICS:
        found[name] = metrics.get(key + name)
        found |= {f"{name}_{end}": metrics.get(f"{key}{name}/{end}") for end in ("low", "high")}
    return found


def _computed(members: Members, queries: Queries) -> Row | None:
    """Combine the seeds' per-query results; None unless all are there and ask for the same persons."""
    from harness.statistics import seed_summary

    read = [queries(row["run_id"], row["queries"]) for row in members]
    arrays = [one for one in read if one is not None]
    if len(arrays) < len(members) or not same_queries(arrays):
        return None
    found: Row = {"interval": SEVERAL_SEEDS}
    for name in METRICS:
        values = np.stack([query_values(one, name) for one in arrays])
        summary = seed_summary(values, arrays[0]["t2i/identity"])
        ends = {name: summary.estimate, f"{name}_low": summary.low, f"{name}_high": summary.high}
        found |= {key: 100 * value for key, value in ends.items()}
    return found


def _bare(members: Members) -> Row:
    found: Row = {"interval": NO_INTERVAL}
    for name in METRICS:
        found |= {name: _mean([row[name] for row in members]), f"{name}_low": None, f"{name}_high": None}
    return found


def independent_difference(
    one: Mapping[Any, Any], other: Mapping[Any, Any], name: str = "R1"
) -> tuple[float, float, float]:
    """Return one result less another with an interval as of independent results: half-widths add as squares.

    >>> one, other = {"R1": 50, "R1_low": 47, "R1_high": 53}, {"R1": 40, "R1_low": 36, "R1_high": 44}
    >>> independent_difference(one, other)
    (10, 5.0, 15.0)
    """
    difference = one[name] - other[name]
    below = np.hypot(one[name] - one[f"{name}_low"], other[f"{name}_high"] - other[name])
    above = np.hypot(one[f"{name}_high"] - one[name], other[name] - other[f"{name}_low"])
    return difference, float(difference - below), float(difference + above)


def same_queries(arrays: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether several per-query results are of the same queries, in the same order."""
    first = arrays[0]["t2i/identity"]
    return all(np.array_equal(first, one["t2i/identity"]) for one in arrays)


def query_values(arrays: Mapping[str, Any], name: str) -> np.ndarray:
    """Return what each text query contributes to a metric, between 0 and 1 [n_query].

    >>> query_values({"t2i/rank": np.array([1, 3])}, "R1").tolist()
    [1.0, 0.0]
    """
    if name.startswith("R"):
        return (np.asarray(arrays["t2i/rank"]) <= int(name[1:])).astype(np.float64)
    return np.asarray(arrays[f"t2i/{name.removeprefix('m')}"], dtype=np.float64)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(known)) if len(known) == len(values) and known else None
