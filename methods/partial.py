"""Partial fine-tuning: only the last blocks of the towers are trained.

Yosinski et al., "How transferable are features in deep neural networks?", NeurIPS 2014,
https://arxiv.org/abs/1411.1792; the usual baseline of parameter-efficient tuning, as in Jia et al., "Visual Prompt
Tuning", ECCV 2022, https://arxiv.org/abs/2203.12119. What follows the last block, its norm and the output projection,
stays frozen, so that only blocks are counted. No gradient passes below the lowest trained block.

What deviates: both papers train one tower and a classifier. Optimiser, schedule and loss are those that the harness's
methods share.
"""

from harness.clip.injection import tower_shapes
from harness.errors import UsageError
from harness.method_parts.unfreezing import TowerFields
from harness.methods import Method, Range, TrainedConfig, register, setting


class Config(TowerFields, TrainedConfig):
    """How many blocks of which towers; the rate is that of full fine-tuning."""

    blocks: int = setting(
        1, "last blocks of each tower that are trained", search=Range(low=1, high=4), ge=1, le=1000
    )


@register
class Partial(Method):
    """Frozen towers, trained last blocks."""

    title = "partial fine-tuning"
    Config = Config

    def adapt(self) -> None:
        """Unfreeze the last blocks of the towers that the config names."""
        tower_shapes(self.clip)
        for tower in self.config.chosen:
            blocks = self.clip.blocks(tower)
            if self.config.blocks > len(blocks):
                raise UsageError(
                    f"method.blocks={self.config.blocks} is more than the {len(blocks)} blocks of the {tower} tower "
                    f"of {self.clip.identity.name}: choose a smaller one."
                )
            for block in blocks[-self.config.blocks :]:
                block.requires_grad_(True)
