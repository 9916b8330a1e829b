"""CSKT: bidirectional prompts and parallel adapters in both frozen towers.

Liu et al., "CLIP-based Synergistic Knowledge Transfer for Text-based Person Retrieval", ICASSP 2024,
https://arxiv.org/abs/2309.09496, code https://github.com/Liu-Yating/CSKT. Structure, initial values and
recipe are those of the released code; where towers differ in depth, prompts act in as many of the lower
blocks as the shallower tower has, and adapters in all blocks.

What deviates by default, because it would bias a comparison or needs a GPU: the epoch is chosen on
validation and not on the test split, and weights are float32 under autocast and not float16 without
loss scaling. The preset `released` follows the code in both.
"""

import re

from torch import Tensor

from harness.clip.injection import Chain
from harness.clip.injection.adapters import AdapterFields, build_adapters
from harness.clip.injection.prompts import ImagePrompts, PromptFields, Prompts, TextPrompts
from harness.clip.tensor_names import Replacement, numbered, renamed, stacked
from harness.methods import Method, Range, TrainedConfig, register, setting

BLOCK = r"base_model\.(visual\.)?transformer\.resblocks\.(\d+)\."
MAPS = {"": "text_to_image", "_vision": "image_to_text"}
OWN = {"text_own": ("ctx", "compound_prompts_text"), "image_own": ("vision", "compound_prompts_vision")}
RELEASED: dict[str, Replacement] = {
    BLOCK + r"ln_3\.": lambda found: f"{_adapter(found)}.norm.",
    BLOCK + r"adapter_mlp\.": lambda found: f"{_adapter(found)}.",
    r"base_model\.": "clip.model.",
    r"prompt_learner\.tmap\.": "prompts.text_to_image.0.",
    r"prompt_learner\.vmap\.": "prompts.image_to_text.0.",
    r"prompt_learner\.compound_prompt_projections(_vision)?\.(\d+)\.": lambda found: (
        f"prompts.{MAPS[found[1] or '']}.{int(found[2]) + 1}."
    ),
}


class Config(PromptFields, AdapterFields, TrainedConfig):
    """Structure and optimiser as released; `init=zero` starts from CLIP with random prompts."""

    lr: float = setting(
        3e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-2, log=True), gt=0
    )
    eps: float = setting(1e-3, "Adam's epsilon: so large that small gradients make small steps", gt=0)


@register
class Cskt(Method):
    """Prompts (BPT) and adapters (DAT) in frozen towers."""

    title = "CSKT"
    Config = Config
    recipe = {"train.batch_size": 128}

    def adapt(self) -> None:
        """Make prompts and adapters and put them into both towers."""
        self.prompts = Prompts(self.clip, self.config)
        image, text = build_adapters(self.clip, self.config)
        self.image_injection = Chain(prompts=ImagePrompts(self.prompts), adapters=image)
        self.text_injection = Chain(prompts=TextPrompts(self.prompts, self.prompts.room), adapters=text)

    def folded_parameters(self) -> int:
        """The adapters remain, and of BPT only the prompts that the maps make."""
        maps_and_prompts = sum(parameter.numel() for parameter in self.prompts.parameters())
        return super().folded_parameters() - maps_and_prompts + self.prompts.folded_parameters()

    def fold(self) -> None:
        """Replace the coupling maps by what they make."""
        self.prompts.fold()

    @classmethod
    def imported(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Read the released code's names; it keeps the prompts of the first block apart from those of the others."""
        names = {
            f"prompts.{own}": [
                f"prompt_learner.{first}",
                *numbered(state, f"prompt_learner.{others}."),
            ]
            for own, (first, others) in OWN.items()
        }
        return renamed(stacked(state, names), RELEASED, ignored=[r"(base_model\.)?logit_scale"])


def _adapter(found: re.Match[str]) -> str:
    return f"{'image' if found[1] else 'text'}_injection.adapters.layers.{found[2]}"
