"""SSF: scale and shift after every operation of frozen towers, merged into their weights for inference.

Lian et al., "Scaling & Shifting Your Features: A New Baseline for Efficient Model Tuning", NeurIPS 2022,
https://arxiv.org/abs/2210.08823, code https://github.com/dongzelian/SSF. `y = factor * x + shift` for each feature,
after the patch embedding, every norm and every map of the blocks, as released. Factors start near 1 and shifts near 0,
by N(0, 0.02^2), so that training starts near CLIP; `init=identity` starts at it.

What deviates: the paper tunes image models, here both towers; CLIP's norm before the first block, which those models
lack, is followed like the others; weight decay pulls factors towards 1 and shifts towards 0, where the released code
decays neither. Optimiser, schedule and loss are those that the harness's methods share. The patch embedding of CLIP
has no bias: its shift merges into the positions.
"""

from typing import Literal

from harness.clip.injection import tower_shapes
from harness.clip.injection.weight_changes import Scaling
from harness.method_parts.unfreezing import TowerFields
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting

DEVIATION = 0.02


class Config(TowerFields, TrainedConfig):
    """The towers, the start and the rate."""

    lr: float = setting(
        1e-3,
        "learning rate after warm-up; 5e-3 in the paper",
        search=Range(low=1e-5, high=1e-1, log=True),
        gt=0,
    )
    init: Literal["released", "identity"] = setting(
        "released",
        "start of factors and shifts: small random ones, as released; or identity: those of CLIP",
        search=Choice(values=("released", "identity")),
    )


@register
class Ssf(Method):
    """Frozen towers, a scale and a shift after every operation."""

    title = "SSF"
    Config = Config

    def adapt(self) -> None:
        """Put a scale and a shift after every operation of the towers that the config names."""
        tower_shapes(self.clip)
        deviation = DEVIATION if self.config.init == "released" else 0.0
        for tower in self.config.chosen:
            places = self.clip.places(tower) - {"mlp_hidden"}
            scaling = Scaling(self.clip, tower, places, shifts=True, deviation=deviation)
            setattr(self, f"{tower}_injection", scaling)
