"""Rank the images of each caption again by k-reciprocal neighbours (Zhong et al., CVPR 2017, arXiv 1701.08398).

The paper compares pictures with pictures; here the probe is a caption. Captions and images lie apart in an embedding,
so a caption is never among the nearest neighbours of an image that has other images to choose from. So neighbours
across the two are asked for among the other kind alone: an image of a caption's k1 best is reciprocal where the caption
is among that image's k1 best captions. All else is the paper's: the expansion by the neighbours' own reciprocal sets of
half the size (at least two thirds shared), weights exp(-d), the mean over k2 neighbours, the Jaccard distance, and its
mix with the first distance d, the squared Euclidean one, divided by the row's largest as in the authors' code.
Neighbours among the images are an image itself and its k nearest others.

Test captions and test images, without their labels, decide about one another: such results are flagged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from harness.errors import UsageError
from harness.evaluate.rank_counts import Array
from harness.scoring.embedded import Embedded

# What `--rerank` takes in place of a file.
RERANKERS = ("k_reciprocal",)
_AT_ONCE, _SHARED = 256, 2 / 3


@dataclass(frozen=True)
class Neighbours:
    """How captions are ranked again.

    Attributes:
        k1: neighbours that are asked whether they are reciprocal.
        k2: neighbours whose codes are averaged, the image or caption itself counted.
        weight: lambda, the share of the first distance in the new one.
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3

    @property
    def words(self) -> str:
        """The settings in words.

        >>> Neighbours().words
        'k-reciprocal neighbours, k1=20, k2=6, lambda=0.3'
        """
        return f"k-reciprocal neighbours, k1={self.k1}, k2={self.k2}, lambda={self.weight:g}"


@dataclass(frozen=True)
class Code:
    """The weights of some images, which sum to 1: their places, rising, and the weights; both empty for none."""

    places: Array
    weights: Array


class KReciprocal:
    """Scores of captions and images in which k-reciprocal neighbours count, a block at a time, as a matrix gives them.

    From image to text the embeddings alone rank. Memory: k1 neighbours and one sparse code of each image, of at most
    (k1 + 1) (k1 / 2 + 1) k2 weights and mostly a few dozen, and one block of rows; never images x images.
    """

    def __init__(self, first: Embedded, settings: Neighbours) -> None:
        self.first, self.settings = first, settings
        fewest = min(first.shape)
        if settings.k2 > settings.k1 or settings.k1 >= fewest:
            raise UsageError(
                f"--k1 {settings.k1} and --k2 {settings.k2} do not fit: k2 may be as large as k1, and k1 must be "
                f"less than {fewest:,}, the fewer of captions and images."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Captions and images."""
        return self.first.shape

    @property
    def negative(self) -> bool:
        """Scores are the negatives of mixed distances, and no distances were given."""
        return False

    @property
    def type_name(self) -> str:
        """The type of the values."""
        return "float32"

    def blocks(self, axis: int) -> Iterator[tuple[int, Array]]:
        """Yield the scores of some captions after another (axis 0), or of images as the embeddings give them (1)."""
        if axis == 1:
            yield from self.first.blocks(1)
            return
        for start, block in self.first.blocks(0):
            yield start, self._again(start, block)

    def note(self) -> str:
        """Return what is to be said once the captions are ranked."""
        return f"ranked again by {self.settings.words}, found in the test split; image to text by the embeddings alone"

    @cached_property
    def _near(self) -> Array:
        """Each image and its nearest others, nearest first [n_image, k1 + 1]."""
        return nearest(self.first.image, self.first.image, self.settings.k1 + 1, itself=True)

    @cached_property
    def _captions(self) -> Array:
        """The best captions of each image [n_image, k1]."""
        return nearest(self.first.image, self.first.text, self.settings.k1)

    @cached_property
    def _halves(self) -> list[frozenset[int]]:
        """The reciprocal neighbours of half the size of each image."""
        return reciprocal(self._near[:, : round(self.settings.k1 / 2) + 1])

    @cached_property
    def _own_codes(self) -> list[Code]:
        """The code of each image before the mean over neighbours."""
        image, mutual = self.first.image, reciprocal(self._near)
        codes: list[Code] = []
        for start, block in _products(image, image):
            rows = _distances(block)
            codes += [_code(expanded(mutual[start + n], self._halves), row) for n, row in enumerate(rows)]
        return codes

    @cached_property
    def _codes(self) -> "Codes":
        """The code of each image."""
        own = self._own_codes
        return Codes([mean_of([own[one] for one in row[: self.settings.k2]]) for row in self._near], len(own))

    def _again(self, start: int, block: Array) -> Array:
        """Return the new scores of a block of captions [n_row, n_image] of these similarities."""
        k1, k2, weight = self.settings.k1, self.settings.k2, self.settings.weight
        best = torch.from_numpy(block).topk(k1, dim=1).indices.numpy()
        distances = _distances(torch.from_numpy(block))
        known = (self._captions[best] == np.arange(start, start + len(block))[:, None, None]).any(axis=2)
        for row, (items, mutual) in enumerate(zip(best, known, strict=True)):
            found = expanded(frozenset(items[mutual].tolist()), self._halves)
            code = mean_of([_code(found, distances[row]), *(self._own_codes[one] for one in items[: k2 - 1])])
            block[row] = -(1 - weight) * self._codes.jaccard(code) - weight * distances[row]
        return block


class Codes:
    """The codes of all images by the images that they weigh, so that what overlaps one is found without the rest."""

    def __init__(self, codes: Sequence[Code], n_image: int) -> None:
        self._n_image = n_image
        self._sums = np.array([code.weights.sum() for code in codes])
        owners = np.repeat(np.arange(len(codes), dtype=np.int32), [len(code.places) for code in codes])
        places = np.concatenate([code.places for code in codes])
        order = np.argsort(places, kind="stable")
        self._owners = owners[order]
        self._weights = np.concatenate([code.weights for code in codes])[order]
        self._starts = np.concatenate([[0], np.bincount(places, minlength=n_image).cumsum()])

    def jaccard(self, code: Code) -> Array:
        """Return the Jaccard distance of a code to that of each image [n_image]: 1 - sum of minima / sum of maxima."""
        ranges = [slice(*self._starts[place : place + 2]) for place in code.places]
        if not ranges:
            return np.ones(self._n_image)
        owners = np.concatenate([self._owners[one] for one in ranges])
        least = np.concatenate(
            [np.minimum(self._weights[one], own) for one, own in zip(ranges, code.weights, strict=True)]
        )
        shared = np.bincount(owners, least, minlength=self._n_image)
        distances: Array = 1 - shared / (code.weights.sum() + self._sums - shared)
        return distances


def nearest(asked: Tensor, others: Tensor, k: int, *, itself: bool = False) -> Array:
    """Return the places of the k most similar others of each row, most similar first [n_asked, k].

    Args:
        asked, others: embeddings of length 1 [n, dim].
        k: how many.
        itself: whether both are the same rows, of which each is its own nearest, copies of it or not.
    """
    found = np.empty((len(asked), k), dtype=np.int32)
    for start, block in _products(asked, others):
        if itself:
            rows = torch.arange(len(block))
            block[rows, start + rows] = torch.inf
        found[start : start + len(block)] = block.topk(k, dim=1).indices.numpy()
    return found


def reciprocal(near: Array) -> list[frozenset[int]]:
    """Return of each image those of its neighbours that have it among theirs.

    Args:
        near: the neighbours of each image, itself first [n_image, k + 1].

    >>> [sorted(found) for found in reciprocal(np.array([[0, 1], [1, 0], [2, 1]]))]
    [[0, 1], [0, 1], [2]]
    """
    found = []
    for start in range(0, len(near), _AT_ONCE):
        rows = near[start : start + _AT_ONCE]
        mutual = (near[rows] == np.arange(start, start + len(rows))[:, None, None]).any(axis=2)
        found += [frozenset(row[kept].tolist()) for row, kept in zip(rows, mutual, strict=True)]
    return found


def expanded(found: frozenset[int], halves: Sequence[frozenset[int]]) -> frozenset[int]:
    """Return reciprocal neighbours with the half-size sets of theirs of which they have at least two thirds.

    >>> sorted(expanded(frozenset({0, 1}), [frozenset({0, 1, 2}), frozenset({1, 3})]))
    [0, 1, 2]
    """
    more = [halves[one] for one in found if len(found & halves[one]) >= _SHARED * len(halves[one])]
    return found.union(*more)


def mean_of(codes: Sequence[Code]) -> Code:
    """Return the mean of codes.

    >>> code = mean_of([Code(np.array([1]), np.array([1.0])), Code(np.array([1, 4]), np.array([0.5, 0.5]))])
    >>> code.places.tolist(), code.weights.tolist()
    ([1, 4], [0.75, 0.25])
    """
    places, inverse = np.unique(np.concatenate([code.places for code in codes]), return_inverse=True)
    weights = np.bincount(inverse, np.concatenate([code.weights for code in codes]), minlength=len(places))
    return Code(places.astype(np.int32), weights / len(codes))


def _code(found: frozenset[int], distances: Array) -> Code:
    """Return the code of what has these neighbours at these distances: exp(-d), summing to 1."""
    places = np.array(sorted(found), dtype=np.int32)
    weights = np.exp(-distances[places].astype(np.float64))
    return Code(places, weights / weights.sum() if len(places) else weights)


def _products(asked: Tensor, others: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield similarities of some rows after another, with the place of the first, all in one piece of memory.

    Pieces of their own would be parted by what is kept of each block, and the gaps between would never be given back.
    """
    memory = torch.empty(min(_AT_ONCE, len(asked)), len(others))
    for start in range(0, len(asked), _AT_ONCE):
        rows = asked[start : start + _AT_ONCE]
        yield start, torch.mm(rows, others.T, out=memory[: len(rows)])


def _distances(similarities: Tensor) -> Array:
    """Turn similarities into squared Euclidean distances, divided by the largest of each row [n_row, n], in place."""
    distances = similarities.mul_(-2).add_(2).clamp_(min=0)
    return distances.div_(distances.amax(dim=1, keepdim=True).clamp(min=1e-12)).numpy()
