"""What a caption speaks of: whole words, any case, plurals and hyphens, told in bits that keep their names."""

import time

import numpy as np
import pytest

from harness.captions.vocabulary import COLOURS, GARMENTS, MAX_WORDS, caption_features, named, vocabulary


def spoken(caption):
    found = caption_features([caption])
    return named(found["colours"], COLOURS)[0], named(found["garments"], GARMENTS)[0]


@pytest.mark.parametrize(
    ("caption", "colours", "garments"),
    [
        ("A GRAY shirt and Grey trousers", ["grey"], ["shirt", "trousers"]),
        ("T-shirt, t shirt, tee, tshirts", [], ["shirt"]),
        ("pants. Jeans! leggings?", [], ["trousers"]),
        ("two coats and a jacket's collar", [], ["jacket"]),
        ("sneakers, boots; high-heels", [], ["shoes"]),
        ("a back-pack, a hand‑bag", [], ["bag"]),
        ("backpacks", [], ["bag"]),
        ("sun-glasses and a baseball cap", [], ["hat", "glasses"]),
        ("two dresses and skirts", [], ["skirt", "dress"]),
        ("black-and-white dark-blue", ["black", "white", "blue"], []),
        ("navy, maroon and khaki", ["red", "blue", "beige"], []),
        ("a reddish orange", ["red", "orange"], []),
        ("scarves and gloves", [], ["scarf", "gloves"]),
    ],
)
def test_colours_and_garments_are_found_in_every_spelling(caption, colours, garments):
    assert spoken(caption) == (colours, garments)


@pytest.mark.parametrize(
    "caption",
    [
        "dressed, shirtless, hatless, scarfed",
        "redacted blackboard greyhound tangerine bluetooth",
        "a glass of water, short hair, capable, beltway, bagel",
        "at the top of the stairs",
        "",
        "   ",
        "红色的衣服",
    ],
)
def test_parts_of_words_and_other_meanings_are_not_counted(caption):
    assert spoken(caption) == ([], [])


def test_what_belongs_to_a_dress_is_no_dress_but_a_dress_beside_it_is():
    assert spoken("a dress shirt, dress pants and dress shoes")[1] == ["shirt", "trousers", "shoes"]
    assert spoken("a dress, shirt underneath")[1] == ["shirt", "dress"]
    assert spoken("a vest top")[1] == ["shirt"]
    assert spoken("a vest")[1] == ["vest"]


def test_words_are_counted_with_hyphens_and_apostrophes_inside_and_long_captions_do_not_wrap_round():
    captions = ["A man's dark-blue T-shirt .", "", "one", "word " * (MAX_WORDS + 5)]
    assert caption_features(captions)["n_words"].tolist() == [4, 0, 1, MAX_WORDS]


def test_each_name_has_its_own_bit_and_is_its_own_word():
    for lexicon, kind in ((COLOURS, 0), (GARMENTS, 1)):
        for name in lexicon:
            assert spoken(name)[kind] == [name]
            for word in lexicon[name].split():
                assert spoken(f"The {word.upper()}.")[kind] == [name], word


def test_no_word_stands_for_two_names():
    for lexicon in (COLOURS, GARMENTS):
        words = [word for name in lexicon for word in (name, *lexicon[name].split())]
        assert len(words) == len(set(words))


def test_arrays_are_small_and_load_without_pickle(tmp_path):
    arrays = caption_features(["a red hat"] * 3) | {f"words/{k}": v for k, v in vocabulary().items()}
    np.savez(tmp_path / "a.npz", **arrays)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as read:
        assert [read[name].dtype for name in ("n_words", "colours", "garments")] == ["u2", "u4", "u4"]
        assert named(read["garments"], read["words/garments"]) == [["hat"]] * 3
    assert {name: len(array) for name, array in caption_features([]).items()} == dict.fromkeys(
        ("n_words", "colours", "garments"), 0
    )


def test_hostile_captions_take_no_longer_than_their_length():
    hostile = ["<script>alert('red')</script>", "\x1b[31m blue \x1b[0m", "$x_1$", "a-" * 50_000, "'" * 50_000]
    start = time.process_time()
    found = caption_features(hostile)
    assert time.process_time() - start < 2
    assert named(found["colours"], COLOURS)[:2] == [["red"], ["blue"]]
