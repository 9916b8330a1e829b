"""Pictures of lower resolution, against Pillow picture by picture."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harness.images.reduced import reduce, reduced
from harness.images.store import Images

SIZE = (12, 7)


def images_of(pixels):
    def fill(places, rows):
        for place, row in zip(places, rows, strict=True):
            row[:] = pixels[place]

    return Images([Path(f"{place}.png") for place in range(len(pixels))], SIZE, bytes(len(pixels)), fill)


def drawn(n=5):
    return np.random.default_rng(0).integers(0, 256, (n, 3, *SIZE), dtype=np.uint8)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("factor", "small"), [(2, (6, 4)), (3, (4, 2)), (7, (2, 1))])
def test_a_picture_is_reduced_and_brought_back_as_pillow_does(interpolation, factor, small):
    pixels = drawn(1)[0]
    way = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}[interpolation]
    channels = []
    for channel in pixels:
        there = Image.fromarray(channel).resize(small[::-1], way)
        channels.append(np.asarray(there.resize(SIZE[::-1], way)))
    assert np.array_equal(reduce(pixels, factor, interpolation), np.stack(channels))


def test_each_picture_has_its_own_factor_in_any_order_of_reading():
    pixels, factors = drawn(), [1, 2, 4, 1, 3]
    images = reduced(images_of(pixels), factors, "bilinear")
    expected = [
        pixels[place] if factor == 1 else reduce(pixels[place], factor, "bilinear")
        for place, factor in enumerate(factors)
    ]
    read = images.read(torch.tensor([4, 0, 2, 2, 1, 3])).numpy()
    assert np.array_equal(read, np.stack([expected[place] for place in (4, 0, 2, 2, 1, 3)]))
    assert np.array_equal(images.subset([3, 2]).read([1])[0].numpy(), expected[2])
    assert not np.array_equal(expected[1], pixels[1])


def test_one_single_colour_stays_as_it_is():
    flat = np.full((3, *SIZE), 97, dtype=np.uint8)
    assert np.array_equal(reduce(flat, 4, "bicubic"), flat)
