"""Where a result is good and where it is not: recall of captions of one length, colour or garment, and by direction.

A slice is a subset of a test set's queries. Its interval is over its identities, and so is that of its difference from
all other queries: there an identity counts once for both parts, because its captions are in both. There are many slices
and no interval is adjusted for their number: a large difference here is a question for another test set, not a finding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.captions.vocabulary import named_by
from harness.evaluate.intervals import cluster_sums, share_intervals
from harness.evaluate.per_identity import query_values
from harness.evaluate.variance import half_width, influence

if TYPE_CHECKING:
    from pandas import DataFrame

Queries = Mapping[str, Any]
Flags = NDArray[np.bool_]
METRICS = ("R1", "R10", "mAP")
MIN_IDENTITIES = 5
_MOST_VALUES = 6
COLUMNS = [
    "by",
    "slice",
    "n_queries",
    "n_identities",
    *(
        f"{name}{part}"
        for name in METRICS
        for part in ("", "_low", "_high", "_less_rest", "_less_rest_low", "_less_rest_high")
    ),
]
_REPEAT = "the run was tested before they were recorded; test it again with --force"


@dataclass(frozen=True)
class Slices:
    """The slices of one result.

    Attributes:
        rows: one row a slice: `by` (what the queries are cut by), `slice`, `n_queries`, `n_identities`, each of
            `METRICS` in percent with `_low` and `_high`, and its difference from all other queries as
            `_less_rest`, `_less_rest_low` and `_less_rest_high`, NaN where too few other queries are left.
        notes: what was left out and why, one sentence each.
    """

    rows: "DataFrame"
    notes: list[str] = field(default_factory=list)


def slice_queries(queries: Queries) -> Slices:
    """Return recall by caption length, number of right images, colour, garment and direction.

    Args:
        queries: a test's per-query results, as `RunFolder.queries` returns them; slices of what an older one
            lacks are left out with a note.
    """
    from pandas import DataFrame

    text = _asked(queries, "t2i")
    parts, notes = _parts(queries)
    rows: list[dict[str, Any]] = []
    for by, slices in parts.items():
        cut = {name: (text.only(inside), text.only(~inside)) for name, inside in slices.items()}
        small = [name for name, (inside, _) in cut.items() if 0 < inside.n_identities < MIN_IDENTITIES]
        rows += [
            {"by": by, "slice": name} | _row(inside, rest)
            for name, (inside, rest) in cut.items()
            if inside.n_identities >= MIN_IDENTITIES
        ]
        notes += [_left_out(by, small)] if small else []
    if "i2t/identity" in queries:
        image = _asked(queries, "i2t")
        rows.append({"by": "direction", "slice": "text to image"} | _row(text, image))
        rows.append({"by": "direction", "slice": "image to text"} | _row(image, text))
    else:
        notes.append("direction: these per-query results have no image queries.")
    return Slices(DataFrame(rows, columns=COLUMNS), notes)


def length_bins(values: Any) -> dict[str, Flags]:
    """Cut whole numbers at their quartiles, and name each part by its bounds; equal numbers never part.

    >>> list(length_bins([1, 2, 3, 4, 5, 6, 7, 8]))
    ['1-2', '3-4', '5-6', '7-8']
    """
    numbers = np.asarray(values)
    ends = np.unique(np.quantile(numbers, [0.25, 0.5, 0.75, 1.0], method="lower"))
    place = np.searchsorted(ends, numbers)
    found = {}
    for part in range(len(ends)):
        inside = place == part
        low, high = numbers[inside].min(), numbers[inside].max()
        found[f"{low}-{high}" if low < high else f"{low}"] = inside
    return found


def value_bins(values: Any) -> dict[str, Flags]:
    """Give each whole number its slice, or each quartile where there are more than `_MOST_VALUES`.

    >>> list(value_bins([3, 2, 3]))
    ['2', '3']
    """
    numbers = np.asarray(values)
    different = np.unique(numbers)
    if len(different) > _MOST_VALUES:
        return length_bins(numbers)
    return {f"{value}": numbers == value for value in different}


def bit_slices(masks: Any, names: Any) -> dict[str, Flags]:
    """Give each name the queries whose bit for it is set, and `none` those without any.

    >>> {name: inside.tolist() for name, inside in bit_slices([1, 0], ["red"]).items()}
    {'red': [True, False], 'none': [False, True]}
    """
    return named_by(masks, names) | {"none": np.asarray(masks) == 0}


class _Asked(NamedTuple):
    """Some queries: what each contributes to `METRICS` [n_query, n_metric], and its identity [n_query]."""

    values: NDArray[np.float64]
    identities: NDArray[Any]

    def only(self, inside: Flags) -> "_Asked":
        return _Asked(self.values[inside], self.identities[inside])

    @property
    def n_identities(self) -> int:
        return len(np.unique(self.identities))


def _asked(queries: Queries, direction: str) -> _Asked:
    columns = [query_values(queries, name, direction) for name in METRICS]
    return _Asked(np.stack(columns, axis=1), np.asarray(queries[f"{direction}/identity"]))


def _parts(queries: Queries) -> tuple[dict[str, dict[str, Flags]], list[str]]:
    """Return the slices of the text queries by what cuts them, and a note for each cut that cannot be made."""
    found: dict[str, dict[str, Flags]] = {}
    notes = []
    for by, (key, make) in _CUTS.items():
        needed = (f"t2i/{key}", f"words/{key}") if make is bit_slices else (f"t2i/{key}",)
        if all(name in queries for name in needed):
            found[by] = make(*(queries[name] for name in needed))
        else:
            notes.append(f"{by}: these per-query results have no t2i/{key}; {_REPEAT}.")
    return found, notes


_CUTS: dict[str, tuple[str, Callable[..., dict[str, Flags]]]] = {
    "words in the caption": ("n_words", length_bins),
    "right images": ("n_right", value_bins),
    "colour named": ("colours", bit_slices),
    "garment named": ("garments", bit_slices),
}


def _left_out(by: str, small: list[str]) -> str:
    what = "1 slice" if len(small) == 1 else f"{len(small)} slices"
    return f"{by}: {what} of fewer than {MIN_IDENTITIES} identities left out ({', '.join(small)})."


def _row(inside: _Asked, rest: _Asked) -> dict[str, float]:
    """Return what is known of a slice, in percent."""
    row: dict[str, float] = {"n_queries": len(inside.values), "n_identities": inside.n_identities}
    found = share_intervals(inside.values, inside.identities)
    differences = _differences(inside, rest)
    for name, one, (estimate, low, high) in zip(METRICS, found, differences, strict=True):
        row |= {name: 100 * one.estimate, f"{name}_low": 100 * one.low, f"{name}_high": 100 * one.high}
        row |= {f"{name}_less_rest": 100 * estimate}
        row |= {f"{name}_less_rest_low": 100 * low, f"{name}_less_rest_high": 100 * high}
    return row


def _differences(inside: _Asked, rest: _Asked) -> list[tuple[float, float, float]]:
    """Return each metric of a slice minus that of the rest, with its interval; identities in both count in both."""
    if rest.n_identities < MIN_IDENTITIES:
        return [(np.nan, np.nan, np.nan)] * len(METRICS)
    persons = np.unique(np.concatenate([inside.identities, rest.identities]))
    (one, one_sizes), (other, other_sizes) = _sums(inside, persons), _sums(rest, persons)
    found = []
    for mine, theirs in zip(one.T, other.T, strict=True):
        estimate = float(mine.sum() / one_sizes.sum() - theirs.sum() / other_sizes.sum())
        half = half_width(influence(mine, one_sizes) - influence(theirs, other_sizes))
        found.append((estimate, max(estimate - half, -1.0), min(estimate + half, 1.0)))
    return found


def _sums(part: _Asked, persons: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums [n_identity, n_metric] and numbers of queries [n_identity] of each of some identities."""
    sums, sizes = cluster_sums(part.values, part.identities)
    places = np.searchsorted(persons, np.unique(part.identities))
    all_sums, all_sizes = np.zeros((len(persons), sums.shape[1])), np.zeros(len(persons))
    all_sums[places], all_sizes[places] = sums, sizes
    return all_sums, all_sizes
