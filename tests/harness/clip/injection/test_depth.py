"""How deep something acts, on towers of any depth."""

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.clip.injection.depth import WORDS, Depth, layers_within
from harness.errors import UsageError


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 12, 24])
def test_words_fit_every_tower_and_are_ascending(layers):
    found = [layers_within(word, layers, "depth") for word in WORDS]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (1, layers)
    assert [layers_within(number, layers, "depth") for number in range(1, layers + 1)] == [
        *range(1, layers + 1)
    ]


def test_a_number_beyond_the_layers_is_refused():
    with pytest.raises(
        UsageError, match=r"method\.depth=13 is more than the 12 layers there are: choose 1 to 12"
    ):
        layers_within(13, 12, "depth")


@pytest.mark.parametrize("depth", [0, -1, "deep", 2**24 + 1, 1.5])
def test_a_config_takes_layers_and_words_alone(depth):
    with pytest.raises(ValidationError):
        TypeAdapter(Depth).validate_python(depth)
