"""What the seeds of results on the same data say of one another."""

from collections.abc import Iterable, Mapping
from typing import Any

from harness.evaluate.per_identity import Persons, persons_key
from harness.evaluate.variance import SEEDLESS, SeedVariance, shared
from harness.results.run_table import UNTRAINED

Row = Mapping[Any, Any]
Seeds = dict[str, SeedVariance | None]
# What stands beside each claim about a result of one seed that no other tells anything of.
MARKED = "persons only: another seed may order otherwise"
# Seeds say something of one another where these are equal.
SAME_DATA = (
    "trained_on",
    "tested_on",
    "train_pairs",
    "fingerprint",
    "test_fingerprint",
    "backbone",
    "weights",
)


def data_of(row: Row) -> tuple[str, ...]:
    """Return the values of `SAME_DATA`, the same for all that is unknown, be it None or NaN."""
    values = (row[name] for name in SAME_DATA)
    return tuple("" if value is None or value != value else str(value) for value in values)


def by_data(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the results of the same data and backbone together."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(data_of(row), []).append(row)
    return list(groups.values())


def shared_seeds(rows: Iterable[Row], persons: Mapping[str, Persons], metric: str = "R1") -> Seeds:
    """Return the variance of one seed of each result, by `persons_key`, shared by those of the same data and backbone.

    A result that trains nothing has none, unless its own seeds differ: those of random weights do. None is a result
    of one seed that no other tells anything of.

    Args:
        rows: results with their seeds combined; those that are not in `persons` are passed over.
        persons: the results per identity, by `persons_key`.
        metric: one of `METRICS`.
    """
    known = [row for row in rows if persons_key(row) in persons]
    own = {key: persons[key].seed_variance(metric) for key in map(persons_key, known)}
    found: Seeds = {}
    for group in by_data(row for row in known if row["rule"] != UNTRAINED):
        keys = list(dict.fromkeys(map(persons_key, group)))
        found |= dict(zip(keys, shared([own[key] for key in keys]), strict=True))
    return found | {
        persons_key(row): own[persons_key(row)] or SEEDLESS for row in known if row["rule"] == UNTRAINED
    }
