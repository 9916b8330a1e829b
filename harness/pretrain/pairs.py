"""The endless corpus by number: of which kind a pair is, its picture and its caption."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.errors import UsageError, unknown
from harness.pretrain.corpus import web
from harness.pretrain.corpus.draws import Draws
from harness.pretrain.shape_drawing import draw
from harness.pretrain.shapes import describe, sample_scene

IMAGE_SIZE = (96, 32)
SHAPES = "shapes"
KINDS = (SHAPES, *web.KINDS)
# Mixes that have a name of their own; every kind is one as well.
MIXES: Mapping[str, Mapping[str, float]] = {
    "web": {
        SHAPES: 1,
        "garments": 3,
        "accessories": 2,
        "things": 1.5,
        "scenes": 1,
        "pictograms": 2,
        "paper_dolls": 4,
        "crowds": 1,
    }
}


def shares_of(mix: str) -> dict[str, float]:
    """Return how often each kind is drawn: of a named mix, or of `KIND=WEIGHT,...`, where the weight may be left out.

    Raises `UsageError` for an unknown kind, one that is named twice, and a weight that is no positive number.

    >>> shares_of("garments=3,shapes")
    {'garments': 0.75, 'shapes': 0.25}
    """
    weights = dict(MIXES.get(mix, {}))
    for part in [] if weights else mix.split(","):
        name, given, text = (word.strip() for word in part.partition("="))
        if name not in KINDS:
            raise unknown("kind of picture", name, (*KINDS, *MIXES))
        if name in weights:
            raise UsageError(f"--mix names {name} twice: leave all but one out.")
        weights[name] = _weight(name, text) if given else 1.0
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _weight(name: str, text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not 0 < weight < 1e6:
        raise UsageError(
            f"--mix gives {name} the weight {text!r}: it must be a positive number below 1,000,000."
        )
    return weight


def pair(
    kind: str, seed: int, index: int, size: tuple[int, int] = IMAGE_SIZE
) -> tuple[NDArray[np.uint8], str]:
    """Return pixels [height, width, 3] and caption number `index` of a kind, from kind, seed and number alone."""
    if kind != SHAPES:
        return web.web_pair(kind, seed, index, size)
    rng = np.random.default_rng([seed, index])
    scene = sample_scene(rng)
    caption = describe(scene, rng)
    return draw(scene, size, rng), caption


def kind_of(shares: Mapping[str, float], seed: int, index: int) -> str:
    """Return of which kind pair number `index` of a mix is."""
    if len(shares) == 1:
        return next(iter(shares))
    return Draws(f"mix {seed} {index}").weighted(shares)


def batch(shares: Mapping[str, float], seed: int, start: int, n: int) -> tuple[Tensor, list[str]]:
    """Return the pairs from number `start` on: images [n, 3, height, width] as uint8, and captions."""
    pairs = [pair(kind_of(shares, seed, index), seed, index) for index in range(start, start + n)]
    pixels, captions = zip(*pairs, strict=True)
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), list(captions)
