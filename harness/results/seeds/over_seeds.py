"""Combine the seeds of one condition: mean and an interval that covers new identities and new seeds."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DataError
from harness.evaluate.intervals import METHOD
from harness.evaluate.per_identity import Persons, persons_key, persons_of
from harness.evaluate.variance import SeedVariance
from harness.metric_names import METRICS
from harness.record import BOOTSTRAP
from harness.results.run_table import UNTRAINED

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[str, Any]
Members = Sequence[Mapping[Any, Any]]
Queries = Callable[[str, str], Mapping[str, Any] | None]
COSTS = (
    "step_peak_bytes",
    "train_peak_bytes",
    "test_peak_bytes",
    "train_seconds",
    "step_seconds",
    "seconds_to_best",
    "checkpoint_bytes",
    "images_per_second",
    "captions_per_second",
    "retention",
)
_OF_ONE_RUN = ("run_id", "seed", "queries", "tracked_method", "day")
# What an interval covers. Of a result of one seed nothing may tell what another would change.
IDENTITIES, PERSONS_ONLY = "identities", "identities only"
SEVERAL_SEEDS = "seeds and identities"
NO_INTERVAL = "none: the seeds' per-query results are missing"


def combine_seeds(
    runs: "DataFrame", queries: Queries, groups: Mapping[str, Mapping[str, float]] | None = None
) -> tuple["DataFrame", dict[str, Persons]]:
    """Return one row for each condition and test set, and the results of each per identity, by `persons_key`.

    A row holds its seeds' mean, interval, the method that made it, and single values; costs are means over seeds. From
    per-query results intervals are computed anew, whatever was tracked.

    Args:
        runs: single runs, newest first, as `harness.results.run_table.read_runs` gives them.
        queries: returns a run's per-query results from its id and the file's name, or None.
        groups: metrics of the tracked groups of seeds, by id; they give the interval where one holds exactly
            these runs and their per-query results are missing.

    Without either, several seeds have a mean and no interval.
    """
    from pandas import DataFrame

    if not len(runs):
        return DataFrame(), {}
    newest = runs.drop_duplicates(["condition", "tested_on", "seed"])
    rows, found = [], {}
    for _, part in newest.groupby(newest.apply(persons_key, axis=1), sort=False):
        members = sorted(part.to_dict("records"), key=lambda row: (row["seed"] is None, row["seed"]))
        persons = _read(members, queries)
        rows.append(_combine(members, persons, groups or {}))
        if persons is not None:
            found[persons_key(rows[-1])] = persons
    return DataFrame(rows), found


def _combine(members: Members, persons: Persons | None, groups: Mapping[str, Mapping[str, float]]) -> Row:
    combined: Row = {key: value for key, value in members[0].items() if key not in _OF_ONE_RUN}
    combined |= {
        "runs": [row["run"] for row in members],
        "run_ids": [row["run_id"] for row in members],
        "seeds": [row["seed"] for row in members],
        "n_seeds": len(members),
        "device": " + ".join(sorted({str(row["device"]) for row in members})),
        "interval": IDENTITIES if members[0].get("rule") == UNTRAINED else PERSONS_ONLY,
        "R1_seeds": [row["R1"] for row in members],
        "n_identities": None if persons is None else len(persons.sizes),
        "correlation": None if persons is None else persons.correlation,
        "interval_method": members[0].get("tracked_method") if persons is None else METHOD,
    }
    combined |= {name: _mean([row.get(name) for row in members]) for name in COSTS}
    if persons is not None:
        combined |= {name: persons.mean(name) for name in METRICS if len(members) > 1}
        return combined | certainty(persons)
    return combined | ((_tracked(members, groups) or _bare(members)) if len(members) > 1 else {})


def _read(members: Members, queries: Queries) -> Persons | None:
    """Return a result per identity; None unless all seeds are there and were tested on the same queries."""
    read = [queries(row["run_id"], row["queries"]) for row in members]
    arrays = [one for one in read if one is not None]
    try:
        return persons_of(arrays) if len(arrays) == len(members) else None
    except (DataError, KeyError, ValueError):
        return None


def certainty(persons: Persons, seeds: Mapping[str, SeedVariance | None] | None = None) -> Row:
    """Return the ends of a result's intervals, what they cover, and R@1's standard errors from identities and seeds.

    Args:
        persons: the result per identity.
        seeds: the variance of one seed by metric, where other results help to know it; else the result's own.
    """
    known = seeds or {name: persons.seed_variance(name) for name in METRICS}
    found: Row = {}
    for name in METRICS:
        summary, one = persons.summary(name, known[name]), known[name]
        found |= {f"{name}_low": summary.low, f"{name}_high": summary.high}
        if name == "R1":
            found |= {"identity_error": summary.identity_error, "seed_error": summary.seed_error}
        if name == "R1" and one is not None:
            found["interval"] = SEVERAL_SEEDS if one.freedom else IDENTITIES
    return found


def _tracked(members: Members, groups: Mapping[str, Mapping[str, float]]) -> Row | None:
    """Return the numbers of the tracked group that holds exactly these runs, if there is one."""
    parents = {row["group"] for row in members}
    metrics = groups.get(str(next(iter(parents)))) if len(parents) == 1 else None
    key = f"test/{members[0]['tested_on']}/t2i/"
    if metrics is None or metrics.get("n_seeds") != len(members) or f"{key}R1" not in metrics:
        return None
    method = int(metrics.get("interval_method", BOOTSTRAP))
    found: Row = {"interval": SEVERAL_SEEDS, "interval_method": method}
    for name in METRICS:
        found[name] = metrics.get(key + name)
        found |= {f"{name}_{end}": metrics.get(f"{key}{name}/{end}") for end in ("low", "high")}
    return found


def _bare(members: Members) -> Row:
    found: Row = {"interval": NO_INTERVAL, "interval_method": None}
    for name in METRICS:
        found |= {name: _mean([row[name] for row in members]), f"{name}_low": None, f"{name}_high": None}
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(known)) if len(known) == len(values) and known else None
