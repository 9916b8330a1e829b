"""Noun phrases made of the attributes that are to be said."""

from collections.abc import Mapping
from random import Random

from harness.twins.speech.words import GENERIC, WORDS, Lexicon

SLOTS: dict[str, tuple[str, ...]] = {
    "subject": ("gender",),
    "hair": ("hair", "hair_colour"),
    "upper": ("upper", "upper_colour", "pattern", "sleeves", "opening", "inner_colour"),
    "lower": ("lower", "lower_colour"),
    "shoes": ("shoes", "shoes_colour"),
    "hat": ("hat", "hat_colour"),
    "glasses": ("glasses",),
    "scarf": ("scarf",),
    "bag": ("bag", "bag_colour"),
    "item": ("item",),
    "view": ("facing", "gait"),
}
_SINGULAR_LOWER = ("skirt", "long skirt")
_BAG_PLACES = {
    "backpack": ("", " on {his} back"),
    "shoulder bag": ("", " across {his} body"),
    "handbag": ("", " in one hand"),
    "suitcase": ("", " on wheels"),
}


class Phrases:
    """Builds the phrase of each slot with words that the voice prefers (`habits`, by value) or any synonym."""

    slots: Mapping[str, tuple[str, ...]] = SLOTS
    words: Mapping[str, Lexicon] = WORDS

    def __init__(
        self, said: Mapping[str, str], habits: Mapping[str, tuple[str, ...]], random: Random
    ) -> None:
        self.said, self._habits, self._random = said, habits, random

    def all(self) -> dict[str, str]:
        """Return the phrases of the slots that have something to say, in the order of `slots`."""
        return {
            slot: getattr(self, slot)()
            for slot, names in self.slots.items()
            if any(name in self.said for name in names)
        }

    def subject(self) -> str:
        """Return the noun for the person."""
        return self._word("gender")

    def hair(self) -> str:
        """Return the hair with its style, as it follows `with`."""
        style, colour = self.said.get("hair"), self._word("hair_colour")
        if style == "bald":
            return self._word("hair")
        if style in ("ponytail", "bun"):
            tied = self._random.choice(("{colour} hair tied in a {style}", "a {colour} {style}"))
            return " ".join(tied.format(colour=colour, style=style).split())
        return _joined(self._word("hair"), colour, "hair")

    def upper(self) -> str:
        """Return the upper garment with colour, sleeves, pattern and what is under it."""
        adjectives = [self._word("upper_colour"), self._word("sleeves")]
        if self._random.random() < 0.4:
            adjectives.reverse()
        logo = self.said.get("pattern") == "logo"
        pattern = "" if logo else self._word("pattern")
        phrase = _joined(self._word("opening"), *adjectives, pattern, self._word("upper"))
        under = f" over {with_article(self._word('inner_colour'))} top" if "inner_colour" in self.said else ""
        return with_article(phrase) + (f" with {self._word('pattern')}" if logo else "") + under

    def lower(self) -> str:
        """Return the lower garment with its colour."""
        phrase = _joined(self._word("lower_colour"), self._word("lower"))
        return with_article(phrase) if self.said.get("lower") in _SINGULAR_LOWER else self._pair(phrase)

    def shoes(self) -> str:
        """Return the shoes with their colour."""
        return self._pair(_joined(self._word("shoes_colour"), self._word("shoes")))

    def hat(self) -> str:
        """Return the hat with its colour."""
        return with_article(_joined(self._word("hat_colour"), self._word("hat")))

    def glasses(self) -> str:
        """Return the glasses."""
        return self._word("glasses")

    def scarf(self) -> str:
        """Return the scarf with its colour."""
        return with_article(f"{self._word('scarf')} scarf")

    def bag(self) -> str:
        """Return the bag with its colour and, at times, where it is."""
        place = self._random.choice(_BAG_PLACES[self.said["bag"]])
        return with_article(_joined(self._word("bag_colour"), self._word("bag"))) + place

    def item(self) -> str:
        """Return the held thing."""
        return self._word("item")

    def view(self) -> str:
        """Return what the person does and in which direction."""
        gait, way = self._word("gait"), self._word("facing")
        if gait == "walking" or not way:
            return _joined(gait, way)
        return _joined(gait, "and" if gait else "", "facing", way)

    def _word(self, attribute: str) -> str:
        value = self.said.get(attribute)
        if value is None:
            return self._random.choice(GENERIC.get(attribute, ("",)))
        return self._random.choice(self._habits.get(value) or self.words[attribute][value])

    def _pair(self, phrase: str) -> str:
        return f"a pair of {phrase}" if self._random.random() < 0.3 else phrase


def with_article(phrase: str) -> str:
    """Return a phrase with `a` or `an`.

    >>> with_article("orange cap")
    'an orange cap'
    """
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def listed(phrases: list[str]) -> str:
    """Join phrases as a list with commas and a last `and`.

    >>> listed(["a coat", "jeans", "boots"])
    'a coat, jeans and boots'
    """
    return " and ".join(filter(None, (", ".join(phrases[:-1]), *phrases[-1:])))


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)
