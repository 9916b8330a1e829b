"""One picture's circumstances: direction, pose, camera, light and what is in the way."""

from dataclasses import dataclass
from random import Random

from harness.datasets import Look, Span
from harness.twins.drawing.canvas import Frame
from harness.twins.drawing.obstacles import KINDS

FACINGS = ("front", "back", "left", "right")


@dataclass(frozen=True)
class Pose:
    """How the limbs are held.

    Attributes:
        stride: leg swing from -1 to 1; 0 is standing still.
        swing: arm swing from -1 to 1.
        turn: small turn of the chest and face to either side, from -1 to 1.
    """

    stride: float
    swing: float
    turn: float

    @property
    def walking(self) -> bool:
        """Whether the stride is clearly one of a walk."""
        return abs(self.stride) >= 0.45


@dataclass(frozen=True)
class Light:
    """Exposure, lens and sensor of one picture; see `Look` for the units."""

    brightness: float
    contrast: float
    saturation: float
    slope: float
    noise: float
    blur: float
    quality: int


@dataclass(frozen=True)
class View:
    """Everything that differs between two pictures of one person.

    Attributes:
        facing: what the camera sees: `front`, `back`, or the person heading `left` or `right`.
        obstacle: kind of thing before the person, empty for none.
        seed: source of the backdrop's and the obstacle's details and of the noise.
        scene: kind of place behind the person.
    """

    facing: str
    pose: Pose
    frame: Frame
    light: Light
    obstacle: str
    seed: int
    scene: str


def draw_view(look: Look, facing: str, random: Random) -> View:
    """Draw one picture's circumstances within a domain's ranges."""
    walking = random.random() < 0.55
    stride = random.choice((-1, 1)) * random.uniform(0.5, 1.0) if walking else random.uniform(-0.15, 0.15)
    pose = Pose(stride, stride * random.uniform(0.5, 1.0) + random.uniform(-0.1, 0.1), random.uniform(-1, 1))
    obstacle = random.choice(KINDS) if random.random() < look.occluded else ""
    return View(
        facing,
        pose,
        _frame(look, facing, random),
        _light(look, random),
        obstacle,
        random.getrandbits(32),
        look.backdrop if isinstance(look.backdrop, str) else random.choice(look.backdrop),
    )


def draw_facings(count: int, random: Random) -> list[str]:
    """Draw the directions of one person's pictures: the first ones differ, front comes most often."""
    order = random.sample(FACINGS, len(FACINGS))
    more = random.choices(FACINGS, (0.4, 0.2, 0.2, 0.2), k=count)
    return (order + more)[:count]


def _frame(look: Look, facing: str, random: Random) -> Frame:
    width = random.randint(*look.width)
    height = round(width * random.uniform(*look.aspect))
    size, top = random.uniform(*look.zoom), random.uniform(0.01, 0.04)
    if random.random() < look.cropped:
        size = 1 / random.uniform(0.7, 0.92)
    return Frame(
        width=width,
        height=height,
        centre=random.uniform(0.45, 0.55),
        top=top,
        size=size,
        tilt=random.uniform(*look.tilt),
        lean=random.uniform(-0.03, 0.03),
        mirrored=facing == "left" or (facing in ("front", "back") and random.random() < 0.5),
    )


def _light(look: Look, random: Random) -> Light:
    def within(span: Span) -> float:
        return random.uniform(*span)

    return Light(
        brightness=within(look.brightness),
        contrast=within(look.contrast),
        saturation=within(look.saturation),
        slope=random.uniform(-0.25, 0.25),
        noise=within(look.noise),
        blur=within(look.blur),
        quality=random.randint(*look.quality),
    )
