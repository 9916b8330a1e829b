from collections import Counter

import pytest
import torch
from scipy import stats
from torchvision.transforms import v2

from harness.config.augment import AugmentConfig
from harness.images.augment import Augment
from harness.images.policies import NAMES, PolicyAugment, _imagenet, strengths

SIZE = (48, 40)
THEIRS = {"auto": v2.AutoAugment, "rand": v2.RandAugment, "trivial": v2.TrivialAugmentWide}
N, N_REFERENCE = 20_000, 4_000


def theirs_named(name):
    """Torchvision's name of an operation."""
    return "".join(part.capitalize() for part in name.split("_"))


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def images(n, size=SIZE):
    """Noise, smooth ramps, and images of few levels, on which equalising and contrast have nothing to do."""
    pixels = torch.randint(0, 256, (n, 3, *size), dtype=torch.uint8, generator=generator(0))
    pixels[1::3] = torch.arange(size[0] * size[1]).view(size).remainder(200).to(torch.uint8) + 20
    pixels[2::9] = 128
    pixels[5::9] = 0
    return pixels


@pytest.mark.parametrize(("policy", "bins"), [("auto", 10), ("rand", 31), ("trivial", 31)])
def test_strengths_equal_those_of_torchvision(policy, bins):
    table = strengths(bins, SIZE, wide=policy == "trivial")
    space = dict(THEIRS[policy]._AUGMENTATION_SPACE)
    assert {theirs_named(name) for name in NAMES} - set(space) <= {"Identity", "Invert"}
    signed = PolicyAugment(policy, SIZE)._signed
    for number, name in enumerate(NAMES):
        if theirs_named(name) in space:
            levels, has_sign = space[theirs_named(name)]
            expected = levels(bins, *SIZE)
            expected = torch.zeros(bins) if expected is None else expected
            assert torch.equal(table[number], expected.double()), name
            assert bool(signed[number]) == has_sign, name


def test_the_policy_learned_on_imagenet_equals_that_of_torchvision():
    theirs = v2.AutoAugment()._get_policies(v2.AutoAugmentPolicy.IMAGENET)
    ours = [
        tuple(
            (theirs_named(NAMES[int(kind)]), round(probability, 4), int(level))
            for kind, probability, level in pair
        )
        for pair in _imagenet().tolist()
    ]
    assert ours == [tuple((name, p, level or 0) for name, p, level in pair) for pair in theirs]


@pytest.mark.parametrize("policy", THEIRS)
def test_half_of_the_signed_strengths_are_negative(policy):
    recipe = PolicyAugment(policy, SIZE)
    changes = recipe.draw(N, generator())
    strength = changes.parameters[:, :, 0][recipe._signed[changes.kind]]
    negative = (strength[strength != 0] < 0).double()
    assert abs(negative.mean() - 0.5) < 4 * 0.5 / len(negative) ** 0.5


@pytest.mark.parametrize("policy", THEIRS)
def test_pixels_equal_those_of_torchvision_for_every_operation_and_strength(policy):
    reference, recipe = THEIRS[policy](), PolicyAugment(policy, SIZE)
    changes, pixels = recipe.draw(400, generator()), images(400)
    done = recipe.apply(pixels, changes)
    seen = set()
    for place, image in enumerate(pixels):
        for kind, acts, strength in zip(
            changes.kind[place], changes.acts[place], changes.parameters[place, :, 0].tolist(), strict=True
        ):
            if acts:
                name = theirs_named(NAMES[kind])
                seen.add(name)
                image = reference._apply_image_or_video_transform(
                    image, name, strength, reference.interpolation, reference._fill
                )
        assert torch.equal(done[place], image)
    assert len(seen) >= (10 if policy == "auto" else 14)


class Recorder:
    """Stands in for the pixels of torchvision's policies and keeps what they were told to do."""

    def __init__(self, policy):
        self.transform = THEIRS[policy]()
        self.transform._apply_image_or_video_transform = self.keep
        self.done = []

    def keep(self, image, name, strength, interpolation, fill):
        self.done.append((name, round(strength, 4)))
        return image

    def histories(self):
        torch.manual_seed(0)
        blank = torch.zeros(3, *SIZE, dtype=torch.uint8)
        for _ in range(N_REFERENCE):
            self.done = []
            self.transform(blank)
            yield tuple(self.done)


def our_histories(policy):
    changes = PolicyAugment(policy, SIZE).draw(N, generator())
    rows = zip(
        changes.kind.tolist(), changes.acts.tolist(), changes.parameters[:, :, 0].tolist(), strict=True
    )
    for row in rows:
        yield tuple(
            (theirs_named(NAMES[kind]), round(strength, 4))
            for kind, acts, strength in zip(*row, strict=True)
            if acts
        )


@pytest.mark.parametrize("policy", THEIRS)
def test_operations_strengths_and_signs_come_as_often_as_in_torchvision(policy):
    ours, theirs = Counter(our_histories(policy)), Counter(Recorder(policy).histories())
    assert set(theirs) <= set(ours)
    rare = [key for key in ours if ours[key] + theirs[key] < 40]
    kept = [key for key in ours if key not in set(rare)]
    table = [[*(count[key] for key in kept), sum(count[key] for key in rare) + 1] for count in (ours, theirs)]
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_rand_augment_takes_two_operations_of_strength_nine_and_trivial_augment_one():
    rand, trivial = (PolicyAugment(policy, SIZE).draw(500, generator()) for policy in ("rand", "trivial"))
    assert rand.kind.shape == (500, 2)
    assert trivial.kind.shape == (500, 1)
    rotations = rand.parameters[rand.kind == NAMES.index("rotate")].abs().unique()
    assert rotations.tolist() == pytest.approx([9.0])
    assert NAMES.index("invert") not in rand.kind.unique()


def test_the_images_given_stay_as_they_are_and_the_config_names_the_policy():
    for policy in THEIRS:
        recipe, pixels = Augment(AugmentConfig(recipe=policy), SIZE), images(40)
        assert recipe._recipe.policy == policy
        changes = recipe.draw(40, generator()).changes
        changed = recipe._recipe.apply(pixels, changes)
        assert torch.equal(pixels, images(40))
        assert changed.dtype == torch.uint8
        assert torch.equal(
            recipe.apply(pixels, recipe.draw(40, generator())), Augment(None, SIZE).normalise(changed)
        )
