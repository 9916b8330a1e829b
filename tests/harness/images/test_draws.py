import numpy as np
import pytest
import torch
from scipy import stats
from torchvision import transforms

from harness.images.draws import crop_boxes, crop_numbers, erase_boxes, uniform

N, N_REFERENCE = 8_000, 4_000


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def crops(n, size, area, seed=1):
    return crop_boxes(crop_numbers(n, generator(seed)), torch.tensor([size]).expand(n, 2), area)


def their_crops(size, area):
    torch.manual_seed(0)
    blank = torch.zeros(1).expand(3, *size)
    draw = transforms.RandomResizedCrop.get_params
    return np.array([draw(blank, [area, 1.0], [3 / 4, 4 / 3]) for _ in range(N_REFERENCE)])


MEASURES = {
    "top": lambda b: b[:, 0],
    "left": lambda b: b[:, 1],
    "height": lambda b: b[:, 2],
    "width": lambda b: b[:, 3],
    "area": lambda b: b[:, 2] * b[:, 3],
    "aspect": lambda b: b[:, 2] / b[:, 3],
}


@pytest.mark.parametrize(
    ("size", "area"), [((224, 224), 0.9), ((224, 224), 0.2), ((378, 142), 0.2), ((60, 200), 0.3)]
)
def test_crops_are_distributed_as_those_of_torchvision(size, area):
    ours, theirs = crops(N, size, area).double().numpy(), their_crops(size, area).astype(float)
    for name, measure in MEASURES.items():
        assert stats.ks_2samp(measure(ours), measure(theirs)).pvalue > 1e-3, name


@pytest.mark.parametrize("size", [(224, 224), (378, 142), (30, 400), (1, 1), (2, 500)])
def test_crops_lie_inside_the_image(size):
    top, left, height, width = crops(3_000, size, 0.05).T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert ((height >= 1) & (top + height <= size[0])).all()
    assert ((width >= 1) & (left + width <= size[1])).all()


@pytest.mark.parametrize("size", [(384, 128), (128, 384), (500, 2)])
def test_a_crop_that_never_fits_is_central_as_in_torchvision(size):
    theirs = their_crops(size, 0.99)
    assert (theirs == theirs[0]).all()
    assert crops(5, size, 0.99).tolist() == theirs[:5].tolist()


def test_each_image_is_cropped_within_its_own_size():
    sizes = torch.tensor([[378, 142], [224, 224], [30, 400]])
    numbers = crop_numbers(3, generator())
    together = crop_boxes(numbers, sizes, 0.2)
    for place in range(3):
        alone = crop_boxes(numbers[:, place : place + 1], sizes[place : place + 1], 0.2)
        assert torch.equal(together[place : place + 1], alone)


@pytest.mark.parametrize("area", [(0.1, 0.2), (0.02, 0.1), (0.2, 0.3)])
def test_erased_boxes_are_distributed_as_those_of_torchvision(area):
    torch.manual_seed(0)
    blank = torch.zeros(1).expand(3, 224, 224)
    draw = transforms.RandomErasing.get_params
    theirs = np.array([draw(blank, area, (0.3, 3.3), [0.0])[:4] for _ in range(N_REFERENCE)], dtype=float)
    ours = erase_boxes(N, (224, 224), area, generator()).double().numpy()
    for name, measure in MEASURES.items():
        assert stats.ks_2samp(measure(ours), measure(theirs)).pvalue > 1e-3, name


def test_a_box_that_fits_nowhere_is_empty():
    boxes = erase_boxes(200, (4, 2), (0.9, 0.99), generator())
    assert (boxes[boxes[:, 2] == 0] == 0).all()
    assert (boxes[:, 3] < 2).all()


def test_uniform_numbers_lie_evenly_between_the_bounds():
    numbers = uniform((N, 1), -2, 3, generator())[:, 0].numpy()
    assert stats.kstest(numbers, stats.uniform(-2, 5).cdf).pvalue > 1e-3


def test_the_global_generator_is_neither_read_nor_moved():
    state = torch.get_rng_state()
    first = crops(9, (50, 40), 0.2)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(crops(9, (50, 40), 0.2), first)
