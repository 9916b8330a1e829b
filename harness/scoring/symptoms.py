"""What scores show of how they were saved: distances, another order of captions, rounding; each in one line."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.errors import DataError, many
from harness.evaluate.intervals import cluster_sums
from harness.evaluate.rank_counts import Array
from harness.scoring.matrix import BFLOAT16

# Below the first probability scores are taken for distances, above the second for chance, of this many identities on.
_SURE, _CHANCE, _FEW = 1e-3, 1e-2, 5
_HALF = ("float16", BFLOAT16)


@dataclass(frozen=True)
class Seen:
    """What is seen of each caption's scores [n_caption].

    Attributes:
        lift: mean score of its right images minus that of the others, in standard deviations of all; 0 where all are
            equal.
        right, wrong: the best score of its right images, and of the others (minus infinity where there is none).
        share: right images among all.
    """

    lift: Array
    right: Array
    wrong: Array
    share: Array

    @property
    def tied(self) -> int:
        """How many captions have a wrong image of the very score of their best right one."""
        return int((self.right == self.wrong).sum())

    @property
    def r1_at_best(self) -> float:
        """R@1 in percent if ties counted for the model."""
        return 100 * float((self.right >= self.wrong).mean())


def look(scores: Array, asked: Array, identities: Array) -> Seen:
    """Look at the scores of some captions, which stay as they are.

    Args:
        scores: finite [n_caption, n_image].
        asked: identity of each caption [n_caption].
        identities: identity of each image [n_image].
    """
    is_right = asked[:, None] == identities[None, :]
    n_right = is_right.sum(axis=1)
    n_wrong = scores.shape[1] - n_right
    total, right = scores.sum(axis=1, dtype=np.float64), _products(scores, is_right)
    mean = total / scores.shape[1]
    spread = np.sqrt(np.maximum(_products(scores, scores) / scores.shape[1] - mean * mean, 0))
    gap = right / np.maximum(n_right, 1) - (total - right) / np.maximum(n_wrong, 1)
    lift = np.divide(gap, spread, out=np.zeros(len(scores)), where=(spread > 0) & (n_wrong > 0))
    best = np.max(scores, axis=1, where=is_right, initial=-np.inf)
    other = np.max(scores, axis=1, where=~is_right, initial=-np.inf)
    return Seen(lift, best, other, n_right / scores.shape[1])


def _products(one: Array, other: Array) -> Array:
    """Return the sum of products of each row, added up in float64 without a copy of the rows [n_row]."""
    sums: Array = np.einsum("ij,ij->i", one, other, dtype=np.float64)
    return sums


def joined(parts: Sequence[Seen]) -> Seen:
    """Return what was seen of several parts, one after another."""
    return Seen(*(np.concatenate([vars(part)[name] for part in parts]) for name in Seen.__dataclass_fields__))


def check_finite(scores: Array, first: int, file: object) -> None:
    """Raise `DataError` that names the first score [n_caption, n_image] that is not finite, and counts the others.

    Args:
        scores: of captions from row `first` on.
        first: row of the first.
        file: where they are from, for the message.
    """
    bad = ~np.isfinite(scores)
    if bad.any():
        row, column = (int(n) for n in np.argwhere(bad)[0])
        raise DataError(
            f"{file}: expected finite scores, found {scores[row, column]} for caption {first + row:,}, image "
            f"{column:,} (from 0), and {many(int(bad.sum()) - 1, 'more', 'more')} in the {len(scores):,} rows from "
            f"{first:,} on. Save the scores before anything is masked, in float32."
        )


def check_sense(seen: Seen, asked: Array, file: object, *, distance: bool, ordered: bool) -> None:
    """Raise `DataError` where right images score lower than others, or as chance would have it.

    Args:
        seen: of all captions.
        asked: identity of each [n_caption].
        file: where the scores are from, for the message.
        distance: whether the values were told to be distances.
        ordered: whether the order of captions and images was given by a list; then chance is not an error.
    """
    if _by_chance(-seen.lift, asked) < _SURE:
        found = "higher" if distance else "lower"
        mend = "leave out --distance" if distance else "give --distance"
        raise DataError(
            f"{file}: expected {'distances' if distance else 'similarities'}, found that right images have {found} "
            f"values than others, by {abs(float(seen.lift.mean())):.2f} standard deviations: {mend}."
        )
    hits: Array = (seen.right > seen.wrong) - seen.share
    enough = len(np.unique(asked)) >= _FEW
    if not ordered and enough and min(_by_chance(one, asked) for one in (seen.lift, hits)) > _CHANCE:
        raise DataError(
            f"{file}: expected right images to score higher than others, found chance (R@1 "
            f"{100 * float((seen.right > seen.wrong).mean()):.2f}, by chance {100 * float(seen.share.mean()):.2f}): "
            "captions or images are in another order than the harness's. Give their lists by --order (harness score "
            "--template writes one)."
        )


def tie_note(seen: Seen, dtype: str) -> str | None:
    """Return in one sentence how many captions ties decide and what they do to R@1; None where none does."""
    if not seen.tied:
        return None
    n = len(seen.right)
    r1 = 100 * float((seen.right > seen.wrong).mean())
    kind = f"scores are {dtype}, which rounds: save float32; " if dtype in _HALF else ""
    return (
        f"{kind}{many(seen.tied, 'caption')} of {n:,} have a wrong image of the very score of their best right one. "
        f"Ties count against the model: R@1 is {r1:.2f}, and would be {seen.r1_at_best:.2f} if they counted for it."
    )


def _by_chance(values: Array, asked: Array) -> float:
    """Return the probability that values [n_caption] of mean 0 would have so high a mean over identities."""
    sums, sizes = cluster_sums(values, asked)
    means = sums[:, 0] / sizes
    error = float(means.std(ddof=1)) / len(means) ** 0.5 if len(means) > 1 else 0.0
    mean = float(means.mean())
    return float(special.stdtr(len(means) - 1, -mean / error)) if error else float(mean <= 0)
