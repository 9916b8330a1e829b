"""Captions: which visible attributes are mentioned, and the sentences that mention them."""

from random import Random
from typing import NamedTuple

from harness.datasets import Speech
from harness.twins.speech.fine_phrases import FinePhrases
from harness.twins.speech.phrases import Phrases, listed, with_article
from harness.twins.speech.sight import Sight
from harness.twins.speech.voices import VOICES, Voice

_Mention = tuple[str, str]
_MENTIONED = {
    "gender": 0.95,
    "hair": 0.75,
    "hair_colour": 0.7,
    "hat": 0.9,
    "hat_colour": 0.85,
    "glasses": 0.75,
    "upper": 1.02,
    "upper_colour": 0.96,
    "pattern": 0.85,
    "sleeves": 0.4,
    "opening": 0.6,
    "inner_colour": 0.8,
    "scarf": 0.9,
    "lower": 1.0,
    "lower_colour": 0.93,
    "shoes": 0.7,
    "shoes_colour": 0.75,
    "bag": 0.92,
    "bag_colour": 0.85,
    "item": 0.85,
    "facing": 0.3,
    "gait": 0.3,
}
_MENTIONED_CLOSELY = {
    "front_make": 0.75,
    "hem_make": 0.6,
    "cuffs": 0.9,
    "pocket": 0.9,
    "lower_make": 0.7,
    "stripe": 0.9,
    "soles": 0.6,
    "socks": 0.9,
    "hat_make": 0.7,
    "frames": 0.6,
    "necklace": 0.9,
    "band": 0.9,
    "watch": 0.85,
    "bag_make": 0.7,
    "item_make": 0.7,
    "stride": 0.6,
    "arms": 0.5,
    "place": 0.9,
    "light": 0.6,
    "camera": 0.4,
}
_NEEDS = {
    "hat_colour": "hat",
    "bag_colour": "bag",
    "pattern": "upper_colour",
    "sleeves": "upper_colour",
    "opening": "upper",
    "inner_colour": "opening",
    "front_make": "upper",
    "hem_make": "upper",
    "cuffs": "upper",
    "pocket": "upper",
    "lower_make": "lower",
    "stripe": "lower",
    "soles": "shoes",
    "hat_make": "hat",
    "frames": "glasses",
    "bag_make": "bag",
    "item_make": "item",
    "stride": "gait",
    "arms": "gait",
}
_RARELY = {"plain": 0.3, "closed": 0.5, "long": 0.8}


class Caption(NamedTuple):
    """A sentence and the facts it states."""

    text: str
    mentions: tuple[_Mention, ...]


def write_captions(sight: Sight, speech: Speech, random: Random) -> list[Caption]:
    """Write the captions of one image from what it shows; several ways of speaking take turns."""
    count = speech.captions + (random.randint(1, 3) if random.random() < speech.extra else 0)
    ways = (speech, *speech.others)
    return [write_caption(sight, ways[place % len(ways)], random) for place in range(count)]


def write_caption(sight: Sight, speech: Speech, random: Random) -> Caption:
    """Write one caption, every statement of which is an entry of `sight`."""
    voice = VOICES[speech.voice]
    said = choose(sight, speech.detail, random, fine=voice.fine)
    phrases = (FinePhrases if voice.fine else Phrases)(said, voice.habits, random)
    text = _compose(phrases, voice, random)
    if random.random() < speech.loose_spaces:
        text = _loosen(text, random)
    return Caption(text, tuple(said.items()))


def choose(sight: Sight, detail: float, random: Random, *, fine: bool = False) -> dict[str, str]:
    """Choose what to mention of what is seen; what depends on another attribute (a bag's colour) only comes with it.

    Only a `fine` choice has what a close look shows (`harness.twins.speech.closer`).
    """
    said = {}
    for name, chance in (_MENTIONED | _MENTIONED_CLOSELY if fine else _MENTIONED).items():
        value = sight.get(name)
        mentioned = chance * _RARELY.get(value or "", 1.0) * (1.0 if name == "gender" else detail)
        if value is not None and random.random() < mentioned:
            said[name] = value
    for name, needed in reversed(_NEEDS.items()):
        if name in said and needed in sight:
            said[needed] = sight[needed]
    for name, needed in _NEEDS.items():
        if needed not in said:
            said.pop(name, None)
    return said or {
        name: sight[name] for name in ("gender", "upper", "upper_colour", "facing") if name in sight
    }


def _compose(phrases: Phrases, voice: Voice, random: Random) -> str:
    slots = phrases.all()
    subject = slots.pop("subject", "") or phrases.subject()
    noun, names = subject, _pronouns(phrases.said.get("gender"))
    if "hair" in slots and random.random() < voice.hair_first:
        noun += f" with {slots.pop('hair')}"
    names |= {"a": with_article(noun), "the": f"the {noun}"}
    names |= {"A": _capital(names["a"]), "The": _capital(names["the"])}
    statements = [text.format(**names, list=part) for text, part in _statements(slots, voice, random)]
    if voice.capital:
        statements = [_capital(text) for text in statements]
    return _capital(voice.joint.join(statements).format(**names)) + random.choice(voice.end)


def _statements(slots: dict[str, str], voice: Voice, random: Random) -> list[tuple[str, str]]:
    """Return templates with their lists, the first one naming the person."""
    groups = [[slots[slot] for slot in group if slot in slots] for group in random.choice(voice.groups)]
    worn = [listed(group) for group in groups if group]
    later = worn[1:]
    if voice.fine:
        rest = list(zip(random.sample(voice.wear, len(later)), later, strict=True))
    else:
        rest = [(random.choice(voice.wear), text) for text in later]
    carried = [slots[slot] for slot in ("bag", "item") if slot in slots]
    for templates, text in (
        (voice.hair, slots.get("hair")),
        (voice.carry, listed(carried)),
        (voice.view, slots.get("view")),
        *((templates, slots.get(slot)) for slot, templates in voice.about.items()),
    ):
        if text:
            rest.append((random.choice(templates), text))
    if random.random() < 0.4:
        random.shuffle(rest)
    first = (random.choice(voice.first), worn[0]) if worn else (random.choice(voice.bare), "")
    return [first, *rest]


def _pronouns(gender: str | None) -> dict[str, str]:
    forms = {"man": ("he", "him", "his"), "woman": ("she", "her", "her")}
    he, him, his = forms.get(gender or "", ("the person", "them", "their"))
    return {"he": he, "him": him, "his": his, "He": _capital(he), "His": _capital(his)}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _loosen(text: str, random: Random) -> str:
    """Return the text with the stray space that hand-typed captions have."""
    kind = random.randrange(3)
    if kind == 2:
        words = text.split(" ")
        place = random.randrange(1, max(2, len(words)))
        return " ".join(words[:place]) + "  " + " ".join(words[place:])
    return f" {text}" if kind else f"{text} "
