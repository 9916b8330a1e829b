"""Low-rank maps and scales: changes of what single operations make, which merge into the weights for inference."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor, nn

from harness.clip.injection import PLACES, Injection, Place, TowerName
from harness.clip.injection.dropout import Dropout
from harness.clip.injection.merging import merge_map, merge_scaling
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.clip.model import Clip

OUTSIDE: tuple[Place, ...] = ("patches", "norm_pre", "norm_post")
P = TypeVar("P", bound=nn.Module)


class LowRank(Injection):
    """Adds `scale * up(down(dropout(given)))` to what maps make, in some blocks; at first that is nothing.

    LoRA (Hu et al., ICLR 2022): `down` [rank, width in] is Kaiming-uniform, `up` [width out, rank] zero. Query, key and
    value have maps of their own.
    """

    merges = True

    def __init__(
        self,
        clip: "Clip",
        tower: TowerName,
        places: Iterable[Place],
        *,
        rank: int,
        scale: float,
        layers: Sequence[int] | None = None,
        dropout: float = 0.0,
        own_scales: bool = False,
    ) -> None:
        """Begin at the backbone, in all layers or in some.

        Each map may learn a scale of its own, which starts at 1 and multiplies `scale`.
        """
        super().__init__()
        self.tower, self.places, self.scale = tower, frozenset(places), scale

        def pair(layer: int, place: Place) -> _Pair:
            width_out, width_in = clip.affine(tower, layer, place).weight.shape
            if rank > min(width_out, width_in):
                raise UsageError(
                    f"method.rank={rank} is more than the {min(width_out, width_in)} that the maps of the {tower} "
                    f"tower of {clip.identity.name} have: choose a smaller one."
                )
            return _Pair(width_in, width_out, rank, dropout, own_scale=own_scales)

        self.maps = _made(layers or range(len(clip.blocks(tower))), self.places, pair)

    def after(self, place: Place, layer: int, given: Tensor, made: Tensor) -> Tensor:
        """Add the map's own low-rank one, where it has one."""
        if (key := _key(layer, place)) not in self.maps:
            return made
        added: Tensor = self.maps[key](given)
        return made + added.to(made.dtype) * self.scale

    def merge(self, clip: "Clip") -> None:
        """Add everything to the weights of the tower."""
        for layer, place, pair in _parts(self.maps, _Pair):
            merge_map(
                clip,
                self.tower,
                layer,
                place,
                self.scale * pair.scaled(pair.up.weight.float() @ pair.down.weight.float()),
            )


class _Pair(nn.Module):
    """Two maps [width in] to [rank] to [width out], with dropout before them."""

    def __init__(self, width_in: int, width_out: int, rank: int, dropout: float, *, own_scale: bool) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.own_scale = nn.Parameter(torch.tensor(1.0)) if own_scale else None
        self.down = nn.Linear(width_in, rank, bias=False)
        self.up = nn.Linear(rank, width_out, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, given: Tensor) -> Tensor:
        """Map [n, length, width in] to [n, length, width out]."""
        made: Tensor = self.up(self.down(self.dropout(given)))
        return self.scaled(made)

    def scaled(self, made: Tensor) -> Tensor:
        """Multiply by the pair's own scale, where it has one."""
        return made if self.own_scale is None else made * self.own_scale


class Scaling(Injection):
    """Multiplies what operations make by a learned factor for each feature, and may add a learned shift.

    Factors are kept as `gain`, their difference from 1, so that weight decay pulls towards the backbone.
    """

    merges = True

    def __init__(
        self,
        clip: "Clip",
        tower: TowerName,
        places: Iterable[Place],
        *,
        shifts: bool = False,
        deviation: float = 0.0,
    ) -> None:
        """Start at the backbone, or with gains and shifts drawn from N(0, `deviation`^2).

        An operation without a bias, as the keys of EVA-CLIP, is not shifted.
        """
        super().__init__()
        self.tower, self.places = tower, frozenset(places)

        def scale(layer: int, place: Place) -> _Scale:
            inside = place == "mlp_hidden"
            shape = clip.affine(tower, layer, "mlp_out" if inside else place).weight.shape
            with_shift = shifts and clip.takes_shift(tower, layer, place)
            return _Scale(shape[1] if inside else shape[0], shifts=with_shift, deviation=deviation)

        self.scales = _made(range(len(clip.blocks(tower))), self.places, scale)

    def after(self, place: Place, layer: int, given: Tensor, made: Tensor) -> Tensor:
        """Scale and shift."""
        changed: Tensor = self.scales[_key(layer, place)](made)
        return changed

    def merge(self, clip: "Clip") -> None:
        """Multiply everything into the weights of the tower."""
        for layer, place, scale in _parts(self.scales, _Scale):
            merge_scaling(clip, self.tower, layer, place, 1 + scale.gain, scale.shift)


class _Scale(nn.Module):
    """`x * (1 + gain) + shift` for [..., width], both [width]; without shifts the latter is None."""

    def __init__(self, width: int, *, shifts: bool, deviation: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(width))
        self.shift = nn.Parameter(torch.zeros(width)) if shifts else None
        for parameter in self.parameters() if deviation else ():
            nn.init.normal_(parameter, std=deviation)

    def forward(self, x: Tensor) -> Tensor:
        """Scale [..., width]."""
        scaled = x * (1 + self.gain).to(x.dtype)
        return scaled if self.shift is None else scaled + self.shift.to(x.dtype)


def _made(
    layers: Iterable[int], places: frozenset[Place], make: Callable[[int, Place], nn.Module]
) -> nn.ModuleDict:
    """Return a part for each operation at some places of some layers; what is outside the blocks is in layer 0."""
    return nn.ModuleDict(
        {
            _key(layer, place): make(layer, place)
            for layer in layers
            for place in PLACES
            if place in places and (layer == 0 or place not in OUTSIDE)
        }
    )


def _parts(parts: nn.ModuleDict, kind: type[P]) -> Iterator[tuple[int, Place, P]]:
    for key, part in parts.items():
        layer, _, place = key.partition("_")
        assert isinstance(part, kind)
        yield int(layer), cast(Place, place), part


def _key(layer: int, place: Place) -> str:
    """Return the name of an operation, as `3_query`."""
    return f"{layer}_{place}"
