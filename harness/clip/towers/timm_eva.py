"""The blocks of timm's `Eva`: the image towers of EVA-CLIP, EVA02-CLIP and the Perception Encoder.

Queries and keys of patches are turned by rotary positions; what an injection adds has none, in the stream as in front
of the keys. Keys may have no bias. The two halves of a gated MLP, gate first, count as one map, `mlp_in`; `mlp_hidden`
is their product, and norms inside attention and MLP are part of what the map behind them is given.
"""

from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import AttentionRope, GluMlp, Mlp, RotaryEmbeddingCat, SwiGLU, apply_rot_embed_cat
from timm.models.eva import Eva, EvaAttention, EvaBlock, EvaBlockPostNorm
from torch import Tensor, nn

from harness.clip.injection import PROJECTIONS, Injection, Place
from harness.clip.towers import Affine
from harness.clip.towers.operations import after, heads, norm, read
from harness.clip.towers.timm_trunk import TimmTower, mlp, takes_trunk
from harness.clip.towers.timm_vit import chunk_of
from harness.compute.precision import layer_norm


class TimmEva(TimmTower):
    """Blocks with rotary or absolute positions, whose norms are before attention and MLP, or behind them."""

    attention_names = ("norm1.", "attn.", "gamma_1")

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self._norms_behind = isinstance(self.trunk.blocks[0], EvaBlockPostNorm)

    @classmethod
    def takes(cls, module: Any) -> bool:
        return (
            takes_trunk(module, Eva)
            and _turns_by_a_table(module.trunk)
            and all(map(_is_known, module.trunk.blocks))
        )

    def attend(self, block: Any, layer: int, x: Tensor, injection: Injection) -> Tensor:
        rope = None if self.trunk.rope is None else self.trunk.rope.get_embed()
        if self._norms_behind:
            made = _attention(block.attn, layer, x, injection, rope)
            return x + norm("norm_1", block.norm1, layer, made, injection)
        normed = norm("norm_1", block.norm1, layer, x, injection)
        return x + _scaled(block.gamma_1, _attention(block.attn, layer, normed, injection, rope))

    def feed(self, block: Any, layer: int, u: Tensor, injection: Injection) -> Tensor:
        if self._norms_behind:
            x = u + norm("norm_2", block.norm2, layer, _mlp(block.mlp, layer, u, injection), injection)
        else:
            normed = norm("norm_2", block.norm2, layer, u, injection)
            x = u + _scaled(block.gamma_2, _mlp(block.mlp, layer, normed, injection))
        beside = injection.beside_mlp(layer, u)
        return x if beside is None else x + beside

    def affine(self, layer: int, place: Place) -> Affine:
        if place in self.outside:
            return super().affine(layer, place)
        block: Any = self.blocks[layer]
        if place in PROJECTIONS:
            return _projection(block.attn, place)
        if place == "mlp_in" and isinstance(block.mlp, SwiGLU):
            return _side_by_side(block.mlp)
        module = block.get_submodule(self.inside[place])
        return Affine(module.weight, module.bias)


def _attention(attention: Any, layer: int, x: Tensor, injection: Injection, rope: Tensor | None) -> Tensor:
    """Self-attention over [n, length, width]; `rope` turns patches [n_patch, 2 * head width]."""
    query, key, value = (
        heads(after(injection, place, layer, x, part), attention.num_heads)
        for place, part in zip(PROJECTIONS, _queries_keys_values(attention, x), strict=True)
    )
    if rope is not None:
        query, key = (_turned(attention, part, rope) for part in (query, key))
    merged = layer_norm(attention.norm, read(layer, query, key, value, injection, causal=False))
    return after(injection, "out", layer, merged, attention.proj(merged))


def _queries_keys_values(attention: Any, x: Tensor) -> tuple[Tensor, ...]:
    if attention.qkv is None:
        return tuple(linear(x) for linear in (attention.q_proj, attention.k_proj, attention.v_proj))
    bias = attention.qkv.bias
    if getattr(attention, "q_bias", None) is not None:
        bias = torch.cat([attention.q_bias, attention.k_bias, attention.v_bias]).to(x.dtype)
    return F.linear(x, attention.qkv.weight, bias).chunk(3, dim=-1)


def _turned(attention: Any, x: Tensor, rope: Tensor) -> Tensor:
    """Turn the patches among places [n, heads, length, head width], behind those of the class token."""
    first = attention.num_prefix_tokens
    last = first + len(rope)
    turned = apply_rot_embed_cat(x[:, :, first:last], rope, half=attention.rotate_half)
    return torch.cat([x[:, :, :first], turned, x[:, :, last:]], dim=2)


def _mlp(module: Any, layer: int, x: Tensor, injection: Injection) -> Tensor:
    """Pass [n, length, width] through an MLP, plain or gated."""
    if isinstance(module, Mlp):
        return mlp(module, layer, x, injection)
    maps = (module.fc1_g, module.fc1_x) if isinstance(module, SwiGLU) else (module.fc1,)
    wide = after(injection, "mlp_in", layer, x, torch.cat([linear(x) for linear in maps], dim=-1))
    gate, through = wide.chunk(2, dim=-1)
    product = layer_norm(module.norm, module.act(gate) * through)
    hidden = after(injection, "mlp_hidden", layer, wide, product)
    return after(injection, "mlp_out", layer, hidden, module.fc2(hidden))


def _scaled(gamma: Tensor | None, x: Tensor) -> Tensor:
    return x if gamma is None else gamma.to(x.dtype) * x


def _projection(attention: Any, place: Place) -> Affine:
    if attention.qkv is None:
        module = getattr(attention, {"query": "q_proj", "key": "k_proj", "value": "v_proj"}[place])
        return Affine(module.weight, module.bias)
    weight, bias = chunk_of(attention.qkv.weight, attention.qkv.bias, place)
    own = {"query": "q_bias", "key": "k_bias", "value": "v_bias"}[place]
    return Affine(weight, bias if bias is not None else getattr(attention, own, None))


@torch.no_grad()
def _side_by_side(gated: Any) -> Affine:
    """Return both maps of an MLP, gate first, as one [2 * hidden, width]: they are laid side by side in memory."""
    return Affine(
        *(_joined(getattr(gated.fc1_g, name), getattr(gated.fc1_x, name)) for name in Affine._fields)
    )


def _joined(first: Tensor, second: Tensor) -> Tensor:
    """Return a view of two tensors of one shape as one, after moving them into the same memory if need be."""
    size = first.numel() * first.element_size()
    room = first.untyped_storage().nbytes() - first.storage_offset() * first.element_size()
    if room < 2 * size or second.data_ptr() != first.data_ptr() + size:
        first.data, second.data = torch.cat([first, second]).chunk(2)
    return first.data.as_strided((2 * len(first), *first.shape[1:]), first.stride())


def _turns_by_a_table(trunk: Any) -> bool:
    """Return whether positions are added, or turn all blocks alike by angles that never change."""
    rope = trunk.rope
    table = isinstance(rope, RotaryEmbeddingCat) and rope.pos_embed is not None and not rope.aug_active
    return trunk.patch_drop is None and (rope is None or (table and not trunk.rope_mixed))


def _is_known(block: Any) -> bool:
    attention, mlp_type = block.attn, type(block.mlp)
    gated = mlp_type is SwiGLU or (mlp_type is GluMlp and not block.mlp.gate_last)
    return (
        type(block) in (EvaBlock, EvaBlockPostNorm)
        and type(attention) in (EvaAttention, AttentionRope)
        and attention.gate is None
        and getattr(attention, "num_kv_groups", 1) == 1
        and isinstance(attention.q_norm, nn.Identity)
        and (gated or mlp_type is Mlp)
    )
