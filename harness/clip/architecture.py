"""Build an open_clip model at any image size and text length, and load weights trained at another."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import open_clip
import torch
from open_clip.convert import convert_state_dict
from open_clip.model import convert_to_custom_text_state_dict
from torch import Tensor, nn

from harness.clip import tiny
from harness.clip.positions import Grid, guess_grid, other_grids, resize_grid, resize_text
from harness.clip.weight_files import refuse_whole_numbers
from harness.errors import UsageError, listed

_RESNET_STRIDE = 32
_SCALES = ("logit_scale", "logit_bias")
IMAGE_POSITIONS = ("visual.positional_embedding", "visual.attnpool.positional_embedding")
TEXT_POSITIONS = ("positional_embedding", "text.positional_embedding")


def build_model(
    name: str, image_size: tuple[int, int], text_length: int, *, quick_gelu: bool, device: str = "cpu"
) -> nn.Module:
    """Return an open_clip model with random weights, on `cpu` or `meta`, without its logit scale.

    Raises `UsageError` when open_clip cannot build the model at that size.
    """
    tiny.register(name)
    _check_size(name, image_size)
    fixed = _is_resnet(name) or _is_timm(name)
    try:
        with quiet_open_clip(), torch.device(device):
            model: nn.Module = open_clip.create_model(
                name,
                device=device,
                force_image_size=None if fixed else image_size,
                force_context_length=text_length,
                pretrained_text=False,
                quick_gelu=quick_gelu,
            )
    except Exception as error:
        size = f"{image_size[0]}x{image_size[1]}"
        raise UsageError(
            f"open_clip cannot build {name} at {size} and {text_length} tokens: {error}"
        ) from error
    _drop_scales(model)
    if _is_resnet(name):
        _resize_resnet(model.visual, _native_grid(name), image_size)
    return model


def load_state(
    model: nn.Module, state: dict[str, Tensor], name: str, source: object, *, grid: Grid | None = None
) -> list[str]:
    """Load weights in place, positions fitted to the image grid and text length; all names must match.

    Returns what was assumed of the positions, in sentences. `grid` is that of the image positions, where it is known.
    Raises `UsageError` for weights of another model, and `DataError` for tensors whose type holds no weights.
    """
    state = convert_state_dict(model, dict(state))
    if not hasattr(model, "positional_embedding"):
        state = convert_to_custom_text_state_dict(state)
    state = {
        key: value for key, value in state.items() if key not in _SCALES and not key.endswith(".position_ids")
    }
    floats = {key for key, value in model.state_dict().items() if value.is_floating_point()}
    refuse_whole_numbers(state, floats, source)
    try:
        notes = _fit_positions(state, model, _native_grid(name), grid)
        model.load_state_dict(state)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from error
    except RuntimeError as error:
        first = "; ".join(line.strip()[:160] for line in str(error).splitlines()[1:4]) or str(error)
        raise UsageError(
            f"{source} does not contain the weights of {name}: {first}. Name the model it was made for."
        ) from error
    return notes


def cut_edges(name: str, image_size: tuple[int, int]) -> str | None:
    """Return a sentence where a model leaves out the edges of its pictures, for it reads whole patches."""
    stride, (height, width) = _stride(name), image_size
    if _is_timm(name) or (height % stride == 0 and width % stride == 0):
        return None
    return f"{name} reads whole {stride}-pixel patches: {height}x{width} is cut at its edges."


def resize_timm(model: Any, name: str, image_size: tuple[int, int]) -> None:
    """Fit a timm image tower, once loaded, to an image size; timm interpolates its positions itself."""
    if _is_timm(name):
        with quiet_open_clip():
            model.visual.set_input_size(image_size)


def _native_grid(name: str) -> Grid:
    """Return the patch grid that a model name is built with."""
    size = _vision(name).get("image_size", 224)
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return height // _stride(name), width // _stride(name)


def _is_resnet(name: str) -> bool:
    """Return whether a model's image tower is CLIP's own ResNet."""
    return isinstance(_vision(name).get("layers"), list)


def _is_timm(name: str) -> bool:
    """Return whether a model's image tower comes from timm."""
    return "timm_model_name" in _vision(name)


@contextmanager
def quiet_open_clip() -> Iterator[None]:
    """Keep open_clip from logging through the root logger, which sets logging up for the whole process."""
    root, silent, before = logging.getLogger(), logging.NullHandler(), logging.root.manager.disable
    root.addHandler(silent)
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
        root.removeHandler(silent)


def _vision(name: str) -> dict[str, Any]:
    vision: dict[str, Any] = open_clip.get_model_config(name)["vision_cfg"]
    return vision


def _stride(name: str) -> int:
    return _RESNET_STRIDE if _is_resnet(name) else _vision(name).get("patch_size") or 16


def _check_size(name: str, image_size: tuple[int, int]) -> None:
    stride, (height, width) = _stride(name), image_size
    if min(image_size) < stride:
        raise UsageError(
            f"backbone.image_size {height}x{width} is smaller than one {stride}x{stride} patch of {name}:"
            " make it larger."
        )


def _drop_scales(model: nn.Module) -> None:
    for scale in _SCALES:
        if isinstance(getattr(model, scale, None), nn.Parameter):
            delattr(model, scale)


def _resize_resnet(visual: Any, old: Grid, image_size: tuple[int, int]) -> None:
    new = (image_size[0] // _RESNET_STRIDE, image_size[1] // _RESNET_STRIDE)
    positions = resize_grid(visual.attnpool.positional_embedding.detach(), old, new)
    visual.attnpool.positional_embedding = nn.Parameter(positions)
    visual.image_size, visual.grid_size = image_size, new


def _fit_positions(state: dict[str, Tensor], model: nn.Module, native: Grid, known: Grid | None) -> list[str]:
    """Fit the positions of a state in place; return what had to be assumed or interpolated for it."""
    notes = []
    for key in IMAGE_POSITIONS:
        wanted = getattr(getattr(model, "visual", None), "grid_size", None)
        if key in state and wanted is not None:
            _check_table(key, state[key])
            n_patches = len(state[key]) - 1
            old = known or guess_grid(n_patches, native, tuple(wanted))
            if old not in (native, known):
                notes += _said_of_grid(n_patches, old, tuple(wanted))
            state[key] = resize_grid(state[key], old, tuple(wanted))
    own = model.state_dict()
    for key in TEXT_POSITIONS:
        if key in state and key in own:
            _check_table(key, state[key])
            before, after = len(state[key]), len(own[key])
            if after > before:
                notes.append(
                    f"backbone.text_length={after}: the text positions of the weights, {before}, are interpolated to "
                    f"{after}."
                )
            state[key] = resize_text(state[key], after)
    return notes


def _check_table(key: str, positions: Tensor) -> None:
    """Raise `UsageError` where positions are no table of some rows, which alone can be fitted to another size."""
    if positions.ndim != 2 or len(positions) < 2:
        raise UsageError(
            f"{key} has the shape {list(positions.shape)}, and positions are a table of at least 2 rows: the file is "
            "damaged or of another model."
        )


def _said_of_grid(n_patches: int, assumed: Grid, wanted: Grid) -> list[str]:
    """Say which of several grids is taken to be that of a file's positions."""
    others = [f"{height}x{width}" for height, width in other_grids(n_patches, assumed)]
    why = "as backbone.image_size has it" if assumed == wanted else "being square"
    if not others:
        return []
    return [
        f"the weights hold positions of {n_patches} patches and not their grid: {assumed[0]}x{assumed[1]} (height by "
        f"width) is assumed, {why}; {listed(others, 6)} would fit, too."
    ]
