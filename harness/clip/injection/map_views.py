"""The maps of a tower one by one, as linear layers that a library of adapters can wrap."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

from harness.clip.injection import Place, TowerName
from harness.clip.towers import Affine

if TYPE_CHECKING:
    from harness.clip.model import Clip


class MapView(nn.Linear):
    """A linear map of a tower by itself: its weights are the tower's, and no parameters of this one."""

    def __init__(self, weights: Callable[[], Affine]) -> None:
        nn.Module.__init__(self)
        self._weights = weights
        self.out_features, self.in_features = weights().weight.shape
        self._known: tuple[Tensor, Tensor] | None = None

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The tower's own [width out, width in]."""
        return self._weights().weight

    @property
    def bias(self) -> Tensor | None:  # type: ignore[override]
        """The tower's own [width out]."""
        return self._weights().bias

    @contextmanager
    def knowing(self, given: Tensor, made: Tensor) -> Iterator[None]:
        """Spare the map inside, as far as it is asked for what the tower has made of this very input."""
        self._known = given, made
        try:
            yield
        finally:
            self._known = None

    def forward(self, given: Tensor) -> Tensor:
        """Map [..., width in] to [..., width out]."""
        if self._known is not None and given is self._known[0]:
            return self._known[1]
        bias = None if self.bias is None else self.bias.to(given.dtype)
        return F.linear(given, self.weight.to(given.dtype), bias)


def map_views(clip: "Clip", tower: TowerName, places: Sequence[Place]) -> nn.ModuleDict:
    """Return a view of each map of a tower, by block and place, as far as it has these places."""
    own = [place for place in places if place in clip.places(tower)]
    return nn.ModuleDict(
        {
            str(layer): nn.ModuleDict(
                {place: MapView(partial(clip.affine, tower, layer, place)) for place in own}
            )
            for layer in range(len(clip.blocks(tower)))
        }
    )
