"""Methods with one fault each: exactly the check that is about it finds it, and says what to do.

A method without a fault passes everything.
"""

import random
import re
import sys
from types import ModuleType

import pytest
import torch
from pydantic import ConfigDict
from torch import nn

from harness.clip.injection import Injection
from harness.conformance.bench import Bench
from harness.conformance.check import Fault
from harness.conformance.of_the_file import docstring
from harness.conformance.suite import CHECKS, run_checks
from harness.errors import UsageError
from harness.methods import Losses, Method, Range, TrainedConfig, setting

SMALL = "tiny-1x32-1x32"


class Whole(Method):
    """Learned factors behind both towers, cast to the type of what they multiply."""

    name = "whole"

    def adapt(self):
        self.factors = nn.Parameter(torch.ones(self.clip.embed_dim))

    def head_image(self, embeddings):
        return embeddings * self.factors.to(embeddings.dtype)

    head_text = head_image


def planted(check, found):
    """Note, with a faulty class, which check must find it and what it must say."""

    def note(cls):
        cls.planted = (check, found)
        FAULTY.append(cls)
        return cls

    return note


FAULTY = []


@planted("fields", "no help for width")
class SilentField(Whole):
    class Config(TrainedConfig):
        held = ("width",)
        width: int = 3


@planted("fields", "no search range for lr")
class UnsearchedRate(Whole):
    class Config(TrainedConfig):
        lr: float = setting(1e-3, "rate")


@planted("ranges", "lr=1.0 is outside")
class OutOfRange(Whole):
    class Config(TrainedConfig):
        lr: float = setting(1.0, "rate", search=Range(low=1e-5, high=1e-1))


@planted("searched", "width has neither")
class Forgotten(Whole):
    class Config(TrainedConfig):
        width: int = setting(3, "width")


@planted("searched", "held names width")
class HeldInVain(Whole):
    class Config(TrainedConfig):
        held = ("width",)


@planted("unknown field", "no_such_field=1 without a word")
class TakesAnything(Whole):
    class Config(TrainedConfig):
        model_config = ConfigDict(extra="allow")


@planted("adapt", r"ValueError: no such layer \(.*test_planted_faults.py, line \d+, in adapt\)")
class Raises(Whole):
    def adapt(self):
        raise ValueError("no such\n layer")


@planted("adapt", "SystemExit: 3")
class Leaves(Whole):
    def adapt(self):
        raise SystemExit(3)


@planted("adapt", r"it refuses tiny-1x32-1x32: method.bottleneck=64 is too much")
class TooWide(Whole):
    def adapt(self):
        raise UsageError("method.bottleneck=64 is too much.")


@planted("counts", r"RuntimeError: .*meta.* \(.*, in adapt\)|NotImplementedError: .*meta")
class LooksAtValues(Whole):
    def adapt(self):
        largest = float(next(self.clip.parameters()).abs().max())
        self.factors = nn.Parameter(torch.ones(self.clip.embed_dim) * largest)


@planted("counts", "factors differs on the meta device")
class OtherOnMeta(Whole):
    def adapt(self):
        super().adapt()
        self.factors.requires_grad_(self.factors.device.type != "meta")


@planted("trained", "no parameter has requires_grad")
class NothingTrained(Whole):
    def adapt(self):
        super().adapt()
        self.factors.requires_grad_(False)


@planted("trained", "1 parameter would be trained, such as factors")
class TrainedUnsaid(Whole):
    trained = False


@planted("shapes", "encode_text returned NoneType")
class ReturnsNothing(Whole):
    def head_text(self, embeddings):
        embeddings * self.factors


@planted("shapes", r"encode_image made \[128\] of 1")
class DropsRows(Whole):
    def head_image(self, embeddings):
        return super().head_image(embeddings)[0]


@planted("shapes", r"IndexError: .*, in head_image\)")
class NeedsTwo(Whole):
    def head_image(self, embeddings):
        return super().head_image(embeddings) + embeddings[1]


@planted("shapes", "encode_text gives values that are not finite")
class Divides(Whole):
    def head_text(self, embeddings):
        return embeddings / (self.factors - 1)


@planted("losses", "the term sdm is nan")
class NotFinite(Whole):
    def losses(self, features, batch):
        return Losses({"sdm": super().losses(features, batch).total * float("nan")})


@planted("losses", "no term depends on a trained parameter")
class WithoutGradient(Whole):
    def losses(self, features, batch):
        return super().losses({name: rows.detach() for name, rows in features.items()}, batch)


@planted("losses", "losses returned Tensor")
class BareLoss(Whole):
    def losses(self, features, batch):
        return super().losses(features, batch).total


@planted("losses", r"the term each is of shape \(6,\)")
class ManyNumbers(Whole):
    def losses(self, features, batch):
        return Losses({"each": (features["image"] * features["text"]).sum(1)})


@planted("losses", r"KeyError: 'images' \(.*test_planted_faults.py, line \d+, in losses\)")
class WrongName(Whole):
    def losses(self, features, batch):
        return Losses({"own": features["images"].sum()})


@planted("losses", r"IndexError: .*, in losses\)")
class ViewNotAskedFor(Whole):
    def losses(self, features, batch):
        return Losses({"own": features["image"].sum() + batch.token_views[0].sum()})


@planted("seed", "factors starts otherwise each time")
class OwnDraws(Whole):
    def adapt(self):
        self.factors = nn.Parameter(torch.full((self.clip.embed_dim,), 1 + random.random()))


@planted("seed", "the feature image differs from one time to the next")
class NoisyFeatures(Whole):
    def features(self, batch):
        found = super().features(batch)
        return found | {"image": found["image"] * random.uniform(0.9, 1.1)}


@planted("seed", "one batch has the losses")
class NoisyLoss(Whole):
    def losses(self, features, batch):
        return Losses({"sdm": super().losses(features, batch).total * random.uniform(0.5, 1.5)})


@planted("gradients", "1 parameter counts as trainable but gets no gradient: unused")
class Dead(Whole):
    def adapt(self):
        super().adapt()
        self.unused = nn.Parameter(torch.ones(3))


@planted("registered", r"2 tensors of shape \[128\], \[128\] would learn unseen")
class Hidden(Whole):
    def adapt(self):
        super().adapt()
        self.further = [nn.Parameter(torch.ones(self.clip.embed_dim)) for _ in range(2)]

    def head_image(self, embeddings):
        return super().head_image(embeddings) * self.further[0] * self.further[1]


@planted("groups", "param_groups lacks shift")
class Forgets(Whole):
    def adapt(self):
        super().adapt()
        self.shift = nn.Parameter(torch.zeros(self.clip.embed_dim))

    def head_image(self, embeddings):
        return super().head_image(embeddings) + self.shift.to(embeddings.dtype)

    def param_groups(self):
        return [{"params": [self.factors], "lr": 1e-3}]


@planted("groups", "optimiser has 2 parameters, 1 are trained")
class OptimisesMore(Whole):
    def optimiser(self):
        return torch.optim.Adam([self.factors, next(self.clip.parameters())])


@planted("frozen", r"clip.model.visual.ln_post.weight changed in training, and is frozen")
class MovesBackbone(Whole):
    def features(self, batch):
        found = super().features(batch)
        if self.training:
            self.clip.model.visual.ln_post.weight.data.mul_(1.01)
        return found


@planted("frozen", "centre changed in training")
class MovesBuffer(Whole):
    def adapt(self):
        super().adapt()
        self.register_buffer("centre", torch.zeros(self.clip.embed_dim), persistent=False)

    def features(self, batch):
        found = super().features(batch)
        self.centre.add_(found["image"].detach().mean(0))
        return found


@planted("frozen", "shift is trained, and stays as it was")
class NeverMoves(Whole):
    def adapt(self):
        super().adapt()
        self.shift = nn.Parameter(torch.zeros(self.clip.embed_dim))

    def head_image(self, embeddings):
        return super().head_image(embeddings) + 0 * self.shift.to(embeddings.dtype)


@planted("frozen", "dead is trained, and stays as it was")
class OnlyDecays(Whole):
    def adapt(self):
        super().adapt()
        self.dead = nn.Parameter(torch.ones(4, 4))

    def head_image(self, embeddings):
        return super().head_image(embeddings) + 0 * self.dead.sum().to(embeddings.dtype)


@planted("graph", "embeddings do not depend on scale")
class OnlyInLosses(Whole):
    def adapt(self):
        super().adapt()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def losses(self, features, batch):
        return Losses({"sdm": super().losses(features, batch).total * self.scale})


@planted("graph", "embeddings depend on factors, which only losses should need")
class WronglyNamed(Whole):
    training_only = ("factors",)

    def fold(self):
        pass

    def folded_parameters(self):
        return self.factors.numel()


@planted("descent", "after 5 steps at rate 0.001")
class Climbs(Whole):
    def optimiser(self):
        return torch.optim.Adam(self.param_groups(), maximize=True)


@planted("alone", "the image embedding differs by up to")
class Centres(Whole):
    def head_image(self, embeddings):
        return super().head_image(embeddings - embeddings.mean(0))


@planted("rows", "the feature text differs by up to")
class CentresFeatures(Whole):
    def features(self, batch):
        found = super().features(batch)
        return found | {"text": found["text"] - found["text"].mean(0)}


@planted("rows", "the feature image differs")
class Neighbours(Whole):
    def features(self, batch):
        found = super().features(batch)
        return found | {"image": found["image"] + found["image"].roll(1, 0)}


@planted("order", r"the loss is .* in one order and .* in another")
class FirstCountsTwice(Whole):
    def losses(self, features, batch):
        first = 1 - (features["image"][0] * features["text"][0]).sum()
        return Losses({"sdm": super().losses(features, batch).total, "first": first})


@planted("kept parts", "the feature image differs")
class ActsInside(Whole):
    class Sly(Injection):
        acts_inside = False

        def before_block(self, layer, x):
            return x * 1.1

    def adapt(self):
        super().adapt()
        self.image_injection = self.Sly()


@planted("saved", "image embeddings of what was loaded differ")
class Remembers(Whole):
    def adapt(self):
        super().adapt()
        self.n_steps = 0

    def on_step_start(self, at):
        self.n_steps += 1

    def head_image(self, embeddings):
        return super().head_image(embeddings) + 0.1 * self.n_steps


@planted("fold", "the image embedding differs by up to")
class FoldsWrongly(Whole):
    def fold(self):
        self.factors.data.add_(0.01)


@planted("fold", "folding again changes the image embeddings")
class FoldsTwice(Whole):
    def adapt(self):
        super().adapt()
        self.n_folds = 0

    def fold(self):
        self.n_folds += 1

    def head_image(self, embeddings):
        return super().head_image(embeddings) + max(0, self.n_folds - 1)


@planted("folded count", "it said 0 before and 0 after folding, and 128 are left")
class CountsNothing(Whole):
    def folded_parameters(self):
        return 0


@planted("half", r"RuntimeError: .*(dtype|type|half|Half).*, in head_image\)")
class DoesNotCast(Whole):
    def adapt(self):
        self.factors = nn.Parameter(torch.eye(self.clip.embed_dim))

    def head_image(self, embeddings):
        return embeddings @ self.factors

    head_text = head_image


def failed(cls, backbone=SMALL):
    return {one.check: one for one in run_checks(Bench(cls, backbone=backbone)) if one.state == "failed"}


def test_a_whole_method_passes_everything_that_applies():
    results = run_checks(Bench(Whole))
    assert {one.state for one in results} == {"passed"}
    assert [one.check for one in results] == [check.name for check in CHECKS]


def cases():
    """Yield a quick case of each check; further ones are slow."""
    seen = set()
    for cls in FAULTY:
        further = cls.planted[0] in seen
        seen.add(cls.planted[0])
        yield pytest.param(cls, id=cls.__name__, marks=[pytest.mark.slow] if further else [])


@pytest.mark.parametrize("cls", list(cases()))
def test_exactly_the_check_that_is_about_a_fault_finds_it(cls):
    check, found = cls.planted
    wrong = failed(cls)
    assert set(wrong) == {check}, wrong
    assert re.search(found, wrong[check].found), wrong[check].found
    assert "\n" not in wrong[check].found + wrong[check].fix
    assert wrong[check].fix


def test_every_check_has_a_fault_that_it_finds():
    assert {cls.planted[0] for cls in FAULTY} | {"docstring"} == {check.name for check in CHECKS}


def test_a_file_that_says_nothing_is_found(monkeypatch):
    module = ModuleType("silent", "One line.")
    module.__file__ = "silent.py"
    monkeypatch.setitem(sys.modules, "silent", module)
    with pytest.raises(Fault, match=r"silent.py has 1 of at least 3 lines"):
        docstring(Bench(type("Silent", (Whole,), {"__module__": "silent"})))
