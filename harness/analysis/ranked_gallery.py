"""Ranked galleries: which queries of a result are worth looking at, and the images that it put first for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harness.errors import DataError

Queries = Mapping[str, Any]
SHOWN = 10


@dataclass(frozen=True)
class Entry:
    """One row of a gallery.

    Attributes:
        heading: what the row is an example of.
        caption: place of the caption among the test split's captions.
        places: the images put first, best first, by their places in the test split.
        right: whether each of them shows the identity of the caption.
        first_rank: rank of the first right image.
        n_right: how many right images the whole gallery holds.
        repeats: whether the row above has the same caption, so that it is not written again.
    """

    heading: str
    caption: int
    places: tuple[int, ...]
    right: tuple[bool, ...]
    first_rank: int
    n_right: int
    repeats: bool = False

    @property
    def found(self) -> str:
        """Return where the right images are, in words.

        >>> Entry("best", 3, (5, 9, 7), (True, False, True), 1, 2).found
        'right at 1, 3; 2 right in all; first at 1'
        """
        ranks = [str(rank) for rank, right in enumerate(self.right, 1) if right]
        here = f"right at {', '.join(ranks)}" if ranks else f"none of {len(self.right)} right"
        return f"{here}; {self.n_right} right in all; first at {self.first_rank:,}"


class Flips(NamedTuple):
    """Queries that one result answers at rank 1 and the other does not, where the other is farthest off first.

    `n_only_a` and `n_only_b` count all such queries; the lists hold some of them, one per identity.
    """

    only_a: list[int]
    only_b: list[int]
    n_only_a: int
    n_only_b: int


def flips(a: Queries, b: Queries, n: int) -> Flips:
    """Return up to `n` text queries that result `a` answers at rank 1 and `b` does not, and the reverse.

    Those where the other result's rank is farthest off come first; one query per identity in each list.

    Raises `DataError` when the results are not of the same queries.

    >>> a = {"t2i/identity": np.array([1, 2, 3]), "t2i/rank": np.array([1, 1, 5])}
    >>> flips(a, a | {"t2i/rank": np.array([4, 9, 1])}, 2)
    Flips(only_a=[1, 0], only_b=[2], n_only_a=2, n_only_b=1)
    """
    identities = np.asarray(a["t2i/identity"])
    if not np.array_equal(identities, b["t2i/identity"]):
        raise DataError(
            "The two results are of different queries: compare runs tested on the same data of one dataset."
        )
    ranks = np.asarray(a["t2i/rank"]), np.asarray(b["t2i/rank"])
    only = []
    for own, other in (ranks, ranks[::-1]):
        lost = np.flatnonzero((own == 1) & (other > 1))
        only.append(lost[np.argsort(-other[lost], kind="stable")])
    lists = [_one_per_identity(some, identities, n) for some in only]
    return Flips(lists[0], lists[1], len(only[0]), len(only[1]))


def entries(queries: Queries, chosen: Mapping[str, Sequence[int]]) -> list[Entry]:
    """Return the rows of a gallery for queries chosen by kind, as `choose` returns them.

    Raises `DataError` when the results do not say which images came first.
    """
    return [_entry(queries, query, kind) for kind, some in chosen.items() for query in some]


def flip_entries(a: Queries, b: Queries, chosen: Sequence[int], names: tuple[str, str]) -> list[Entry]:
    """Return two rows for each query: what `a` put first, and below it what `b` put first, headed by their names.

    Raises `DataError` when one of the results does not say which images came first.
    """
    both = ((names[0], a, False), (names[1], b, True))
    return [_entry(queries, query, name, below) for query in chosen for name, queries, below in both]


def _entry(queries: Queries, query: int, heading: str, repeats: bool = False) -> Entry:
    lacking = [name for name in ("t2i/top", "i2t/identity") if name not in queries]
    if lacking:
        raise DataError(
            f"These per-query results have no {' and no '.join(lacking)}, so the ranking is not known: the run was "
            "tested before it was recorded; test it again with --force."
        )
    places = np.asarray(queries["t2i/top"][query][:SHOWN])
    identity = queries["t2i/identity"][query]
    right = np.asarray(queries["i2t/identity"])[places] == identity
    return Entry(
        f"{heading} · same caption" if repeats else f"{heading} · caption {query} · identity {identity}",
        int(query),
        tuple(places.tolist()),
        tuple(right.tolist()),
        int(queries["t2i/rank"][query]),
        int(queries["t2i/n_right"][query]),
        repeats,
    )


def _one_per_identity(some: Any, identities: Any, n: int) -> list[int]:
    """Return the first `n` queries of different identities."""
    _, first = np.unique(identities[some], return_index=True)
    return [int(query) for query in some[np.sort(first)[:n]]]
