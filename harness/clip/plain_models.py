"""Which models of open_clip are two transformers that injections can act inside, told from their configs alone."""

import re
from typing import Any

_IMAGE = {"image_size", "layers", "width", "patch_size", "head_width", "mlp_ratio", "ls_init_value"}
_TEXT = {
    "context_length",
    "vocab_size",
    "width",
    "heads",
    "layers",
    "mlp_ratio",
    "ls_init_value",
    "act_kwargs",
}
_TEXT |= {"norm_kwargs", "proj_bias", "proj_type", "no_causal_mask", "hf_tokenizer_name", "tokenizer_kwargs"}
# Models of timm that `harness.clip.towers` knows: SigLIP's, those of EVA-CLIP and of the Perception Encoder.
_TIMM = re.compile(r"vit_\w+_siglip_\d+|eva(02)?_\w+_patch\d+_(clip_)?\d+|vit_pe_core_\w+_patch\d+_\d+")


def plain_models() -> list[str]:
    """Return the names of the models that take injections, as `harness.clip.towers.choice` would say of each."""
    import open_clip

    return [name for name in open_clip.list_models() if _is_plain(open_clip.get_model_config(name))]


def _is_plain(config: dict[str, Any]) -> bool:
    image, text = config["vision_cfg"], config["text_cfg"]
    if "multimodal_cfg" in config or text.keys() - _TEXT - {"pool_type"}:
        return False
    reads = text.get("pool_type", "argmax")
    if reads != "argmax" and not (reads == "last" and text.get("no_causal_mask")):
        return False
    if "timm_model_name" in image:
        return _TIMM.fullmatch(image["timm_model_name"]) is not None
    return isinstance(image.get("layers"), int) and image.keys() <= _IMAGE
