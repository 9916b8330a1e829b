"""The joints of a posed person in body coordinates."""

from dataclasses import dataclass

from harness.twins.drawing.canvas import Point
from harness.twins.drawing.people import Person
from harness.twins.drawing.views import View


@dataclass(frozen=True)
class Limb:
    """One arm (shoulder, elbow, hand) or leg (hip, knee, ankle), and where its toes point (0 towards the camera)."""

    joints: tuple[Point, Point, Point]
    toes: float = 0.0


@dataclass(frozen=True)
class Skeleton:
    """A posed person.

    Attributes:
        side: whether the person is seen from the side, heading right before mirroring.
        back: whether the person is seen from behind.
        turn: sideways shift of the chest's and face's middle, in body heights.
        shoulder, waist, hip: half widths of the outline.
        far_arm, near_arm, far_leg, near_leg: the limbs; the far ones are drawn first.
    """

    side: bool
    back: bool
    turn: float
    shoulder: float
    waist: float
    hip: float
    far_arm: Limb
    near_arm: Limb
    far_leg: Limb
    near_leg: Limb


def pose_skeleton(person: Person, view: View) -> Skeleton:
    """Place the joints of a person for one picture."""
    if view.facing in ("left", "right"):
        return _from_side(person, view)
    return _upright(person, view)


def _upright(person: Person, view: View) -> Skeleton:
    shoulder, waist, hip = (0.118, 0.09, 0.094) if person.gender == "man" else (0.097, 0.068, 0.1)
    stride, swing = view.pose.stride * 0.03, view.pose.swing * 0.025
    return Skeleton(
        side=False,
        back=view.facing == "back",
        turn=view.pose.turn * 0.018,
        shoulder=shoulder,
        waist=waist,
        hip=hip,
        far_arm=_hanging_arm(-1, shoulder, swing),
        near_arm=_hanging_arm(1, shoulder, -swing),
        far_leg=_standing_leg(-1, stride),
        near_leg=_standing_leg(1, -stride),
    )


def _hanging_arm(sign: int, shoulder: float, lift: float) -> Limb:
    upper = (sign * (shoulder - 0.018), 0.2)
    elbow = (sign * (shoulder + 0.012), 0.345 - lift / 2)
    return Limb((upper, elbow, (sign * (shoulder + 0.014 - lift / 2), 0.475 - lift)))


def _standing_leg(sign: int, lift: float) -> Limb:
    return Limb(
        ((sign * 0.047, 0.5), (sign * 0.05, 0.725 - lift / 2), (sign * (0.05 - lift / 3), 0.945 - lift))
    )


def _from_side(person: Person, view: View) -> Skeleton:
    chest, waist, hip = (0.07, 0.062, 0.066) if person.gender == "man" else (0.064, 0.05, 0.07)
    return Skeleton(
        side=True,
        back=False,
        turn=0.0,
        shoulder=chest,
        waist=waist,
        hip=hip,
        far_arm=_swinging_arm(-view.pose.swing),
        near_arm=_swinging_arm(view.pose.swing),
        far_leg=_swinging_leg(view.pose.stride),
        near_leg=_swinging_leg(-view.pose.stride),
    )


def _swinging_arm(swing: float) -> Limb:
    return Limb(
        ((-0.005, 0.2), (-0.018 + 0.06 * swing, 0.345), (0.022 + 0.13 * swing, 0.465 - 0.02 * abs(swing)))
    )


def _swinging_leg(stride: float) -> Limb:
    lift = 0.03 * max(0.0, -stride)
    knee = (0.012 + 0.085 * stride, 0.725 - lift / 2)
    return Limb(((0.0, 0.5), knee, (0.15 * stride - 0.008, 0.945 - lift - 0.012 * abs(stride))), toes=1.0)
