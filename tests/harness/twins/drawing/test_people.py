from collections import Counter
from random import Random

import pytest

from harness.datasets import DATASETS
from harness.errors import UsageError
from harness.twins.drawing.people import (
    ATTRIBUTES,
    NONE,
    VALUES,
    draw_person,
    draw_persons,
    is_possible,
    vary,
)
from harness.twins.plan import plan_pictures, split_sizes

NAMES = ["icfg", "cuhk", "rstp", "ufine"]


def differences(one, other):
    """The names of the attributes in which two persons differ."""
    return [name for name in ATTRIBUTES if getattr(one, name) != getattr(other, name)]


def planned(name, identities=None, seed=0):
    dataset = DATASETS.get(name)
    real = {split: counts.identities for split, counts in dataset.expected.items()}
    return plan_pictures(dataset.twin, name, split_sizes(dataset.twin, real, identities), seed)


def persons_of(orders, split):
    return {order.number: order.person for order in orders if order.split == split}


def test_a_person_has_about_twenty_attributes_each_with_known_values():
    person = draw_person(Random(0))
    assert len(ATTRIBUTES) >= 15
    assert set(ATTRIBUTES) == set(VALUES)
    for seed in range(200):
        person = draw_person(Random(seed))
        assert all(getattr(person, name) in (*VALUES[name], NONE) for name in ATTRIBUTES)


def test_a_variant_differs_in_exactly_one_attribute_and_is_possible():
    changed = set()
    for seed in range(400):
        random = Random(seed)
        person = draw_person(random)
        other = vary(person, random)
        assert len(differences(person, other)) == 1
        assert is_possible(other)
        changed |= set(differences(person, other))
    assert len(changed) >= 12


def test_drawn_persons_are_all_different_and_none_was_taken():
    taken = set()
    first = draw_persons(300, Random(1), taken)
    again = draw_persons(300, Random(1), taken)
    assert len({*first, *again}) == 600


@pytest.mark.parametrize("name", NAMES)
def test_splits_share_neither_identity_nor_attribute_combination(name):
    orders = planned(name)
    splits = {order.split for order in orders}
    groups = [persons_of(orders, split) for split in splits]
    assert sum(len(group) for group in groups) == len({number for group in groups for number in group})
    assert sum(len(group) for group in groups) == len({p for group in groups for p in group.values()})


@pytest.mark.parametrize("identities", [20, 100, None])
@pytest.mark.parametrize("name", NAMES)
def test_a_fifth_of_the_gallery_has_a_neighbour_that_differs_in_one_attribute(name, identities):
    gallery = list(persons_of(planned(name, identities, seed=3), "test").values())
    if len(gallery) < 5:
        pytest.skip("a gallery of fewer than five persons has no variants")
    close = [one for one in gallery if any(len(differences(one, other)) == 1 for other in gallery)]
    assert len(close) >= len(gallery) / 5


@pytest.mark.parametrize(
    "name",
    ["icfg", pytest.param("cuhk", marks=pytest.mark.slow), pytest.param("rstp", marks=pytest.mark.slow)],
)
def test_the_full_size_is_possible_with_unique_names_and_contiguous_numbers(name):
    dataset = DATASETS.get(name)
    total = sum(counts.identities for counts in dataset.expected.values())
    orders = planned(name, total)
    for split, counts in dataset.expected.items():
        assert len(persons_of(orders, split)) == counts.identities
    numbers = sorted({order.number for order in orders})
    assert numbers == list(range(dataset.twin.form.first_id, dataset.twin.form.first_id + total))
    assert len({order.image for order in orders}) == len(orders)
    assert len({order.person for order in orders}) == total


@pytest.mark.parametrize("name", NAMES)
def test_the_default_has_the_size_that_the_demo_needs(name):
    orders = planned(name)
    assert len(persons_of(orders, "train")) == 400
    assert len(persons_of(orders, "test")) == 100
    per_person = len(orders) / len({order.number for order in orders})
    assert per_person == pytest.approx({"icfg": 4, "cuhk": 3, "rstp": 5, "ufine": 4}[name], abs=0.25)


def test_only_training_persons_may_have_a_single_picture():
    orders = planned("cuhk", 300)
    pictures = Counter(order.number for order in orders)
    alone = {order.split for order in orders if pictures[order.number] == 1}
    assert alone == {"train"}


def test_asked_for_identities_are_divided_as_in_the_real_splits():
    dataset = DATASETS.get("icfg")
    real = {split: counts.identities for split, counts in dataset.expected.items()}
    assert split_sizes(dataset.twin, real, 4102) == real
    assert split_sizes(dataset.twin, real, 41) == {"train": 31, "test": 10}
    assert sum(split_sizes(dataset.twin, real, 7).values()) == 7


def test_too_few_identities_are_refused_with_the_least_number():
    dataset = DATASETS.get("rstp")
    with pytest.raises(UsageError, match="6 or more"):
        split_sizes(dataset.twin, {"train": 3701, "val": 200, "test": 200}, 5)
