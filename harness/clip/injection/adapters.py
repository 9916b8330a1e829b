"""Parallel adapters: a bottleneck beside the MLP of every block, after its own LayerNorm.

CSKT (ICASSP 2024) calls this DAT, dual adapters transferring: `scale * up(relu(down(norm(u))))` for the
stream `u` after attention, with one constant scale per tower.
"""

from typing import Literal

from torch import Tensor, nn

from harness.clip.injection import Backbone, Injection, TowerShape, tower_shapes
from harness.compute.precision import layer_norm
from harness.config.fields import Choice, Range, Section, setting
from harness.errors import UsageError

_DEVIATION = 0.02
_KAIMING_SLOPE = 5**0.5


class AdapterFields(Section):
    """Config fields of a method that uses parallel adapters."""

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


class _Adapter(nn.Module):
    """LayerNorm, down, ReLU, up; maps [n, length, width] to the same shape.

    `init` "released" draws both maps from N(0, 0.02^2), so an untrained model is not CLIP any more;
    "zero" draws the lower map Kaiming-uniform and sets the upper one to 0, as the authors' later
    methods do. Biases are 0.
    """

    def __init__(self, width: int, bottleneck: int, init: str) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
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
        out: Tensor = self.up(self.down(layer_norm(self.norm, u)).relu_())
        return out


class Adapters(Injection):
    """One adapter per block of a tower, all with one constant scale."""

    def __init__(self, layers: int, width: int, *, scale: float, reduction: int, init: str) -> None:
        super().__init__()
        if reduction > width:
            raise UsageError(
                f"method.reduction {reduction} leaves nothing of width {width}: choose a smaller one."
            )
        self.layers = nn.ModuleList(_Adapter(width, width // reduction, init) for _ in range(layers))
        self.scale = scale

    def beside_mlp(self, layer: int, u: Tensor) -> Tensor:
        """Return the scaled output of the layer's adapter."""
        added: Tensor = self.layers[layer](u)
        return added * self.scale


def build_adapters(clip: Backbone, fields: AdapterFields) -> tuple[Adapters | None, Adapters | None]:
    """Return the adapters of the image tower and of the text tower; None where there are none."""
    image, text = tower_shapes(clip)
    with_image, with_text = (fields.adapter_towers in (tower, "both") for tower in ("image", "text"))
    return (
        _adapters(image, fields.image_scale, fields) if with_image else None,
        _adapters(text, fields.text_scale, fields) if with_text else None,
    )


def _adapters(shape: TowerShape, scale: float, fields: AdapterFields) -> Adapters:
    return Adapters(shape.layers, shape.width, scale=scale, reduction=fields.reduction, init=fields.init)
