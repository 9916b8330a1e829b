"""Ladder side-tuning: a narrow transformer beside each frozen tower; no gradient passes through the towers.

Sung et al., "LST: Ladder Side-Tuning for Parameter and Memory Efficient Transfer Learning", NeurIPS 2022,
https://arxiv.org/abs/2206.06522, code https://github.com/ylsung/Ladder-Side-Tuning. Its blocks are those of a
transformer in an eighth of the tower's width; each reads the one below and, through a map and a learned gate, what a
block of the tower gives. Methods that act inside the towers keep the activations of all blocks above the lowest place
where they act; here no block keeps any. What the towers' blocks give is the same in every epoch, so it is computed once
and kept (`train.keep_frozen`) of captions, and of pictures where these are not augmented: random flips, crops and
erasing make other pictures each epoch, which run through the tower, without a graph.

What deviates: what the side network makes is added to the tower's output, by a map that starts at zero, so that
training starts at CLIP; in the code it takes the output's place. Its blocks start at random and not as a pruned copy of
the tower's, and it has no dropout. Loss and optimiser are the harness's own.
"""

from typing import Literal

from harness.clip.injection import TowerShape, tower_shapes
from harness.clip.injection.side_network import SideNetwork
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting


class Config(TrainedConfig):
    """The side network's width, number of blocks and places."""

    lr: float = setting(
        3e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-2, log=True), gt=0
    )
    reduction: int = setting(
        8, "width of a tower over that of its side network", search=Choice(values=(2, 4, 8, 16)), ge=1
    )
    every: int = setting(
        1, "blocks of a tower for one of its side network", search=Choice(values=(1, 2, 3)), ge=1
    )
    side_towers: Literal["image", "text", "both"] = setting(
        "both", "towers that get side networks", search=Choice(values=("image", "text", "both"))
    )


@register
class Side(Method):
    """Frozen towers, a small network beside each."""

    title = "ladder side-tuning"
    Config = Config

    def adapt(self) -> None:
        """Put a side network beside the towers that the config names."""
        image, text = tower_shapes(self.clip)
        if self.config.side_towers != "text":
            self.image_injection = self._beside(image, causal=False)
        if self.config.side_towers != "image":
            self.text_injection = self._beside(text, causal=self.clip.text_causal)

    def _beside(self, shape: TowerShape, *, causal: bool) -> SideNetwork:
        return SideNetwork(shape, reduction=self.config.reduction, every=self.config.every, causal=causal)
