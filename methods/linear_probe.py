"""Linear probe: one linear map per tower on frozen, cached CLIP embeddings.

The cheapest trained baseline: the towers run once, then epochs take milliseconds. Each map is square,
without bias, and starts as the identity, so training starts from zero-shot CLIP; for inference each
folds into the output projection of its tower, where the tower ends with one. Images are not augmented,
as their embeddings are computed once.
"""

import torch
from torch import Tensor, nn

from harness.clip.injection import TowerName
from harness.methods import Method, Range, TrainedConfig, register, setting


class Config(TrainedConfig):
    """Two square matrices train faster and stably at a larger rate than whole towers."""

    lr: float = setting(
        1e-3, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )


@register
class LinearProbe(Method):
    """Frozen towers, one learned map after each."""

    title = "linear probe"
    baseline = True
    Config = Config
    recipe = {"train.augment.flip": 0.0, "train.augment.pad": 0, "train.augment.erase": 0.0}

    image_map: nn.Linear | None
    text_map: nn.Linear | None

    def adapt(self) -> None:
        """Put an identity map after each tower."""
        self.image_map, self.text_map = (_identity(self.clip.embed_dim) for _ in range(2))

    def head_image(self, embeddings: Tensor) -> Tensor:
        """Map image embeddings [n, dim] to [n, dim]."""
        return _apply(self.image_map, embeddings)

    def head_text(self, embeddings: Tensor) -> Tensor:
        """Map text embeddings [n, dim] to [n, dim]."""
        return _apply(self.text_map, embeddings)

    def folded_parameters(self) -> int:
        """Nothing remains of a map that merges with its tower's projection."""
        return sum(linear.weight.numel() for name, linear in self._maps() if not self.clip.projects(name))

    def fold(self) -> None:
        """Multiply each map into its tower's output projection, if there is one."""
        for name, linear in self._maps():
            if self.clip.projects(name):
                self.clip.multiply_projection(name, linear.weight.T)
                setattr(self, f"{name}_map", None)

    def _maps(self) -> list[tuple[TowerName, nn.Linear]]:
        """Return the maps that are there, with the towers they are behind."""
        maps: dict[TowerName, nn.Linear | None] = {"image": self.image_map, "text": self.text_map}
        return [(name, linear) for name, linear in maps.items() if linear is not None]


def _identity(dim: int) -> nn.Linear:
    linear = nn.Linear(dim, dim, bias=False)
    with torch.no_grad():
        nn.init.eye_(linear.weight)
    return linear


def _apply(linear: nn.Linear | None, embeddings: Tensor) -> Tensor:
    if linear is None:
        return embeddings
    mapped: Tensor = linear(embeddings.to(linear.weight.dtype))
    return mapped
