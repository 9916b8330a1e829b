"""Names of galleries of lower resolution, and by how much each picture is reduced."""

from collections import Counter

import pytest

from harness.data.protocols.galleries import (
    Gallery,
    check_fits,
    name_of_test,
    parse_gallery,
    parse_test,
)
from harness.errors import UsageError


@pytest.mark.parametrize("gallery", [Gallery((2,)), Gallery((1, 2, 4)), Gallery((1, 1, 8), 7)])
@pytest.mark.parametrize("dataset", ["icfg", "my_set_1a2b3c4d", "cuhk+icfg"])
def test_a_name_of_a_test_says_its_dataset_and_gallery(dataset, gallery):
    assert parse_test(name_of_test(dataset, gallery)) == (dataset, gallery)
    assert parse_test(name_of_test(dataset, None)) == (dataset, None)


def test_each_picture_has_its_factor_whatever_else_is_there_and_all_are_about_as_frequent():
    gallery = Gallery((1, 2, 4, 4))
    names = [f"{number}.jpg" for number in range(4_000)]
    found = {name: gallery.factor_of(name) for name in names}
    assert {name: gallery.factor_of(name) for name in names[::-7]}.items() <= found.items()
    counts = Counter(found.values())
    assert [counts[factor] for factor in (1, 2, 4)] == pytest.approx([1_000, 1_000, 2_000], rel=0.1)
    other = Gallery((1, 2, 4, 4), seed=1)
    assert sum(other.factor_of(name) != factor for name, factor in found.items()) > 1_000


@pytest.mark.parametrize(
    "text", ["0", "65", "", "2,", "-4", "1.5", "x", "\u0663", "9999999999", ",".join("2" * 17)]
)
def test_what_is_no_gallery_is_refused_in_one_line(text):
    with pytest.raises(UsageError, match="each from 1 to 64, such as 4 or 1,2,4, but got") as caught:
        parse_gallery(text)
    assert "\n" not in str(caught.value)


def test_a_gallery_that_is_as_it_is_and_one_that_leaves_nothing_are_refused():
    with pytest.raises(UsageError, match="the gallery as it is"):
        parse_gallery("1,1")
    check_fits(Gallery((16,)), (48, 16))
    with pytest.raises(UsageError, match="leaves nothing of pictures of 48x16: take up to 16"):
        check_fits(Gallery((2, 17)), (48, 16))


def test_a_seed_is_of_mixed_galleries_alone():
    assert parse_gallery("4", seed=3) == parse_gallery("4")
    assert parse_gallery("1,4", seed=3) != parse_gallery("1,4")
