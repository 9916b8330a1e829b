"""Plain canvases of the smallest and the largest picture, and persons, poses and colours to draw on them."""

import numpy as np
import pytest
from PIL import Image

from harness.datasets import DATASETS
from harness.twins.drawing.canvas import SUPERSAMPLING, Canvas, Frame
from harness.twins.drawing.dyes import Dyes
from harness.twins.drawing.people import NONE, Person
from harness.twins.drawing.skeleton import pose_skeleton
from harness.twins.drawing.views import Light, Pose, View

SCENE = (1, 2, 3)
PLAIN = {
    "gender": "woman",
    "hair": "short",
    "hair_colour": "brown",
    "hat": NONE,
    "hat_colour": NONE,
    "glasses": NONE,
    "upper": "t-shirt",
    "upper_colour": "red",
    "pattern": "plain",
    "sleeves": "short",
    "opening": NONE,
    "inner_colour": NONE,
    "scarf": NONE,
    "lower": "trousers",
    "lower_colour": "blue",
    "shoes": "sneakers",
    "shoes_colour": "white",
    "bag": NONE,
    "bag_colour": NONE,
    "item": NONE,
}
DYES = Dyes(
    skin=(200, 150, 110),
    hair=(90, 60, 30),
    upper=(200, 30, 30),
    inner=(230, 230, 90),
    lower=(40, 60, 160),
    shoes=(120, 120, 10),
    bag=(10, 140, 60),
    hat=(150, 20, 150),
    scarf=(20, 160, 170),
)


def sizes():
    """Return the smallest and the largest picture [width, height] of any dataset's twin."""
    looks = [look for name in DATASETS.names() for look in DATASETS.get(name).twin.looks.values()]
    narrow, wide = min(look.width[0] for look in looks), max(look.width[1] for look in looks)
    flat, tall = min(look.aspect[0] for look in looks), max(look.aspect[1] for look in looks)
    return {"smallest": (narrow, round(narrow * flat)), "largest": (wide, round(wide * tall))}


@pytest.fixture(params=["smallest", "largest"])
def size(request):
    """Return the smallest and the largest picture in turn."""
    return sizes()[request.param]


class Sheet(Canvas):
    """A canvas on one plain colour that knows what was painted and what was marked since it was made."""

    def __init__(self, size=(60, 150), **changes):
        width, height = size
        values = {"centre": 0.5, "top": 0.03, "size": 0.9, "tilt": 0.0, "lean": 0.0, "mirrored": False}
        scene = Image.new("RGB", (width * SUPERSAMPLING, height * SUPERSAMPLING), SCENE)
        super().__init__(scene, Frame(width=width, height=height, **values | changes))

    @property
    def pixels(self):
        return np.asarray(self.image).copy()

    @property
    def painted(self):
        """Whether each pixel shows another colour than the scene [height, width]."""
        return (np.asarray(self.image) != SCENE).any(axis=2)

    @property
    def marks(self):
        return np.asarray(self.parts).copy()

    def seen(self):
        """Return the numbers of the parts that can be seen."""
        return set(np.unique(self.marks).tolist()) - {0}

    def span(self, mask):
        """Return the first and last body height v of a mask's rows."""
        rows = np.flatnonzero(mask.any(axis=1))
        return tuple((row - self.frame.origin[1]) / self.frame.scale for row in (rows[0], rows[-1]))


@pytest.fixture
def sheet():
    """Return the maker of plain canvases."""
    return Sheet


@pytest.fixture
def dyes():
    """Return colours that all differ, and differ from the scene."""
    return DYES


@pytest.fixture
def person():
    """Return the maker of persons: a plain one with changes."""
    return lambda **changes: Person(**PLAIN | changes)


@pytest.fixture
def bones(person, view):
    """Return the maker of skeletons seen from a direction, standing still unless a pose is given."""

    def make(facing="front", who=None, **pose):
        return pose_skeleton(who or person(), view(facing, **pose))

    return make


@pytest.fixture
def view():
    """Return the maker of views from a direction, standing still unless a pose is given."""
    light = Light(1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 90)

    def make(facing, stride=0.0, swing=0.0, turn=0.0):
        return View(facing, Pose(stride, swing, turn), Sheet().frame, light, "", 0, "street")

    return make
