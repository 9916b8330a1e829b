"""What timm's image towers share: patches and positions before the blocks, pooling and projection after them.

A class token is read at the end, or a learned query pools what all places hold by attention, as in SigLIP. It pools the
image's own places alone: what an injection adds behind them acts through the blocks, as it does on a class token.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.timm_model import TimmModel
from timm.layers import AttentionPoolLatent, DropPath, PatchEmbed, RmsNorm
from torch import Tensor, nn

from harness.clip.injection import PLACES, Injection, Place
from harness.clip.towers import Affine, Tower
from harness.clip.towers.operations import after, heads, norm
from harness.compute.precision import layer_norm


class TimmTower(Tower):
    """An image tower of timm in open_clip's wrapper; kinds differ in their blocks.

    Attributes:
        n_unpooled: how many places in front the attention pooling leaves out.
        outside, inside: where the operations are, in the trunk and in a block.
    """

    name = "image"
    n_unpooled = 0
    outside = {"patches": "patch_embed.proj", "norm_pre": "norm_pre", "norm_post": "norm"}
    inside = {
        "norm_1": "norm1",
        "out": "attn.proj",
        "norm_2": "norm2",
        "mlp_in": "mlp.fc1",
        "mlp_out": "mlp.fc2",
    }

    def __init__(self, module: Any) -> None:
        self.module = module

    @property
    def trunk(self) -> Any:
        """The model of timm inside the wrapper."""
        return self.module.trunk

    @property
    def blocks(self) -> Sequence[nn.Module]:
        blocks: Sequence[nn.Module] = self.trunk.blocks
        return blocks

    @property
    def width(self) -> int:
        return int(self.trunk.embed_dim)

    @property
    def places(self) -> frozenset[Place]:
        bare = isinstance(self.trunk.norm_pre, nn.Identity)
        return frozenset(PLACES) - ({"norm_pre"} if bare else set())

    @property
    def patch_positions(self) -> Tensor:
        positions: Tensor = self.trunk.pos_embed
        return positions[0, 0 if self.trunk.no_embed_class else self.trunk.num_prefix_tokens :]

    @property
    def embeds_places(self) -> bool:
        return self.trunk.attn_pool is None

    @property
    def projection(self) -> nn.Linear | None:
        return self.trunk.head if isinstance(self.trunk.head, nn.Linear) else None

    def begin(self, inputs: Tensor, injection: Injection) -> tuple[Tensor, None]:
        trunk, convolution = self.trunk, self.trunk.patch_embed.proj
        images = inputs.to(convolution.weight.dtype)
        patches = after(injection, "patches", 0, images, convolution(images).flatten(2).mT)
        x = injection.embedded(self._placed(patches))
        return norm("norm_pre", trunk.norm_pre, 0, x, injection), None

    def _placed(self, patches: Tensor) -> Tensor:
        """Put class token and registers in front of patches [n, n_patch, width], and add positions."""
        trunk, shape = self.trunk, (len(patches), -1, -1)
        front = [token for token in (trunk.cls_token, trunk.reg_token) if token is not None]
        tokens = [token.to(patches.dtype).expand(shape) for token in front]
        positions = 0 if trunk.pos_embed is None else trunk.pos_embed.to(patches.dtype)
        if trunk.no_embed_class:
            return torch.cat([*tokens, patches + positions], dim=1)
        return torch.cat([*tokens, patches], dim=1) + positions

    def finish(self, x: Tensor, ends: Tensor | None, injection: Injection) -> Tensor:
        trunk = self.trunk
        if trunk.attn_pool is None:
            return self.project(x[:, :1], injection)[:, 0]
        own = x[:, : trunk.num_prefix_tokens + trunk.patch_embed.num_patches]
        normed = norm("norm_post", trunk.norm, 0, own, injection)
        pooled: Tensor = trunk.head(_pool(trunk.attn_pool, normed[:, self.n_unpooled :]))
        return pooled

    def project(self, x: Tensor, injection: Injection) -> Tensor:
        embedded: Tensor = self.trunk.head(norm("norm_post", self.trunk.norm, 0, x, injection))
        return embedded

    def affine(self, layer: int, place: Place) -> Affine:
        module = self.trunk.get_submodule(self.outside[place])
        return Affine(module.weight, module.bias)


def takes_trunk(module: Any, kind: Any) -> bool:
    """Return whether a wrapper holds a tower of timm of one class, without parts that no `TimmTower` runs."""
    trunk: Any = module.trunk if isinstance(module, TimmModel) else None
    return (
        trunk.__class__ is kind
        and len(module.head) == 0
        and type(trunk.patch_embed) is PatchEmbed
        and isinstance(trunk.patch_embed.norm, nn.Identity)
        and not trunk.dynamic_img_size
        and isinstance(trunk.fc_norm, nn.Identity)
        and (trunk.global_pool == "token" or _pools_by_attention(trunk))
        and all(map(_stands_still, trunk.modules()))
    )


def _pools_by_attention(trunk: Any) -> bool:
    pool = trunk.attn_pool
    plain = type(pool) is AttentionPoolLatent and pool.pos_embed is None and pool.pool == "token"
    return plain and pool.mlp is not None and isinstance(pool.q_norm, nn.Identity)


def _stands_still(module: nn.Module) -> bool:
    """Return whether a part of a tower does in training what it does in evaluation, and norms are LayerNorms."""
    if isinstance(module, nn.Dropout):
        return module.p == 0
    return not isinstance(module, DropPath | RmsNorm | nn.BatchNorm2d)


def mlp(module: Any, layer: int, x: Tensor, injection: Injection) -> Tensor:
    """Pass [n, length, width] through an `Mlp` of timm; its own norm is before the second map."""
    wide = after(injection, "mlp_in", layer, x, module.fc1(x))
    hidden = after(injection, "mlp_hidden", layer, wide, layer_norm(module.norm, module.act(wide)))
    return after(injection, "mlp_out", layer, hidden, module.fc2(hidden))


def _pool(pool: Any, x: Tensor) -> Tensor:
    """Return what a learned query reads of the places [n, length, width], behind an MLP [n, width]."""
    latent = pool.q(pool.latent.to(x.dtype)).expand(len(x), -1, -1)
    parts = (latent, *pool.kv(x).chunk(2, dim=-1))
    query, key, value = (heads(part, pool.num_heads) for part in parts)
    read = pool.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))
    pooled: Tensor = (read + pool.mlp(layer_norm(pool.norm, read)))[:, 0]
    return pooled
