"""The words for what only a close look shows."""

from harness.twins.speech.words import COLOUR_WORDS, WORDS, Lexicon

FINE_WORDS: dict[str, Lexicon] = {
    "necklace": {"gold": ("gold", "golden"), "silver": ("silver",)},
    "front_make": {
        "shirt": ("a pointed collar and a row of small buttons", "small buttons below a pointed collar"),
        "hoodie": ("two drawstrings and a front pouch", "drawstrings at the neck and a front pouch"),
        "sweater": ("a thick round collar", "a thick collar"),
        "t-shirt": ("a round neckline", "a scooped neckline"),
        "tank top": ("a low neckline", "a scooped neckline"),
        "lapels": ("wide lapels", "folded lapels"),
        "fastened": ("a turned-down collar and slanted pockets", "slanted pockets and a turned-down collar"),
    },
    "hem_make": {"ribbed": ("a ribbed hem", "a ribbed band at the waist")},
    "lower_make": {
        "denim": ("faded thighs and bright stitching", "bright stitching and faded thighs"),
        "pleated": ("a few pleats", "several pleats"),
    },
    "hat_make": {
        "peak": ("a short curved peak", "a curved peak"),
        "crown band": ("a darker band around the crown", "a darker ribbon around the crown"),
    },
    "frames": {"dark": ("thin frames", "thin-rimmed frames")},
    "soles": {
        "white soles": ("white soles",),
        "grey soles": ("grey soles", "gray soles"),
        "dark soles": ("dark soles", "soles of a darker shade"),
    },
    "bag_make": {
        "straps": ("straps over both shoulders", "two straps over the shoulders"),
        "zip": ("a zip and a large outer pocket", "an outer pocket below a zip"),
        "shoulder bag": ("a folded flap", "a flap over its front"),
        "handbag": ("a thin handle", "a slim handle"),
        "suitcase": ("vertical ribs", "ribs along its side"),
    },
    "item_make": {
        "phone": ("a lit screen", "a glowing screen"),
        "cup": ("a brown lid", "a brown plastic lid"),
        "book": ("a red cover", "red covers"),
        "shopping bag": ("a red dot on it", "a red circle on it"),
    },
    "arms": {
        "hanging": ("both arms hanging down", "the arms relaxed at the sides", "both arms at the sides")
    },
    "stride": {"long": ("a long stride", "a wide step"), "short": ("a short step", "a small step")},
    "place": {
        "street": ("a building with windows and a paved pavement", "a paved street in front of a building"),
        "corridor": ("a plain wall and a tiled floor indoors", "an indoor hallway with a tiled floor"),
        "park": ("trees and a path through the grass", "a grassy park with trees and a path"),
        "crossing": (
            "shop windows behind a pedestrian crossing",
            "a pedestrian crossing with broad stripes on the road",
        ),
        "platform": ("a train at a station platform", "a station platform with a yellow line and a train"),
        "waterfront": ("a railing with water behind it", "a wooden promenade with a railing by the water"),
    },
    "light": {
        "bright": ("bright and clear", "strong and bright"),
        "dim": ("dim and weak", "rather dim"),
    },
    "camera": {
        "above": ("from above", "from a raised position"),
        "level": ("at eye level", "from about eye level"),
    },
}
for _name in ("cuffs", "pocket", "stripe", "socks", "watch", "band"):
    FINE_WORDS[_name] = COLOUR_WORDS
ALL_WORDS: dict[str, Lexicon] = WORDS | FINE_WORDS
