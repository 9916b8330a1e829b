"""Output scale: one trained factor for each dimension of the joint space, the same for images and captions.

It learns which dimensions matter to tell persons apart. No paper proposes it; it is an example of a method in a
package of its own.
"""

import torch
from torch import Tensor, nn

from harness.methods import Method, Range, TrainedConfig, setting


class Config(TrainedConfig):
    """Few factors train stably at larger steps than whole towers."""

    lr: float = setting(
        1e-2, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )


class OutputScale(Method):
    """Frozen towers, trained on cached embeddings."""

    Config = Config
    recipe = {"train.augment.flip": 0.0, "train.augment.pad": 0, "train.augment.erase": 0.0}

    def adapt(self) -> None:
        """Make the factors, which change nothing at first."""
        self.factors = nn.Parameter(torch.ones(self.clip.embed_dim))

    def head_image(self, embeddings: Tensor) -> Tensor:
        """Scale image embeddings [n, dim]."""
        return embeddings * self.factors.to(embeddings.dtype)

    def head_text(self, embeddings: Tensor) -> Tensor:
        """Scale text embeddings [n, dim]."""
        return embeddings * self.factors.to(embeddings.dtype)
