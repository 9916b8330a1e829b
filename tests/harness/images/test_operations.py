import pytest
import torch
from torchvision.transforms.v2 import functional

from harness.images import operations

SIZE = (37, 22)
N = 12


def pictures(n=N, size=SIZE, seed=0):
    """Random colours with a grey image, a black and a white one, and pixels whose channels are equal in pairs."""
    pixels = torch.rand(n, 3, *size, generator=torch.Generator().manual_seed(seed))
    pixels[0] = 0
    pixels[1] = 1
    pixels[2] = pixels[2, :1]
    pixels[3, 1] = pixels[3, 0]
    pixels[4, 2] = pixels[4, 1]
    return pixels


def between(low, high, n=N):
    return torch.linspace(low, high, n, dtype=torch.float64)[:, None]


def one_by_one(images, parameters, operation):
    return torch.stack(
        [operation(image, *row) for image, row in zip(images, parameters.tolist(), strict=True)]
    )


def assert_as_torchvision(ours, parameters, theirs, images=None):
    images = pictures() if images is None else images
    expected = one_by_one(images, parameters, theirs)
    kept = images.clone()
    torch.testing.assert_close(ours(images, parameters), expected, rtol=0, atol=3e-5)
    assert torch.equal(images, kept)
    single = torch.cat([ours(images[i : i + 1], parameters[i : i + 1]) for i in range(len(images))])
    torch.testing.assert_close(single, expected, rtol=0, atol=3e-5)
    assert not torch.allclose(expected, images)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (operations.brightness, functional.adjust_brightness),
        (operations.contrast, functional.adjust_contrast),
        (operations.saturation, functional.adjust_saturation),
    ],
)
def test_brightness_contrast_and_saturation_equal_those_of_torchvision(ours, theirs):
    assert_as_torchvision(ours, between(0, 2), theirs)


def test_hue_equals_that_of_torchvision_on_grey_black_white_and_ties():
    assert_as_torchvision(operations.turn_hue, between(-0.5, 0.5), functional.adjust_hue)


@pytest.mark.parametrize("size", [(37, 22), (24, 48), (32, 32)])
def test_rotation_equals_that_of_torchvision(size):
    images, angles = pictures(size=size), between(-180, 179)
    expected = one_by_one(images, angles, lambda image, angle: functional.rotate(image, angle, fill=[0.0]))
    # A pixel half-way between two may go to either.
    assert (operations.rotate(images, angles) != expected).double().mean() < 1e-3


def test_a_quarter_turn_is_counter_clockwise():
    image = torch.zeros(1, 3, 5, 5)
    image[:, :, 0, 4] = 1
    turned = operations.rotate(image, torch.tensor([[90.0]]))
    assert turned[0, :, 0, 0].eq(1).all()
    assert turned.sum() == 3


@pytest.mark.parametrize("kernel", [1, 3, 7, 13])
def test_blur_equals_that_of_torchvision(kernel):
    def theirs(image, sigma):
        return functional.gaussian_blur(image, [kernel, kernel], [sigma, sigma])

    def ours(images, sigmas):
        return operations.gaussian_blur(images, sigmas, kernel)

    if kernel == 1:
        torch.testing.assert_close(ours(pictures(), between(0.1, 2)), pictures())
    else:
        assert_as_torchvision(ours, between(0.1, 2), theirs)


BOXES = torch.tensor(
    [[0, 0, 37, 22], [0, 0, 1, 1], [36, 21, 1, 1], [3, 4, 20, 11], [0, 5, 37, 3], [30, 0, 7, 22]] * 2
)


def test_resized_crop_equals_that_of_torchvision_with_antialiasing():
    assert_as_torchvision(
        operations.resized_crop,
        BOXES,
        lambda image, *box: functional.resized_crop(image, *box, size=list(SIZE), antialias=True),
    )


def test_erasing_equals_that_of_torchvision_and_an_empty_box_erases_nothing():
    black = torch.zeros(3, 1, 1)
    assert_as_torchvision(
        operations.erase, BOXES, lambda image, *box: functional.erase(image, *box, v=black), pictures() + 0.1
    )
    empty = torch.zeros(N, 4, dtype=torch.int64)
    assert torch.equal(operations.erase(pictures(), empty), pictures())


def test_grey_and_mirrored_images_equal_those_of_torchvision():
    nothing = torch.zeros(N, 0)
    assert torch.equal(
        operations.grayscale(pictures(), nothing),
        functional.rgb_to_grayscale(pictures(), num_output_channels=3),
    )
    assert torch.equal(operations.flip(pictures(), nothing), functional.horizontal_flip(pictures()))
    assert torch.equal(operations.flip_vertically(pictures(), nothing), functional.vertical_flip(pictures()))


ADJUST = [
    functional.adjust_brightness,
    functional.adjust_contrast,
    functional.adjust_saturation,
    functional.adjust_hue,
]


@pytest.mark.parametrize("n_parts", [3, 4])
def test_colour_jitter_keeps_each_images_own_order(n_parts):
    generator = torch.Generator().manual_seed(3)
    order = torch.rand(N, n_parts, generator=generator).argsort(dim=1)
    strengths = 0.6 + 0.8 * torch.rand(N, n_parts, generator=generator, dtype=torch.float64)
    strengths[:, 3:] -= 1

    def theirs(image, *row):
        for number in map(int, row[:n_parts]):
            image = ADJUST[number](image, row[n_parts + number])
        return image

    assert_as_torchvision(operations.color_jitter, torch.cat([order.double(), strengths], dim=1), theirs)


@pytest.mark.parametrize(
    ("n", "size", "ends"),
    [
        (3, (384, 128), [1, 2, 3]),
        (2, (900, 700), [1, 2]),
        (35, (96, 32), [16, 32, 35]),
        (5, (96, 32), [5]),
        (0, SIZE, []),
    ],
)
def test_small_images_are_changed_several_at_a_time_and_large_ones_one_by_one(n, size, ends):
    images = torch.arange(n).view(n, 1, 1, 1).expand(n, 3, *size)
    parts = [images[part, 0, 0, 0].tolist() for part in operations.parts_in_cache(images)]
    assert [place for part in parts for place in part] == list(range(n))
    assert [part[-1] + 1 for part in parts] == ends


def test_images_are_taken_and_put_back_at_their_places():
    places = torch.tensor([1, 5])
    images = pictures()
    changed = operations.replace(images.clone(), places, operations.take(images, places) + 1)
    assert torch.equal(changed[places], images[places] + 1)
    assert torch.equal(changed[[0, 2, 3, 4]], images[[0, 2, 3, 4]])
