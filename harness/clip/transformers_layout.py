"""CLIP as Hugging Face's Transformers names its tensors (`CLIPModel`), under open_clip's names, value for value."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from harness.errors import DataError

_TOWERS = {"vision_model": "visual.", "text_model": ""}
_NAMES = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
}
_TURNED = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection"}
_IN_BLOCK = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_BLOCK = re.compile(r"(vision_model|text_model)\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_NEEDED = ("vision_model.embeddings.class_embedding", "visual_projection.weight", "text_projection.weight")


def is_transformers(names: Mapping[str, Tensor]) -> bool:
    """Return whether tensors are named as Transformers names those of a CLIP or of a model like it."""
    return any(name.startswith("vision_model.") for name in names)


def converted(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a `CLIPModel` by open_clip's names; tensors beside it are left out.

    Raises `DataError` for another model in the same layout, such as SigLIP.
    """
    missing = [name for name in _NEEDED if name not in state]
    if missing:
        raise DataError(
            f"The weights are in Transformers' layout, but of another model than CLIP ({missing[0]} is missing): take "
            "open_clip's file of the same model, which is read."
        )
    found: dict[str, Tensor] = {}
    attention: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        if name in _NAMES:
            found[_NAMES[name]] = value
        elif name in _TURNED:
            found[_TURNED[name]] = value.T.contiguous()
        elif block := _BLOCK.fullmatch(name):
            tower, layer, part, kind = block.groups()
            place = f"{_TOWERS[tower]}transformer.resblocks.{layer}."
            if part in _IN_BLOCK:
                found[f"{place}{_IN_BLOCK[part]}.{kind}"] = value
            else:
                attention.setdefault(f"{place}attn.in_proj_{kind}", {})[part] = value
        elif name.split(".")[0] in _TOWERS and not name.endswith(".position_ids"):
            found[name] = value
    return found | {name: _joined(name, parts) for name, parts in attention.items()}


def _joined(name: str, parts: Mapping[str, Tensor]) -> Tensor:
    """Return queries, keys and values as the one matrix that open_clip has; the order is theirs."""
    wanted = [f"self_attn.{part}_proj" for part in ("q", "k", "v")]
    if sorted(parts) != sorted(wanted):
        raise DataError(
            f"The weights lack a part of {name}: {', '.join(wanted)} are needed. Is the file whole?"
        )
    return torch.cat([parts[part] for part in wanted])
