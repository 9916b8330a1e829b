"""CLIP's two transformers as plain functions, so that injections can act inside the blocks of a frozen model.

The functions read the weights of an `open_clip` model and equal its own forward. They take one path in
training and evaluation, compute LayerNorm in float32 whatever the weights are stored in, and cut positions
to the tokens given, which is exact under the causal mask. With `recompute` no activation inside a block is kept
for the backward pass: each block, what is injected included, is computed once more there, with the same random draws.
"""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from harness.clip.injection import Injection
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
    return finish_image(
        model, _blocks(model.visual.transformer, x, injection, causal=False, recompute=recompute)
    )


def encode_text(
    model: Any, tokens: Tensor, injection: Injection | None = None, *, recompute: bool = False
) -> Tensor:
    """Embed token ids [n, length], of any length up to the model's, as [n, dim], not L2-normalised."""
    injection = injection or Injection()
    x, ends = begin_text(model, tokens, injection)
    return finish_text(
        model, _blocks(model.transformer, x, injection, causal=True, recompute=recompute), ends
    )


def image_tokens(
    model: Any, images: Tensor, injection: Injection | None = None, *, recompute: bool = False
) -> Tensor:
    """Embed every place of normalised images as [n, 1 + n_patch, dim]; the first is what `encode_image` gives."""
    injection = injection or Injection()
    x = begin_image(model, images, injection)
    return _project_image(
        model, _blocks(model.visual.transformer, x, injection, causal=False, recompute=recompute)
    )


def text_tokens(
    model: Any, tokens: Tensor, injection: Injection | None = None, *, recompute: bool = False
) -> tuple[Tensor, Tensor]:
    """Embed every place of token ids [n, length] as [n, length, dim]; return the caption's own place [n] beside it.

    At that place is what `encode_text` gives. An injection that adds places gives as many more.
    """
    injection = injection or Injection()
    x, ends = begin_text(model, tokens, injection)
    return _project_text(
        model, _blocks(model.transformer, x, injection, causal=True, recompute=recompute)
    ), ends


def begin_image(model: Any, images: Tensor, injection: Injection) -> Tensor:
    """Return what the first block reads of images [n, 3, height, width]: [n, length, width]."""
    visual = model.visual
    patches = visual.conv1(images.to(visual.conv1.weight.dtype)).flatten(2).mT
    class_token = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    x = torch.cat([class_token, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
    return layer_norm(visual.ln_pre, injection.embedded(x))


def finish_image(model: Any, x: Tensor) -> Tensor:
    """Return the embeddings [n, dim] of what the last block gives [n, length, width]."""
    return _project_image(model, x[:, 0])


def begin_text(model: Any, tokens: Tensor, injection: Injection) -> tuple[Tensor, Tensor]:
    """Return what the first block reads of token ids [n, length], and the places [n] that are read at the end."""
    tokens = injection.tokens(tokens)
    x = injection.embedded(model.token_embedding(tokens).to(model.transformer.get_cast_dtype()))
    return x + model.positional_embedding[: tokens.shape[1]].to(x.dtype), tokens.argmax(dim=1)


def finish_text(model: Any, x: Tensor, ends: Tensor) -> Tensor:
    """Return the embeddings [n, dim] of what the last block gives, read at the places `ends` [n]."""
    return _project_text(model, x[torch.arange(len(x), device=x.device), ends])


def _project_image(model: Any, x: Tensor) -> Tensor:
    projection: Tensor = model.visual.proj
    return layer_norm(model.visual.ln_post, x) @ projection


def _project_text(model: Any, x: Tensor) -> Tensor:
    projection: Tensor = model.text_projection
    return layer_norm(model.ln_final, x) @ projection


@torch.no_grad()
def multiply_projections(model: Any, image: Tensor, text: Tensor) -> None:
    """Multiply both output projections from the right by matrices [dim, dim], in place."""
    model.visual.proj.copy_(model.visual.proj @ image)
    model.text_projection.copy_(model.text_projection @ text)


def _is_plain(transformer: Any) -> bool:
    from open_clip.transformer import ResidualAttentionBlock

    return all(
        type(block) is ResidualAttentionBlock and isinstance(block.attn, nn.MultiheadAttention)
        for block in transformer.resblocks
    )


def run_block(block: Any, layer: int, x: Tensor, injection: Injection, *, causal: bool) -> Tensor:
    """Pass the residual stream [n, length, width] through one block, `layer` counted from 0."""
    u = attend(block, injection.before_block(layer, x), injection, causal=causal)
    return feed(block, layer, u, injection)


def attend(block: Any, x: Tensor, injection: Injection, *, causal: bool) -> Tensor:
    """Return the stream [n, length, width] after a block's attention."""
    dropout = injection.attention_dropout if injection.training else 0.0
    u: Tensor = x + block.ls_1(_attention(block.attn, layer_norm(block.ln_1, x), causal, dropout))
    return u


def feed(block: Any, layer: int, u: Tensor, injection: Injection) -> Tensor:
    """Return the stream [n, length, width] after a block's MLP and what is added beside it."""
    x: Tensor = u + block.ls_2(block.mlp(layer_norm(block.ln_2, u)))
    beside = injection.beside_mlp(layer, u)
    return x if beside is None else x + beside


def _blocks(transformer: Any, x: Tensor, injection: Injection, *, causal: bool, recompute: bool) -> Tensor:
    for layer, block in enumerate(transformer.resblocks):
        run = partial(run_block, block, layer, injection=injection, causal=causal)
        x = checkpoint(run, x, use_reentrant=False) if recompute and torch.is_grad_enabled() else run(x)
    return x


def _attention(attention: Any, x: Tensor, causal: bool, dropout: float) -> Tensor:
    """Self-attention over [n, length, width] with the weights of a `MultiheadAttention`."""
    projected = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    heads = projected.view(*x.shape[:2], 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    query, key, value = heads.unbind()
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=causal, dropout_p=dropout)
    merged: Tensor = attention.out_proj(mixed.transpose(1, 2).flatten(2))
    return merged
