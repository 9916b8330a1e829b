import re
from dataclasses import replace
from random import Random
from statistics import mean

import pytest
from open_clip import SimpleTokenizer

from harness.datasets import DATASETS, Speech
from harness.twins.camera_roll import take
from harness.twins.drawing.people import ATTRIBUTES
from harness.twins.plan import plan_pictures
from harness.twins.speech.captions import choose, write_caption, write_captions
from harness.twins.speech.fine_phrases import FinePhrases
from harness.twins.speech.fine_words import ALL_WORDS, FINE_WORDS
from harness.twins.speech.phrases import SLOTS, Phrases, listed, with_article
from harness.twins.speech.voices import VOICES
from harness.twins.speech.words import WORDS

NAMES = ["icfg", "cuhk", "rstp", "ufine"]
SEEN = {
    "gender": "woman",
    "hair": "ponytail",
    "hair_colour": "brown",
    "upper": "coat",
    "upper_colour": "khaki",
    "pattern": "checked",
    "sleeves": "long",
    "opening": "open",
    "inner_colour": "white",
    "lower": "skirt",
    "lower_colour": "navy",
    "shoes": "boots",
    "shoes_colour": "black",
    "bag": "handbag",
    "bag_colour": "red",
    "facing": "left",
    "gait": "walking",
}


@pytest.fixture(scope="module")
def taken():
    """Sight, person and captions of some pictures of each domain."""
    rolls = {}
    for name in NAMES:
        twin = DATASETS.get(name).twin
        orders = plan_pictures(twin, name, {"train": 12}, seed=7)
        rolls[name] = [(order.person, *take(order, twin.look, twin.speech)[2:]) for order in orders]
    return rolls


def spoken(voice, attribute, value):
    """All words by which a voice may call a value."""
    return (*ALL_WORDS[attribute][value], *VOICES[voice].habits.get(value, ()))


def plain(text):
    """Words between single spaces, without stops: a phrase is in it between spaces."""
    return f" {' '.join(re.sub(r'[.,]', ' ', text.lower()).split())} "


def says(text, phrase):
    return f" {phrase} " in text


@pytest.fixture(scope="module")
def many(taken):
    """Hundreds of captions, each as (voice, person, sight, caption, plain text)."""
    found = []
    for name, roll in taken.items():
        speech, random = DATASETS.get(name).twin.speech, Random(name)
        for person, captions, sight in roll:
            more = [write_caption(sight, speech, random) for _ in range(4)]
            found += [(speech.voice, person, sight, one, plain(one.text)) for one in [*captions, *more]]
    return found


def test_captions_state_only_what_their_picture_shows_and_only_the_truth(many):
    assert len(many) > 500
    for _, person, sight, caption, _ in many:
        assert set(caption.mentions) <= set(sight.items())
        own = {name: value for name, value in caption.mentions if name in ATTRIBUTES}
        assert all(getattr(person, name) == value for name, value in own.items())
        assert set(dict(caption.mentions)) <= {*ATTRIBUTES, *FINE_WORDS, "facing", "gait"}


def test_every_stated_attribute_is_in_the_words(many):
    for voice, _, _, caption, text in many:
        for attribute, value in caption.mentions:
            assert any(says(text, word) for word in spoken(voice, attribute, value)), caption


def test_every_telling_word_belongs_to_a_stated_attribute(many):
    telling = {
        word
        for attribute, values in ALL_WORDS.items()
        for value in values
        for word in values[value]
        if word not in ("long", "short", "dark", "fair")
    }
    for voice, _, _, caption, text in many:
        told = [f" {word} " for name, value in caption.mentions for word in spoken(voice, name, value)]
        told += [" scarf "] if "scarf" in dict(caption.mentions) else []
        for word in {*telling, "scarf"}:
            if says(text, word):
                assert any(says(one, word) for one in told), (word, caption)


def test_captions_vary_in_words_order_and_length():
    speech = DATASETS.get("icfg").twin.speech
    texts = [write_caption(SEEN, speech, Random(seed)).text for seed in range(200)]
    assert len(set(texts)) > 190
    lengths = [len(text.split()) for text in texts]
    assert max(lengths) > 1.5 * min(lengths)
    first_of = {
        text.find("coat") < text.find("skirt") for text in texts if "coat" in text and "skirt" in text
    }
    assert len(first_of) == 2


def test_each_attribute_is_left_out_at_times():
    speech = DATASETS.get("cuhk").twin.speech
    said = [dict(write_caption(SEEN, speech, Random(seed)).mentions) for seed in range(150)]
    for attribute in SEEN:
        assert sum(attribute in mentions for mentions in said) > 0
        assert attribute in ("lower", "upper", "opening") or any(
            attribute not in mentions for mentions in said
        )


@pytest.mark.parametrize(("name", "words"), [("icfg", 37.2), ("cuhk", 23.5), ("rstp", 25.8), ("ufine", 80.8)])
def test_captions_are_about_as_long_as_the_real_ones(taken, name, words):
    lengths = [len(caption.text.split()) for _, captions, _ in taken[name] for caption in captions]
    assert mean(lengths) == pytest.approx(words, rel=0.15)


def test_long_captions_fill_168_tokens_of_clip_and_not_more(taken):
    captions = [caption.text for _, captions, _ in taken["ufine"] for caption in captions]
    lengths = (SimpleTokenizer(context_length=400)(captions) != 0).sum(1)
    assert lengths.max() <= 168
    assert (lengths > 77).float().mean() > 0.6
    assert (lengths > 120).any()


def test_the_voices_do_not_share_their_openings(taken):
    openings = [{c.text.split()[0] for _, captions, _ in taken[name] for c in captions} for name in NAMES]
    assert "Look" in openings[2]
    assert not {"There", "You", "I", "Look"} & (openings[0] | openings[1])
    assert openings[3] == {"What", "Here", "In"}
    assert not openings[3] & (openings[0] | openings[1] | openings[2])


def test_long_captions_say_more_of_the_same_picture_and_never_the_same_way_twice(taken):
    said, short = [], DATASETS.get("icfg").twin.speech
    wear = [template.partition("{list}")[0].partition("}")[2] for template in VOICES["meticulous"].wear]
    for _, captions, sight in taken["ufine"]:
        said.append((len(captions[0].mentions), len(write_caption(sight, short, Random(0)).mentions)))
        assert not set(dict(write_caption(sight, short, Random(0)).mentions)) & set(FINE_WORDS)
        for caption in captions:
            assert all(caption.text.count(words) < 2 for words in wear if len(words) > 5), caption.text
    long, few = (mean(column) for column in zip(*said, strict=True))
    assert long > few + 4


def test_a_close_look_adds_words_and_changes_none():
    assert not set(WORDS) & set(FINE_WORDS)
    assert {**WORDS, **FINE_WORDS} == ALL_WORDS


def test_a_habit_for_a_colour_takes_no_word_from_what_only_contains_it():
    values = {value for words in FINE_WORDS.values() if "navy" not in words for value in words}
    for voice in VOICES.values():
        assert not voice.fine or not values & set(voice.habits)


def test_several_ways_of_speaking_take_turns():
    ways = (Speech(voice="conversational", captions=1), Speech(voice="telegraphic", captions=1))
    speech = Speech(voice="formal", captions=5, others=ways)
    for seed in range(20):
        texts = [caption.text for caption in write_captions(SEEN, speech, Random(seed))]
        assert len(texts) == 5
        talks = [text.split()[0] in ("There", "You", "I", "Look") for text in texts]
        assert talks == [False, True, False, False, True]
        assert texts[2].rstrip(".").count(".") == 0 < texts[0].count(".")


@pytest.mark.parametrize(
    ("said", "slot", "phrase"),
    [
        (
            {"upper": "shirt", "cuffs": "red", "pocket": "orange"},
            "upper",
            "red cuffs and an orange chest pocket",
        ),
        ({"upper": "t-shirt", "pattern": "logo", "cuffs": "red"}, "upper", "a round logo, with red cuffs"),
        ({"lower": "trousers", "stripe": "white"}, "lower", "trousers with a white stripe along the leg"),
        ({"shoes": "boots", "soles": "dark soles"}, "shoes", "boots with dark soles"),
        ({"socks": "yellow"}, "socks", "yellow socks"),
        ({"necklace": "gold"}, "necklace", "a gold necklace with a pendant"),
        ({"watch": "orange"}, "watch", "a watch with an orange strap"),
        ({"band": "blue"}, "band", "a blue hair band"),
        (
            {"gait": "walking", "facing": "left", "stride": "long"},
            "view",
            "walking to the left with a long stride",
        ),
        ({"item": "cup", "item_make": "cup"}, "item", "a paper cup with a brown lid"),
        ({"bag": "backpack", "bag_colour": "red"}, "bag", "a red backpack"),
    ],
)
def test_fine_phrases_name_the_parts_of_a_thing(said, slot, phrase):
    random = Random(1)
    assert any(phrase in getattr(FinePhrases(said, {}, random), slot)() for _ in range(80))


def test_colour_and_garment_stay_together():
    random = Random(0)
    upper = {Phrases(SEEN, {}, random).upper() for _ in range(300)}
    assert upper >= {"an open khaki long-sleeved checked coat over a white top"}
    assert all(re.fullmatch(r"an? .*(khaki|olive) .*coat over a white top", text) for text in upper)
    assert {Phrases(SEEN, {}, random).lower() for _ in range(50)} >= {
        "a dark blue skirt",
        "a navy knee-length skirt",
    }
    assert {Phrases(SEEN, {}, random).shoes() for _ in range(50)} >= {
        "black boots",
        "a pair of black high boots",
    }
    assert {Phrases(SEEN, {}, random).hair() for _ in range(50)} == {
        "brown hair tied in a ponytail",
        "a brown ponytail",
    }


@pytest.mark.parametrize(
    ("said", "slot", "phrases"),
    [
        ({"upper_colour": "red", "pattern": "logo"}, "upper", {"a red top with a round logo"}),
        ({"upper": "shirt", "sleeves": "short"}, "upper", {"a short-sleeved shirt"}),
        ({"hair": "bald"}, "hair", {"a bald head", "a shaved head"}),
        ({"hair_colour": "blond"}, "hair", {"fair hair"}),
        ({"hat": "cap", "hat_colour": "orange"}, "hat", {"an orange cap"}),
        ({"bag": "backpack"}, "bag", {"a backpack", "a rucksack on {his} back"}),
        ({"gait": "standing", "facing": "back"}, "view", {"standing and facing away from the camera"}),
        ({"gait": "walking", "facing": "left"}, "view", {"walking to the left"}),
        ({"gait": "standing"}, "view", {"standing"}),
        ({"lower_colour": "blue"}, "lower", {"blue bottoms"}),
    ],
)
def test_phrases_cope_with_what_is_left_out(said, slot, phrases):
    random = Random(1)
    assert {getattr(Phrases(said, {}, random), slot)() for _ in range(60)} >= phrases


def test_a_choice_never_colours_what_it_does_not_name():
    for seed in range(300):
        said = choose(SEEN, 0.4, Random(seed))
        assert "bag_colour" not in said or "bag" in said
        assert "inner_colour" not in said or {"opening", "upper"} <= set(said)
        assert "hat" not in said


def test_what_hangs_on_something_unseen_is_not_told():
    sight = {"gender": "man", "opening": "open", "inner_colour": "white", "facing": "front"}
    assert all(set(choose(sight, 1.5, Random(seed))) <= {"gender", "facing"} for seed in range(50))


def test_an_almost_empty_sight_still_makes_a_sentence():
    for voice in VOICES:
        speech = replace(DATASETS.get("icfg").twin.speech, voice=voice)
        for seed in range(40):
            text = write_caption({"facing": "back", "gait": "walking"}, speech, Random(seed)).text
            assert len(text.split()) >= 3
            assert "{" not in text


def test_grammar_leaves_no_seams(many):
    for voice, _, _, caption, _ in many:
        text = " ".join(caption.text.split())
        assert not re.search(r"[{}]|,,|\.\.| ,| \.|\ba [aeiou]|\ban [^aeiouh ]|\bNone\b|\bnone\b", text), text
        assert text[0].isupper(), voice


def test_faulty_spaces_and_extra_captions_come_in_the_asked_measure():
    speech = replace(DATASETS.get("cuhk").twin.speech, loose_spaces=0.5, extra=0.5)
    lists = [write_captions(SEEN, speech, Random(seed)) for seed in range(200)]
    assert 60 < sum(len(captions) > 2 for captions in lists) < 140
    texts = [caption.text for captions in lists for caption in captions]
    loose = [text for text in texts if text != " ".join(text.split())]
    assert 0.4 < len(loose) / len(texts) < 0.6
    assert {text[0] == " " for text in loose} == {True, False}
    assert any("  " in text.strip() for text in loose)


def test_lists_and_articles():
    assert listed([]) == ""
    assert listed(["a cap"]) == "a cap"
    assert listed(["a cap", "boots"]) == "a cap and boots"
    assert with_article("umbrella") == "an umbrella"
    assert set(SLOTS) >= {"subject", "upper", "view"}
