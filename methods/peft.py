"""PEFT: adapters of Hugging Face's library on chosen maps of both frozen towers, merged into them for inference.

Mangrulkar et al., "PEFT: State-of-the-art Parameter-Efficient Fine-Tuning methods", https://github.com/huggingface/peft,
with LoRA and its relatives (DoRA, RSLoRA), (IA)3, OFT, BOFT, LoHa, LoKr, HRA and more. `pip install
'person-retrieval-harness[peft]'` brings it.

What it can target by itself in open_clip's models is little: the maps of the MLPs. Query, key and value of CLIP's
attention are one fused parameter of PyTorch's `MultiheadAttention`, which the library adapts by LoRA alone, by one
change for all three and only together with the output projection; what is put on that projection alone counts as
trainable and is never run. So the library is given each map by itself, as a linear layer whose weights are a view of
the tower's: `image.0.query` to `text.11.mlp_out`. Its layers then act inside the towers as other injections do, in
every tower that takes these.

What deviates from the library: dropout follows from the batch, and (IA)3's feedforward modules are `mlp_out` unless
said. Kinds whose adapters share state between maps (VeRA, VB-LoRA), that choose ranks while training (AdaLoRA), or that
act elsewhere than on a map (prompts) are not taken.
"""

import re
import warnings
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import torch
import yaml
from pydantic import field_validator
from torch import Tensor, nn

from harness.clip.injection import Injection, Place, TowerName, tower_shapes
from harness.clip.injection.dropout import Dropout
from harness.clip.injection.map_views import MapView, map_views
from harness.config.strict_yaml import parse_yaml
from harness.errors import UsageError, brief, nearest
from harness.method_parts.unfreezing import TowerFields
from harness.methods import Method, Range, TrainedConfig, register, setting

if TYPE_CHECKING:
    from harness.clip.model import Clip

# The library that must be installed, which is an extra of the package by that name.
NEEDS = "peft"
MAPS: tuple[Place, ...] = ("query", "key", "value", "out", "mlp_in", "mlp_out")
# Fields of the library that are the harness's business.
_LONGEST = 300
_REFUSALS = (ValueError, TypeError, NotImplementedError, AssertionError, ZeroDivisionError)
_PLAIN_STARTS = (True, False, "gaussian", "orthogonal")
OURS = (
    "target_modules",
    "modules_to_save",
    "target_parameters",
    "bias",
    "inference_mode",
    "task_type",
    "peft_type",
)


class Config(TowerFields, TrainedConfig):
    """Which adapter, on which maps, with the library's own fields, and the rate."""

    held: ClassVar[tuple[str, ...]] = ("kind", "options", "targets")
    lr: float = setting(
        2e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-1, log=True), gt=0
    )
    kind: Literal["lora", "ia3", "oft", "boft", "loha", "lokr", "hra"] = setting(
        "lora", "kind of adapter, as PEFT calls it"
    )
    targets: str = setting(
        r".*\.(query|key|value)",
        f"pattern (regular expression) of the whole names of maps, TOWER.BLOCK.MAP with {', '.join(MAPS)}",
    )
    options: str = setting(
        "", "fields of PEFT's config of that kind, NAME=VALUE,NAME=VALUE, as r=4,lora_alpha=8,use_dora=true"
    )

    @field_validator("targets")
    @classmethod
    def _is_pattern(cls, targets: str) -> str:
        try:
            re.compile(targets)
        except re.error as error:
            raise ValueError(f"{brief(targets)} is no regular expression: {error}") from error
        return targets

    @property
    def chosen_options(self) -> dict[str, Any]:
        """The library's fields by name, values read as YAML; raise `UsageError` for what is no NAME=VALUE."""
        found: dict[str, Any] = {}
        for part in filter(None, map(str.strip, self.options.split(","))):
            name, sign, value = part.partition("=")
            try:
                found[name.strip()] = parse_yaml(value)
            except yaml.YAMLError:
                sign = ""
            if not sign:
                raise UsageError(f"method.options takes NAME=VALUE,NAME=VALUE, but got {brief(part)}.")
        return found


@register
class Peft(Method):
    """Frozen towers, a layer of the library on each map that is named."""

    title = "PEFT"
    Config = Config

    def adapt(self) -> None:
        """Let the library put its layers on views of the maps, and act where those are."""
        tower_shapes(self.clip)
        library, towers = _library(), self.config.chosen
        views = nn.ModuleDict({tower: map_views(self.clip, tower, MAPS) for tower in towers})
        # The library asks a parameter where it is.
        views.register_parameter("place", nn.Parameter(self.clip.token_embedding.weight[:0], False))
        config = self._library_config(library, self._targets(views), views)
        self._inject(library, config, views)
        for tower in towers:
            layers = {
                f"{block}_{place}": layer
                for block, places in cast(nn.ModuleDict, views[tower]).items()
                for place, layer in cast(nn.ModuleDict, places).items()
                if not isinstance(layer, MapView)
            }
            setattr(self, f"{tower}_injection", Adapters(tower, layers) if layers else None)

    def _inject(self, library: Any, config: Any, views: nn.Module) -> None:
        """Replace the views that are meant by the library's layers; raise `UsageError` for what it does not take."""
        try:
            # Some kinds look at values while they are made, which the meta device has not.
            with torch.device("cpu"), warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                library.inject_adapter_in_model(config, views)
        except _REFUSALS as error:
            raise UsageError(_refused(self.config, str(error))) from error
        # What is set must act, and not what the library takes instead.
        changed = [str(one.message) for one in said if str(one.message).startswith("Invalid")]
        if changed and self.config.options:
            raise UsageError(_refused(self.config, changed[0]))

    def _targets(self, views: nn.Module) -> list[str]:
        """Return the names of the maps that the config means; raise `UsageError` where none is."""
        names = [name for name, part in views.named_modules() if isinstance(part, MapView)]
        targets = _matching(self.config.targets, names)
        if not targets:
            raise UsageError(
                f"method.targets={brief(self.config.targets)} matches no map of {self.clip.identity.name}, which are "
                f"{names[0]} to {names[-1]}: name some, as .*\\.(query|value)."
            )
        return targets

    def _library_config(self, library: Any, targets: list[str], views: nn.Module) -> Any:
        """Return the library's config of the kind, checked by it."""
        kind = library.PEFT_TYPE_TO_CONFIG_MAPPING[library.PeftType[self.config.kind.upper()]]
        options, known = self.config.chosen_options, [field.name for field in fields(kind) if field.init]
        _check_options(options, known, kind.__name__)
        width = min(min(cast(MapView, views.get_submodule(name)).weight.shape) for name in targets)
        if isinstance(rank := options.get("r"), int) and rank > width:
            raise UsageError(
                f"method.options: r={rank} is more than the {width} that the maps of {self.clip.identity.name} have: "
                "choose a smaller one."
            )
        if "feedforward_modules" in known:
            inner = str(options.get("feedforward_modules", r".*\.mlp_out"))
            options["feedforward_modules"] = _matching(inner, targets)
        try:
            return kind(target_modules=targets, **options)
        except _REFUSALS as error:
            raise UsageError(_refused(self.config, str(error))) from error


def _check_options(options: dict[str, Any], known: list[str], kind: str) -> None:
    """Raise `UsageError` for a field that the library's config lacks, or that is not the user's."""
    for name in options:
        if name in OURS:
            raise UsageError(
                f"method.options: {name!r} of PEFT's {kind} is set by the harness: leave it out."
            )
        if name not in known:
            raise UsageError(
                f"method.options: {brief(name)} of PEFT's {kind} is none of its fields.{nearest(name, known)}"
            )
    if (start := options.get("init_lora_weights", True)) not in _PLAIN_STARTS:
        raise UsageError(
            f"method.options: init_lora_weights={brief(start)} would change the frozen map itself: leave it out, or "
            f"choose one of {', '.join(map(str, _PLAIN_STARTS))}."
        )


class Adapters(Injection):
    """The library's layers in one tower, each in place of a map."""

    merges = True

    def __init__(self, tower: TowerName, layers: dict[str, nn.Module]) -> None:
        """Take layers by BLOCK_MAP, with dropout that follows from the batch."""
        super().__init__()
        self.tower, self.layers = tower, nn.ModuleDict(layers)
        self.places = frozenset(place for _, place in map(_place, layers))
        for part in list(self.layers.modules()):
            for name, child in part.named_children():
                if isinstance(child, nn.Dropout):
                    setattr(part, name, Dropout(child.p))

    def after(self, place: Place, layer: int, given: Tensor, made: Tensor) -> Tensor:
        """Return what the library's layer makes of what the map was given."""
        if (key := f"{layer}_{place}") not in self.layers:
            return made
        adapter: Any = self.layers[key]
        with adapter.get_base_layer().knowing(given, made):
            changed: Tensor = adapter(given)
        return changed.to(made.dtype)

    @torch.no_grad()
    def merge(self, clip: "Clip") -> None:
        """Let the library merge each layer into a copy of its map, and write that into the tower."""
        for key, adapter in self.layers.items():
            layer, place = _place(key)
            weight, bias = clip.affine(self.tower, layer, place)
            own = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, weight.device, torch.float32)
            own.weight.copy_(weight)
            if bias is not None:
                own.bias.copy_(bias)
            cast(Any, adapter).base_layer = own.requires_grad_(False)
            cast(Any, adapter).float().merge(safe_merge=True)
            weight.copy_(own.weight)
            if bias is not None:
                bias.copy_(own.bias)


def _matching(pattern: str, names: list[str]) -> list[str]:
    return [name for name in names if re.fullmatch(pattern, name)]


def _place(key: str) -> tuple[int, Place]:
    """Return block and place of a name such as `3_query`."""
    layer, _, place = key.partition("_")
    return int(layer), cast(Place, place)


def _library() -> Any:
    """Import the library, or raise `UsageError` with how to install it."""
    try:
        import peft
    except ImportError as error:
        raise UsageError(
            f"The method peft needs the library of that name ({error}): pip install 'person-retrieval-harness[peft]'."
        ) from error
    return peft


def _refused(config: Config, error: str) -> str:
    """Return what the library does not take, in one line."""
    said = " ".join(error.split()).rstrip(".")
    return f"PEFT refuses {config.kind} with {config.options or 'its defaults'} on these maps: {said[:_LONGEST]}."
