import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision import transforms
from torchvision.transforms.v2 import functional

from harness.config.augment import POOL, AugmentConfig, PoolConfig
from harness.config.pixels import STATISTICS
from harness.errors import UsageError
from harness.images.augment import Augment
from harness.presets.resolve import resolve

SIZE = (48, 40)
ALL = (*POOL, "gaussian_blur", "hue_jitter", "vertical_flip")
N = 6_000


def augment(recipe="pool", size=SIZE, **pool):
    return Augment(AugmentConfig(recipe=recipe, pool=PoolConfig(**pool)), size)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def images(n, size=SIZE, seed=0):
    return torch.randint(0, 256, (n, 3, *size), dtype=torch.uint8, generator=generator(seed))


def normal(pixels):
    mean, deviation = (torch.tensor(x).view(3, 1, 1) for x in STATISTICS["clip"])
    return (pixels - mean) / deviation


def jittered(image, a, b, c, *factors):
    adjust = (functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation)
    for number in map(int, (a, b, c)):
        image = adjust[number](image, factors[number])
    return image


BY_TORCHVISION = {
    "resized_crop": lambda x, *box: functional.resized_crop(
        x, *(int(side) for side in box), size=list(SIZE), antialias=True
    ),
    "erasing": lambda x, *box: functional.erase(x, *(int(side) for side in box), v=torch.zeros(3, 1, 1)),
    "grayscale": lambda x: functional.rgb_to_grayscale(x, num_output_channels=3),
    "color_jitter": jittered,
    "horizontal_flip": functional.horizontal_flip,
    "rotation": lambda x, angle: functional.rotate(x, angle, fill=[0.0]),
    "gaussian_blur": lambda x, sigma: functional.gaussian_blur(x, [3, 3], [sigma, sigma]),
    "hue_jitter": functional.adjust_hue,
    "vertical_flip": functional.vertical_flip,
}
N_PARAMETERS = {
    "resized_crop": 4,
    "erasing": 4,
    "color_jitter": 6,
    "rotation": 1,
    "gaussian_blur": 1,
    "hue_jitter": 1,
}


def by_torchvision(image, changes, place, names):
    """One image through torchvision's operations, with the parameters that were drawn."""
    pixels = image.float() / 255
    for step in range(changes.kind.shape[1]):
        if changes.acts[place, step]:
            name = names[changes.kind[place, step]]
            parameters = changes.parameters[place, step, : N_PARAMETERS.get(name, 0)].tolist()
            pixels = BY_TORCHVISION[name](pixels, *parameters)
    return normal(pixels)


@pytest.mark.parametrize(("recipe", "draws"), [("pool", 1), ("pool", 2), ("pool", 5), ("stack", 1)])
def test_pixels_equal_those_of_torchvision_with_the_drawn_parameters(recipe, draws):
    recipe = augment(recipe, operations=ALL, draws=draws)
    drawn, pixels = recipe.draw(60, generator()), images(60)
    expected = torch.stack([by_torchvision(x, drawn.changes, i, ALL) for i, x in enumerate(pixels)])
    wrong = (recipe.apply(pixels, drawn) - expected).abs() > 1e-3
    # A rotation's pixel half-way between two may go to either, and is blurred from there.
    assert wrong.double().mean() < 1e-3
    assert not wrong.flatten(1).all(dim=1).any()


@pytest.mark.parametrize("recipe", ["pool", "stack"])
def test_a_batch_at_once_gets_the_pixels_of_image_by_image(recipe):
    whole = augment(recipe, operations=ALL, draws=3)
    drawn, pixels = whole.draw(40, generator()), images(40)
    at_once = whole._to_normal(whole._recipe.apply(pixels, drawn.changes))
    torch.testing.assert_close(at_once, whole.apply(pixels, drawn), rtol=0, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("recipe", ["pool", "stack", "auto", "rand", "trivial"])
def test_a_gpu_gives_the_pixels_of_the_processor(recipe):
    whole = augment(recipe, operations=ALL, draws=3)
    drawn, pixels = whole.draw(64, generator()), images(64)
    wrong = (whole.apply(pixels.cuda(), drawn).cpu() - whole.apply(pixels, drawn)).abs() > 0.05
    assert wrong.double().mean() < 2e-3


RECIPES = ["pool", "stack", "auto", "rand", "trivial"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_equal_generators_give_equal_draws_and_splitting_changes_nothing(recipe):
    recipe = augment(recipe)
    first, second = (recipe.draw(30, generator(4)) for _ in range(2))
    assert len(first) == 30
    whole = recipe.apply(images(30), first)
    assert torch.equal(recipe.apply(images(30), second), whole)
    places = torch.tensor([3, 29, 29, 0])
    assert torch.equal(recipe.apply(images(30)[places], first[places]), whole[places])
    assert torch.equal(recipe.apply(images(30)[7:9], first[7:9]), whole[7:9])
    assert not torch.equal(recipe.apply(images(30), recipe.draw(30, generator(5))), whole)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_global_generator_is_neither_read_nor_moved(recipe):
    recipe = augment(recipe)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first = recipe.apply(images(9), recipe.draw(9, generator()))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(8)
    assert torch.equal(recipe.apply(images(9), recipe.draw(9, generator())), first)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_images_given_stay_and_a_buffer_is_written_to(recipe):
    recipe, pixels = augment(recipe), images(12)
    drawn, out = recipe.draw(12, generator()), torch.full((14, 3, *SIZE), 7.0)
    result = recipe.apply(pixels, drawn, out)
    assert result.data_ptr() == out.data_ptr()
    assert (out[12:] == 7).all()
    assert torch.equal(pixels, images(12))
    assert torch.equal(recipe.apply(pixels, drawn), result)


def test_the_two_drawn_operations_are_even_independent_and_equal_one_time_in_six():
    kind = augment().draw(N, generator()).changes.kind
    pairs = Counter(map(tuple, kind.tolist()))
    assert len(pairs) == 36
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-3
    equal = (kind[:, 0] == kind[:, 1]).double().mean()
    assert abs(equal - 1 / 6) < 4 * (5 / 36 / N) ** 0.5


@pytest.mark.parametrize(
    ("name", "probability"),
    [("erasing", 0.5), ("grayscale", 0.1), ("horizontal_flip", 0.5), ("vertical_flip", 0.5)]
    + [(name, 1) for name in ("resized_crop", "color_jitter", "rotation", "gaussian_blur", "hue_jitter")],
)
@pytest.mark.parametrize("recipe", ["pool", "stack"])
def test_each_operation_keeps_its_own_probability(recipe, name, probability):
    changes = augment(recipe, operations=ALL).draw(N, generator()).changes
    acts = changes.acts[changes.kind == ALL.index(name)].double()
    assert abs(acts.mean() - probability) <= 4 * (probability * (1 - probability) / len(acts)) ** 0.5


def test_stacked_operations_follow_one_another_as_listed():
    order = ("rotation", "erasing", "grayscale")
    assert augment("stack", operations=order).draw(3, generator()).changes.kind.tolist() == [[0, 1, 2]] * 3
    flipped, cropped = ("vertical_flip", "resized_crop"), ("resized_crop", "vertical_flip")
    pixels = images(20)
    results = []
    for names in (flipped, cropped):
        recipe = augment("stack", operations=names, crop_area=0.5)
        drawn = recipe.draw(20, generator())
        crop = names.index("resized_crop")
        drawn.changes.acts[:] = True
        drawn.changes.parameters[:, crop] = torch.tensor([0.0, 0.0, 20.0, 20.0])
        results.append(recipe.apply(pixels, drawn))
    upper = normal(functional.resized_crop(pixels / 255, 0, 0, 20, 20, list(SIZE), antialias=True))
    torch.testing.assert_close(results[1], upper.flip(-2), rtol=0, atol=1e-3)
    assert not torch.allclose(results[0], results[1], atol=0.1)


def drawn_parameters(name, **pool):
    changes = augment("stack", operations=(name,), **pool).draw(N, generator()).changes
    return changes.parameters[:, 0].numpy()


def reference(draw, n=3_000):
    torch.manual_seed(0)
    return np.array([draw() for _ in range(n)], dtype=float)


def same_distribution(ours, theirs):
    return stats.ks_2samp(ours, theirs).pvalue > 1e-3


@pytest.mark.parametrize("strength", [0.1, 0.4, 1.0])
def test_colour_jitter_is_drawn_as_in_torchvision(strength):
    ours = drawn_parameters("color_jitter", jitter=strength)
    bounds = [1 - strength, 1 + strength]
    draw = transforms.ColorJitter.get_params
    theirs = reference(lambda: draw(bounds, bounds, bounds, [0.0, 0.0])[1:4])
    for part in range(3):
        assert same_distribution(ours[:, 3 + part], theirs[:, part])
        assert bounds[0] <= ours[:, 3 + part].min() < bounds[0] + 0.01 * strength
        assert bounds[1] >= ours[:, 3 + part].max() > bounds[1] - 0.01 * strength
    orders = Counter(map(tuple, ours[:, :3].astype(int).tolist()))
    assert set(orders) == set(itertools.permutations(range(3)))
    assert stats.chisquare(list(orders.values())).pvalue > 1e-3
    assert np.abs(np.corrcoef(ours[:, 3:].T) - np.eye(3)).max() < 0.06


@pytest.mark.parametrize("degrees", [7.5, 15, 180])
def test_rotations_are_drawn_as_in_torchvision(degrees):
    ours = drawn_parameters("rotation", degrees=degrees)[:, 0]
    theirs = reference(lambda: transforms.RandomRotation.get_params([-degrees, degrees]))
    assert same_distribution(ours, theirs)


@pytest.mark.parametrize("hue", [0.1, 0.4])
def test_hues_are_drawn_as_in_torchvision(hue):
    draw = transforms.ColorJitter.get_params
    theirs = reference(lambda: draw(None, None, None, [-hue, hue])[4])
    assert same_distribution(drawn_parameters("hue_jitter", hue=hue)[:, 0], theirs)


def test_blurs_are_drawn_as_in_torchvision():
    theirs = reference(lambda: transforms.GaussianBlur.get_params(0.1, 2.0))
    assert same_distribution(drawn_parameters("gaussian_blur")[:, 0], theirs)


@pytest.mark.parametrize("size", [(96, 32), (384, 128), (64, 128)])
def test_crops_of_tall_and_wide_images_keep_their_area_and_nearly_their_shape(size):
    recipe = augment("stack", size, operations=("resized_crop",))
    boxes = recipe.draw(N, generator()).changes.parameters[:, 0]
    height, width = boxes[:, 2] / size[0], boxes[:, 3] / size[1]
    assert (height * width).min() > 0.85
    assert 0.7 < (width / height).min() < 0.95
    assert 1.05 < (width / height).max() < 1.4


def test_the_crop_area_and_the_erased_area_are_those_of_the_config():
    size = (224, 224)
    for area in (0.3, 0.9):
        changes = (
            augment("stack", size, operations=("resized_crop",), crop_area=area).draw(N, generator()).changes
        )
        shares = changes.parameters[:, 0, 2:].prod(dim=1) / (224 * 224)
        assert area - 0.01 < shares.min() < area + 0.02
        assert shares.max() <= 1
    changes = (
        augment("stack", size, operations=("erasing",), erase_area=(0.2, 0.3)).draw(N, generator()).changes
    )
    shares = changes.parameters[:, 0, 2:].prod(dim=1) / (224 * 224)
    assert 0.19 < shares[shares > 0].min() < 0.21
    assert 0.29 < shares.max() < 0.31


def test_a_wider_kernel_blurs_more():
    results = []
    for kernel in (1, 3, 11):
        recipe = augment("stack", operations=("gaussian_blur",), blur_kernel=kernel)
        results.append(recipe.apply(images(20), recipe.draw(20, generator())).std())
    assert results[0] > 1.1 * results[1] > 1.2 * results[2]


def test_the_number_of_draws_and_the_operations_are_those_of_the_config():
    assert augment(draws=4).draw(5, generator()).changes.kind.shape == (5, 4)
    only = augment(draws=1, operations=("horizontal_flip",))
    drawn, plain = only.draw(100, generator()), Augment(None, SIZE)
    mirrored = drawn.changes.acts[:, 0]
    assert mirrored.any()
    assert not mirrored.all()
    expected = torch.where(mirrored[:, None, None, None], images(100).flip(-1), images(100))
    assert torch.equal(only.apply(images(100), drawn), plain.normalise(expected))


def test_the_recipe_of_before_draws_what_it_drew_before():
    drawn = Augment(AugmentConfig(), (384, 128)).draw(5, generator())
    assert drawn.flip.tolist() == [False, True, True, False, True]
    assert drawn.offset.tolist() == [[13, 14], [5, 14], [3, 11], [6, 19], [5, 16]]
    assert drawn.box.tolist() == [[259, 7, 113, 93], [0] * 4, [228, 2, 73, 124], [0] * 4, [0] * 4]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("blur_kernel=4", "odd width, such as 3 or 5, but got 4"),
        ("erase_area=[0.3, 0.2]", "smaller first"),
        ("erase_area=[-0.1, 0.2]", "greater than or equal to 0, but got -0.1"),
        ("erase_area=[0.1, 1.2]", "less than or equal to 1, but got 1.2"),
        ("operations=[]", "name at least one operation, of resized_crop, erasing"),
        ("operations=[rotatoin]", "'rotation'"),
        ("draws=0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_one_clear_error(setting, told):
    with pytest.raises(UsageError) as error:
        resolve("full_finetune", "icfg", overrides=[f"train.augment.pool.{setting}"])
    assert f"train.augment.pool.{setting.partition('=')[0]}" in str(error.value)
    assert told in str(error.value)


def test_a_kernel_wider_than_the_images_is_one_clear_error():
    augment("stack", operations=("gaussian_blur",), blur_kernel=79)
    with pytest.raises(UsageError, match="blur_kernel 81 is too wide for images of 48x40 pixels: at most 79"):
        augment("stack", operations=("gaussian_blur",), blur_kernel=81)
    augment("stack", operations=("rotation",), blur_kernel=81)
