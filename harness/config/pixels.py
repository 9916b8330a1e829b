"""How pixels are resized and normalised, by name."""

from typing import Literal

Interpolation = Literal["bilinear", "bicubic"]
Normalisation = Literal["clip", "imagenet", "half", "unit"]

# Mean and deviation of each channel: OpenAI's CLIP, ImageNet, SigLIP's, and pixels left between 0 and 1.
STATISTICS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
