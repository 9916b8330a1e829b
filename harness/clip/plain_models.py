"""Which models of open_clip are two plain transformers, told from their configs: what injections can act inside."""

from typing import Any

_IMAGE = {"image_size", "layers", "width", "patch_size", "head_width", "mlp_ratio", "ls_init_value"}
_TEXT = {"context_length", "vocab_size", "width", "heads", "layers"}


def plain_models() -> list[str]:
    """Return the names of the models that take injections, as `harness.clip.towers.supports` would say of each."""
    import open_clip

    return [name for name in open_clip.list_models() if _is_plain(open_clip.get_model_config(name))]


def _is_plain(config: dict[str, Any]) -> bool:
    image, text = config["vision_cfg"], config["text_cfg"]
    whole = isinstance(image.get("layers"), int) and not config.keys() & {"custom_text", "multimodal_cfg"}
    return whole and image.keys() <= _IMAGE and text.keys() <= _TEXT
