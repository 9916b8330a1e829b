"""VPT: learned prompts in the image tower; both towers stay frozen.

Jia et al., "Visual Prompt Tuning", ECCV 2022, https://arxiv.org/abs/2203.12119, code https://github.com/KMnP/vpt.
By default every block reads prompts of its own and drops those of the block below (VPT-Deep);
`prompt_depth=first`, the preset `shallow`, has prompts in the tower's input alone (VPT-Shallow). They start uniform in
the released bounds, which follow from the size of a patch and the width.

What deviates: the paper classifies pictures, here they are matched with captions, whose tower is CLIP's own. Prompts
are behind the patches and not between them and the class token, which is the same to attention, and before CLIP's
first LayerNorm, which the paper's backbones do not have. Loss and optimiser are the harness's own; the code has SGD.
"""

from torch import nn

from harness.clip.injection import tower_shapes
from harness.clip.injection.depth import WORDS, Depth, layers_within
from harness.clip.injection.prompts import ImagePrompts, OwnPrompts
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting


class Config(TrainedConfig):
    """The prompts' number, depth and dropout; a few vectors train stably at larger steps than whole towers."""

    lr: float = setting(
        1e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )
    prompt_length: int = setting(
        10, "prompts that a layer reads", search=Choice(values=(1, 5, 10, 50, 100, 200)), ge=1, le=1000
    )
    prompt_depth: Depth = setting(
        "all",
        "layers, from the bottom, that read fresh prompts: a number, or first (shallow), half, most or all (deep)",
        search=Choice(values=WORDS),
    )
    prompt_dropout: float = setting(
        0.1,
        "share of the prompts' values that is dropped in training",
        search=Choice(values=(0.0, 0.1)),
        ge=0,
        lt=1,
    )


@register
class Vpt(Method):
    """Frozen towers, learned prompts behind the patches."""

    title = "VPT"
    Config = Config

    def adapt(self) -> None:
        """Put prompts into the image tower."""
        image, _ = tower_shapes(self.clip)
        depth = layers_within(self.config.prompt_depth, image.layers, "prompt_depth")
        self.prompts = OwnPrompts(depth, self.config.prompt_length, image.width)
        patch = self.clip.affine("image", 0, "patches").weight[0].numel()
        bound = (6 / (patch + image.width)) ** 0.5
        nn.init.uniform_(self.prompts.vectors, -bound, bound)
        self.image_injection = ImagePrompts(self.prompts, self.config.prompt_dropout)
