"""Augmentation settings: what is refused at which bound, and that nothing changes unless it is asked for."""

from typing import get_args

import pytest
from pydantic import ValidationError

from harness.config.augment import POOL, AugmentConfig, ImageOperation, PoolConfig, TextAugmentConfig
from harness.config.sections import BackboneConfig, TrainConfig

SHARES = [name for name in TextAugmentConfig.model_fields if not name.startswith("synonyms")]


def fails(section, **values):
    """Return the places of the errors that values cause."""
    with pytest.raises(ValidationError) as caught:
        section(**values)
    return {error["loc"][0] for error in caught.value.errors()}


def test_captions_stay_as_they_are_by_default_and_images_are_flipped_cropped_and_erased():
    text, image = TextAugmentConfig(), AugmentConfig()
    assert {getattr(text, name) for name in SHARES} == {0.0}
    assert text.synonyms is None
    assert (image.recipe, image.flip, image.pad, image.erase, image.mask_words) == (
        *("flip_crop_erase", 0.5, 10, 0.5, 0.0),
    )
    assert image.text == text
    assert image.pool == PoolConfig()


def test_the_pool_holds_six_of_the_known_operations():
    assert len(set(POOL)) == 6
    assert set(POOL) < set(get_args(ImageOperation))
    assert PoolConfig().operations == POOL
    assert PoolConfig(operations=get_args(ImageOperation)).operations == get_args(ImageOperation)
    assert PoolConfig(operations=("erasing", "erasing")).operations == ("erasing", "erasing")


def test_a_pool_without_operations_names_all_that_there_are():
    with pytest.raises(ValidationError) as caught:
        PoolConfig(operations=())
    assert all(operation in str(caught.value) for operation in get_args(ImageOperation))
    assert fails(PoolConfig, operations=("solarise",)) == {"operations"}


@pytest.mark.parametrize("area", [(0.0, 0.0), (0.2, 0.2), (0.0, 1.0)])
def test_an_erased_area_may_be_a_single_share(area):
    assert PoolConfig(erase_area=area).erase_area == area


@pytest.mark.parametrize("area", [(0.3, 0.2), (-0.1, 0.2), (0.1, 1.1), (0.1, float("nan")), (0.1,)])
def test_an_erased_area_that_is_none_is_refused(area):
    assert fails(PoolConfig, erase_area=area) == {"erase_area"}


@pytest.mark.parametrize("kernel", [1, 3, 101])
def test_a_kernel_is_odd(kernel):
    assert PoolConfig(blur_kernel=kernel).blur_kernel == kernel


@pytest.mark.parametrize("kernel", [2, 4, 100])
def test_an_even_kernel_is_refused_with_its_odd_neighbours(kernel):
    with pytest.raises(ValidationError, match=rf"\b{kernel - 1}\b.*\b{kernel + 1}\b"):
        PoolConfig(blur_kernel=kernel)
    assert fails(PoolConfig, blur_kernel=0) == {"blur_kernel"}


@pytest.mark.parametrize(
    ("section", "name", "bounds"),
    [
        *((AugmentConfig, name, (0, 1)) for name in ("flip", "erase", "mask_words")),
        *(
            (TextAugmentConfig, name, (0, 1))
            for name in TextAugmentConfig.model_fields
            if not name.startswith("synonyms")
        ),
        (PoolConfig, "jitter", (0, 1)),
        (PoolConfig, "hue", (0, 0.5)),
        (PoolConfig, "degrees", (0, 180)),
    ],
)
def test_bounds_are_taken_and_what_lies_beyond_is_refused(section, name, bounds):
    low, high = bounds
    assert [getattr(section(**{name: value}), name) for value in bounds] == [low, high]
    assert fails(section, **{name: low - 0.01}) == fails(section, **{name: high + 0.01}) == {name}


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (PoolConfig, {"draws": 0}),
        (PoolConfig, {"crop_area": 0}),
        (AugmentConfig, {"pad": -1}),
        (AugmentConfig, {"recipe": "mixup"}),
        (AugmentConfig, {"flips": 0.5}),
        (TextAugmentConfig, {"edda": 0.1}),
    ],
)
def test_wrong_values_and_unknown_keys_are_named(section, values):
    assert fails(section, **values) == set(values)


@pytest.mark.parametrize("value", [True, False])
def test_a_truth_is_no_number(value):
    with pytest.raises(ValidationError, match="must be a number"):
        AugmentConfig(flip=value)
    with pytest.raises(ValidationError, match="must be a number"):
        AugmentConfig(pad=value)
    with pytest.raises(ValidationError, match="must be a number"):
        BackboneConfig(text_length=value)
    assert TrainConfig(prefetch=value).prefetch is value
