"""The blocks of open_clip's own transformers: CLIP's image tower, and the text towers of CLIP, SigLIP and EVA-CLIP.

Under a causal mask positions are cut to the tokens given, which is exact; SigLIP's text tower has no mask, so there it
reads what `open_clip` would read of the same tokens: captions keep their padding.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from open_clip.transformer import ResidualAttentionBlock, TextTransformer, VisionTransformer
from torch import Tensor, nn

from harness.clip.injection import PLACES, PROJECTIONS, Injection, Place
from harness.clip.towers import Affine, Tower
from harness.clip.towers.operations import after, heads, norm, read

_OUTSIDE: tuple[Place, ...] = ("patches", "norm_pre")
_INSIDE = {
    "norm_1": "ln_1",
    "out": "attn.out_proj",
    "norm_2": "ln_2",
    "mlp_in": "mlp.c_fc",
    "mlp_out": "mlp.c_proj",
}


class _Plain(Tower):
    """A tower of `ResidualAttentionBlock`s; `causal` hides from each place what follows it."""

    attention_names = ("ln_1.", "attn.", "ls_1.")
    causal = False

    def __init__(self, module: Any) -> None:
        self.module = module

    @property
    def blocks(self) -> Sequence[nn.Module]:
        blocks: Sequence[nn.Module] = self.module.transformer.resblocks
        return blocks

    @property
    def width(self) -> int:
        return int(self.module.transformer.width)

    def attend(self, block: Any, layer: int, x: Tensor, injection: Injection) -> Tensor:
        return attend(block, layer, x, injection, causal=self.causal)

    def feed(self, block: Any, layer: int, u: Tensor, injection: Injection) -> Tensor:
        return feed(block, layer, u, injection)

    def affine(self, layer: int, place: Place) -> Affine:
        block: Any = self.blocks[layer]
        if place in PROJECTIONS:
            part = PROJECTIONS.index(place)
            return Affine(block.attn.in_proj_weight.chunk(3)[part], block.attn.in_proj_bias.chunk(3)[part])
        return weights_of(block.get_submodule(_INSIDE[place]))


class PlainImage(_Plain):
    """CLIP's image tower: class token first, which is read at the end."""

    name = "image"

    @classmethod
    def takes(cls, module: Any) -> bool:
        return (
            isinstance(module, VisionTransformer)
            and module.attn_pool is None
            and module.pool_type == "tok"
            and isinstance(module.patch_dropout, nn.Identity)
            and isinstance(module.proj, nn.Parameter)
            and all(map(_is_known, module.transformer.resblocks))
        )

    @property
    def places(self) -> frozenset[Place]:
        bare = isinstance(self.module.ln_pre, nn.Identity)
        return frozenset(PLACES) - ({"norm_pre"} if bare else set())

    @property
    def projection(self) -> Tensor:
        matrix: Tensor = self.module.proj
        return matrix

    @property
    def patch_positions(self) -> Tensor:
        positions: Tensor = self.module.positional_embedding
        return positions[1:]

    def begin(self, inputs: Tensor, injection: Injection) -> tuple[Tensor, None]:
        visual = self.module
        images = inputs.to(visual.conv1.weight.dtype)
        patches = after(injection, "patches", 0, images, visual.conv1(images).flatten(2).mT)
        class_token = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        x = torch.cat([class_token, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
        return norm("norm_pre", visual.ln_pre, 0, injection.embedded(x), injection), None

    def finish(self, x: Tensor, ends: Tensor | None, injection: Injection) -> Tensor:
        return self.project(x[:, :1], injection)[:, 0]

    def project(self, x: Tensor, injection: Injection) -> Tensor:
        return norm("norm_post", self.module.ln_post, 0, x, injection) @ self.projection

    def affine(self, layer: int, place: Place) -> Affine:
        outside = {"patches": "conv1", "norm_pre": "ln_pre", "norm_post": "ln_post"}
        if place in outside:
            return weights_of(getattr(self.module, outside[place]))
        return super().affine(layer, place)


class PlainText(_Plain):
    """CLIP's text tower, read at the largest id, or SigLIP's, read at the last place.

    Attributes:
        reads_last: whether captions are read at their last place, and have no token in front of their words.
    """

    name = "text"

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.causal = module.attn_mask is not None
        self.reads_last = pool_type(module) == "last"

    @classmethod
    def takes(cls, module: Any) -> bool:
        known = isinstance(module, CLIP) or (
            isinstance(module, TextTransformer) and module.cls_emb is None and not module.use_pad_mask
        )
        pools = known and pool_type(module) in (
            ("argmax", "last") if module.attn_mask is None else ("argmax",)
        )
        return pools and all(map(_is_known, module.transformer.resblocks))

    @property
    def places(self) -> frozenset[Place]:
        return frozenset(PLACES) - set(_OUTSIDE)

    @property
    def projection(self) -> Any:
        return self.module.text_projection

    def begin(self, inputs: Tensor, injection: Injection) -> tuple[Tensor, Tensor]:
        text, tokens = self.module, injection.tokens(inputs)
        x = injection.embedded(text.token_embedding(tokens).to(text.transformer.get_cast_dtype()))
        x = x + text.positional_embedding[: tokens.shape[1]].to(x.dtype)
        return x, self.ends(tokens)

    def ends(self, tokens: Tensor) -> Tensor:
        if self.reads_last:
            return tokens.new_full((len(tokens),), tokens.shape[1] - 1)
        return tokens.argmax(dim=1)

    def finish(self, x: Tensor, ends: Tensor | None, injection: Injection) -> Tensor:
        read_places = x[torch.arange(len(x), device=x.device), ends]
        return self.project(read_places[:, None], injection)[:, 0]

    def project(self, x: Tensor, injection: Injection) -> Tensor:
        normed, projection = norm("norm_post", self.module.ln_final, 0, x, injection), self.projection
        if isinstance(projection, nn.Linear):
            mapped: Tensor = projection(normed)
            return mapped
        return normed if projection is None else normed @ projection

    def affine(self, layer: int, place: Place) -> Affine:
        return weights_of(self.module.ln_final) if place == "norm_post" else super().affine(layer, place)


def pool_type(text: Any) -> str:
    """Return how one of open_clip's text towers, or a CLIP that holds one, reads captions."""
    return str(getattr(text, "pool_type", None) or text.text_pool_type)


def _is_known(block: Any) -> bool:
    return type(block) is ResidualAttentionBlock and isinstance(block.attn, nn.MultiheadAttention)


def run_block(block: Any, layer: int, x: Tensor, injection: Injection, *, causal: bool) -> Tensor:
    """Pass the residual stream [n, length, width] through a `ResidualAttentionBlock`, `layer` counted from 0."""
    u = attend(block, layer, injection.before_block(layer, x), injection, causal=causal)
    return feed(block, layer, u, injection)


def attend(block: Any, layer: int, x: Tensor, injection: Injection, *, causal: bool) -> Tensor:
    """Return the stream [n, length, width] after a block's attention."""
    normed = norm("norm_1", block.ln_1, layer, x, injection)
    u: Tensor = x + block.ls_1(_attention(block.attn, layer, normed, injection, causal))
    return u


def feed(block: Any, layer: int, u: Tensor, injection: Injection) -> Tensor:
    """Return the stream [n, length, width] after a block's MLP and what is added beside it."""
    normed = norm("norm_2", block.ln_2, layer, u, injection)
    x: Tensor = u + block.ls_2(_mlp(block.mlp, layer, normed, injection))
    beside = injection.beside_mlp(layer, u)
    return x if beside is None else x + beside


def weights_of(module: Any) -> Affine:
    """Return the weights of a linear map, a convolution or a norm."""
    return Affine(module.weight, module.bias)


def _attention(attention: Any, layer: int, x: Tensor, injection: Injection, causal: bool) -> Tensor:
    """Self-attention over [n, length, width] with the weights of a `MultiheadAttention`."""
    parts = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
    query, key, value = (
        heads(after(injection, place, layer, x, part), attention.num_heads)
        for place, part in zip(PROJECTIONS, parts, strict=True)
    )
    merged = read(layer, query, key, value, injection, causal=causal)
    return after(injection, "out", layer, merged, attention.out_proj(merged))


def _mlp(mlp: Any, layer: int, x: Tensor, injection: Injection) -> Tensor:
    """Pass [n, length, width] through both maps of an MLP."""
    wide = after(injection, "mlp_in", layer, x, mlp.c_fc(x))
    hidden = after(injection, "mlp_hidden", layer, wide, mlp.gelu(wide))
    return after(injection, "mlp_out", layer, hidden, mlp.c_proj(hidden))
