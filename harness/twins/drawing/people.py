"""Persons as combinations of attributes, drawn without repetition and partly as one-attribute variants."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from random import Random

from harness.twins.drawing.colours import CLOTHES, HAIR

NONE = "none"
_COLOURS = tuple(CLOTHES)
VALUES: dict[str, tuple[str, ...]] = {
    "gender": ("man", "woman"),
    "hair": ("short", "long", "ponytail", "bun", "bald"),
    "hair_colour": tuple(HAIR),
    "hat": (NONE, "cap", "beanie", "sun hat"),
    "hat_colour": _COLOURS,
    "glasses": (NONE, "glasses", "sunglasses"),
    "upper": ("t-shirt", "tank top", "shirt", "sweater", "hoodie", "jacket", "coat"),
    "upper_colour": _COLOURS,
    "pattern": ("plain", "striped", "checked", "dotted", "logo"),
    "sleeves": ("short", "long", "sleeveless"),
    "opening": ("open", "closed"),
    "inner_colour": _COLOURS,
    "scarf": (NONE, *_COLOURS),
    "lower": ("trousers", "jeans", "leggings", "shorts", "skirt", "long skirt"),
    "lower_colour": _COLOURS,
    "shoes": ("sneakers", "leather shoes", "boots"),
    "shoes_colour": ("black", "white", "grey", "red", "blue", "brown", "pink", "yellow"),
    "bag": (NONE, "backpack", "shoulder bag", "handbag", "suitcase"),
    "bag_colour": _COLOURS,
    "item": (NONE, "phone", "cup", "book", "umbrella", "shopping bag"),
}
_JEANS_COLOURS = ("blue", "navy", "black", "grey")
_LIKE = (
    {"black", "navy"},
    {"white", "beige"},
    {"brown", "khaki"},
    {"red", "orange"},
    {"blue", "navy"},
    {"grey", "khaki"},
)
_CHANCES: dict[str, Mapping[str, float]] = {
    "hat": {NONE: 0.7, "cap": 0.14, "beanie": 0.09, "sun hat": 0.07},
    "glasses": {NONE: 0.7, "glasses": 0.2, "sunglasses": 0.1},
    "pattern": {"plain": 0.5, "striped": 0.17, "checked": 0.12, "dotted": 0.07, "logo": 0.14},
    "bag": {NONE: 0.28, "backpack": 0.28, "shoulder bag": 0.2, "handbag": 0.16, "suitcase": 0.08},
    "item": {NONE: 0.55, "phone": 0.15, "cup": 0.08, "book": 0.08, "umbrella": 0.07, "shopping bag": 0.07},
}
_HAIR_OF = {
    "man": {"short": 0.76, "bald": 0.1, "long": 0.07, "ponytail": 0.04, "bun": 0.03},
    "woman": {"long": 0.48, "ponytail": 0.22, "short": 0.18, "bun": 0.12},
}
_LOWER_OF = {
    "man": {"trousers": 0.46, "jeans": 0.36, "shorts": 0.18},
    "woman": {
        "trousers": 0.22,
        "jeans": 0.26,
        "leggings": 0.14,
        "shorts": 0.1,
        "skirt": 0.18,
        "long skirt": 0.1,
    },
}


@dataclass(frozen=True)
class Person:
    """The attributes of one identity; one that does not apply (the colour of no hat) is `none`."""

    gender: str
    hair: str
    hair_colour: str
    hat: str
    hat_colour: str
    glasses: str
    upper: str
    upper_colour: str
    pattern: str
    sleeves: str
    opening: str
    inner_colour: str
    scarf: str
    lower: str
    lower_colour: str
    shoes: str
    shoes_colour: str
    bag: str
    bag_colour: str
    item: str


ATTRIBUTES = tuple(field.name for field in fields(Person))


def draw_persons(count: int, random: Random, taken: set[Person]) -> list[Person]:
    """Draw `count` persons that are not `taken` and add them there; each fifth is a variant of an earlier one."""
    persons: list[Person] = []
    while len(persons) < count:
        person = vary(random.choice(persons), random) if len(persons) % 5 == 4 else draw_person(random)
        if person not in taken:
            taken.add(person)
            persons.append(person)
    return persons


def vary(person: Person, random: Random) -> Person:
    """Return a person who differs from `person` in exactly one attribute."""
    while True:
        name = random.choice(ATTRIBUTES)
        if getattr(person, name) == NONE or name in ("gender", "upper", "opening"):
            continue
        other = replace(person, **{name: random.choice(VALUES[name])})
        if other != person and is_possible(other):
            return other


def is_possible(person: Person) -> bool:
    """Say whether the attributes fit together, each with the others."""
    pairs = ((person.hat, person.hat_colour), (person.bag, person.bag_colour))
    return (
        all((owner == NONE) == (colour == NONE) for owner, colour in pairs)
        and (person.hair == "bald") == (person.hair_colour == NONE)
        and person.hair in _HAIR_OF[person.gender]
        and person.lower in _LOWER_OF[person.gender]
        and person.sleeves in _sleeves_of(person.upper)
        and person.pattern in _patterns_of(person.upper)
        and (person.lower != "jeans" or person.lower_colour in _JEANS_COLOURS)
        and not alike(person.bag_colour, (person.upper_colour, person.lower_colour))
        and not alike(person.scarf, (person.upper_colour,))
        and not alike(person.inner_colour, (person.upper_colour, person.scarf))
    )


def draw_person(random: Random) -> Person:
    """Draw one plausible person."""
    while True:
        person = _draw(random)
        if is_possible(person):
            return person


def _draw(random: Random) -> Person:
    gender = random.choice(VALUES["gender"])
    hair, hat, bag = (
        _pick(random, chances) for chances in (_HAIR_OF[gender], _CHANCES["hat"], _CHANCES["bag"])
    )
    upper, lower = random.choice(VALUES["upper"]), _pick(random, _LOWER_OF[gender])
    is_open = upper in ("jacket", "coat") and random.random() < 0.55
    return Person(
        gender=gender,
        hair=hair,
        hair_colour=NONE if hair == "bald" else random.choice(VALUES["hair_colour"]),
        hat=hat,
        hat_colour=NONE if hat == NONE else random.choice(_COLOURS),
        glasses=_pick(random, _CHANCES["glasses"]),
        upper=upper,
        upper_colour=random.choice(_COLOURS),
        pattern=_pick(random, _CHANCES["pattern"]),
        sleeves=random.choice(_sleeves_of(upper)),
        opening=("open" if is_open else "closed") if upper in ("jacket", "coat") else NONE,
        inner_colour=random.choice(_COLOURS) if is_open else NONE,
        scarf=random.choice(_COLOURS) if random.random() < 0.1 else NONE,
        lower=lower,
        lower_colour=random.choice(_JEANS_COLOURS if lower == "jeans" else _COLOURS),
        shoes=random.choice(VALUES["shoes"]),
        shoes_colour=random.choice(VALUES["shoes_colour"]),
        bag=bag,
        bag_colour=NONE if bag == NONE else random.choice(_COLOURS),
        item=_pick(random, _CHANCES["item"]),
    )


def _pick(random: Random, chances: Mapping[str, float]) -> str:
    return random.choices(list(chances), list(chances.values()))[0]


def _sleeves_of(upper: str) -> Sequence[str]:
    if upper == "tank top":
        return ("sleeveless",)
    return ("short", "long") if upper in ("t-shirt", "shirt") else ("long",)


def _patterns_of(upper: str) -> Collection[str]:
    return ("plain", "checked") if upper in ("jacket", "coat") else VALUES["pattern"]


def alike(colour: str, others: Sequence[str]) -> bool:
    """Return whether a colour could not be distinguished from another that touches it."""
    return colour != NONE and any(colour == other or {colour, other} in _LIKE for other in others)
