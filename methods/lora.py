"""LoRA: low-rank changes of chosen maps in both frozen towers, merged into them for inference.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, https://arxiv.org/abs/2106.09685. Defaults
are those of CLIP-LoRA (Zanella and Ben Ayed, "Low-Rank Few-Shot Adaptation of Vision-Language Models", CVPR Workshops
2024, https://arxiv.org/abs/2405.18541, code https://github.com/MaxZanella/CLIP-LoRA): query, key and value of every
block, each with maps of its own, rank 2, dropout 0.25 before them, and `alpha / sqrt(rank)` as factor, as its code has
it; LoRA's own is `alpha / rank` (`scaling=rank`). Presets: `qkv` names these values, `qv` has query and value with
LoRA's factor and no dropout, `mlp` both maps of the MLP.

What deviates: optimiser, schedule and loss are those that the harness's methods share, CLIP-LoRA has AdamW and cosine
decay by steps; what dropout drops follows from the batch and not from the process. Of ViT-L/14's image tower the code
leaves the last three blocks out; here all are all.
"""

from math import sqrt
from typing import Literal

from pydantic import field_validator

from harness.clip.injection import Place, TowerName, tower_shapes
from harness.clip.injection.weight_changes import LowRank
from harness.errors import UsageError, brief, nearest
from harness.method_parts.unfreezing import TowerFields
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting

MAPS: dict[str, tuple[Place, ...]] = {
    "q": ("query",),
    "k": ("key",),
    "v": ("value",),
    "out": ("out",),
    "mlp": ("mlp_in", "mlp_out"),
}
# The first layer and the one after the last, as shares of a tower's depth: the positions of CLIP-LoRA's code.
SHARES = {
    "all": (0, 1),
    "lower_half": (0, 1 / 2),
    "upper_half": (1 / 2, 1),
    "lower_third": (0, 1 / 3),
    "middle_third": (1 / 3, 2 / 3),
    "upper_third": (2 / 3, 1),
}


class Config(TowerFields, TrainedConfig):
    """Which maps are changed, by how much rank, and the rate."""

    lr: float = setting(
        2e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )
    maps: str = setting(
        "q+k+v",
        f"maps of each block that are changed: some of {', '.join(MAPS)}, joined by +",
        search=Choice(values=("q+v", "q+k+v", "q+k+v+out", "q+k+v+out+mlp", "mlp")),
    )
    layers: Literal["all", "lower_half", "upper_half", "lower_third", "middle_third", "upper_third"] = (
        setting("all", "blocks of each tower that are changed", search=Choice(values=tuple(SHARES)))
    )
    rank: int = setting(
        2,
        "rank of each change, no more than the map's own",
        search=Choice(values=(1, 2, 4, 8, 16, 32)),
        ge=1,
        le=2**14,
    )
    alpha: float = setting(
        1.0, "factor on what is added, before `scaling`", search=Range(low=0.25, high=64, log=True), gt=0
    )
    scaling: Literal["root", "rank"] = setting(
        "root",
        "root: alpha over the rank's square root, as CLIP-LoRA's code; rank: alpha over rank, as LoRA",
        search=Choice(values=("root", "rank")),
    )
    dropout: float = setting(
        0.25, "share of a change's input that is dropped", search=Range(low=0.0, high=0.5), ge=0, lt=1
    )

    @field_validator("maps")
    @classmethod
    def _known(cls, maps: str) -> str:
        """Return the names in one order, so that equal choices are equal configs."""
        given = maps.split("+")
        for name in given:
            if name not in MAPS:
                raise ValueError(
                    f"no map of a block is called {brief(name)}.{nearest(name, MAPS)} Name some of {', '.join(MAPS)}, "
                    "joined by +, as q+v"
                )
        if len(set(given)) < len(given):
            raise ValueError("a map is named twice")
        return "+".join(name for name in MAPS if name in given)


@register
class Lora(Method):
    """Frozen towers whose maps learn a change of low rank."""

    title = "LoRA"
    Config = Config

    def adapt(self) -> None:
        """Put a low-rank map beside every map that the config names."""
        tower_shapes(self.clip)
        config: Config = self.config
        places = [place for name in config.maps.split("+") for place in MAPS[name]]
        scale = config.alpha / (sqrt(config.rank) if config.scaling == "root" else config.rank)
        for tower in config.chosen:
            layers = self._layers(tower)
            change = LowRank(
                self.clip, tower, places, rank=config.rank, scale=scale, layers=layers, dropout=config.dropout
            )
            setattr(self, f"{tower}_injection", change)

    def _layers(self, tower: TowerName) -> range:
        """Return the layers of a tower that the config names."""
        n = len(self.clip.blocks(tower))
        first, end = (round(share * n) for share in SHARES[self.config.layers])
        if first == end:
            raise UsageError(
                f"The {n} blocks of the {tower} tower of {self.clip.identity.name} have no {self.config.layers}: "
                "choose another method.layers."
            )
        return range(first, end)
