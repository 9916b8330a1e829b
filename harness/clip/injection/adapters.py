"""Adapters: bottlenecks beside the MLP of every block, behind its attention and its MLP, or around its norms.

Parallel ones add `scale * up(relu(down(u)))` for the stream `u` after attention, sequential ones add what they make of
an operation's output to it, those around norms what they make of a norm's input. CSKT (ICASSP 2024) calls parallel ones
with a LayerNorm of their own, and one constant scale per tower, DAT, dual adapters transferring.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self, TypeVar

import torch
from torch import Tensor, nn

from harness.clip.injection import Backbone, Injection, Place, TowerShape, tower_shapes
from harness.clip.injection.dropout import Dropout
from harness.compute.precision import layer_norm
from harness.config.fields import Choice, Range, Section, setting
from harness.errors import UsageError

_DEVIATION = 0.02
_KAIMING_SLOPE = 5**0.5
Made = TypeVar("Made", bound=Injection)


class AdapterFields(Section):
    """Config fields of CSKT's parallel adapters."""

    init: Literal["released", "zero"] = setting(
        "released",
        "start of the adapters: small random maps, as CSKT's code; or zero: they add nothing at first",
        search=Choice(values=("released", "zero")),
    )
    adapter_towers: Literal["image", "text", "both", "none"] = setting(
        "both", "towers that get adapters", search=Choice(values=("image", "text", "both", "none"))
    )
    reduction: int = setting(8, "width over bottleneck width", search=Choice(values=(2, 4, 8, 16, 32)), ge=1)
    image_scale: float = setting(
        0.1, "factor on the image adapters' output", search=Range(low=0.01, high=10, log=True)
    )
    text_scale: float = setting(
        4.0, "factor on the text adapters' output", search=Range(low=0.01, high=10, log=True)
    )


class BottleneckFields(Section):
    """Config fields of adapters whose width is a number, whatever that of the tower."""

    bottleneck: int = setting(
        64, "width of the adapters' inner layer", search=Choice(values=(8, 16, 32, 64, 128)), ge=1
    )
    adapter_towers: Literal["image", "text", "both"] = setting(
        "both", "towers that get adapters", search=Choice(values=("image", "text", "both"))
    )


class Adapter(nn.Module):
    """LayerNorm where there is one, down, ReLU, dropout, up; maps [n, length, width] to the same shape.

    `init` "released" draws both maps from N(0, 0.02^2), so an untrained model is not CLIP any more;
    "zero" draws the lower map Kaiming-uniform and sets the upper one to 0, as the authors' later
    methods do. Biases are 0.
    """

    def __init__(
        self, width: int, bottleneck: int, init: str, *, norm: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        self.dropout = Dropout(dropout)
        if init == "zero":
            nn.init.kaiming_uniform_(self.down.weight, a=_KAIMING_SLOPE)
            nn.init.zeros_(self.up.weight)
        else:
            nn.init.normal_(self.down.weight, std=_DEVIATION)
            nn.init.normal_(self.up.weight, std=_DEVIATION)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.bias)

    def forward(self, u: Tensor) -> Tensor:
        """Return what the adapter makes of the stream [n, length, width]."""
        hidden = self.down(layer_norm(self.norm, u)).relu_()
        out: Tensor = self.up(self.dropout(hidden))
        return out


class Adapters(Injection):
    """Parallel adapters: one beside the MLP of each block of a tower, all with one constant scale."""

    def __init__(self, layers: Sequence[Adapter], scale: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.scale = scale

    def beside_mlp(self, layer: int, u: Tensor) -> Tensor:
        """Return the scaled output of the layer's adapter."""
        added: Tensor = self.layers[layer](u)
        return added * self.scale


class SequentialAdapters(Injection):
    """Adapters behind operations of each block of a tower: what they make is added to what the operation made.

    Those behind the attention are `out.LAYER`, those behind the MLP `mlp_out.LAYER`; they start as nothing.
    """

    def __init__(self, shape: TowerShape, places: Sequence[Place], bottleneck: int) -> None:
        super().__init__()
        self.places = frozenset(places)
        for place in places:
            adapters = (Adapter(shape.width, bottleneck, "zero") for _ in range(shape.layers))
            self.add_module(place, nn.ModuleList(adapters))

    def after(self, place: Place, layer: int, given: Tensor, made: Tensor) -> Tensor:
        """Add what the layer's adapter at a place makes of the operation's output."""
        changed: Tensor = made + getattr(self, place)[layer](made)
        return changed


class NormAdapters(Injection):
    """Adapters around both norms of each block: what they make of a norm's input is added to its output.

    UP-Person (TCSVT 2025) calls this L-Adapter. Each has a learned factor, which starts at 1; they start as nothing.
    """

    places = frozenset[Place](("norm_1", "norm_2"))

    def __init__(self, shape: TowerShape, bottleneck: int) -> None:
        super().__init__()
        for place in sorted(self.places):
            adapters = (Adapter(shape.width, bottleneck, "zero") for _ in range(shape.layers))
            self.add_module(place, nn.ModuleList(adapters))
        factors = {place: nn.Parameter(torch.ones(shape.layers)) for place in sorted(self.places)}
        self.scales: nn.ParameterDict | None = nn.ParameterDict(factors)

    def after(self, place: Place, layer: int, given: Tensor, made: Tensor) -> Tensor:
        """Add what the layer's adapter at a norm makes of the norm's input."""
        added: Tensor = getattr(self, place)[layer](given)
        return made + (added if self.scales is None else added * self.scales[place][layer])

    @torch.no_grad()
    def merge(self, clip: Any) -> Self:
        """Multiply the factors into the upper maps."""
        for place, factors in self.scales.items() if self.scales is not None else ():
            for adapter, factor in zip(getattr(self, place), factors, strict=True):
                adapter.up.weight.mul_(factor)
                adapter.up.bias.mul_(factor)
        self.scales = None
        return self


def build_adapters(clip: Backbone, fields: AdapterFields) -> tuple[Adapters | None, Adapters | None]:
    """Return CSKT's adapters of the image tower and of the text tower; None where there are none."""
    image, text = tower_shapes(clip)
    with_image, with_text = (fields.adapter_towers in (tower, "both") for tower in ("image", "text"))
    return (
        _adapters(image, fields.image_scale, fields) if with_image else None,
        _adapters(text, fields.text_scale, fields) if with_text else None,
    )


def with_bottlenecks(
    clip: Backbone, fields: BottleneckFields, make: Callable[[TowerShape], Made]
) -> tuple[Made | None, Made | None]:
    """Return what `make` makes for the image tower and for the text tower; None where the fields want no adapters.

    Raises `UsageError` for a bottleneck that is wider than a tower that gets them.
    """

    def made(tower: str, shape: TowerShape) -> Made | None:
        if fields.adapter_towers not in (tower, "both"):
            return None
        if fields.bottleneck > shape.width:
            raise UsageError(
                f"method.bottleneck={fields.bottleneck} is wider than the {shape.width} of a tower: choose "
                f"{shape.width} or less."
            )
        return make(shape)

    image, text = tower_shapes(clip)
    return made("image", image), made("text", text)


def check_reduction(reduction: int, width: int) -> None:
    """Raise `UsageError` for a reduction that leaves no bottleneck of a width."""
    if reduction > width:
        raise UsageError(
            f"method.reduction={reduction} leaves nothing of width {width}: choose a smaller one."
        )


def _adapters(shape: TowerShape, scale: float, fields: AdapterFields) -> Adapters:
    check_reduction(fields.reduction, shape.width)
    bottleneck = shape.width // fields.reduction
    layers = [Adapter(shape.width, bottleneck, fields.init, norm=True) for _ in range(shape.layers)]
    return Adapters(layers, scale)
