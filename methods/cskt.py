"""CSKT: bidirectional prompts and parallel adapters in both frozen towers.

Liu et al., "CLIP-based Synergistic Knowledge Transfer for Text-based Person Retrieval", ICASSP 2024,
https://arxiv.org/abs/2309.09496, code https://github.com/Liu-Yating/CSKT. Structure, initial values and
recipe are those of the released code; where towers differ in depth, prompts act in as many of the lower
blocks as the shallower tower has, and adapters in all blocks.

What deviates by default, because it would bias a comparison or needs a GPU: the epoch is chosen on
validation and not on the test split, and weights are float32 under autocast and not float16 without
loss scaling. The preset `released` follows the code in both.
"""

from harness.injection import Chain
from harness.injection.adapters import AdapterFields, build_adapters
from harness.injection.prompts import ImagePrompts, PromptFields, Prompts, TextPrompts
from harness.methods import Method, Range, TrainedConfig, register, setting


class Config(PromptFields, AdapterFields, TrainedConfig):
    """Structure and optimiser as released; `init=zero` starts from CLIP with random prompts."""

    lr: float = setting(
        3e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-2, log=True), gt=0
    )
    eps: float = setting(1e-3, "Adam's epsilon: so large that small gradients make small steps", gt=0)


@register
class Cskt(Method):
    """Prompts (BPT) and adapters (DAT) in frozen towers."""

    Config = Config
    recipe = {"train.batch_size": 128}

    def adapt(self) -> None:
        """Make prompts and adapters and put them into both towers."""
        self.prompts = Prompts(self.clip, self.config)
        image, text = build_adapters(self.clip, self.config)
        self.image_injection = Chain(prompts=ImagePrompts(self.prompts), adapters=image)
        self.text_injection = Chain(prompts=TextPrompts(self.prompts, self.clip.text_length), adapters=text)

    def folded_parameters(self) -> int:
        """The adapters remain, and of BPT only the prompts that the maps make."""
        maps_and_prompts = sum(parameter.numel() for parameter in self.prompts.parameters())
        return super().folded_parameters() - maps_and_prompts + self.prompts.folded_parameters()

    def fold(self) -> None:
        """Replace the coupling maps by what they make."""
        self.prompts.fold()
