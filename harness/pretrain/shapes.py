"""A synthetic corpus of coloured, textured shapes with captions, from which the tiny CLIP learns its words.

A scene is a plain description; `harness.pretrain.shape_drawing` draws it and `describe` puts it into words, with
synonyms, omissions and differing order. No scene shows a person or a thing that persons wear or carry.
"""

from dataclasses import dataclass, replace

import numpy as np

COLOURS = {
    "red": (205, 30, 35), "orange": (240, 130, 30), "yellow": (240, 215, 45), "green": (40, 150, 60),
    "blue": (40, 80, 200), "purple": (120, 50, 160), "pink": (240, 140, 180), "brown": (115, 70, 40),
    "black": (20, 20, 22), "white": (242, 242, 240), "grey": (128, 128, 130), "navy": (22, 30, 85),
    "teal": (20, 125, 125), "turquoise": (70, 210, 200), "maroon": (115, 20, 35), "beige": (222, 205, 170),
    "olive": (110, 115, 40), "magenta": (205, 45, 150), "lime": (160, 220, 50), "gold": (205, 165, 50),
    "lavender": (190, 170, 225), "khaki": (175, 160, 110), "silver": (190, 192, 196), "cyan": (60, 195, 230),
}  # fmt: skip
SHAPES = {
    "circle": ("circle", "disc", "round shape"), "square": ("square", "box"), "triangle": ("triangle",),
    "diamond": ("diamond", "rhombus"), "ring": ("ring", "hoop"), "cross": ("cross", "plus sign"),
    "star": ("star",), "ellipse": ("ellipse", "oval"), "column": ("tall rectangle", "column", "vertical bar"),
    "bar": ("wide rectangle", "horizontal bar", "beam"), "arch": ("half circle", "dome"),
}  # fmt: skip
TEXTURES = {
    "plain": ("", "", "plain", "solid"), "rows": ("striped", "horizontally striped"),
    "columns": ("striped", "vertically striped"), "slants": ("striped", "diagonally striped"),
    "checks": ("checkered", "chequered"), "spots": ("spotted", "dotted"),
}  # fmt: skip
MARKS = {"rows": "stripes", "columns": "stripes", "slants": "stripes", "checks": "checks", "spots": "spots"}
SIZES = {0.65: ("small", "little", "tiny"), 1.0: ("", "", "medium"), 1.35: ("large", "big", "huge")}
_SHADES = {-1: ("dark", "deep"), 0: ("",), 1: ("light", "pale")}
NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
LAYOUTS = {"alone": 2, "above": 4, "beside": 2, "inside": 2, "column": 3, "several": 1, "halves": 3}
_PLACES = {"at the top": (0.2, 0.5), "in the middle": (0.5, 0.5), "at the bottom": (0.8, 0.5)}


@dataclass(frozen=True)
class Thing:
    """One shape: `shade` darkens (-1) or lightens (1); `centres` and `radius` are shares of height and width."""

    shape: str
    colour: str
    shade: int
    texture: str
    second: str
    size: float
    centres: tuple[tuple[float, float], ...]
    radius: float


@dataclass(frozen=True)
class Scene:
    """Things in the order they are drawn, the layout that relates them, and the background."""

    layout: str
    things: tuple[Thing, ...]
    background: str
    shade: int


def sample_scene(rng: np.random.Generator) -> Scene:
    """Draw a random scene."""
    weights = np.array(list(LAYOUTS.values()), float)
    layout = str(rng.choice(list(LAYOUTS), p=weights / weights.sum()))
    background = _pick(rng, COLOURS)
    return Scene(layout, _things(layout, background, rng), background, int(rng.integers(-1, 2)))


def describe(scene: Scene, rng: np.random.Generator) -> str:
    """Describe a scene in words: all that is said is true, but not all that is true is said."""
    text = _pick(rng, _SENTENCES[scene.layout]).format(*_phrases(scene, rng), place=_place(scene))
    shade = _pick(rng, _SHADES[scene.shade]) + " "
    colour = f"{shade if rng.random() < 0.5 else ''}{scene.background}".strip()
    if scene.layout != "halves" and rng.random() < 0.6:
        text += _pick(rng, _BACKGROUNDS).format(colour)
    return _pick(rng, _OPENINGS).format(text)


_OPENINGS = ("{}", "{}", "{}.", "an image of {}", "a picture with {}.", "there is {}", "this shows {}.")
_BACKGROUNDS = (
    " on a {} background",
    " in front of a {} background",
    ". The background is {}",
    ", all on {}",
)
_SENTENCES = {
    "alone": ("{0}", "{0} {place}", "{0} that lies {place}"),
    "above": (
        "{0} above {1}", "{1} below {0}", "{0} on top and {1} underneath", "{0} over {1}", "{1} under {0}",
        "{0} at the top and {1} at the bottom", "{0}. Below it is {1}", "{1}. Above it there is {0}",
    ),
    "beside": (
        "{0} to the left of {1}", "{1} to the right of {0}", "{0} on the left and {1} on the right",
        "{0} next to {1}", "{0} beside {1}",
    ),
    "inside": ("{1} inside {0}", "{1} in front of {0}", "{0} with {1} on it", "{0} holding {1}"),
    "column": (
        "{0} at the top, {1} in the middle and {2} at the bottom", "{0}, {1} and {2} from top to bottom",
        "{0} above {1}. At the bottom is {2}", "{2} at the bottom, below {1}; {0} is at the top",
    ),
    "several": ("{0}", "a group of {0}", "{0} scattered about"),
    "halves": ("{0} above {1}", "{0} in the upper half, {1} in the lower half", "the top is {0}, the bottom is {1}"),
}  # fmt: skip


def _things(layout: str, background: str, rng: np.random.Generator) -> tuple[Thing, ...]:
    def jitter(y: float, x: float) -> tuple[float, float]:
        return y + rng.uniform(-0.05, 0.05), x + rng.uniform(-0.08, 0.08)

    def thing(*centres: tuple[float, float], radius: float, unlike: str = background) -> Thing:
        return _thing(rng, unlike, tuple(jitter(*centre) for centre in centres), radius)

    if layout == "alone":
        return (thing(tuple(_PLACES.values())[rng.integers(3)], radius=0.36),)
    if layout == "above":
        return thing((0.27, 0.5), radius=0.36), thing((0.73, 0.5), radius=0.36)
    if layout == "beside":
        return thing((0.5, 0.25), radius=0.2), thing((0.5, 0.75), radius=0.2)
    if layout == "column":
        return tuple(thing((y, 0.5), radius=0.3) for y in (0.18, 0.5, 0.82))
    if layout == "several":
        rows = int(rng.choice(list(NUMBERS)))
        return (thing(*(((i + 0.5) / rows, 0.3 + 0.4 * (i % 2)) for i in range(rows)), radius=0.2),)
    if layout == "halves":
        return tuple(_half(rng, y) for y in (0.25, 0.75))
    outer = thing((0.5, 0.5), radius=0.48)
    return outer, _thing(rng, outer.colour, outer.centres, 0.2)


def _thing(
    rng: np.random.Generator, unlike: str, centres: tuple[tuple[float, float], ...], radius: float
) -> Thing:
    colour = _pick(rng, [name for name in COLOURS if name != unlike])
    second = _pick(rng, [name for name in COLOURS if name != colour])
    texture = _pick(rng, ["plain"] * 4 + list(MARKS))
    size = float(rng.choice(list(SIZES)))
    return Thing(
        _pick(rng, SHAPES), colour, int(rng.integers(-1, 2)), texture, second, size, centres, radius * size
    )


def _half(rng: np.random.Generator, y: float) -> Thing:
    return replace(_thing(rng, "", ((y, 0.5),), 0.5), shape="half", size=1.0)


def _phrases(scene: Scene, rng: np.random.Generator) -> list[str]:
    return [_phrase(thing, rng) for thing in scene.things]


def _phrase(thing: Thing, rng: np.random.Generator) -> str:
    """Return the thing with its size, texture and colour, some left out: `a small striped red circle`."""
    number = len(thing.centres)
    size = _pick(rng, SIZES[thing.size]) if rng.random() < 0.6 else ""
    shade = _pick(rng, _SHADES[thing.shade]) if rng.random() < 0.6 else ""
    texture, ending = _texture(thing, rng)
    noun = "area" if thing.shape == "half" else _pick(rng, SHAPES[thing.shape])
    noun = (noun + ("es" if noun.endswith(("x", "s")) else "s")) if number > 1 else noun
    words = " ".join(word for word in (size, texture, shade, thing.colour, noun) if word)
    article = NUMBERS[number] if number > 1 else "an" if words[0] in "aeiou" else "a"
    return f"{article} {words}{ending}"


def _texture(thing: Thing, rng: np.random.Generator) -> tuple[str, str]:
    form = rng.random()
    if thing.texture == "plain" or form < 0.4:
        return _pick(rng, TEXTURES[thing.texture]) if rng.random() < 0.8 else "", ""
    return "", f" with {thing.second} {MARKS[thing.texture]}"


def _place(scene: Scene) -> str:
    y = scene.things[0].centres[0][0]
    return min(_PLACES, key=lambda place: abs(_PLACES[place][0] - y))


def _pick(rng: np.random.Generator, options: object) -> str:
    values = list(options)  # type: ignore[call-overload]
    return str(values[rng.integers(len(values))])
