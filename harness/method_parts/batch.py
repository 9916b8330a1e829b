"""One step's data, the further views that a method asks for, and its losses."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Views(NamedTuple):
    """What a method asks of a batch beside each image and its caption, each view with its own random draws.

    Attributes:
        images: further augmented versions of the images.
        captions: further augmented versions of the captions.
        contrast: self-supervised views of the images (`harness.images.contrast_views`).
    """

    images: int = 0
    captions: int = 0
    contrast: int = 0


# What a frozen part gave of a batch: embeddings [n, dim], or streams, each [n, length, width].
Given = Tensor | tuple[Tensor, ...]


@dataclass
class Batch:
    """One step's data on the model's device.

    Attributes:
        images: normalised pixels of this process [n_local, 3, height, width]; None where a tower's frozen part is kept.
        tokens: token ids cut to the longest caption of the batch [n_local, length]; None where embeddings are kept.
        identities: labels of the global batch [n_global]; equal label means same person.
        image_frozen: what the frozen part of the image tower gives, where that is kept (`method_parts.frozen`):
            embeddings [n_local, dim] or streams, each [n_local, length, width].
        text_frozen: likewise for the captions.
        image_views: further augmented versions of the images, shaped like them, as many as `Method.views` says.
        token_views: further augmented versions of the captions [n_local, length].
        contrast_views: self-supervised views of the images, shaped like them.
        places: where in the global batch this process's rows are [n_local]; None for all, in order.
        seed: of draws that a method makes itself, the same on every process; one that draws for the global batch and
            takes its `places` gives each sample the same draw on any number of processes.
    """

    images: Tensor | None
    tokens: Tensor | None
    identities: Tensor
    image_frozen: Given | None = None
    text_frozen: Given | None = None
    image_views: tuple[Tensor, ...] = ()
    token_views: tuple[Tensor, ...] = ()
    contrast_views: tuple[Tensor, ...] = ()
    places: Tensor | None = None
    seed: int = 0

    @property
    def n_local(self) -> int:
        """How many pairs this process has, padding included."""
        rows = self.images if self.images is not None else self.image_frozen
        assert rows is not None
        return len(rows) if isinstance(rows, Tensor) else len(rows[0])

    def rows(self, chosen: slice) -> "Batch":
        """Return some of this process's rows; identities stay those of the global batch."""
        places = torch.arange(self.n_local) if self.places is None else self.places
        cut: dict[str, Any] = {"places": places[chosen]}
        for key, value in vars(self).items():
            if isinstance(value, tuple):
                cut[key] = tuple(view[chosen] for view in value)
            elif isinstance(value, Tensor) and key not in ("identities", "places"):
                cut[key] = value[chosen]
        return replace(self, **cut)


@dataclass
class Losses:
    """Named loss terms with their weights; weight 1 unless said."""

    terms: dict[str, Tensor]
    weights: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> Tensor:
        """Weighted sum of the terms, a scalar."""
        return torch.stack(
            [self.weights.get(name, 1.0) * term.float() for name, term in self.terms.items()]
        ).sum()
