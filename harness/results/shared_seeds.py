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


def shared_seeds(rows: Iterable[Row], persons: Mapping[str, Persons], metric: str = "R1") -> Seeds:
    """Return the variance of one seed of each result, by `persons_key`, shared by those of the same data and backbone.

    A result that trains nothing has none, unless its own seeds differ: those of random weights do. None is a result
    of one seed that no other tells anything of.

    Args:
        rows: results with their seeds combined; those that are not in `persons` are passed over.
        persons: the results per identity, by `persons_key`.
        metric: one of `METRICS`.
    """
    found: Seeds = {}
    groups: dict[tuple[Any, ...], dict[str, SeedVariance | None]] = {}
    for row in rows:
        key = persons_key(row)
        if key not in persons:
            continue
        own = persons[key].seed_variance(metric)
        if row["rule"] == UNTRAINED:
            found[key] = own or SEEDLESS
        else:
            groups.setdefault(data_of(row), {})[key] = own
    for group in groups.values():
        found |= dict(zip(group, shared(list(group.values())), strict=True))
    return found
