"""How pixels are resized and normalised, by name."""

import re
from typing import Any, Literal

Interpolation = Literal["bilinear", "bicubic"]
Normalisation = Literal["clip", "imagenet", "half", "unit"]

# Mean and deviation of each channel: OpenAI's CLIP, ImageNet, SigLIP's, and pixels left between 0 and 1.
STATISTICS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def read_size(value: Any) -> Any:
    """Return height and width of a size that is written as 384x128; whatever else is given as it is.

    >>> read_size("384x128"), read_size("384×128"), read_size([384, 128]), read_size("384")
    ((384, 128), (384, 128), [384, 128], '384')
    """
    found = re.fullmatch(r"\s*(\d{1,9})[x×](\d{1,9})\s*", value) if isinstance(value, str) else None
    return (int(found[1]), int(found[2])) if found else value
