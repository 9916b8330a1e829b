"""Which towers of a model can be passed block by block."""

from typing import Any

from open_clip.model import CLIP, CustomTextCLIP

from harness.clip.towers import Tower
from harness.clip.towers.plain import PlainImage, PlainText
from harness.clip.towers.timm_eva import TimmEva
from harness.clip.towers.timm_vit import TimmVit

_IMAGE: tuple[type[PlainImage | TimmVit | TimmEva], ...] = (PlainImage, TimmVit, TimmEva)


def image_tower(model: Any) -> Tower | None:
    """Return the image tower of one of open_clip's models; None where it is of no kind that is known here."""
    visual = model.visual if isinstance(model, CLIP | CustomTextCLIP) else None
    return next((kind(visual) for kind in _IMAGE if kind.takes(visual)), None)


def text_tower(model: Any) -> PlainText | None:
    """Return the text tower, likewise."""
    text = getattr(model, "text", model)
    return PlainText(text) if isinstance(model, CLIP | CustomTextCLIP) and PlainText.takes(text) else None
