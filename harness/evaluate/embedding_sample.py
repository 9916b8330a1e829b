"""A small fixed sample of a test split's embeddings: enough for a map of identities, small enough to keep with a run.

Which identities are in it follows from their identity numbers alone, so every method and seed keeps the same ones.
"""

import hashlib
from typing import Any

import torch
from torch import Tensor

MAX_IMAGES = 600
MAX_BYTES = 1_250_000


def sample_embeddings(image: Tensor, text: Tensor, identities: Tensor, owners: Tensor) -> dict[str, Any]:
    """Return the embeddings of some identities' images, each with its first caption's, as arrays to be kept.

    Args:
        image: L2-normalised embeddings [n_image, dim].
        text: likewise [n_caption, dim].
        identities: identity of each image [n_image].
        owners: index of the image that each caption describes [n_caption].

    The arrays are `image` and `text` (float16 [n, dim]), `identity`, `place` (the image's index) and `caption`
    (the caption's index), in the order of the images. Persons are whole: all images of one, or none. Wide
    embeddings make the sample smaller.
    """
    limit = min(MAX_IMAGES, MAX_BYTES // (4 * image.shape[1]))
    first = _first_captions(owners, len(identities))
    chosen = choose_persons(identities[first >= 0].tolist(), limit)
    place = [
        row for row, identity in enumerate(identities.tolist()) if identity in chosen and int(first[row]) >= 0
    ]
    caption = first[place]
    arrays = {
        "image": image[place].half(),
        "text": text[caption].half(),
        "identity": identities[place],
        "place": torch.tensor(place, dtype=torch.int32),
        "caption": caption.int(),
    }
    return {name: values.cpu().numpy() for name, values in arrays.items()}


def choose_persons(identities: list[int], limit: int) -> set[int]:
    """Return the identities of a sample of at most `limit` images, in the order of a hash of their numbers.

    Args:
        identities: the identity of each image.
        limit: how many images; an identity that would exceed it is left out and the next one tried.

    >>> sorted(choose_persons([1, 1, 2, 2, 3, 3], 4)) in ([1, 2], [1, 3], [2, 3])
    True
    """
    counts: dict[int, int] = {}
    for identity in identities:
        counts[identity] = counts.get(identity, 0) + 1
    chosen: set[int] = set()
    for identity in sorted(counts, key=_mark):
        if counts[identity] <= limit:
            chosen.add(identity)
            limit -= counts[identity]
    return chosen


def _mark(identity: int) -> str:
    return hashlib.sha256(str(identity).encode()).hexdigest()


def _first_captions(owners: Tensor, n_image: int) -> Tensor:
    """Return the index of each image's first caption, -1 where it has none [n_image]."""
    first = torch.full((n_image,), len(owners))
    first.scatter_reduce_(0, owners, torch.arange(len(owners)), "amin")
    return first.where(first < len(owners), torch.tensor(-1))
