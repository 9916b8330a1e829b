"""Results per identity: the sums over its queries are all that intervals and paired differences need of a result.

A few numbers per identity summarise thousands of queries, so a report includes them and any two of its results can
be compared without going back to the runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from harness.errors import DataError
from harness.evaluate.intervals import (
    SeedSummary,
    cluster_sums,
    intra_identity_correlation,
    summarise_sums,
)
from harness.evaluate.paired_difference import Difference, paired_difference
from harness.evaluate.variance import Array, SeedVariance, seed_variance
from harness.files import load_arrays, write_arrays
from harness.metric_names import METRICS

PARTS = ("identities", "sizes", "sums", "correlation")
S = TypeVar("S", bound=SeedSummary)


@dataclass(frozen=True)
class Persons:
    """One result on one test set, per identity.

    Attributes:
        identities: the test identities, in ascending order [n_identity].
        sizes: how many text queries ask for each [n_identity].
        sums: what their queries add up to, in `METRICS`, between 0 and size [n_seed, n_identity, n_metric].
        correlation: intra-class correlation of the R@1 outcomes of one identity's queries, mean over seeds.
    """

    identities: np.ndarray
    sizes: Array
    sums: Array
    correlation: float

    def summary(self, metric: str, seeds: SeedVariance | None = None) -> SeedSummary:
        """Return the mean over seeds with its interval over seeds and identities, in percent.

        `seeds` is the variance of one seed, where other results help to know it; else the result's own.
        """
        return _in_percent(summarise_sums(self.of(metric), self.sizes, seeds))

    def mean(self, metric: str) -> float:
        """Return the mean over queries and seeds, in percent."""
        return 100 * float(self.of(metric).mean(axis=0).sum() / self.sizes.sum())

    def seed_variance(self, metric: str) -> SeedVariance | None:
        """Return what the result's own seeds say of another seed; None of one seed."""
        return seed_variance(self.of(metric), self.sizes)

    def of(self, metric: str) -> Array:
        """Return the sums of one metric [n_seed, n_identity]."""
        column: Array = self.sums[:, :, METRICS.index(metric)]
        return column

    def same_test_set(self, other: "Persons") -> bool:
        """Return whether both results have queries for the same identities, equally many for each."""
        return np.array_equal(self.identities, other.identities) and np.array_equal(self.sizes, other.sizes)


def persons_of(seeds: Sequence[Mapping[str, Any]]) -> Persons:
    """Return one result per identity from the per-query arrays of its seeds (`queries.npz`).

    Raises `DataError` when the seeds are of different queries.
    """
    asked = [np.asarray(one["t2i/identity"]) for one in seeds]
    if not all(np.array_equal(asked[0], one) for one in asked):
        raise DataError("The seeds of one result are of different queries.")
    values = [np.stack([query_values(one, name) for name in METRICS], axis=1) for one in seeds]
    summed = [cluster_sums(one, asked[0]) for one in values]
    correlations = [intra_identity_correlation(one[:, 0], asked[0]) for one in values]
    return Persons(
        np.unique(asked[0]),
        summed[0][1],
        np.stack([sums for sums, _ in summed]),
        float(np.mean(correlations)),
    )


def query_values(arrays: Mapping[str, Any], name: str, direction: str = "t2i") -> Array:
    """Return what each query of a direction contributes to one of `ALL_METRICS`, between 0 and 1 [n_query].

    >>> query_values({"t2i/rank": np.array([1, 3])}, "R1").tolist()
    [1.0, 0.0]
    """
    if name.startswith("R"):
        return (np.asarray(arrays[f"{direction}/rank"]) <= int(name[1:])).astype(np.float64)
    return np.asarray(arrays[f"{direction}/{name.removeprefix('m')}"], dtype=np.float64)


def difference(
    a: Persons | None,
    b: Persons | None,
    metric: str = "R1",
    seeds: tuple[SeedVariance | None, SeedVariance | None] = (None, None),
) -> Difference | None:
    """Return a - b in points; None where one is missing or they are of different queries.

    `seeds` is the variance of one seed of each, as `paired_difference` takes it.
    """
    if a is None or b is None or not a.same_test_set(b):
        return None
    return _in_percent(paired_difference(a.of(metric), b.of(metric), a.sizes, seeds))


def _in_percent(summary: S) -> S:
    """Return a summary or difference of shares as percent or points."""
    kept = ("freedom", "p_value", "persons_only")
    return type(summary)(**{k: v if k in kept else 100 * v for k, v in vars(summary).items()})


def persons_key(row: Mapping[Any, Any]) -> str:
    """Return the key of a result per identity: its condition, its test set and the pictures of another dataset's."""
    key = f"{row['condition']} on {row['tested_on']}"
    return f"{key} {row['pictures']}" if row.get("pictures") and not row.get("in_domain") else key


def write_persons(path: Path, results: Mapping[str, Persons]) -> None:
    """Write several results per identity to one file, without pickles; equal results give an equal file."""
    names = np.array(list(results), dtype=np.str_)
    arrays: dict[str, Any] = {
        f"{i}/{part}": _compact(getattr(one, part))
        for i, one in enumerate(results.values())
        for part in PARTS
    }
    write_arrays(path, {"names": names} | arrays)


def load_persons(path: str | Path) -> dict[str, Persons]:
    """Return what `write_persons` wrote; nothing where there is no such file."""
    if not Path(path).is_file():
        return {}
    arrays = load_arrays(path)
    return {str(name): _unpacked(arrays, place) for place, name in enumerate(arrays["names"])}


def _unpacked(arrays: Mapping[str, Any], place: int) -> Persons:
    identities, sizes, sums, correlation = (arrays[f"{place}/{part}"] for part in PARTS)
    return Persons(identities, sizes.astype(np.float64), sums.astype(np.float64), float(correlation))


def _compact(values: Any) -> np.ndarray:
    """Return numbers in four bytes each; those that are counts stay exact."""
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype == np.float64 else array
