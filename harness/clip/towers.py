"""CLIP's two transformers as plain functions, so that injections can act inside the blocks of a frozen model.

The functions read the weights of an `open_clip` model and equal its own forward. They take one path in
training and evaluation, compute LayerNorm in float32 whatever the weights are stored in, and cut positions
to the tokens given, which is exact under the causal mask. With `recompute` no activation inside a block is kept
for the backward pass: each block, what is injected included, is computed once more there, with the same random draws.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from harness.clip.injection import PROJECTIONS, Injection, Place, TowerName
from harness.compute.precision import layer_norm


def supports(model: nn.Module) -> bool:
    """Return whether these functions run a model: plain CLIP, class token, causal text, EOS pooling."""
    from open_clip.model import CLIP
    from open_clip.transformer import VisionTransformer

    visual = getattr(model, "visual", None)
    if not isinstance(model, CLIP) or not isinstance(visual, VisionTransformer):
        return False
    return (
        visual.attn_pool is None
        and visual.pool_type == "tok"
        and isinstance(visual.patch_dropout, nn.Identity)
        and model.text_pool_type == "argmax"
        and model.attn_mask is not None
        and all(isinstance(matrix, nn.Parameter) for matrix in (visual.proj, model.text_projection))
        and all(_is_plain(transformer) for transformer in (visual.transformer, model.transformer))
    )


def encode_image(
    model: Any, images: Tensor, injection: Injection | None = None, *, recompute: bool = False
) -> Tensor:
    """Embed normalised images [n, 3, height, width] as [n, dim], not L2-normalised."""
    injection = injection or Injection()
    x = begin_image(model, images, injection)
    x = _blocks(model.visual.transformer, x, injection, causal=False, recompute=recompute)
    return finish_image(model, x, injection)


def encode_text(
    model: Any, tokens: Tensor, injection: Injection | None = None, *, recompute: bool = False
) -> Tensor:
    """Embed token ids [n, length], of any length up to the model's, as [n, dim], not L2-normalised."""
    injection = injection or Injection()
    x, ends = begin_text(model, tokens, injection)
    x = _blocks(model.transformer, x, injection, causal=True, recompute=recompute)
    return finish_text(model, x, ends, injection)


def image_tokens(
    model: Any, images: Tensor, injection: Injection | None = None, *, recompute: bool = False
) -> Tensor:
    """Embed every place of normalised images as [n, 1 + n_patch, dim]; the first is what `encode_image` gives."""
    injection = injection or Injection()
    x = begin_image(model, images, injection)
    x = _blocks(model.visual.transformer, x, injection, causal=False, recompute=recompute)
    return _project_image(model, x, injection)


def text_tokens(
    model: Any, tokens: Tensor, injection: Injection | None = None, *, recompute: bool = False
) -> tuple[Tensor, Tensor]:
    """Embed every place of token ids [n, length] as [n, length, dim]; return the caption's own place [n] beside it.

    At that place is what `encode_text` gives. An injection that adds places gives as many more.
    """
    injection = injection or Injection()
    x, ends = begin_text(model, tokens, injection)
    x = _blocks(model.transformer, x, injection, causal=True, recompute=recompute)
    return _project_text(model, x, injection), ends


def begin_image(model: Any, images: Tensor, injection: Injection) -> Tensor:
    """Return what the first block reads of images [n, 3, height, width]: [n, length, width]."""
    visual = model.visual
    images = images.to(visual.conv1.weight.dtype)
    patches = _after(injection, "patches", 0, images, visual.conv1(images).flatten(2).mT)
    class_token = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    x = torch.cat([class_token, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
    return _norm("norm_pre", visual.ln_pre, 0, injection.embedded(x), injection)


def finish_image(model: Any, x: Tensor, injection: Injection) -> Tensor:
    """Return the embeddings [n, dim] of what the last block gives [n, length, width]."""
    return _project_image(model, x[:, :1], injection)[:, 0]


def begin_text(model: Any, tokens: Tensor, injection: Injection) -> tuple[Tensor, Tensor]:
    """Return what the first block reads of token ids [n, length], and the places [n] that are read at the end."""
    tokens = injection.tokens(tokens)
    x = injection.embedded(model.token_embedding(tokens).to(model.transformer.get_cast_dtype()))
    return x + model.positional_embedding[: tokens.shape[1]].to(x.dtype), tokens.argmax(dim=1)


def finish_text(model: Any, x: Tensor, ends: Tensor, injection: Injection) -> Tensor:
    """Return the embeddings [n, dim] of what the last block gives, read at the places `ends` [n]."""
    read = x[torch.arange(len(x), device=x.device), ends]
    return _project_text(model, read[:, None], injection)[:, 0]


def _project_image(model: Any, x: Tensor, injection: Injection) -> Tensor:
    projection: Tensor = model.visual.proj
    return _norm("norm_post", model.visual.ln_post, 0, x, injection) @ projection


def _project_text(model: Any, x: Tensor, injection: Injection) -> Tensor:
    projection: Tensor = model.text_projection
    return _norm("norm_post", model.ln_final, 0, x, injection) @ projection


@torch.no_grad()
def multiply_projections(model: Any, image: Tensor, text: Tensor) -> None:
    """Multiply both output projections from the right by matrices [dim, dim], in place."""
    model.visual.proj.copy_(model.visual.proj @ image)
    model.text_projection.copy_(model.text_projection @ text)


@torch.no_grad()
def shift_patches(model: Any, shift: Tensor) -> None:
    """Add [width] to what the patch embedding makes, in place: the positions of the patches take it."""
    model.visual.positional_embedding[1:].add_(shift)


def _is_plain(transformer: Any) -> bool:
    from open_clip.transformer import ResidualAttentionBlock

    return all(
        type(block) is ResidualAttentionBlock and isinstance(block.attn, nn.MultiheadAttention)
        for block in transformer.resblocks
    )


def run_block(block: Any, layer: int, x: Tensor, injection: Injection, *, causal: bool) -> Tensor:
    """Pass the residual stream [n, length, width] through one block, `layer` counted from 0."""
    u = attend(block, layer, injection.before_block(layer, x), injection, causal=causal)
    return feed(block, layer, u, injection)


def attend(block: Any, layer: int, x: Tensor, injection: Injection, *, causal: bool) -> Tensor:
    """Return the stream [n, length, width] after a block's attention."""
    normed = _norm("norm_1", block.ln_1, layer, x, injection)
    u: Tensor = x + block.ls_1(_attention(block.attn, layer, normed, injection, causal))
    return u


def feed(block: Any, layer: int, u: Tensor, injection: Injection) -> Tensor:
    """Return the stream [n, length, width] after a block's MLP and what is added beside it."""
    normed = _norm("norm_2", block.ln_2, layer, u, injection)
    x: Tensor = u + block.ls_2(_mlp(block.mlp, layer, normed, injection))
    beside = injection.beside_mlp(layer, u)
    return x if beside is None else x + beside


def _blocks(transformer: Any, x: Tensor, injection: Injection, *, causal: bool, recompute: bool) -> Tensor:
    streams = []
    for layer, block in enumerate(transformer.resblocks):
        if injection.reads_streams:
            streams.append(x)
        run = partial(run_block, block, layer, injection=injection, causal=causal)
        x = checkpoint(run, x, use_reentrant=False) if recompute and torch.is_grad_enabled() else run(x)
    return injection.finished(x, streams)


def _attention(attention: Any, layer: int, x: Tensor, injection: Injection, causal: bool) -> Tensor:
    """Self-attention over [n, length, width] with the weights of a `MultiheadAttention`."""
    parts = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
    query, key, value = (
        _after(injection, place, layer, x, part).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for place, part in zip(PROJECTIONS, parts, strict=True)
    )
    mixed = attended(query, *injection.keys_and_values(layer, key, value), injection, causal=causal)
    merged = mixed.transpose(1, 2).flatten(2)
    return _after(injection, "out", layer, merged, attention.out_proj(merged))


def attended(query: Tensor, key: Tensor, value: Tensor, injection: Injection, *, causal: bool) -> Tensor:
    """Return what queries [n, heads, length, head width] read; keys in front of the sequence's own are seen by all."""
    dropout = injection.attention_dropout if injection.training else 0.0
    length, n_front = query.shape[2], key.shape[2] - query.shape[2]
    mask = None
    if causal and n_front:
        ones = torch.ones(length, n_front + length, dtype=torch.bool, device=query.device)
        mask, causal = ones.tril(n_front), False
    return F.scaled_dot_product_attention(query, key, value, mask, is_causal=causal, dropout_p=dropout)


def _mlp(mlp: Any, layer: int, x: Tensor, injection: Injection) -> Tensor:
    """Pass [n, length, width] through both maps of an MLP."""
    wide = _after(injection, "mlp_in", layer, x, mlp.c_fc(x))
    hidden = _after(injection, "mlp_hidden", layer, wide, mlp.gelu(wide))
    return _after(injection, "mlp_out", layer, hidden, mlp.c_proj(hidden))


def _norm(place: Place, norm: nn.Module, layer: int, x: Tensor, injection: Injection) -> Tensor:
    return _after(injection, place, layer, x, layer_norm(norm, x))


def _after(injection: Injection, place: Place, layer: int, given: Tensor, made: Tensor) -> Tensor:
    return injection.after(place, layer, given, made) if place in injection.places else made


class Affine(NamedTuple):
    """Views of the weights of one operation, to be changed in place: an injection's fold merges itself there.

    Attributes:
        weight: [width out, width in] of a map, [width] of a norm, [width, 3, patch, patch] of the patch embedding.
        bias: [width out].
    """

    weight: Tensor
    bias: Tensor | None


def affine(model: Any, tower: TowerName, layer: int, place: Place) -> Affine:
    """Return the weights of an operation of a plain tower, `image` or `text`; `mlp_hidden` has none."""
    outside: dict[str, Callable[[], Any]] = {
        "patches": lambda: model.visual.conv1,
        "norm_pre": lambda: model.visual.ln_pre,
        "norm_post": lambda: model.visual.ln_post if tower == "image" else model.ln_final,
    }
    if place in outside:
        return _weights(outside[place]())
    block = (model.visual if tower == "image" else model).transformer.resblocks[layer]
    if place in PROJECTIONS:
        weight, bias = block.attn.in_proj_weight, block.attn.in_proj_bias
        part = PROJECTIONS.index(place)
        return Affine(weight.chunk(3)[part], bias.chunk(3)[part])
    inside = {
        "norm_1": block.ln_1,
        "out": block.attn.out_proj,
        "norm_2": block.ln_2,
        "mlp_in": block.mlp.c_fc,
        "mlp_out": block.mlp.c_proj,
    }
    return _weights(inside[place])


def _weights(module: Any) -> Affine:
    return Affine(module.weight, module.bias)
