"""Lists of captions and images in another order are matched by names and texts, and what does not match is said."""

import json
from random import Random

import pytest
import torch

from harness.datasets import Pairs
from harness.errors import DataError
from harness.files import write_json
from harness.scoring.orders import own_order, read_order, template

PAIRS = Pairs(
    ["a/1.jpg", "a/2.jpg", "b/1.jpg"],
    [7, 7, 9],
    ["a man", "in  red", "a man", "a woman", "a man"],
    [0, 0, 1, 2, 2],
)


def listed(tmp_path, **lists):
    file = tmp_path / "order.json"
    file.write_text(json.dumps(lists))
    return file


def test_the_template_is_the_harness_s_own_order(tmp_path):
    write_json(tmp_path / "t.json", template(PAIRS))
    found, own = read_order(tmp_path / "t.json", PAIRS), own_order(PAIRS)
    assert torch.equal(found.captions, own.captions)
    assert torch.equal(found.images, own.images)
    assert (found.given, found.note, own.given) == (True, None, False)


def test_any_order_is_found_again_by_names_and_texts(tmp_path):
    lists, random = template(PAIRS), Random(3)
    captions, images = ([*range(5)], [*range(3)])
    for order in (captions, images):
        random.shuffle(order)
    file = listed(
        tmp_path,
        images=["C:\\data\\imgs\\" + lists["images"][i].replace("/", "\\") for i in images],
        captions=[[f" {lists['captions'][i][0]} ", "/d/" + lists["captions"][i][1]] for i in captions],
    )
    found = read_order(file, PAIRS)
    assert found.captions.tolist() == captions
    assert found.images.tolist() == images


def test_equal_texts_of_several_persons_are_told_and_those_of_one_are_not(tmp_path):
    file = listed(tmp_path, captions=["a woman", "a man", "in red", "a man", "a man"])
    found = read_order(file, PAIRS)
    assert found.captions.tolist() == [3, 0, 1, 2, 4]
    assert "3 captions of order.json stand with several persons' images" in found.note
    assert found.images.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"captions": ["a man"]}, "lists 1 caption: expected 5"),
        ({"images": ["a/1.jpg", "a/2.jpg"]}, "lists 2 images: expected 3"),
        ({"images": ["a/1.jpg", "x.jpg", "b/1.jpg"]}, "image 1 of .* is not in the split: 'x.jpg'"),
        ({"images": ["a/1.jpg", "b/1.jpg", "b/1.jpg"]}, "lists the image 'b/1.jpg' twice, at 1 and 2"),
        ({"images": [1, 2, 3]}, "image 0 of .* is not in the split: 1"),
        ({"captions": ["a woman"] * 5}, "caption 1 of .* is there more often than in the annotation"),
        ({"captions": ["a boy"] * 5}, "caption 0 of .* is not in the annotation: 'a boy'"),
        ({"captions": [["a man", "b/2.jpg"]] * 5}, "caption 0 of .* is not in the split: 'b/2.jpg'"),
        ({"captions": [3] * 5}, "caption 0 of .* should be a text"),
        ({"captions": "a man"}, "captions of .* should be a list"),
        ({"names": []}, "but holds the keys"),
        ({}, "should hold"),
    ],
)
def test_what_does_not_match_is_one_line(tmp_path, lists, said):
    with pytest.raises(DataError, match=said) as raised:
        read_order(listed(tmp_path, **lists), PAIRS)
    assert "\n" not in str(raised.value)


def test_no_json_is_said(tmp_path):
    (tmp_path / "order.json").write_text("{")
    with pytest.raises(DataError, match="is not valid JSON"):
        read_order(tmp_path / "order.json", PAIRS)
