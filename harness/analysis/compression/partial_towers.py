"""A tower in part: from any layer on, without a sub-layer, or with other weights in one layer."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from harness.clip.injection import Injection, TowerName
from harness.clip.towers import Tower
from harness.errors import UsageError

Part = Literal["SA", "FF", "Whole"]
TOWERS: tuple[TowerName, ...] = ("text", "image")
PARTS: tuple[Part, ...] = ("SA", "FF", "Whole")


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

    def holds(self, name: str, attention: tuple[str, ...]) -> bool:
        """Return whether a block's parameter belongs to the module, by how names of the attention's begin.

        >>> module = Module("text", 7, "SA")
        >>> module.holds("attn.in_proj_weight", ("attn.",)), module.holds("mlp.c_fc.bias", ("attn.",))
        (True, False)
        """
        return self.part == "Whole" or (self.part == "SA") == name.startswith(attention)


class PartialTower:
    """One tower of a CLIP, passed through piece by piece; the whole way equals `harness.clip.towers.passing`.

    Attributes:
        blocks: its layers, from the input on.
        passed: how many sub-layers were passed, each times the rows that passed it; a layer has two.
    """

    def __init__(self, tower: Tower, injection: Injection | None) -> None:
        self.tower = tower
        self.injection = injection or Injection()
        if self.injection.reads:
            raise UsageError(
                "A method that reads what layers give cannot be probed: no layer can be left out."
            )
        self.blocks: list[nn.Module] = list(tower.blocks)
        self.passed = 0

    def begin(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what the first layer reads [n, length, width], and the places [n] read at the end of captions.

        Args:
            inputs: normalised images [n, 3, height, width], or token ids [n, length].
        """
        return self.tower.begin(inputs, self.injection)

    def enter(self, layer: int, x: Tensor) -> Tensor:
        """Let the injection change what a layer, counted from 0, reads [n, length, width]."""
        return self.injection.before_block(layer, x)

    def attend(self, layer: int, x: Tensor, block: nn.Module | None = None) -> Tensor:
        """Return the stream [n, length, width] after a layer's attention, or that of another `block` in its place."""
        self.passed += len(x)
        return self.tower.attend(block or self.blocks[layer], layer, x, self.injection)

    def feed(self, layer: int, u: Tensor, block: nn.Module | None = None) -> Tensor:
        """Return the stream [n, length, width] after a layer's MLP, likewise."""
        self.passed += len(u)
        return self.tower.feed(block or self.blocks[layer], layer, u, self.injection)

    def onward(self, layer: int, x: Tensor) -> Tensor:
        """Return what the last layer gives when all layers from `layer` on have been passed [n, length, width]."""
        for place in range(layer, len(self.blocks)):
            x = self.feed(place, self.attend(place, self.enter(place, x)))
        return x

    def finish(self, x: Tensor, ends: Tensor | None) -> Tensor:
        """Return the embeddings [n, dim] of what the last layer gives."""
        return self.tower.finish(self.injection.finished(x, ()), ends, self.injection)


class Blend:
    """A layer with weights between those before and after training, in a copy of one block.

    Args:
        tower: whose layers were trained.
        start: of each layer the trained parameters' values before training, by their names in the block.
    """

    def __init__(self, tower: Tower, start: Sequence[Mapping[str, Tensor]]) -> None:
        self.blocks, self.start = list(tower.blocks), start
        self._attention = tower.attention_names
        self._copy = deepcopy(self.blocks[0]).requires_grad_(False)

    def moves(self, module: Module) -> bool:
        """Return whether training changed any weight of a module."""
        return any(module.holds(name, self._attention) for name in self.start[module.layer - 1])

    @torch.no_grad()
    def __call__(self, module: Module, share: float) -> nn.Module:
        """Return the module's layer with `(1 - share) * start + share * trained` as the module's weights.

        The next call changes what this one returned.
        """
        start, trained = self.start[module.layer - 1], self.blocks[module.layer - 1]
        for (name, own), end in zip(self._copy.named_parameters(), trained.parameters(), strict=True):
            blended = name in start and module.holds(name, self._attention)
            own.copy_(torch.lerp(start[name].float(), end.float(), share) if blended else end)
        return self._copy


def trained_weights(blocks: Sequence[nn.Module]) -> list[set[str]]:
    """Return the names of the parameters that are trained, in each block."""
    return [{name for name, p in block.named_parameters() if p.requires_grad} for block in blocks]
