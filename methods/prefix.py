"""Prefix tuning: learned keys and values in front of those of every attention; both towers stay frozen.

Li and Liang, "Prefix-Tuning: Optimizing Continuous Prompts for Generation", ACL 2021,
https://arxiv.org/abs/2101.00190, code https://github.com/XiangLisaLi/PrefixTuning. In each layer of a tower every
place reads `prefix_length` keys and values more, which are learned as they are.

What deviates: the paper tunes a language model, here it is both towers of CLIP. In the paper an MLP makes the prefix
while training; by default it is learned directly here, from N(0, 0.02^2), and `prefix_hidden` is the width of such an
MLP, which is replaced by what it makes for inference. An untrained prefix takes its share of the attention, so training
does not start at CLIP. Loss and optimiser are the harness's own.
"""

from typing import Literal

from harness.clip.injection import TowerShape, tower_shapes
from harness.clip.injection.depth import WORDS, Depth, layers_within
from harness.clip.injection.prefixes import Prefixes, check_prefix
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting


class Config(TrainedConfig):
    """The prefix's size and place; a few vectors train stably at larger steps than whole towers."""

    lr: float = setting(
        1e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )
    prefix_length: int = setting(
        10,
        "keys and values that a layer reads beside its own",
        search=Choice(values=(1, 2, 5, 10, 20, 30)),
        ge=1,
        le=1000,
    )
    prefix_depth: Depth = setting(
        "all",
        "layers of a tower, from the bottom, that have a prefix: a number, or first, half, most or all of them",
        search=Choice(values=WORDS),
    )
    prefix_hidden: int = setting(
        0,
        "width of the MLP that makes a tower's prefix while training; 0: none does",
        search=Choice(values=(0, 128, 512)),
        ge=0,
        le=4096,
    )
    prefix_towers: Literal["image", "text", "both"] = setting(
        "both", "towers that get prefixes", search=Choice(values=("image", "text", "both"))
    )


@register
class Prefix(Method):
    """Learned keys and values in frozen towers."""

    title = "prefix tuning"
    Config = Config

    def adapt(self) -> None:
        """Put a prefix into the attention of the lower layers."""
        image, text = tower_shapes(self.clip)
        if self.config.prefix_towers != "text":
            self.image_injection = self._prefixes(image)
        if self.config.prefix_towers != "image":
            check_prefix(self.config.prefix_length, self.clip.text_length)
            self.text_injection = self._prefixes(text)

    def folded_parameters(self) -> int:
        """Keys and values remain, and no network that makes them."""
        return sum(prefixes.size for prefixes in self._all())

    def _prefixes(self, shape: TowerShape) -> Prefixes:
        config = self.config
        depth = layers_within(config.prefix_depth, shape.layers, "prefix_depth")
        return Prefixes(depth, config.prefix_length, shape.width, config.prefix_hidden)

    def _all(self) -> list[Prefixes]:
        both = (self.image_injection, self.text_injection)
        return [prefixes for prefixes in both if isinstance(prefixes, Prefixes)]
