"""UP-Person: low-rank updates, prefixes and adapters around the norms, together in all blocks of the frozen towers.

Liu et al., "UP-Person: Unified Parameter-Efficient Transfer Learning for Text-based Person Retrieval", TCSVT 2025,
https://arxiv.org/abs/2504.10084, code https://github.com/Liu-Yating/UP-Person. Keys and values come from maps with
low-rank updates (LoRA), a learned prefix stands before them (S-Prefix), and to what both norms of a block make a
bottleneck adds what it makes of their input (L-Adapter). Structure, initial values and recipe are those of the released
code; presets `cuhk`, `icfg` and `rstp` have the sizes and the rate for each dataset. Where the paper differs, the code
is followed: the factor on the attention to prefixes starts at 100, in the paper at 10 (`method.prefix_scale`). With
either an untrained model is not quite CLIP, since prefixes take their share of the attention.

What deviates by default: the epoch is chosen on validation and not on the test split, weights are float32 under
autocast and not float16 without loss scaling (the preset `released` follows the code in both, but for LoRA's maps,
which the code keeps in float32), and a caption in which no word was drawn to be masked stays whole. Updates act on what
the maps are given instead of on their weights, which is the same function.
"""

import re
from typing import Any, ClassVar

from torch import Tensor

from harness.clip.injection import Chain, Place, TowerName, TowerShape, tower_shapes
from harness.clip.injection.adapters import NormAdapters, check_reduction
from harness.clip.injection.prefixes import ScaledPrefixes, check_prefix
from harness.clip.injection.weight_changes import LowRank
from harness.clip.model import Clip
from harness.clip.tensor_names import Replacement, numbered, renamed, stacked
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting

BLOCK = r"base_model\.(visual\.)?transformer\.resblocks\.(\d+)\."
UPDATE = r"LORA_learner\.lora_(image|text)\.(\d+)\."
PLACES: tuple[Place, Place] = ("key", "value")
RELEASED: dict[str, Replacement] = {
    BLOCK + r"adapter_ln_msa\.": lambda found: f"{_part(found)}.adapters.norm_1.{found[2]}.",
    BLOCK + r"adapter_ln_mlp\.": lambda found: f"{_part(found)}.adapters.norm_2.{found[2]}.",
    UPDATE + r"lora_A\.([01])": lambda found: f"{_update(found)}.down.weight",
    UPDATE + r"lora_B\.([01])": lambda found: f"{_update(found)}.up.weight",
    UPDATE + r"scale\.([01])\.scale": lambda found: f"{_update(found)}.own_scale",
    r"base_model\.": "clip.model.",
}
# Numbers and prefixes of single layers there that are one tensor here.
OF_LAYERS = {
    "adapters.scales.norm_1": "scale_1",
    "adapters.scales.norm_2": "scale_2",
    "prefixes.keys": "key.tokens",
    "prefixes.values": "val.tokens",
    "prefixes.key_scale": "key.scaler.scale",
    "prefixes.value_scale": "val.scaler.scale",
    "prefixes.attention_scale": "scale_to_grad",
}
NAMED_TWICE = r"base_model\..*\.attn\.prefix\..*"


class Config(TrainedConfig):
    """Structure and optimiser as released for CUHK-PEDES."""

    lr: float = setting(
        1e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-2, log=True), gt=0
    )
    eps: float = setting(1e-3, "Adam's epsilon: so large that small gradients make small steps", gt=0)
    bias_lr_factor: float = setting(1.0, "learning rate of biases relative to lr", gt=0)
    rank: int = setting(
        32,
        "rank of the updates of key and value maps",
        search=Choice(values=(4, 8, 16, 32, 64)),
        ge=1,
        le=2**14,
    )
    prefix_length: int = setting(
        10, "keys and values in front of a block's own", search=Choice(values=(2, 6, 10, 14, 20)), ge=1
    )
    prefix_scale: float = setting(
        100.0,
        "start of the learned factor on the attention to prefixes; the paper has 10",
        search=Range(low=1, high=100, log=True),
    )
    reduction: int = setting(
        8, "width over the adapters' bottleneck width", search=Choice(values=(2, 4, 8, 16, 32)), ge=1
    )


class Unified(Chain):
    """The three parts in one tower."""

    def __init__(self, clip: Clip, tower: TowerName, shape: TowerShape, config: Config) -> None:
        depth, width = shape
        super().__init__(
            lora=LowRank(clip, tower, PLACES, rank=config.rank, scale=1.0, own_scales=True),
            prefixes=ScaledPrefixes(depth, config.prefix_length, width, attention_scale=config.prefix_scale),
            adapters=NormAdapters(shape, width // config.reduction),
        )


@register
class UpPerson(Method):
    """LoRA, S-Prefix and L-Adapter in frozen towers."""

    title = "UP-Person"
    Config = Config
    recipe: ClassVar[dict[str, Any]] = {"train.batch_size": 128, "train.augment.mask_words": 0.15}

    image_injection: Chain
    text_injection: Chain

    def adapt(self) -> None:
        """Put the three parts into every block."""
        image, text = tower_shapes(self.clip)
        check_prefix(self.config.prefix_length, self.clip.text_length)
        check_reduction(self.config.reduction, min(image.width, text.width))
        self.image_injection = Unified(self.clip, "image", image, self.config)
        self.text_injection = Unified(self.clip, "text", text, self.config)

    def folded_parameters(self) -> int:
        """Prefixes and adapters remain, without their factors."""
        return sum(
            parameter.numel()
            for injection in (self.image_injection, self.text_injection)
            for name, parameter in injection.named_parameters()
            if not name.startswith("lora.") and "scale" not in name
        )

    @classmethod
    def imported(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Read the released code's names; once a model has run, its blocks name their prefixes a second time."""
        parts = {
            f"{tower}_injection.{ours}": numbered(state, _before_layer(tower, ours), f".{theirs}")
            for tower in ("image", "text")
            for ours, theirs in OF_LAYERS.items()
        }
        ignored = [NAMED_TWICE, r"(base_model\.)?logit_scale"]
        return renamed(stacked(state, parts), RELEASED, ignored=ignored)


def _part(found: re.Match[str]) -> str:
    return f"{'image' if found[1] else 'text'}_injection"


def _update(found: re.Match[str]) -> str:
    return f"{found[1]}_injection.lora.maps.{found[2]}_{PLACES[int(found[3])]}"


def _before_layer(tower: str, ours: str) -> str:
    """Return how the names of a layer's tensors begin there, up to the layer's number."""
    if ours.startswith("prefixes."):
        kind = "vit" if tower == "image" else "text"
        return f"{kind}_prefix_learner.{kind}_prefix."
    return f"base_model.{'visual.' if tower == 'image' else ''}transformer.resblocks."
