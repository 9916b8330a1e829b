"""Recipes of named image operations: some drawn for each image from a pool, or all of them stacked.

The operations and their strengths are those of TBPS-CLIP (Cao et al. 2024, "An Empirical Study of CLIP for Text-based
Person Search"), where two of six are drawn with replacement. A drawn operation still acts with its own probability, as
released.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from harness.config.augment import ImageOperation, PoolConfig
from harness.errors import UsageError
from harness.images import operations as pixels
from harness.images.draws import Changes, crop_boxes, crop_numbers, erase_boxes, uniform

_BLUR_SIGMA = (0.1, 2.0)


@dataclass(frozen=True)
class Operation:
    """One image operation.

    Attributes:
        probability: how often it acts where it was drawn.
        n_parameter: how many parameters it takes.
        draw: the parameters of n images, from a generator [n, n_parameter].
        apply: pixels between 0 and 1 [n, 3, height, width] and their parameters, to such pixels.
    """

    probability: float
    n_parameter: int
    draw: Callable[[int, Generator], Tensor]
    apply: Callable[[Tensor, Tensor], Tensor]


class Operations:
    """Operations that follow one another on each image.

    Args:
        operations: what there is.
        n_drawn: how many of them are drawn for each image, with replacement; 0 takes all, in order.
    """

    def __init__(self, operations: Sequence[Operation], n_drawn: int = 0) -> None:
        self.operations, self.n_drawn = list(operations), n_drawn

    def draw(self, n: int, generator: Generator) -> Changes:
        """Draw the changes of `n` images."""
        n_operations = len(self.operations)
        kind = torch.arange(n_operations).repeat(n, 1)
        if self.n_drawn:
            kind = torch.randint(n_operations, (n, self.n_drawn), generator=generator)
        probability = torch.tensor([operation.probability for operation in self.operations])
        acts = torch.rand(kind.shape, generator=generator) < probability[kind]
        # Every operation is drawn in every step, so that what one sample gets does not change another's numbers.
        steps = [self._draw_step(n, chosen, generator) for chosen in kind.T]
        return Changes(kind, acts, torch.stack(steps, dim=1))

    def apply(self, images: Tensor, changes: Changes) -> Tensor:
        """Return changed pixels float32 between 0 and 1 of uint8 images [n, 3, height, width], on their device."""
        changed = images.float().div_(255)
        for step in range(changes.kind.shape[1]):
            for number, operation in enumerate(self.operations):
                acts = changes.acts[:, step] & (changes.kind[:, step] == number)
                places = acts.nonzero()[:, 0]
                if len(places):
                    parameters = changes.parameters[places, step, : operation.n_parameter]
                    result = operation.apply(pixels.take(changed, places), parameters)
                    changed = pixels.replace(changed, places, result)
        return changed

    def _draw_step(self, n: int, chosen: Tensor, generator: Generator) -> Tensor:
        longest = max(operation.n_parameter for operation in self.operations)
        parameters = torch.zeros(n, longest, dtype=torch.float64)
        for number, operation in enumerate(self.operations):
            drawn, mine = operation.draw(n, generator), chosen == number
            parameters[mine, : operation.n_parameter] = drawn[mine].double()
        return parameters


def pool_operations(config: PoolConfig, size: tuple[int, int], *, all_in_order: bool) -> Operations:
    """Return the recipe `pool`, or `stack` with all operations in order, for images of a size.

    Raises `UsageError` when the images are too small for the blur's kernel.
    """
    if "gaussian_blur" in config.operations and config.blur_kernel // 2 >= min(size):
        raise UsageError(
            f"train.augment.pool.blur_kernel {config.blur_kernel} is too wide for images of {size[0]}x{size[1]} "
            f"pixels: at most {2 * min(size) - 1} are allowed."
        )
    known = _known(config, size)
    return Operations([known[name] for name in config.operations], 0 if all_in_order else config.draws)


def jitter(*strengths: float) -> Operation:
    """Return a jitter of brightness, contrast and saturation by up to `strengths`, and of the hue if four are given."""

    def draw(n: int, generator: Generator) -> Tensor:
        order = torch.rand(n, len(strengths), generator=generator).argsort(dim=1).double()
        middle = torch.tensor([1, 1, 1, 0])[: len(strengths)]
        spread = uniform((n, len(strengths)), -1, 1, generator) * torch.tensor(strengths, dtype=torch.float64)
        return torch.cat([order, middle + spread], dim=1)

    return Operation(1, 2 * len(strengths), draw, pixels.color_jitter)


def sometimes(probability: float, operation: Operation) -> Operation:
    """Return the operation with another probability."""
    return replace(operation, probability=probability)


def plain(probability: float, apply: Callable[[Tensor, Tensor], Tensor]) -> Operation:
    """Return an operation without parameters."""
    return Operation(probability, 0, lambda n, _: torch.zeros(n, 0), apply)


def blur(kernel: int) -> Operation:
    """Return a Gaussian blur of standard deviation 0.1 to 2 pixels, cut to `kernel` pixels."""
    return Operation(
        1,
        1,
        lambda n, g: uniform((n, 1), *_BLUR_SIGMA, g),
        lambda x, sigmas: pixels.gaussian_blur(x, sigmas, kernel),
    )


def _known(config: PoolConfig, size: tuple[int, int]) -> dict[ImageOperation, Operation]:
    def evenly(limit: float) -> Callable[[int, Generator], Tensor]:
        return lambda n, generator: uniform((n, 1), -limit, limit, generator)

    def crops(n: int, generator: Generator) -> Tensor:
        numbers, sizes = crop_numbers(n, generator), torch.tensor([size]).expand(n, 2)
        return crop_boxes(numbers, sizes, config.crop_area, shape=size[1] / size[0])

    return {
        "resized_crop": Operation(1, 4, crops, pixels.resized_crop),
        "erasing": Operation(0.5, 4, lambda n, g: erase_boxes(n, size, config.erase_area, g), pixels.erase),
        "grayscale": plain(0.1, pixels.grayscale),
        "color_jitter": jitter(config.jitter, config.jitter, config.jitter),
        "horizontal_flip": plain(0.5, pixels.flip),
        "rotation": Operation(1, 1, evenly(config.degrees), pixels.rotate),
        "gaussian_blur": blur(config.blur_kernel),
        "hue_jitter": Operation(1, 1, evenly(config.hue), pixels.turn_hue),
        "vertical_flip": plain(0.5, pixels.flip_vertically),
    }
