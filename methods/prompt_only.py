"""Prompts only: the bidirectional prompts of CSKT (BPT) without its adapters.

Liu et al., "CLIP-based Synergistic Knowledge Transfer for Text-based Person Retrieval", ICASSP 2024,
https://arxiv.org/abs/2309.09496. Optimised as CSKT is. The paper's own figures for this ablation are
not known to come from this recipe; `directions=none` gives independent prompts in both towers.
"""

from harness.clip.injection.prompts import ImagePrompts, PromptFields, Prompts, TextPrompts
from harness.methods import Method, Range, TrainedConfig, register, setting


class Config(PromptFields, TrainedConfig):
    """CSKT's prompts and optimiser."""

    lr: float = setting(
        3e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-2, log=True), gt=0
    )
    eps: float = setting(1e-3, "Adam's epsilon, as large as CSKT's", gt=0)


@register
class PromptOnly(Method):
    """Learned prompts in frozen towers."""

    title = "CSKT prompts"
    Config = Config
    recipe = {"train.batch_size": 128}

    def adapt(self) -> None:
        """Make the prompts and put them into both towers."""
        self.prompts = Prompts(self.clip, self.config)
        self.image_injection = ImagePrompts(self.prompts)
        self.text_injection = TextPrompts(self.prompts, self.prompts.room)

    def folded_parameters(self) -> int:
        """Only the prompts that the maps make remain."""
        return self.prompts.folded_parameters()

    def fold(self) -> None:
        """Replace the maps by what they make."""
        self.prompts.fold()
