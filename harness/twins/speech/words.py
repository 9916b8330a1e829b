"""The words for attribute values."""

from collections.abc import Mapping

Lexicon = Mapping[str, tuple[str, ...]]

COLOUR_WORDS: Lexicon = {
    "black": ("black",),
    "white": ("white",),
    "grey": ("grey", "gray"),
    "red": ("red",),
    "blue": ("blue",),
    "navy": ("navy", "dark blue", "navy blue"),
    "green": ("green",),
    "khaki": ("khaki", "olive"),
    "yellow": ("yellow",),
    "orange": ("orange",),
    "pink": ("pink",),
    "purple": ("purple", "violet"),
    "brown": ("brown",),
    "beige": ("beige", "cream", "tan"),
}
WORDS: dict[str, Lexicon] = {
    "gender": {"man": ("man", "male"), "woman": ("woman", "female")},
    "hair": {
        "short": ("short",),
        "long": ("long", "shoulder-length"),
        "ponytail": ("ponytail",),
        "bun": ("bun",),
        "bald": ("a bald head", "a shaved head"),
    },
    "hair_colour": {
        "black": ("black", "dark"),
        "brown": ("brown",),
        "blond": ("blond", "blonde", "fair"),
        "red": ("red", "ginger"),
        "grey": ("grey", "gray"),
    },
    "hat": {
        "cap": ("cap", "baseball cap"),
        "beanie": ("beanie", "knitted hat"),
        "sun hat": ("sun hat", "wide-brimmed hat"),
    },
    "glasses": {"glasses": ("glasses", "spectacles"), "sunglasses": ("sunglasses", "dark glasses")},
    "upper": {
        "t-shirt": ("t-shirt", "tee"),
        "tank top": ("tank top", "vest top"),
        "shirt": ("shirt", "button-up shirt"),
        "sweater": ("sweater", "jumper", "pullover"),
        "hoodie": ("hoodie", "hooded sweatshirt"),
        "jacket": ("jacket",),
        "coat": ("coat", "long coat", "overcoat"),
    },
    "pattern": {
        "plain": ("plain",),
        "striped": ("striped",),
        "checked": ("checked", "plaid", "checkered"),
        "dotted": ("dotted", "polka-dot", "spotted"),
        "logo": ("a logo on the chest", "a print on the front", "a round logo"),
    },
    "sleeves": {
        "short": ("short-sleeved", "short sleeve"),
        "long": ("long-sleeved", "long sleeve"),
        "sleeveless": ("sleeveless",),
    },
    "opening": {"open": ("open", "unzipped"), "closed": ("closed", "zipped-up")},
    "lower": {
        "trousers": ("trousers", "pants"),
        "jeans": ("jeans", "denim jeans"),
        "leggings": ("leggings", "tight leggings"),
        "shorts": ("shorts",),
        "skirt": ("skirt", "knee-length skirt"),
        "long skirt": ("long skirt", "ankle-length skirt"),
    },
    "shoes": {
        "sneakers": ("sneakers", "trainers", "sports shoes"),
        "leather shoes": ("leather shoes", "dress shoes"),
        "boots": ("boots", "high boots"),
    },
    "bag": {
        "backpack": ("backpack", "rucksack"),
        "shoulder bag": ("shoulder bag", "crossbody bag"),
        "handbag": ("handbag", "purse"),
        "suitcase": ("suitcase", "trolley case"),
    },
    "item": {
        "phone": ("a phone", "a mobile phone"),
        "cup": ("a cup of coffee", "a paper cup"),
        "book": ("an open book", "a book"),
        "umbrella": ("an umbrella", "a folded umbrella"),
        "shopping bag": ("a shopping bag", "a carrier bag"),
    },
    "facing": {
        "front": ("towards the camera",),
        "back": ("away from the camera",),
        "left": ("to the left",),
        "right": ("to the right",),
    },
    "gait": {"walking": ("walking",), "standing": ("standing",)},
}
for _name in (
    "hat_colour",
    "upper_colour",
    "inner_colour",
    "scarf",
    "lower_colour",
    "shoes_colour",
    "bag_colour",
):
    WORDS[_name] = COLOUR_WORDS
GENERIC: Lexicon = {
    "gender": ("person", "pedestrian"),
    "upper": ("top",),
    "lower": ("bottoms",),
    "shoes": ("shoes",),
}
