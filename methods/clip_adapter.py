"""CLIP-Adapter: a small network on the frozen towers' output, mixed with its input.

Gao et al., "CLIP-Adapter: Better Vision-Language Models with Feature Adapters", IJCV 2024,
https://arxiv.org/abs/2110.04544, code https://github.com/gaopengcuhk/CLIP-Adapter. Two linear maps without
bias, each followed by a ReLU, as released: `ratio * network(z) + (1 - ratio) * z` on the embedding before
it is normalised. By default on images alone with ratio 0.4, as in the few-shot comparison of TBPS-CLIP (Cao
et al., AAAI 2024, https://arxiv.org/abs/2308.10045); the released code has ratio 0.2. Optimised as the
linear probe is, which is a choice.

The towers run once and epochs train on cached embeddings, so images are not augmented. The last ReLU lets
nothing below zero through, and what is mixed is not linear: it cannot be folded into CLIP's projections.
"""

from typing import Literal

from torch import Tensor, nn

from harness.clip.injection.adapters import check_reduction
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting


class Config(TrainedConfig):
    """The network's place, width and share; small networks train stably at larger steps than whole towers."""

    lr: float = setting(
        1e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )
    ratio: float = setting(
        0.4,
        "share of the network in the mixture: 0.4 in TBPS-CLIP, 0.2 in the released code",
        search=Range(low=0.1, high=1.0),
        ge=0,
        le=1,
    )
    reduction: int = setting(4, "width over bottleneck width", search=Choice(values=(2, 4, 8, 16)), ge=1)
    towers: Literal["image", "text", "both"] = setting(
        "image", "towers whose embeddings are changed", search=Choice(values=("image", "text", "both"))
    )


@register
class ClipAdapter(Method):
    """Frozen towers, a residual network after one or both."""

    title = "CLIP-Adapter"
    Config = Config
    recipe = {"train.augment.flip": 0.0, "train.augment.pad": 0, "train.augment.erase": 0.0}

    image_adapter: nn.Sequential | None
    text_adapter: nn.Sequential | None

    def adapt(self) -> None:
        """Put a network after the towers that the config names."""
        dim, config = self.clip.embed_dim, self.config
        image, text = (config.towers in (tower, "both") for tower in ("image", "text"))
        self.image_adapter = _adapter(dim, config.reduction) if image else None
        self.text_adapter = _adapter(dim, config.reduction) if text else None

    def head_image(self, embeddings: Tensor) -> Tensor:
        """Mix image embeddings [n, dim] with what the network makes of them [n, dim]."""
        return _mix(self.image_adapter, embeddings, self.config.ratio)

    def head_text(self, embeddings: Tensor) -> Tensor:
        """Mix text embeddings [n, dim] with what the network makes of them [n, dim]."""
        return _mix(self.text_adapter, embeddings, self.config.ratio)


def _adapter(dim: int, reduction: int) -> nn.Sequential:
    check_reduction(reduction, dim)
    down, up = nn.Linear(dim, dim // reduction, bias=False), nn.Linear(dim // reduction, dim, bias=False)
    return nn.Sequential(down, nn.ReLU(), up, nn.ReLU())


def _mix(adapter: nn.Sequential | None, embeddings: Tensor, ratio: float) -> Tensor:
    if adapter is None:
        return embeddings
    made: Tensor = adapter(embeddings.to(next(adapter.parameters()).dtype))
    return ratio * made.to(embeddings.dtype) + (1 - ratio) * embeddings
