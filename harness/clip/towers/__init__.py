"""Transformers that injections can act in, passed block by block: the contract, with one file for each kind.

A tower reads the weights of an `open_clip` model and equals its own forward. It takes one path in training and
evaluation, and computes LayerNorm in float32 whatever the weights are stored in.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence, Set
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from harness.clip.injection import PLACES, Injection, Place, TowerName
from harness.errors import UsageError


class Affine(NamedTuple):
    """Views of the weights of one operation, to be changed in place: an injection's fold merges itself there.

    Attributes:
        weight: [width out, width in] of a map, [width] of a norm, [width, 3, patch, patch] of the patch embedding.
        bias: [width out]; None where the operation adds none.
    """

    weight: Tensor
    bias: Tensor | None


class Tower(ABC):
    """One transformer of a CLIP: `begin`, then `attend` and `feed` of each block in order, then `finish`.

    `harness.clip.towers.passing` runs these one after another. Layers are counted from 0.

    Attributes:
        name: `image` or `text`.
        attention_names: how the names of those parameters of a block begin that belong to its attention.
    """

    name: ClassVar[TowerName]
    attention_names: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def takes(cls, module: Any) -> bool:
        """Return whether a tower of one of open_clip's models is of this kind, wholly as it is written here."""

    @property
    @abstractmethod
    def blocks(self) -> Sequence[nn.Module]:
        """The blocks from the input on."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Width of the residual stream."""

    @property
    @abstractmethod
    def places(self) -> frozenset[Place]:
        """The operations that the tower has, of `harness.clip.injection.PLACES`."""

    @property
    def patch_positions(self) -> Tensor:
        """A view of the positions that are added to patches [n_patch, width]; an image tower's."""
        raise NotImplementedError

    @property
    def embeds_places(self) -> bool:
        """Whether the embedding is one place's, so that `project` gives it for each."""
        return True

    def check_places(self, places: Set[Place], backbone: str) -> None:
        """Raise `UsageError`, naming the backbone, for places that the tower lacks."""
        if places - self.places:
            raise UsageError(
                f"The {self.name} tower of {backbone} has no {' and no '.join(sorted(places - self.places))} after "
                f"which a method can act: it has {', '.join(place for place in PLACES if place in self.places)}."
            )

    @property
    @abstractmethod
    def projection(self) -> Any:
        """The map that ends the tower: a matrix [width, dim], a `Linear`, or None where something else ends it."""

    @torch.no_grad()
    def multiply(self, matrix: Tensor) -> None:
        """Multiply the projection from the right by a matrix [dim, dim], in place."""
        projection = self.projection
        if isinstance(projection, nn.Linear):
            projection.weight.copy_(matrix.T @ projection.weight)
            if projection.bias is not None:
                projection.bias.copy_(projection.bias @ matrix)
        else:
            projection.copy_(projection @ matrix)

    @abstractmethod
    def begin(self, inputs: Tensor, injection: Injection) -> tuple[Tensor, Tensor | None]:
        """Return what the first block reads [n, length, width], and the places [n] read at the end of captions.

        Args:
            inputs: normalised images [n, 3, height, width], or token ids [n, length].
            injection: acts on them.
        """

    def ends(self, tokens: Tensor) -> Tensor | None:
        """Return the places [n] read at the end of captions, of their token ids [n, length]; None of an image tower."""
        return None

    @abstractmethod
    def attend(self, block: Any, layer: int, x: Tensor, injection: Injection) -> Tensor:
        """Return the stream [n, length, width] after the attention of a block."""

    @abstractmethod
    def feed(self, block: Any, layer: int, u: Tensor, injection: Injection) -> Tensor:
        """Return the stream [n, length, width] after a block's MLP and what is added beside it."""

    @abstractmethod
    def finish(self, x: Tensor, ends: Tensor | None, injection: Injection) -> Tensor:
        """Return the embeddings [n, dim] of what the last block gives, not L2-normalised."""

    @abstractmethod
    def project(self, x: Tensor, injection: Injection) -> Tensor:
        """Return the embedding of each place [n, length, dim]; needs `embeds_places`."""

    @abstractmethod
    def affine(self, layer: int, place: Place) -> Affine:
        """Return the weights of an operation; `mlp_hidden` has none."""
