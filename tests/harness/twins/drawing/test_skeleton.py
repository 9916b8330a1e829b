"""Joints by hand: standing still, walking, and what differs between front, back and side."""

import pytest

from harness.twins.drawing.people import VALUES
from harness.twins.drawing.skeleton import Limb, Skeleton, pose_skeleton
from harness.twins.drawing.views import FACINGS

UPRIGHT = ("front", "back")


def flat(limb):
    return [number for joint in limb.joints for number in joint]


def mirrored(limb):
    return [(-u, v) for u, v in limb.joints]


def test_the_same_person_in_the_same_view_stands_the_same_whatever_is_worn(person, view):
    one, other = person(), person(hair="long", upper="coat", sleeves="long", bag="backpack", item="cup")
    for facing in FACINGS:
        posed = pose_skeleton(one, view(facing, 0.3, 0.2, 0.1))
        assert isinstance(posed, Skeleton)
        assert all(isinstance(limb, Limb) for limb in (posed.near_arm, posed.far_leg))
        assert posed == pose_skeleton(other, view(facing, 0.3, 0.2, 0.1))
        assert posed != pose_skeleton(one, view(facing, -0.3, 0.2, 0.1))


def test_directions_are_told_by_side_and_back(bones):
    assert {facing: (bones(facing).side, bones(facing).back) for facing in FACINGS} == {
        "front": (False, False),
        "back": (False, True),
        "left": (True, False),
        "right": (True, False),
    }
    assert bones("left", stride=0.7, swing=0.4) == bones("right", stride=0.7, swing=0.4)


@pytest.mark.parametrize("facing", UPRIGHT)
def test_who_stands_still_is_symmetric(bones, facing):
    still = bones(facing)
    assert list(still.near_arm.joints) == mirrored(still.far_arm)
    assert list(still.near_leg.joints) == mirrored(still.far_leg)
    assert still.turn == 0


def test_a_stride_lifts_one_leg_and_lowers_the_other_by_as_much(bones):
    walking = bones("front", stride=1.0, swing=-1.0, turn=0.5)
    assert flat(walking.far_leg) == pytest.approx([-0.047, 0.5, -0.05, 0.71, -0.04, 0.915])
    assert flat(walking.near_leg) == pytest.approx([0.047, 0.5, 0.05, 0.74, 0.06, 0.975])
    assert walking.near_arm.joints[2][1] == pytest.approx(0.475 - 0.025)
    assert walking.far_arm.joints[2][1] == pytest.approx(0.475 + 0.025)
    assert walking.turn == pytest.approx(0.009)


def test_from_the_side_the_limbs_swing_against_one_another(bones):
    walking = bones("right", stride=1.0, swing=1.0, turn=1.0)
    assert walking.turn == 0
    assert flat(walking.far_leg) == pytest.approx([0.0, 0.5, 0.097, 0.725, 0.142, 0.933])
    assert flat(walking.near_leg) == pytest.approx([0.0, 0.5, -0.073, 0.71, -0.158, 0.903])
    assert flat(walking.near_arm) == pytest.approx([-0.005, 0.2, 0.042, 0.345, 0.152, 0.445])
    assert flat(walking.far_arm) == pytest.approx([-0.005, 0.2, -0.078, 0.345, -0.108, 0.445])
    assert (walking.near_leg.toes, walking.near_arm.toes) == (1.0, 0.0)
    assert bones("front").near_leg.toes == 0.0


@pytest.mark.parametrize("facing", FACINGS)
@pytest.mark.parametrize("move", [-1.0, 0.0, 1.0])
def test_joints_follow_one_another_downwards_at_every_extreme(bones, facing, move):
    posed = bones(facing, stride=move, swing=move, turn=move)
    for limb in (posed.far_arm, posed.near_arm, posed.far_leg, posed.near_leg):
        heights = [v for _, v in limb.joints]
        assert heights == sorted(heights)
        assert 0 < heights[0] < heights[-1] < 1


@pytest.mark.parametrize("facing", FACINGS)
def test_men_have_wider_shoulders_and_women_wider_hips(bones, person, facing):
    widths = {gender: bones(facing, person(gender=gender)) for gender in VALUES["gender"]}
    assert widths["man"].shoulder > widths["woman"].shoulder
    assert widths["man"].hip < widths["woman"].hip
    assert all(each.waist < each.shoulder for each in widths.values())
