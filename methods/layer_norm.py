"""Norm tuning: only the gains and biases of the layer norms of both towers are trained.

Kim et al., "How to Adapt Your Large-Scale Vision-and-Language Model", 2021,
https://openreview.net/forum?id=EhwEUb2ynIa, find it a strong baseline for CLIP. The norms before and after the blocks
are trained like those inside. All is CLIP's own, so nothing has to be merged.

What deviates: the paper classifies images, here both towers are tuned to retrieve. Optimiser, schedule and loss are
those that the harness's methods share.
"""

from torch import nn

from harness.method_parts.unfreezing import TowerFields, unfreeze
from harness.methods import Method, Range, TrainedConfig, register, setting


class Config(TowerFields, TrainedConfig):
    """The towers and the rate: norms take larger steps than maps."""

    lr: float = setting(
        1e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )


@register
class LayerNorm(Method):
    """Frozen maps, trained norms."""

    title = "norm tuning"
    Config = Config

    def adapt(self) -> None:
        """Unfreeze the norms of the towers that the config names."""
        names = [
            f"{path}.{name}"
            for path, module in self.clip.named_modules()
            if isinstance(module, nn.LayerNorm)
            for name, _ in module.named_parameters()
        ]
        unfreeze(self.clip, names, self.config.chosen, "layer norms")
