"""The blocks of timm's `VisionTransformer`: the image towers of SigLIP and SigLIP 2."""

from typing import Any

from timm.layers import Attention, Mlp
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from harness.clip.injection import PROJECTIONS, Injection, Place
from harness.clip.towers import Affine
from harness.clip.towers.operations import after, heads, norm, read
from harness.clip.towers.timm_trunk import TimmTower, mlp, takes_trunk
from harness.compute.precision import layer_norm


class TimmVit(TimmTower):
    """Blocks with one map for queries, keys and values."""

    attention_names = ("norm1.", "attn.", "ls1.")

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.n_unpooled = 0 if self.trunk.pool_include_prefix else self.trunk.num_prefix_tokens

    @classmethod
    def takes(cls, module: Any) -> bool:
        return (
            takes_trunk(module, VisionTransformer)
            and isinstance(module.trunk.patch_drop, nn.Identity)
            and all(map(_is_known, module.trunk.blocks))
        )

    def attend(self, block: Any, layer: int, x: Tensor, injection: Injection) -> Tensor:
        normed = norm("norm_1", block.norm1, layer, x, injection)
        u: Tensor = x + block.ls1(_attention(block.attn, layer, normed, injection)).to(x.dtype)
        return u

    def feed(self, block: Any, layer: int, u: Tensor, injection: Injection) -> Tensor:
        normed = norm("norm_2", block.norm2, layer, u, injection)
        x: Tensor = u + block.ls2(mlp(block.mlp, layer, normed, injection)).to(u.dtype)
        beside = injection.beside_mlp(layer, u)
        return x if beside is None else x + beside

    def affine(self, layer: int, place: Place) -> Affine:
        if place in self.outside:
            return super().affine(layer, place)
        block: Any = self.blocks[layer]
        if place in PROJECTIONS:
            return chunk_of(block.attn.qkv.weight, block.attn.qkv.bias, place)
        module = block.get_submodule(self.inside[place])
        return Affine(module.weight, module.bias)


def chunk_of(weight: Tensor, bias: Tensor | None, place: Place) -> Affine:
    """Return the part of one map's weights [3 * width, width] that makes queries, keys or values."""
    part = PROJECTIONS.index(place)
    return Affine(weight.chunk(3)[part], None if bias is None else bias.chunk(3)[part])


def _is_known(block: Any) -> bool:
    attention: Any = getattr(block, "attn", None)
    return (
        type(block) is Block
        and attention.__class__ is Attention
        and type(block.mlp) is Mlp
        and attention.gate is None
        and all(isinstance(part, nn.Identity) for part in (attention.q_norm, attention.k_norm))
    )


def _attention(attention: Any, layer: int, x: Tensor, injection: Injection) -> Tensor:
    """Self-attention over [n, length, width] with the weights of timm's `Attention`."""
    parts = attention.qkv(x).chunk(3, dim=-1)
    query, key, value = (
        heads(after(injection, place, layer, x, part), attention.num_heads)
        for place, part in zip(PROJECTIONS, parts, strict=True)
    )
    merged = layer_norm(attention.norm, read(layer, query, key, value, injection, causal=False))
    return after(injection, "out", layer, merged, attention.proj(merged))
