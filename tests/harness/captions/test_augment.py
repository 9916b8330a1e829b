"""Text augmentation: each operation against a naive reading and over many seeds, and what each setting changes."""

import time
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.captions.augment import (
    CaptionAugment,
    caption_augment,
    deleted,
    inserted,
    replaced,
    swapped,
    times,
)
from harness.captions.synonyms import STOP_WORDS, Synonyms, shipped, with_digest
from harness.config.augment import TextAugmentConfig
from harness.errors import DataError, UsageError

SYNONYMS = Synonyms({"man": ["gentleman", "adult male"], "shirt": ["jersey"], "red": ["crimson", "scarlet"]})
CAPTION = "A man in a red shirt, and the man wears a hat."
MANY = 4000


def augmented(caption=CAPTION, back=None, synonyms=SYNONYMS, **config):
    return CaptionAugment(TextAugmentConfig(**config), [caption], back and [back], synonyms)


def drawn(augment, seeds=MANY, index=0):
    return [augment.caption(index, seed) for seed in range(seeds)]


def near(count, share, total=MANY):
    """Whether a count is within four and a half standard deviations of what the share says."""
    return abs(count - share * total) < 4.5 * (total * share * (1 - share)) ** 0.5


def test_nothing_changes_when_nothing_is_asked_for():
    augment = augmented("  A\tman \n")
    assert not augment.active
    assert set(drawn(augment, 50)) == {"  A\tman \n"}


def test_back_translation_replaces_a_caption_with_its_probability():
    found = Counter(drawn(augmented(back="again", back_translation=0.1)))
    assert set(found) == {CAPTION, "again"}
    assert near(found["again"], 0.1)


@pytest.mark.parametrize("back", ["", " \n"])
def test_an_empty_back_translation_leaves_the_caption(back):
    assert set(drawn(augmented(back=back, back_translation=1), 50)) == {CAPTION}


def test_without_back_translations_the_other_operations_go_on():
    augment = augmented(back_translation=1, random_deletion=0.5)
    assert augment.active
    assert len(set(drawn(augment, 50))) > 10
    assert not augmented(back_translation=1).active


def test_back_translations_of_no_use_change_no_other_draw():
    plain, translated = augmented(random_deletion=0.3), augmented(back="again", random_deletion=0.3)
    assert drawn(plain, 50) == drawn(translated, 50)


def test_the_words_of_a_back_translation_are_dropped_too():
    found = drawn(augmented(back="one two three four", back_translation=1, random_deletion=0.5), 200)
    assert {word for text in found for word in text.split()} == {"one", "two", "three", "four"}
    assert len(set(found)) == 15


def test_random_deletion_drops_each_word_independently_with_its_probability():
    words = [f"w{place}" for place in range(12)]
    texts = drawn(augmented(" ".join(words), random_deletion=0.25))
    kept = Counter(word for text in texts for word in text.split())
    assert all(near(kept[word], 0.75) for word in words)
    both = sum("w3" in (got := text.split()) and "w4" in got for text in texts)
    assert near(both, 0.75**2)
    assert all(text.split() == [word for word in words if word in set(text.split())] for text in texts)


def test_a_caption_that_would_be_lost_keeps_one_word_by_chance():
    found = Counter(drawn(augmented("a b c d", random_deletion=1)))
    assert set(found) == set("abcd")
    assert all(near(number, 0.25) for number in found.values())


@pytest.mark.parametrize("text", ["word", " word\n"])
def test_a_caption_of_one_word_is_not_deleted(text):
    assert set(drawn(augmented(text, random_deletion=1), 20)) == {"word"}


def test_random_deletion_is_the_published_reading():
    words = CAPTION.split()
    for seed in range(50):
        random = Random(seed)
        kept = [word for word in words if random.uniform(0, 1) > 0.4]
        assert deleted(words, 0.4, Random(seed), SYNONYMS) == (kept or [random.choice(words)])


@pytest.mark.parametrize(
    ("n", "share", "often"), [(1, 0.05, 1), (19, 0.05, 1), (40, 0.05, 2), (59, 0.05, 2), (7, 1, 7)]
)
def test_an_operation_is_repeated_for_a_share_of_the_words_once_at_least(n, share, often):
    assert times(["w"] * n, share) == often


def test_synonym_replacement_replaces_one_word_wherever_it_stands():
    found = Counter(drawn(augmented(synonym_replacement=0.05)))
    assert set(found) == {
        "A gentleman in a red shirt, and the gentleman wears a hat.",
        "A adult male in a red shirt, and the adult male wears a hat.",
        "A man in a crimson shirt, and the man wears a hat.",
        "A man in a scarlet shirt, and the man wears a hat.",
        "A man in a red jersey, and the man wears a hat.",
    }
    assert near(found["A man in a red jersey, and the man wears a hat."], 1 / 3)
    assert near(found["A man in a crimson shirt, and the man wears a hat."], 1 / 6)


def test_synonym_replacement_of_a_larger_share_replaces_as_many_different_words():
    for text in drawn(augmented(synonym_replacement=0.2), 100):
        changed = [("man" not in text.split()), ("red" not in text.split()), ("shirt," not in text.split())]
        assert sum(changed) == 2
    assert all("jersey," in text for text in drawn(augmented(synonym_replacement=1), 100))


def test_random_insertion_adds_synonyms_and_keeps_the_words_in_their_order():
    words = CAPTION.split()
    synonyms = {"gentleman", "adult male", "jersey", "crimson", "scarlet"}
    places = Counter()
    for seed in range(MANY):
        got = inserted(words, 0.05, Random(seed), SYNONYMS)
        extra = [place for place in range(len(got)) if got[:place] + got[place + 1 :] == words]
        assert len(extra) == 1
        assert got[extra[0]] in synonyms
        places[extra[0]] += 1
    assert set(places) == set(range(len(words)))
    assert all(near(number, 1 / len(words)) for number in places.values())
    assert len(inserted(words, 0.4, Random(0), SYNONYMS)) == len(words) + 4


def test_random_swap_lets_two_different_places_change():
    words = list("abcdef")
    pairs = Counter()
    for seed in range(MANY):
        got = swapped(words, 0.05, Random(seed), SYNONYMS)
        moved = tuple(place for place in range(6) if got[place] != words[place])
        assert len(moved) == 2
        assert sorted(got) == words
        pairs[moved] += 1
    assert len(pairs) == 15
    assert all(near(number, 1 / 15) for number in pairs.values())


def test_random_swap_is_repeated_for_a_share_of_the_words():
    words = [str(place) for place in range(40)]
    moved = [
        sum(a != b for a, b in zip(words, swapped(words, 0.1, Random(s), SYNONYMS), strict=True))
        for s in range(99)
    ]
    assert max(moved) == 8
    assert words == [str(place) for place in range(40)]


def test_eda_takes_one_of_the_four_operations_for_each_caption():
    text = " ".join(["man", *[f"w{place}" for place in range(19)]])
    words = text.split()
    kinds = Counter()
    for got in (
        text.split() for text in drawn(augmented(text, synonyms=Synonyms({"man": ["male"]}), eda=0.3))
    ):
        if "man" not in got and "male" in got:
            kinds["replaced"] += 1
        elif len(got) > len(words):
            kinds["inserted"] += 1
        elif sorted(got) == sorted(words):
            kinds["swapped"] += 1
        else:
            kinds["deleted"] += 1
            assert len(got) < len(words)
    assert set(kinds) == {"replaced", "inserted", "swapped", "deleted"}
    assert all(near(number, 0.25) for number in kinds.values())


def test_random_deletion_comes_last():
    found = drawn(augmented(synonym_replacement=1, random_deletion=0.5), 300)
    assert not {"man", "shirt,", "red"} & {word for text in found for word in text.split()}
    assert {text for text in found if "adult" in text.split() and "male" not in text.split()}


ALONE = [{name: 0.5} for name in TextAugmentConfig.model_fields if not name.startswith("synonyms")]


@pytest.mark.parametrize("config", ALONE, ids=lambda config: next(iter(config)))
def test_each_setting_alone_is_active_and_changes_captions(config):
    augment = augmented(back="again", **config)
    assert augment.active
    assert len(set(drawn(augment, 100)) - {CAPTION}) >= 1


@pytest.mark.parametrize("config", ALONE, ids=lambda config: next(iter(config)))
def test_the_same_seed_gives_the_same_caption_whatever_was_drawn_before(config):
    augment = augmented(back="again", **config)
    first = drawn(augment, 30)
    assert [augment.caption(0, seed) for seed in reversed(range(30))] == first[::-1]
    assert drawn(augmented(back="again", **config), 30) == first


def test_one_seed_draws_differently_for_each_caption():
    captions = [CAPTION] * 30
    augment = CaptionAugment(TextAugmentConfig(random_deletion=0.3), captions, None, None)
    assert len({augment.caption(index, 7) for index in range(30)}) > 20


def test_the_global_generator_is_neither_read_nor_moved():
    import random

    random.seed(1)
    expected = random.Random(1).random()
    augmented(eda=0.5).caption(0, 3)
    assert random.random() == expected


def test_stop_words_are_never_replaced_whatever_the_table_says():
    table = Synonyms({word: ["X"] for word in (*STOP_WORDS, "hat")})
    text = "He has the hat, and it is on his own; she's not in THE (the) can"
    for got in drawn(augmented(text, synonyms=table, synonym_replacement=1), 20):
        assert got == text.replace("hat", "X")
    for got in drawn(augmented("the and of", synonyms=table, random_insertion=1), 20):
        assert got == "the and of"


HOSTILE = [
    "",
    " \t\n",
    "word",
    "...",
    "?! , ;",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "a\nb\r\nc\u2028d\x00e",
    "\x1b[31mred\x1b[0m man",
    "man " * 10_000,
    "m" * 100_000,
    "شخص يرتدي قميصا",
    "{man} %s \\1 $x `man`",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("config", ALONE, ids=lambda config: next(iter(config)))
def test_hostile_captions_are_augmented_quickly(text, config):
    began = time.process_time()
    augment = augmented(text, back=text, synonyms=shipped() if len(text) < 100 else SYNONYMS, **config)
    for seed in range(3):
        got = augment.caption(0, seed)
        assert isinstance(got, str)
        assert bool(got.split()) == bool(text.split())
    assert time.process_time() - began < 20


@given(st.text(max_size=60), st.integers(), st.floats(0.01, 1))
def test_any_caption_and_seed_give_text(text, seed, share):
    augment = augmented(text, synonym_replacement=share, random_insertion=share, random_swap=share, eda=share)
    assert augment.caption(0, seed) == augment.caption(0, seed)
    assert bool(augment.caption(0, seed)) == bool(text.split())


def test_nothing_is_made_where_nothing_is_asked_for():
    assert caption_augment(TextAugmentConfig(), ["a"], []) == (None, [])


def test_back_translation_without_translations_is_off_with_one_sentence():
    augment, notices = caption_augment(TextAugmentConfig(back_translation=0.1), ["a"], [])
    assert augment is None
    assert len(notices) == 1
    assert "captions_bt" in notices[0]
    assert "harness data back-translate" in notices[0]
    augment, notices = caption_augment(
        TextAugmentConfig(back_translation=0.1, random_deletion=0.1), ["a"], []
    )
    assert augment.active
    assert len(notices) == 1


def test_missing_back_translations_are_counted():
    config = TextAugmentConfig(back_translation=0.1)
    _, notices = caption_augment(config, ["a", "b", " ", "c"], ["x", "", "", " "])
    assert notices[0].startswith("2 of 4 captions have no back translation")
    assert caption_augment(config, ["a", " "], ["x", ""])[1] == []


def test_a_table_of_ones_own_replaces_the_shipped_one(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("man: alpha\n")
    augment, notices = caption_augment(TextAugmentConfig(synonym_replacement=0.5), ["a man"], [], file)
    assert augment.caption(0, 0) == "a alpha"
    assert notices == []
    augment, _ = caption_augment(TextAugmentConfig(synonym_replacement=0.5), ["a man"], [])
    assert augment.caption(0, 0) not in ("a man", "a alpha")


def test_a_table_that_is_another_now_than_the_config_says_is_refused(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("man: alpha\n")
    config = with_digest(TextAugmentConfig(synonym_replacement=0.5, synonyms=str(file)))
    assert caption_augment(config, ["a man"], [], file)[0].caption(0, 0) == "a alpha"
    file.write_text("# said otherwise\n\nman:   alpha\n")
    assert caption_augment(config, ["a man"], [], file)[0].caption(0, 0) == "a alpha"
    file.write_text("man: beta\n")
    with pytest.raises(DataError, match="holds other synonyms than when the run was set up"):
        caption_augment(config, ["a man"], [], file)


def test_a_table_that_no_operation_reads_is_told_and_not_read():
    augment, notices = caption_augment(TextAugmentConfig(random_swap=0.5), ["a man"], [], "/nowhere")
    assert augment.active
    assert "is not read" in notices[0]


@pytest.mark.parametrize("name", ["synonym_replacement", "random_insertion", "eda"])
def test_a_table_that_cannot_be_read_is_one_clear_error(name):
    with pytest.raises(UsageError, match="/nowhere cannot be read"):
        caption_augment(TextAugmentConfig(**{name: 0.1}), ["a man"], [], "/nowhere")


def test_a_replaced_word_keeps_the_punctuation_around_it():
    assert replaced(['("Shirt"),'], 1, Random(0), SYNONYMS) == ['("jersey"),']
