"""The corpus by number: mixes by name, kinds as often as they say, batches of single pairs."""

import numpy as np
import pytest
import torch

from harness.errors import UsageError
from harness.pretrain.pairs import KINDS, MIXES, batch, kind_of, pair, shares_of


def test_named_mixes_and_kinds_are_mixes():
    assert shares_of("shapes") == {"shapes": 1}
    assert shares_of("crowds") == {"crowds": 1}
    assert set(shares_of("web")) == set(KINDS) == set(MIXES["web"])
    assert sum(shares_of("web").values()) == pytest.approx(1)
    assert shares_of(" garments = 3 , shapes") == {"garments": 0.75, "shapes": 0.25}


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ("garment", "garments"),
        ("", "Known"),
        ("garments=1,garments=2", "twice"),
        ("garments=-1", "positive"),
        ("garments=0", "positive"),
        ("garments=nan", "positive"),
        ("garments=inf", "positive"),
        ("garments=", "positive"),
        ("web,shapes", "Unknown kind"),
    ],
)
def test_a_mix_that_cannot_be_is_one_line(mix, said):
    with pytest.raises(UsageError, match=said) as caught:
        shares_of(mix)
    assert "\n" not in str(caught.value)


def test_kinds_come_as_often_as_their_shares_say_and_from_the_number_alone():
    shares = shares_of("web")
    kinds = [kind_of(shares, 0, index) for index in range(4000)]
    for kind, share in shares.items():
        assert kinds.count(kind) / 4000 == pytest.approx(share, abs=0.025)
    assert kinds[:50] == [kind_of(shares, 0, index) for index in reversed(range(50))][::-1]
    assert kinds[:50] != [kind_of(shares, 1, index) for index in range(50)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_pair_depends_on_kind_seed_and_number_alone(kind):
    first, again, other, next_one = (pair(kind, *numbers) for numbers in ((0, 7), (0, 7), (1, 7), (0, 8)))
    assert first[1] == again[1]
    assert (first[0] == again[0]).all()
    assert (first[0] != other[0]).any()
    assert (first[0] != next_one[0]).any()


def test_a_batch_is_its_pairs_wherever_it_begins():
    shares = shares_of("web")
    images, captions = batch(shares, 3, 10, 12)
    assert (images.shape, images.dtype) == ((12, 3, 96, 32), torch.uint8)
    later, later_captions = batch(shares, 3, 16, 6)
    assert torch.equal(images[6:], later)
    assert captions[6:] == later_captions
    pixels, caption = pair(kind_of(shares, 3, 12), 3, 12)
    assert caption == captions[2]
    assert (images[2].permute(1, 2, 0).numpy() == pixels).all()
    assert isinstance(pixels, np.ndarray)
