"""A side network: a narrow transformer beside a tower, which reads what the tower's blocks give and never writes there.

Sung et al., "LST: Ladder Side-Tuning for Parameter and Memory Efficient Transfer Learning", NeurIPS 2022,
https://arxiv.org/abs/2206.06522. Nothing trained is below a block of the tower, so none of them is differentiated and
none keeps an activation; what each gives is kept once, as the input of a map of the side network.
"""

import math
from collections.abc import Sequence

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from harness.clip.injection import Injection, TowerShape
from harness.clip.injection.adapters import check_reduction
from harness.clip.towers.plain import run_block
from harness.compute.precision import layer_norm
from harness.errors import UsageError

_HEAD_WIDTH = 64
_GATE_TEMPERATURE = 0.1


class SideNetwork(Injection):
    """Adds to what the last block gives what a narrow transformer makes of the outputs of the tower's blocks.

    A block of the side network reads `gate * side + (1 - gate) * down(output)`: what the one below made, at first the
    tower's input, and what a block of the tower gave, both in the narrow width. `gate` is learned and starts at a half.
    The last map starts at zero: then the tower is as it was.

    Args:
        shape: of the tower.
        reduction: width of the tower over that of the side network.
        every: blocks of the tower for one of the side network; the last block has one.
        causal: whether a place reads only those before it, as in a text tower.
    """

    acts_inside = False

    def __init__(self, shape: TowerShape, *, reduction: int, every: int, causal: bool) -> None:
        super().__init__()
        _check(shape, reduction, every)
        width, heads = shape.width // reduction, max(1, shape.width // _HEAD_WIDTH)
        self.causal = causal
        read = [layer for layer in range(shape.layers) if (shape.layers - 1 - layer) % every == 0]
        self.reads = (0, *(layer + 1 for layer in read[:-1]))
        self.first = nn.Linear(shape.width, width)
        self.downs = nn.ModuleList(nn.Linear(shape.width, width) for _ in read)
        self.blocks = nn.ModuleList(ResidualAttentionBlock(width, math.gcd(width, heads)) for _ in read)
        self.gates = nn.Parameter(torch.zeros(len(read)))
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, shape.width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def finished(self, x: Tensor, streams: Sequence[Tensor]) -> Tensor:
        """Return the tower's output [n, length, width] with the side network's added."""
        side = self.first(streams[0])
        gates = torch.sigmoid(self.gates / _GATE_TEMPERATURE)
        for rung, output in enumerate([*streams[1:], x]):
            gate = gates[rung].to(side.dtype)
            mixed = gate * side + (1 - gate) * self.downs[rung](output)
            side = run_block(self.blocks[rung], rung, mixed, Injection(), causal=self.causal)
        added: Tensor = self.up(layer_norm(self.norm, side))
        return x + added.to(x.dtype)


def _check(shape: TowerShape, reduction: int, every: int) -> None:
    check_reduction(reduction, shape.width)
    if every > shape.layers:
        raise UsageError(
            f"method.every={every} is more than the {shape.layers} layers there are: choose 1 to {shape.layers}."
        )
