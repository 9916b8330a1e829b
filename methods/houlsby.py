"""Sequential adapters: bottlenecks behind the attention and behind the MLP of every block of the frozen towers.

Houlsby et al., "Parameter-Efficient Transfer Learning for NLP", ICML 2019, https://arxiv.org/abs/1902.00751, code
https://github.com/google-research/adapter-bert: to the output h of attention and of MLP comes `up(relu(down(h)))`,
before the residual sum. `adapters_per_block=1` has the one behind the MLP alone, as Pfeiffer et al. found enough
("AdapterFusion: Non-Destructive Task Composition for Transfer Learning", EACL 2021, https://arxiv.org/abs/2005.00247).

What deviates: the papers adapt language models and train their norms, too; here it is both towers of CLIP, whose norms
stay. The upper map starts at zero, so that training starts at CLIP; the code starts near the identity, with small
random maps, and its activation is GELU where this is ReLU. Loss and optimiser are the harness's own.
"""

from harness.clip.injection import Place, TowerShape
from harness.clip.injection.adapters import BottleneckFields, SequentialAdapters, with_bottlenecks
from harness.methods import Choice, Method, Range, TrainedConfig, register, setting

PLACES: dict[int, tuple[Place, ...]] = {1: ("mlp_out",), 2: ("out", "mlp_out")}


class Config(BottleneckFields, TrainedConfig):
    """The adapters' width and places."""

    lr: float = setting(
        3e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-2, log=True), gt=0
    )
    adapters_per_block: int = setting(
        2,
        "2: behind attention and MLP (Houlsby); 1: behind the MLP alone (Pfeiffer)",
        search=Choice(values=(1, 2)),
        ge=1,
        le=2,
    )


@register
class Houlsby(Method):
    """Adapters in sequence with attention and MLP of frozen towers."""

    title = "sequential adapters"
    Config = Config

    def adapt(self) -> None:
        """Put adapters into every block."""
        made = with_bottlenecks(self.clip, self.config, self._adapters)
        self.image_injection, self.text_injection = made

    def _adapters(self, shape: TowerShape) -> SequentialAdapters:
        return SequentialAdapters(shape, PLACES[self.config.adapters_per_block], self.config.bottleneck)
