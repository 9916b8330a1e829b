"""Face, hair, hat, glasses and scarf."""

from harness.twins.drawing.canvas import Canvas, Part
from harness.twins.drawing.colours import FIXED, Colour, scaled
from harness.twins.drawing.dyes import Dyes
from harness.twins.drawing.people import NONE, Person
from harness.twins.drawing.skeleton import Skeleton

_CENTRE, _ACROSS, _DOWN = 0.082, 0.054, 0.068


def draw_hair_behind(canvas: Canvas, person: Person, bones: Skeleton, hair: Colour) -> None:
    """Draw the hair that falls behind the shoulders, before the torso is drawn."""
    if person.hair == "long" and not bones.back and not bones.side:
        canvas.polygon([(-0.06, 0.07), (0.06, 0.07), (0.078, 0.25), (-0.078, 0.25)], hair, Part.HAIR)


def draw_head(canvas: Canvas, person: Person, bones: Skeleton, dyes: Dyes) -> None:
    """Draw the head with its hair."""
    across = _ACROSS if not bones.side else _ACROSS * 1.02
    canvas.ellipse((0.0, _CENTRE), (across, _DOWN), dyes.skin, Part.FACE)
    if bones.back:
        _hair_from_back(canvas, person, dyes.hair)
    elif bones.side:
        _face_from_side(canvas, person, dyes.skin)
        _hair_from_side(canvas, person, dyes.hair)
    else:
        _face_from_front(canvas, person, bones.turn, dyes.skin)
        _hair_from_front(canvas, person, dyes.hair)


def _face_from_front(canvas: Canvas, person: Person, turn: float, skin: Colour) -> None:
    for sign in (-1, 1):
        canvas.ellipse((turn + sign * 0.02, 0.083), (0.006, 0.006), (40, 32, 32))
        canvas.stroke([(turn + sign * 0.012, 0.069), (turn + sign * 0.03, 0.069)], 0.005, (70, 52, 44))
    canvas.stroke([(turn, 0.09), (turn, 0.103)], 0.006, scaled(skin, 0.75))
    lips = FIXED["lips"] if person.gender == "woman" else scaled(skin, 0.62)
    canvas.stroke(
        [(turn - 0.014, 0.12), (turn + 0.014, 0.12)], 0.009 if person.gender == "woman" else 0.006, lips
    )


def _face_from_side(canvas: Canvas, person: Person, skin: Colour) -> None:
    canvas.polygon([(0.048, 0.08), (0.066, 0.104), (0.046, 0.106)], skin, Part.FACE)
    canvas.ellipse((0.034, 0.083), (0.006, 0.006), (40, 32, 32))
    lips = FIXED["lips"] if person.gender == "woman" else scaled(skin, 0.62)
    canvas.stroke([(0.03, 0.122), (0.046, 0.12)], 0.008, lips)


def _hair_from_front(canvas: Canvas, person: Person, hair: Colour) -> None:
    if person.hair == "bald":
        return _scalp(canvas, hair)
    if person.hair == "bun":
        canvas.ellipse((0.0, 0.0), (0.03, 0.026), hair, Part.TAIL)
    canvas.pie((0.0, 0.072), (0.06, 0.068), (180, 360), hair, Part.HAIR)
    for sign in (-1, 1):
        down = 0.2 if person.hair == "long" else 0.092
        wide = 0.03 if person.hair == "long" else 0.014
        edge = sign * 0.06
        canvas.polygon(
            [(edge, 0.06), (edge - sign * wide, 0.06), (edge - sign * wide * 0.7, down), (edge * 1.12, down)],
            hair,
            Part.HAIR,
        )
    return None


def _hair_from_side(canvas: Canvas, person: Person, hair: Colour) -> None:
    if person.hair == "bald":
        return _scalp(canvas, hair)
    canvas.pie((-0.004, 0.074), (0.06, 0.07), (95, 318), hair, Part.HAIR)
    if person.hair == "long":
        canvas.polygon([(-0.012, 0.05), (-0.06, 0.06), (-0.075, 0.27), (-0.012, 0.25)], hair, Part.HAIR)
    elif person.hair == "ponytail":
        canvas.limb(((-0.058, 0.06), (-0.098, 0.11), (-0.092, 0.23)), (0.034, 0.046, 0.014), hair, Part.TAIL)
    elif person.hair == "bun":
        canvas.ellipse((-0.06, 0.028), (0.034, 0.032), hair, Part.TAIL)
    return None


def _hair_from_back(canvas: Canvas, person: Person, hair: Colour) -> None:
    if person.hair == "bald":
        return _scalp(canvas, hair)
    canvas.ellipse((0.0, 0.074), (0.06, 0.07), hair, Part.HAIR)
    if person.hair == "long":
        canvas.polygon(
            [(-0.06, 0.07), (0.06, 0.07), (0.07, 0.27), (0.0, 0.285), (-0.07, 0.27)], hair, Part.HAIR
        )
    elif person.hair == "ponytail":
        canvas.limb(
            ((0.0, 0.075), (0.006, 0.15), (0.0, 0.25)), (0.03, 0.048, 0.016), scaled(hair, 1.12), Part.TAIL
        )
        canvas.stroke([(-0.016, 0.08), (0.016, 0.08)], 0.009, scaled(hair, 0.5))
    elif person.hair == "bun":
        canvas.ellipse((0.0, 0.025), (0.036, 0.034), scaled(hair, 1.12), Part.TAIL)
    return None


def _scalp(canvas: Canvas, skin: Colour) -> None:
    canvas.pie((0.0, 0.08), (0.054, 0.068), (180, 360), scaled(skin, 1.12), Part.HAIR)
    canvas.ellipse((0.012, 0.034), (0.016, 0.009), scaled(skin, 1.5))


def draw_glasses(canvas: Canvas, person: Person, bones: Skeleton) -> None:
    """Draw glasses, which nobody sees from behind."""
    if person.glasses == NONE or bones.back:
        return
    lens = FIXED["lens"] if person.glasses == "glasses" else FIXED["frame"]
    middles = (0.036,) if bones.side else (bones.turn - 0.022, bones.turn + 0.022)
    for middle in middles:
        canvas.ellipse((middle, 0.084), (0.02, 0.017), FIXED["frame"], Part.GLASSES)
        canvas.ellipse((middle, 0.084), (0.013, 0.01), lens, Part.GLASSES)
    start, end = (-0.03, 0.03) if bones.side else (bones.turn - 0.05, bones.turn + 0.05)
    canvas.stroke([(start, 0.08), (end, 0.08)], 0.007, FIXED["frame"], Part.GLASSES)


def draw_hat(canvas: Canvas, person: Person, bones: Skeleton, colour: Colour) -> None:
    """Draw the hat on top of hair and face."""
    if person.hat == NONE:
        return
    dark = scaled(colour, 0.7)
    canvas.pie((0.0, 0.058), (0.064, 0.068), (180, 360), colour, Part.HAT)
    if person.hat == "beanie":
        canvas.polygon([(-0.066, 0.036), (0.066, 0.036), (0.066, 0.064), (-0.066, 0.064)], dark, Part.HAT)
        canvas.ellipse((0.0, -0.012), (0.02, 0.018), dark, Part.HAT)
    elif person.hat == "sun hat":
        canvas.ellipse((0.0, 0.056), (0.115, 0.02), colour, Part.HAT)
        canvas.polygon([(-0.062, 0.034), (0.062, 0.034), (0.063, 0.05), (-0.063, 0.05)], dark, Part.HAT)
    elif bones.side:
        canvas.polygon([(0.0, 0.046), (0.118, 0.056), (0.112, 0.068), (0.0, 0.062)], dark, Part.HAT)
    elif not bones.back:
        canvas.ellipse((bones.turn, 0.06), (0.058, 0.016), dark, Part.HAT)


def draw_scarf(canvas: Canvas, person: Person, bones: Skeleton, colour: Colour) -> None:
    """Draw the scarf round the neck, its ends hanging at the front."""
    if person.scarf == NONE:
        return
    canvas.limb(((-0.042, 0.163), (0.042, 0.163)), (0.046, 0.046), colour, Part.SCARF)
    if not bones.back:
        start = bones.shoulder * 0.4 if bones.side else bones.turn + 0.024
        canvas.limb(((start, 0.175), (start + 0.006, 0.3)), (0.036, 0.042), scaled(colour, 0.86), Part.SCARF)
