"""A tower in part: from any layer on, without a sub-layer, or with other weights in one layer."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from harness.clip import towers
from harness.clip.injection import Injection, TowerName
from harness.errors import UsageError

Part = Literal["SA", "FF", "Whole"]
TOWERS: tuple[TowerName, ...] = ("text", "image")
PARTS: tuple[Part, ...] = ("SA", "FF", "Whole")
_ATTENTION = ("ln_1.", "attn.", "ls_1.")


class Module(NamedTuple):
    """One part of one layer: SA the attention, FF the MLP, each with the LayerNorm before it, or Whole.

    Layers count from 1, the one that reads the input.
    """

    tower: TowerName
    layer: int
    part: Part

    @property
    def key(self) -> str:
        """The module's name in files.

        >>> Module("text", 7, "SA").key
        'text.7.SA'
        """
        return f"{self.tower}.{self.layer}.{self.part}"

    def holds(self, name: str) -> bool:
        """Return whether a block's parameter belongs to the module.

        >>> Module("text", 7, "SA").holds("attn.in_proj_weight"), Module("text", 7, "SA").holds("mlp.c_fc.bias")
        (True, False)
        """
        return self.part == "Whole" or (self.part == "SA") == name.startswith(_ATTENTION)


class PartialTower:
    """One tower of a CLIP, passed through piece by piece; the whole way equals `harness.clip.towers`.

    Attributes:
        blocks: its layers, from the input on.
        passed: how many sub-layers were passed, each times the rows that passed it; a layer has two.
    """

    def __init__(self, model: Any, name: TowerName, injection: Injection | None) -> None:
        self.model, self.name = model, name
        self.injection = injection or Injection()
        if self.injection.reads_streams:
            raise UsageError(
                "A method that reads what every layer reads cannot be probed: no layer can be left out."
            )
        transformer = model.visual.transformer if name == "image" else model.transformer
        self.blocks: list[nn.Module] = list(transformer.resblocks)
        self.passed = 0

    def begin(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what the first layer reads [n, length, width], and the places [n] read at the end of captions.

        Args:
            inputs: normalised images [n, 3, height, width], or token ids [n, length].
        """
        if self.name == "image":
            return towers.begin_image(self.model, inputs, self.injection), None
        return towers.begin_text(self.model, inputs, self.injection)

    def enter(self, layer: int, x: Tensor) -> Tensor:
        """Let the injection change what a layer, counted from 0, reads [n, length, width]."""
        return self.injection.before_block(layer, x)

    def attend(self, layer: int, x: Tensor, block: nn.Module | None = None) -> Tensor:
        """Return the stream [n, length, width] after a layer's attention, or that of another `block` in its place."""
        self.passed += len(x)
        return towers.attend(
            block or self.blocks[layer], layer, x, self.injection, causal=self.name == "text"
        )

    def feed(self, layer: int, u: Tensor, block: nn.Module | None = None) -> Tensor:
        """Return the stream [n, length, width] after a layer's MLP, likewise."""
        self.passed += len(u)
        return towers.feed(block or self.blocks[layer], layer, u, self.injection)

    def onward(self, layer: int, x: Tensor) -> Tensor:
        """Return what the last layer gives when all layers from `layer` on have been passed [n, length, width]."""
        for place in range(layer, len(self.blocks)):
            x = self.feed(place, self.attend(place, self.enter(place, x)))
        return x

    def finish(self, x: Tensor, ends: Tensor | None) -> Tensor:
        """Return the embeddings [n, dim] of what the last layer gives."""
        x = self.injection.finished(x, ())
        if ends is None:
            return towers.finish_image(self.model, x, self.injection)
        return towers.finish_text(self.model, x, ends, self.injection)


class Blend:
    """A layer with weights between those before and after training, in a copy of one block.

    Args:
        blocks: the trained layers of a tower.
        start: of each layer the trained parameters' values before training, by their names in the block.
    """

    def __init__(self, blocks: Sequence[nn.Module], start: Sequence[Mapping[str, Tensor]]) -> None:
        self.blocks, self.start = blocks, start
        self._copy = deepcopy(blocks[0]).requires_grad_(False)

    def moves(self, module: Module) -> bool:
        """Return whether training changed any weight of a module."""
        return any(module.holds(name) for name in self.start[module.layer - 1])

    @torch.no_grad()
    def __call__(self, module: Module, share: float) -> nn.Module:
        """Return the module's layer with `(1 - share) * start + share * trained` as the module's weights.

        The next call changes what this one returned.
        """
        start, trained = self.start[module.layer - 1], self.blocks[module.layer - 1]
        for (name, own), end in zip(self._copy.named_parameters(), trained.parameters(), strict=True):
            blended = name in start and module.holds(name)
            own.copy_(torch.lerp(start[name].float(), end.float(), share) if blended else end)
        return self._copy


def trained_weights(blocks: Sequence[nn.Module]) -> list[set[str]]:
    """Return the names of the parameters that are trained, in each block."""
    return [{name for name, p in block.named_parameters() if p.requires_grad} for block in blocks]
