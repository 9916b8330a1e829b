from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torchvision import transforms
from torchvision.transforms import functional

from harness.config.augment import AugmentConfig
from harness.config.pixels import STATISTICS
from harness.images.augment import Augment, Draws

SIZE = (96, 32)


def images(n, size=SIZE, seed=0):
    return torch.randint(
        0, 256, (n, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def by_torchvision(image, draws, place, pad, normalisation):
    """The published transforms on one image, with given parameters."""
    mean, deviation = STATISTICS[normalisation]
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    picture = functional.hflip(picture) if draws.flip[place] else picture
    picture = functional.crop(
        functional.pad(picture, [pad] * 4), *draws.offset[place].tolist(), *image.shape[1:]
    )
    pixels = functional.normalize(functional.to_tensor(picture), mean, deviation)
    top, left, height, width = draws.box[place].tolist()
    return functional.erase(pixels, top, left, height, width, torch.tensor(mean)[:, None, None])


@pytest.mark.parametrize("pad", [0, 3, 10])
@pytest.mark.parametrize("normalisation", ["clip", "imagenet"])
@pytest.mark.parametrize("size", [(96, 32), (33, 17)])
def test_pixels_equal_those_of_torchvision_bit_for_bit(pad, normalisation, size):
    augment = Augment(AugmentConfig(pad=pad), size, normalisation)
    pixels = images(24, size)
    draws = augment.draw(24, torch.Generator().manual_seed(1))
    assert draws.flip.any()
    assert (draws.box[:, 2] > 0).any()
    expected = torch.stack([by_torchvision(x, draws, i, pad, normalisation) for i, x in enumerate(pixels)])
    assert torch.equal(augment.apply(pixels, draws), expected)


def test_the_way_for_accelerators_gives_the_same_pixels():
    augment = Augment(AugmentConfig(), SIZE)
    draws = augment.draw(40, torch.Generator().manual_seed(2))
    assert torch.equal(augment._apply_gathered(images(40), draws), augment.apply(images(40), draws))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_pixels_of_the_processor():
    augment = Augment(AugmentConfig(), SIZE)
    draws = augment.draw(40, torch.Generator().manual_seed(2))
    on_gpu = augment.apply(images(40).cuda(), draws)
    torch.testing.assert_close(on_gpu.cpu(), augment.apply(images(40), draws), rtol=1e-6, atol=1e-6)


def test_every_offset_and_flip_at_the_border_is_right():
    augment = Augment(AugmentConfig(pad=2), (5, 4))
    corners = [(flip, top, left) for flip in (False, True) for top in range(5) for left in range(5)]
    draws = Draws(
        torch.tensor([c[0] for c in corners]),
        torch.tensor([c[1:] for c in corners]),
        torch.zeros(50, 4).long(),
    )
    pixels = images(50, (5, 4))
    expected = torch.stack([by_torchvision(x, draws, i, 2, "clip") for i, x in enumerate(pixels)])
    assert torch.equal(augment.apply(pixels, draws), expected)
    assert torch.equal(augment._apply_gathered(pixels, draws), expected)


def test_a_recipe_without_changes_only_normalises():
    for config in (None, AugmentConfig(flip=0, pad=0, erase=0)):
        augment = Augment(config, SIZE)
        draws = augment.draw(6, torch.Generator())
        assert torch.equal(augment.apply(images(6), draws), augment.normalise(images(6)))
    mean, deviation = STATISTICS["clip"]
    expected = functional.normalize(images(6).float() / 255, mean, deviation)
    assert torch.equal(augment.normalise(images(6)), expected)


def test_a_given_buffer_is_written_to_and_left_alone_behind_the_batch():
    augment = Augment(AugmentConfig(), SIZE)
    draws = augment.draw(4, torch.Generator().manual_seed(3))
    out = torch.full((6, 3, *SIZE), 7.0)
    result = augment.apply(images(4), draws, out)
    assert result.data_ptr() == out.data_ptr()
    assert torch.equal(result, augment.apply(images(4), draws))
    assert (out[4:] == 7).all()
    assert augment.normalise(images(4), out).data_ptr() == out.data_ptr()


def test_the_images_given_stay_as_they_are():
    pixels = images(8)
    augment = Augment(AugmentConfig(flip=1, erase=1), SIZE)
    augment.apply(pixels, augment.draw(8, torch.Generator()))
    augment.normalise(pixels)
    assert torch.equal(pixels, images(8))


def test_equal_generators_give_equal_draws_and_shares_are_slices():
    augment = Augment(AugmentConfig(), SIZE)
    first, second = (augment.draw(9, torch.Generator().manual_seed(4)) for _ in range(2))
    other = augment.draw(9, torch.Generator().manual_seed(5))
    for name in ("flip", "offset", "box"):
        assert torch.equal(getattr(first, name), getattr(second, name))
        assert torch.equal(getattr(first[torch.tensor([7, 8])], name), getattr(first, name)[7:])
    assert not torch.equal(first.offset, other.offset)
    whole = augment.apply(images(9), first)
    places = torch.tensor([5, 8, 8])
    assert torch.equal(augment.apply(images(9)[places], first[places]), whole[places])


N_DRAWS = 20_000
N_REFERENCE = 6_000


@pytest.fixture(scope="module")
def drawn():
    return Augment(AugmentConfig(), (384, 128)).draw(N_DRAWS, torch.Generator().manual_seed(6))


@pytest.fixture(scope="module")
def reference_boxes():
    torch.manual_seed(0)
    blank = torch.zeros(1).expand(3, 384, 128)
    drawn = (
        transforms.RandomErasing.get_params(blank, (0.02, 0.4), (0.3, 3.3), [0.0]) for _ in range(N_REFERENCE)
    )
    return np.array([box[:4] for box in drawn if box[2:4] != (384, 128)])


def test_flips_and_offsets_are_uniform(drawn):
    assert abs(drawn.flip.double().mean() - 0.5) < 4 * 0.5 / N_DRAWS**0.5
    for axis in range(2):
        counts = Counter(drawn.offset[:, axis].tolist())
        assert set(counts) == set(range(21))
        assert stats.chisquare(list(counts.values())).pvalue > 1e-4
    assert abs(np.corrcoef(drawn.offset.T)[0, 1]) < 0.03


def test_erased_rectangles_are_distributed_as_those_of_torchvision(drawn, reference_boxes):
    box = drawn.box[drawn.box[:, 2] > 0].double().numpy()
    share_fitting = len(reference_boxes) / N_REFERENCE
    assert abs(len(box) / N_DRAWS - 0.5 * share_fitting) < 4 * 0.5 / N_DRAWS**0.5
    measures = {
        "top": lambda b: b[:, 0],
        "left": lambda b: b[:, 1],
        "area": lambda b: b[:, 2] * b[:, 3],
        "aspect": lambda b: b[:, 2] / b[:, 3],
    }
    for name, measure in measures.items():
        assert stats.ks_2samp(measure(box), measure(reference_boxes)).pvalue > 1e-3, name


def test_erased_rectangles_lie_inside_and_have_the_wanted_area(drawn):
    top, left, height, width = drawn.box[drawn.box[:, 2] > 0].T
    assert ((top >= 0) & (left >= 0) & (top + height <= 384) & (left + width <= 128)).all()
    area = (height * width).double() / (384 * 128)
    assert area.min() > 0.018
    assert area.max() < 0.41
    assert (top + height == 384).any()
    assert (left + width == 128).any()


def test_an_image_too_small_for_any_rectangle_is_not_erased():
    augment = Augment(AugmentConfig(erase=1, pad=0, erase_area=(0.9, 0.99)), (4, 2))
    draws = augment.draw(50, torch.Generator().manual_seed(0))
    assert (draws.box[:, 3] < 2).all()
    assert torch.isfinite(augment.apply(images(50, (4, 2)), draws)).all()
