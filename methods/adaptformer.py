"""AdaptFormer: a bottleneck beside the MLP of every block of the frozen towers.

Chen et al., "AdaptFormer: Adapting Vision Transformers for Scalable Visual Recognition", NeurIPS 2022,
https://arxiv.org/abs/2205.13535, code https://github.com/ShoufaChen/AdaptFormer. To what the MLP makes of the
normalised stream u comes `scale * up(dropout(relu(down(u))))`, without a LayerNorm of its own; the upper map starts at
zero, as released, so that training starts at CLIP.

What deviates: the paper adapts image transformers, here both towers of CLIP by default; `adapter_towers=image` is the
paper's. Loss and optimiser are the harness's own; the code has SGD.
"""

from harness.clip.injection import TowerShape
from harness.clip.injection.adapters import Adapter, Adapters, BottleneckFields, with_bottlenecks
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting


class Config(BottleneckFields, TrainedConfig):
    """The adapters' width, scale and dropout."""

    lr: float = setting(
        3e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-2, log=True), gt=0
    )
    scale: float = setting(0.1, "factor on the adapters' output", search=Range(low=0.01, high=10, log=True))
    dropout: float = setting(
        0.1,
        "share of the inner layer that is dropped in training",
        search=Choice(values=(0.0, 0.1)),
        ge=0,
        lt=1,
    )


@register
class AdaptFormer(Method):
    """An adapter beside every MLP of frozen towers, without a norm of its own."""

    title = "AdaptFormer"
    Config = Config

    def adapt(self) -> None:
        """Put an adapter into every block."""
        made = with_bottlenecks(self.clip, self.config, self._adapters)
        self.image_injection, self.text_injection = made

    def _adapters(self, shape: TowerShape) -> Adapters:
        config = self.config
        layers = [
            Adapter(shape.width, config.bottleneck, "zero", dropout=config.dropout)
            for _ in range(shape.layers)
        ]
        return Adapters(layers, config.scale)
