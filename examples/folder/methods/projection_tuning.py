"""Projection tuning: only the two maps into the joint space are trained.

What a linear probe learns behind the frozen towers is learned in place here, so that nothing is added. No paper
proposes it; it is an example of a method outside the harness's own folder.
"""

from harness.errors import UsageError
from harness.methods import Method, Range, TrainedConfig, register, setting


class Config(TrainedConfig):
    """Two maps train stably at larger steps than whole towers."""

    lr: float = setting(
        1e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )


@register
class ProjectionTuning(Method):
    """Frozen blocks, trained output projections."""

    Config = Config

    def adapt(self) -> None:
        """Unfreeze the output projections of both towers."""
        names = ("visual.proj", "text_projection")
        found = [p for name, p in self.clip.model.named_parameters() if name in names]
        if len(found) != len(names):
            raise UsageError(
                f"The backbone {self.clip.identity.name} has no two output projections: choose ViT-B-16-quickgelu."
            )
        for parameter in found:
            parameter.requires_grad_(True)
