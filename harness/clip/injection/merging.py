"""What an injection learned, merged into the weights of a tower: the same embeddings with nothing beside CLIP."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.clip.injection import Place, TowerName

if TYPE_CHECKING:
    from harness.clip.model import Clip


@torch.no_grad()
def merge_map(clip: "Clip", tower: TowerName, layer: int, place: Place, added: Tensor) -> None:
    """Add a matrix [width out, width in] to that of a map, in place."""
    clip.affine(tower, layer, place).weight.add_(added)


@torch.no_grad()
def merge_scaling(
    clip: "Clip", tower: TowerName, layer: int, place: Place, factor: Tensor, shift: Tensor | None = None
) -> None:
    """Make an operation give `made * factor + shift` of the same input, in place; both are [width out].

    The activation inside the MLP has no weights, so the map that reads it takes both. Where the patch embedding has no
    bias, as CLIP's, the positions of the patches take the shift.
    """
    if place == "mlp_hidden":
        weight, bias = clip.affine(tower, layer, "mlp_out")
        if shift is not None:
            assert bias is not None
            bias.add_(weight.float() @ shift)
        weight.mul_(factor)
        return
    weight, bias = clip.affine(tower, layer, place)
    weight.mul_(factor.view(-1, *[1] * (weight.dim() - 1)))
    if bias is not None:
        bias.mul_(factor)
    if shift is not None and bias is not None:
        bias.add_(shift)
    elif shift is not None:
        assert place == "patches", "`Clip.takes_shift` says so"
        clip.towers[tower].patch_positions.add_(shift)
