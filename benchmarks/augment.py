"""Recipes of image augmentation on the processor, and how many kernels each way launches for a batch."""

import random
import statistics
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms import v2

from benchmarks.common import Claim, Outcome, claim, cpu_seconds, outcome
from harness.config.augment import AugmentConfig
from harness.images import operations
from harness.images.augment import STATISTICS, Augment
from harness.images.contrast_views import ContrastViews

SIZE, SMALL, N_IMAGES, BATCH_SIZE, REPEATS = (224, 224), (96, 32), 64, 320, 5
RECIPES = ("flip_crop_erase", "pool", "stack", "auto", "rand", "trivial")


class Count(TorchDispatchMode):
    """Counts the operators that torch is asked for, views left out: about what an accelerator has to launch."""

    n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += not func.is_view
        return func(*args, **(kwargs or {}))


def library(n_drawn: int) -> Callable[[Tensor], Tensor]:
    """Return the pool (or with 0 the stack) of torchvision's own transforms, image by image."""
    pool = [
        v2.RandomResizedCrop(SIZE, scale=(0.9, 1.0)),
        v2.RandomErasing(0.5, scale=(0.1, 0.2)),
        v2.RandomGrayscale(0.1),
        v2.ColorJitter(0.1, 0.1, 0.1),
        v2.RandomHorizontalFlip(),
        v2.RandomRotation(15),
    ]
    normalise = v2.Normalize(*STATISTICS["clip"])

    def one(image: Tensor) -> Tensor:
        pixels = image.float().div_(255)
        for transform in random.choices(pool, k=n_drawn) if n_drawn else pool:
            pixels = transform(pixels)
        return normalise(pixels)

    return lambda images: torch.stack([one(image) for image in images])


def ours(recipe: str, images: Tensor) -> Callable[[], Tensor]:
    """Return the drawing and applying of a recipe to a batch."""
    augment, out = Augment(AugmentConfig(recipe=recipe), SIZE), torch.empty(images.shape)
    generator = torch.Generator().manual_seed(1)
    return lambda: augment.apply(images, augment.draw(len(images), generator), out)


def milliseconds(work: Callable[[], object]) -> float:
    """Return the processor's time for an image."""
    work()
    return cpu_seconds(work, REPEATS) / N_IMAGES * 1e3


def operators(work: Callable[[], object]) -> int:
    """Return how many operators the work asks for."""
    with Count() as count:
        work()
    return count.n


def kernels(n_drawn: int, recipe: str) -> tuple[int, int]:
    """Return the operators for a batch: as an accelerator is asked, and image by image with torchvision."""
    images = torch.randint(0, 256, (BATCH_SIZE, 3, *SIZE), dtype=torch.uint8)
    augment = Augment(AugmentConfig(recipe=recipe), SIZE)
    changes = augment.draw(BATCH_SIZE, torch.Generator().manual_seed(1)).changes
    recipe_of = augment._recipe
    assert changes is not None
    assert recipe_of is not None
    return operators(lambda: recipe_of.apply(images, changes)), operators(lambda: library(n_drawn)(images))


def against_library(recipe: str, n_drawn: int, images: Tensor) -> list[Claim]:
    """Measure torchvision's transforms, and count what both ways ask of an accelerator."""
    theirs = library(n_drawn)
    batched, single = kernels(n_drawn, recipe)
    spent = milliseconds(lambda: theirs(images))
    return [
        claim(f"{recipe} of torchvision's transforms, an image", spent, unit="ms"),
        claim(f"{recipe}, operators for a batch of {BATCH_SIZE}", batched),
        claim(f"{recipe}, the same image by image with torchvision", single),
    ]


def by_parts() -> list[Claim]:
    """Measure several small images at a time against one by one, in turn."""
    images = torch.randint(0, 256, (N_IMAGES, 3, *SMALL), dtype=torch.uint8)
    views, generator = ContrastViews(SMALL), torch.Generator().manual_seed(1)
    augment, out = Augment(AugmentConfig(recipe="stack"), SMALL), torch.empty(images.shape)
    ways: dict[str, Callable[[], object]] = {
        "stack": lambda: augment.apply(images, augment.draw(N_IMAGES, generator), out),
        "views for a self-supervised loss": lambda: views.apply(
            list(images), views.draw(N_IMAGES, generator)
        ),
    }
    return [
        claim(
            f"{what}, {SMALL[0]}x{SMALL[1]}: by parts against one by one",
            against_single(way),
            unit="x",
            at_most=0.8,
        )
        for what, way in ways.items()
    ]


def against_single(work: Callable[[], object]) -> float:
    """Return the processor's time against that of one image at a time."""
    ratios = []
    for _ in range(REPEATS):
        together = cpu_seconds(work)
        with patch.object(operations, "_IN_CACHE", 1):
            ratios.append(together / cpu_seconds(work))
    return statistics.median(ratios)


def run() -> Outcome:
    """Measure with one thread."""
    torch.set_num_threads(1)
    random.seed(1)
    torch.manual_seed(1)
    images = torch.randint(0, 256, (N_IMAGES, 3, *SIZE), dtype=torch.uint8)
    claims = [
        claim(
            f"{recipe}, an image",
            milliseconds(ours(recipe, images)),
            unit="ms",
            at_most=2 if recipe == "pool" else None,
        )
        for recipe in RECIPES
    ]
    claims += against_library("pool", 2, images) + against_library("stack", 0, images) + by_parts()
    return outcome(
        "Image augmentation, 224x224 but where another size is named, one core",
        "python -m benchmarks augment",
        claims,
        n_images=N_IMAGES,
    )
