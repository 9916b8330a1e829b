"""(IA)3: learned factors on keys, values and the MLP's hidden features of frozen towers, merged for inference.

Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning", NeurIPS 2022,
https://arxiv.org/abs/2205.05638, code https://github.com/r-three/t-few. One factor for each feature, in every block;
all start at 1, so that training starts at CLIP.

What deviates: the paper tunes a language model, here both towers of CLIP; weight decay pulls factors towards 1.
Optimiser, schedule and loss are those that the harness's methods share.
"""

from harness.clip.injection import Place, tower_shapes
from harness.clip.injection.weight_changes import Scaling
from harness.method_parts.unfreezing import TowerFields
from harness.methods import Method, Range, TrainedConfig, register, setting

PLACES: tuple[Place, ...] = ("key", "value", "mlp_hidden")


class Config(TowerFields, TrainedConfig):
    """The towers and the rate: a few factors train stably at larger steps than whole towers."""

    lr: float = setting(
        5e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )


@register
class Ia3(Method):
    """Frozen towers, a factor on each key, value and hidden feature."""

    title = "(IA)3"
    Config = Config

    def adapt(self) -> None:
        """Put factors into every block of the towers that the config names."""
        tower_shapes(self.clip)
        for tower in self.config.chosen:
            setattr(self, f"{tower}_injection", Scaling(self.clip, tower, PLACES))
