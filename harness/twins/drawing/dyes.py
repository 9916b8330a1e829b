"""The exact colours of one person: each red a shade of its own, the same in all pictures of that person."""

from dataclasses import dataclass, fields
from random import Random

from harness.twins.drawing.colours import CLOTHES, HAIR, SKIN, Colour, own_shade, scaled, shifted
from harness.twins.drawing.people import Person


@dataclass(frozen=True)
class Dyes:
    """The colours that a person is drawn with."""

    skin: Colour
    hair: Colour
    upper: Colour
    inner: Colour
    lower: Colour
    shoes: Colour
    bag: Colour
    hat: Colour
    scarf: Colour

    def shaded(self, factor: float) -> "Dyes":
        """Return the colours as they look on a limb in shadow."""
        return Dyes(*(scaled(getattr(self, field.name), factor) for field in fields(self)))


def mix_dyes(person: Person, seed: int) -> Dyes:
    """Draw a person's skin and shades; things that the person lacks get a colour that is never used."""
    random = Random(seed)
    skin = shifted(random.choice(SKIN), own_shade(random, 4))

    def cloth(name: str) -> Colour:
        return shifted(CLOTHES.get(name, (0, 0, 0)), own_shade(random))

    return Dyes(
        skin=skin,
        hair=skin if person.hair == "bald" else shifted(HAIR[person.hair_colour], own_shade(random, 4)),
        upper=cloth(person.upper_colour),
        inner=cloth(person.inner_colour),
        lower=cloth(person.lower_colour),
        shoes=cloth(person.shoes_colour),
        bag=cloth(person.bag_colour),
        hat=cloth(person.hat_colour),
        scarf=cloth(person.scarf),
    )
