"""BitFit: only the biases of both towers are trained.

Ben Zaken et al., "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models", ACL
2022, https://arxiv.org/abs/2106.10199. Every bias is trained, those of norms and of the joint projection to query, key
and value included. All is CLIP's own, so nothing has to be merged.

What deviates: the paper tunes a language model and its classifier, here both towers of CLIP. Biases do not decay, as in
all methods here. Optimiser, schedule and loss are those that the harness's methods share.
"""

from harness.method_parts.unfreezing import TowerFields, unfreeze
from harness.methods import Method, Range, TrainedConfig, register, setting


class Config(TowerFields, TrainedConfig):
    """The towers and the rate: biases take larger steps than weights."""

    lr: float = setting(
        1e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )
    bias_lr_factor: float = setting(1.0, "learning rate of biases relative to lr: all are biases", gt=0)


@register
class Bitfit(Method):
    """Frozen weights, trained biases."""

    title = "BitFit"
    Config = Config

    def adapt(self) -> None:
        """Unfreeze the biases of the towers that the config names."""
        names = [name for name, _ in self.clip.named_parameters() if name.endswith("bias")]
        unfreeze(self.clip, names, self.config.chosen, "biases")
