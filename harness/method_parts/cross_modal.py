"""Predicting masked words from a caption and its image: implicit relation reasoning (IRR).

Jiang and Ye, "Cross-Modal Implicit Relation Reasoning and Aligning for Text-to-Image Person Retrieval", CVPR 2023,
https://arxiv.org/abs/2303.12501. Structure and initial values are those of the released code.
"""

from typing import Any

import torch
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from harness.clip.injection import Injection
from harness.clip.towers.plain import run_block
from harness.compute.precision import full_precision, layer_norm

_HEAD_WIDTH = 64


class CrossModalEncoder(nn.Module):
    """The tokens of a caption attend to those of its image, and then to one another.

    One cross-attention without a residual connection, then blocks as in CLIP's towers, without a causal mask. The
    padding after a caption is not masked either, so its length matters.

    Args:
        dim: of the joint space.
        layers: blocks after the cross-attention.
    """

    def __init__(self, dim: int, layers: int) -> None:
        super().__init__()
        heads = max(1, dim // _HEAD_WIDTH)
        self.before_text, self.before_image = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.blocks = nn.ModuleList(
            ResidualAttentionBlock(dim, heads, act_layer=QuickGELU) for _ in range(layers)
        )
        self.after = nn.LayerNorm(dim)
        self._draw_weights(dim, layers)

    def _draw_weights(self, dim: int, layers: int) -> None:
        blocks: list[Any] = list(self.blocks)
        for attention in (self.attention, *(block.attn for block in blocks)):
            nn.init.normal_(attention.in_proj_weight, std=dim**-0.5)
            nn.init.normal_(attention.out_proj.weight, std=_outward_deviation(dim, layers))
        for block in blocks:
            nn.init.normal_(block.mlp.c_fc.weight, std=_inward_deviation(dim))
            nn.init.normal_(block.mlp.c_proj.weight, std=_outward_deviation(dim, layers))

    def forward(self, text: Tensor, image: Tensor) -> Tensor:
        """Return captions' tokens [n, length, dim] after attending to those of images [n, places, dim]."""
        read = layer_norm(self.before_image, image)
        x, _ = self.attention(layer_norm(self.before_text, text), read, read, need_weights=False)
        for layer, block in enumerate(self.blocks):
            x = run_block(block, layer, x, Injection(), causal=False)
        return layer_norm(self.after, x)


class WordHead(nn.Module):
    """Scores the vocabulary at a place; `layers` are those of the encoder before it."""

    def __init__(self, dim: int, n_words: int, layers: int) -> None:
        super().__init__()
        self.dense, self.activation = nn.Linear(dim, dim), QuickGELU()
        self.norm, self.words = nn.LayerNorm(dim), nn.Linear(dim, n_words)
        nn.init.normal_(self.dense.weight, std=_inward_deviation(dim))
        nn.init.normal_(self.words.weight, std=_outward_deviation(dim, layers))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores [..., n_words] of places [..., dim]."""
        scores: Tensor = self.words(layer_norm(self.norm, self.activation(self.dense(x))))
        return scores


def guess_losses(
    head: nn.Module, x: Tensor, labels: Tensor, places: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Masked language modelling, row by row, so that shares of a batch add up to the loss of the whole.

    The vocabulary is scored at the masked places alone. The loss of a batch is the sum of all rows' cross-entropies
    over the number of all masked words.

    Args:
        head: makes scores [n_masked, n_words] of places [n_masked, dim].
        x: places of captions [n, length, dim].
        labels: the true word at masked places, elsewhere 0 [n, length].
        places: positions among all n * length of those that are scored, which hold the masked ones [n_scored]; None
            looks the masked ones up, for which an accelerator has to be waited for.

    Returns:
        Sum of the cross-entropies of each row [n], and how many there are [n].

    >>> labels = torch.tensor([[2, 0, 0], [0, 0, 0]])
    >>> sums, counts = guess_losses(nn.Identity(), torch.zeros(2, 3, 4), labels)
    >>> [round(float(one), 4) for one in sums], counts.tolist()
    ([1.3863, 0.0], [1, 0])
    """
    words = labels.flatten()
    if places is None:
        places = words.nonzero()[:, 0]
    scores = full_precision(head(x.flatten(0, 1)[places]))
    losses = cross_entropy(scores, words[places], ignore_index=0, reduction="none")
    placed = torch.zeros_like(words, dtype=losses.dtype).index_put((places,), losses).view_as(labels)
    return placed.sum(dim=1), (labels > 0).sum(dim=1)


def _inward_deviation(dim: int) -> float:
    """Return the standard deviation of maps that open a block's MLP."""
    return float((2 * dim) ** -0.5)


def _outward_deviation(dim: int, layers: int) -> float:
    """Return that of maps that end a branch: smaller, the more branches add up."""
    return float(dim**-0.5 * (2 * layers) ** -0.5)
