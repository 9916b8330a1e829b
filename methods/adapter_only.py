"""Adapters only: the parallel adapters of CSKT (DAT) without its prompts.

Liu et al., "CLIP-based Synergistic Knowledge Transfer for Text-based Person Retrieval", ICASSP 2024,
https://arxiv.org/abs/2309.09496. Optimised as CSKT is. `init=zero` starts from zero-shot CLIP,
`released` does not.
"""

from harness.clip.injection import Chain
from harness.clip.injection.adapters import AdapterFields, build_adapters
from harness.methods import Method, Range, TrainedConfig, register, setting


class Config(AdapterFields, TrainedConfig):
    """CSKT's adapters and optimiser."""

    lr: float = setting(
        3e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-2, log=True), gt=0
    )
    eps: float = setting(1e-3, "Adam's epsilon, as large as CSKT's", gt=0)


@register
class AdapterOnly(Method):
    """An adapter beside every MLP of frozen towers."""

    title = "CSKT adapters"
    Config = Config
    recipe = {"train.batch_size": 128}

    def adapt(self) -> None:
        """Put an adapter into every block."""
        image, text = build_adapters(self.clip, self.config)
        self.image_injection, self.text_injection = Chain(adapters=image), Chain(adapters=text)
