"""Published augmentation policies as torchvision has them: AutoAugment, RandAugment and TrivialAugment.

AutoAugment (Cubuk et al. 2019) with the policy learned on ImageNet, RandAugment (Cubuk et al. 2020) with two operations
of strength 9 of 30, TrivialAugment (Müller and Hutter 2021) in its wide form. The pixels are torchvision's, the draws
are the harness's own; images of a batch with the same operation at the same strength are changed together.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Generator, Tensor
from torchvision.transforms.v2 import functional

from harness.images.draws import Changes
from harness.images.operations import replace, take

_Policy = Literal["auto", "rand", "trivial"]

_BINS, _AUTO_BINS, _RAND_LEVEL, _RAND_STEPS = 31, 10, 9, 2


def _sheared(images: Tensor, x: float, y: float) -> Tensor:
    degrees = [math.degrees(math.atan(x)), math.degrees(math.atan(y))]
    return _moved(images, [0, 0], degrees, [0, 0])


def _moved(images: Tensor, by: list[int], shear: list[float], center: list[float] | None = None) -> Tensor:
    moved: Tensor = functional.affine(images, angle=0.0, translate=by, scale=1.0, shear=shear, center=center)
    return moved


_APPLY: dict[str, Callable[[Tensor, float], Tensor]] = {
    "identity": lambda images, _: images,
    "shear_x": lambda images, strength: _sheared(images, strength, 0),
    "shear_y": lambda images, strength: _sheared(images, 0, strength),
    "translate_x": lambda images, strength: _moved(images, [int(strength), 0], [0, 0]),
    "translate_y": lambda images, strength: _moved(images, [0, int(strength)], [0, 0]),
    "rotate": functional.rotate,
    "brightness": lambda images, strength: functional.adjust_brightness(images, 1 + strength),
    "color": lambda images, strength: functional.adjust_saturation(images, 1 + strength),
    "contrast": lambda images, strength: functional.adjust_contrast(images, 1 + strength),
    "sharpness": lambda images, strength: functional.adjust_sharpness(images, 1 + strength),
    "posterize": lambda images, strength: functional.posterize(images, int(strength)),
    "solarize": lambda images, strength: functional.solarize(images, 255 * strength),
    "auto_contrast": lambda images, _: functional.autocontrast(images),
    "equalize": lambda images, _: functional.equalize(images),
    "invert": lambda images, _: functional.invert(images),
}
NAMES = tuple(_APPLY)
_SIGNED = NAMES[NAMES.index("shear_x") : NAMES.index("posterize")]
_N_OPEN = NAMES.index("invert")  # RandAugment and TrivialAugment do not invert

# AutoAugment's policy of ImageNet: two operations, each with its probability and strength.
_IMAGENET = """
    posterize .4 8  rotate .6 9 | solarize .6 5  auto_contrast .6 0 | equalize .8 0  equalize .6 0
    posterize .6 7  posterize .6 6 | equalize .4 0  solarize .2 4 | equalize .4 0  rotate .8 8
    solarize .6 3  equalize .6 0 | posterize .8 5  equalize 1 0 | rotate .2 3  solarize .6 8
    equalize .6 0  posterize .4 6 | rotate .8 8  color .4 0 | rotate .4 9  equalize .6 0
    equalize 0 0  equalize .8 0 | invert .6 0  equalize 1 0 | color .6 4  contrast 1 8
    rotate .8 8  color 1 2 | color .8 8  solarize .8 7 | sharpness .4 7  invert .6 0
    shear_x .6 5  equalize 1 0 | color .4 0  equalize .6 0 | equalize .4 0  solarize .2 4
    solarize .6 5  auto_contrast .6 0 | invert .6 0  equalize 1 0 | color .6 4  contrast 1 8
    equalize .8 0  equalize .6 0
"""


class PolicyAugment:
    """One of the published policies for images of a size."""

    def __init__(self, policy: _Policy, size: tuple[int, int]) -> None:
        self.policy = policy
        bins = _AUTO_BINS if policy == "auto" else _BINS
        self._strengths = strengths(bins, size, wide=policy == "trivial")
        self._signed = torch.tensor([name in _SIGNED for name in NAMES])

    def draw(self, n: int, generator: Generator) -> Changes:
        """Draw the changes of `n` images."""
        kind, acts, level = self._draw_kinds(n, generator)
        strength = self._strengths[kind, level]
        negative = self._signed[kind] & (torch.rand(kind.shape, generator=generator) < 0.5)
        return Changes(kind, acts, torch.where(negative, -strength, strength)[:, :, None])

    def apply(self, images: Tensor, changes: Changes) -> Tensor:
        """Return changed uint8 images [n, 3, height, width], on their device; those given stay as they are."""
        changed = images.clone()
        for step in range(changes.kind.shape[1]):
            wanted = torch.stack([changes.kind[:, step].double(), changes.parameters[:, step, 0]], dim=1)
            for kind, strength in wanted[changes.acts[:, step]].unique(dim=0).tolist():
                same = (wanted == torch.tensor([kind, strength], dtype=torch.float64)).all(dim=1)
                places = (same & changes.acts[:, step]).nonzero()[:, 0]
                result = _APPLY[NAMES[int(kind)]](take(changed, places), strength)
                changed = replace(changed, places, result)
        return changed

    def _draw_kinds(self, n: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw number, whether it acts and level of each step's operation, each [n, n_step]."""
        if self.policy == "auto":
            table = _imagenet()[torch.randint(len(_imagenet()), (n,), generator=generator)]
            kind, probability, level = table.unbind(-1)
            return kind.long(), torch.rand(n, 2, generator=generator) < probability, level.long()
        shape = (n, _RAND_STEPS if self.policy == "rand" else 1)
        kind = torch.randint(_N_OPEN, shape, generator=generator)
        level = torch.full(shape, _RAND_LEVEL)
        if self.policy == "trivial":
            level = torch.randint(_BINS, shape, generator=generator)
        return kind, torch.ones(shape, dtype=torch.bool), level


def strengths(bins: int, size: tuple[int, int], *, wide: bool) -> Tensor:
    """Return how strong each operation is at each level, float64 [n_operation, bins]; zeros where it has none.

    Args:
        bins: number of levels.
        size: height and width of the images in pixels, of which a translation takes its share.
        wide: the ranges of TrivialAugment.
    """
    shear, enhance, degrees = (0.99, 0.99, 135.0) if wide else (0.3, 0.9, 30.0)
    down, across = (32.0, 32.0) if wide else (150.0 / 331.0 * size[0], 150.0 / 331.0 * size[1])
    largest = {
        "shear_x": shear,
        "shear_y": shear,
        "translate_x": across,
        "translate_y": down,
        "rotate": degrees,
    }
    largest |= dict.fromkeys(("brightness", "color", "contrast", "sharpness"), enhance)
    table = {name: torch.linspace(0.0, top, bins) for name, top in largest.items()}
    table["solarize"] = torch.linspace(1.0, 0.0, bins)
    table["posterize"] = (8 - torch.arange(bins) / ((bins - 1) / (6 if wide else 4))).round()
    return torch.stack([table.get(name, torch.zeros(bins)).double() for name in NAMES])


def _imagenet() -> Tensor:
    """Return AutoAugment's policies: number, probability and level of two operations each [25, 2, 3]."""
    words = _IMAGENET.replace("|", " ").split()
    rows = [
        (NAMES.index(name), float(probability), float(level))
        for name, probability, level in zip(words[::3], words[1::3], words[2::3], strict=True)
    ]
    return torch.tensor(rows).view(-1, 2, 3)
