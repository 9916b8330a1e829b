"""Towers compiled, or with activations that are computed again: the same losses and gradients for each method."""

import pytest
import torch
from torch._dynamo.utils import counters
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import pad

from harness.clip.tower_calls import tower_calls
from harness.compute import compiling
from harness.errors import UsageError
from harness.methods import METHODS
from harness.train.gradient_cache import GradientCache

OPTIONS = {"irra": {"n_identities": 5}, "tbps_clip": {"text_dropout": 0.2, "mvs_text": True}}
THROUGH_TOWERS = [name for name in METHODS.names() if METHODS.get(name).trained]
# Of each way to change a tower one: differentiated before they run as well, which takes three times as long.
OF_EACH_KIND = ("full_finetune", "irra", "lora", "side_network", "tbps_clip", "up_person")


@pytest.fixture(autouse=True)
def backend(monkeypatch):
    """Trace as a compiler does, but run the operations as they are: that takes a second, not a minute."""
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    yield
    compiling.forget_compiled()


def learned(method, batch, calls=None, part_size=0):
    """Return losses and gradients of a training step from a fixed random state."""
    method.begin_training()
    method.zero_grad()
    torch.manual_seed(5)
    with method.clip.called_by(calls or method.clip.calls), compiling.compiling():
        if part_size:
            losses = GradientCache(method, method, part_size).step(batch, torch.Tensor.backward)
        else:
            losses = method(batch)
            losses.total.backward()
    gradients = {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}
    return {name: term.detach() for name, term in losses.terms.items()}, gradients


def assert_alike(found, expected, **how):
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            torch.testing.assert_close(one[name], value, msg=lambda text, name=name: f"{name}: {text}", **how)


@pytest.mark.parametrize("name", THROUGH_TOWERS)
def test_activations_computed_again_give_equal_gradients_dropout_included(build, batch, name):
    method = build(name, backbone="shallow", **OPTIONS.get(name, {}))
    calls = tower_calls(compile=False, checkpoint=True)
    for part_size in (0, 4):
        expected = learned(method, batch, part_size=part_size)
        assert_alike(learned(method, batch, calls, part_size), expected, rtol=0, atol=0)


def kept_bytes(method, batch, calls):
    """Return the bytes that the forward pass keeps for the backward one."""
    kept = {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with method.clip.called_by(calls), saved_tensors_hooks(keep, lambda tensor: tensor):
        method.encode_image(batch.images)
    own = {parameter.data_ptr() for parameter in method.parameters()}
    return sum(size for place, size in kept.items() if place not in own)


def test_activations_computed_again_are_not_kept(build, batch):
    method = build("full_finetune")
    plain, again = (
        kept_bytes(method, batch, tower_calls(compile=False, checkpoint=checkpoint))
        for checkpoint in (False, True)
    )
    assert again < plain / 4


@pytest.mark.parametrize(
    ("name", "compiler"),
    [(name, "aot_eager" if name in OF_EACH_KIND else "eager") for name in THROUGH_TOWERS],
)
@pytest.mark.slow
def test_compiled_towers_give_the_same_losses_and_gradients(build, batch, name, compiler, monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", compiler)
    method = build(name, backbone="shallow", **OPTIONS.get(name, {}))
    expected = learned(method, batch)
    found = learned(method, batch, tower_calls(compile=True, checkpoint=False))
    assert counters["stats"]["unique_graphs"] >= 2
    assert_alike(found, expected, rtol=1e-4, atol=1e-5)


def test_the_towers_are_traced_whole(build, batch):
    method = build("coop", backbone="shallow")
    expected = learned(method, batch)
    assert_alike(
        learned(method, batch, tower_calls(compile=True, checkpoint=False)), expected, rtol=0, atol=0
    )


@pytest.mark.parametrize(("name", "compiler"), [("cskt", "eager"), ("dm_adapter", "aot_eager")])
@pytest.mark.slow
def test_all_at_once_give_the_same(build, batch, monkeypatch, name, compiler):
    """Of these the second notes inside of its blocks what its losses need."""
    monkeypatch.setattr(compiling, "BACKEND", compiler)
    method = build(name, backbone="shallow")
    expected = learned(method, batch, part_size=4)
    found = learned(method, batch, tower_calls(compile=True, checkpoint=True), part_size=4)
    assert_alike(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_few_lengths_are_few_graphs(build, batch, captions):
    """A graph for the images, and one for each length of captions; none for another batch of the same."""
    method = build("full_finetune", backbone="shallow")
    calls = tower_calls(compile=True, checkpoint=False)
    counters.clear()
    for length, expected in ((16, 2), (32, 3), (48, 4), (16, 4), (32, 4)):
        batch.tokens = captions(4, 6, 9, 5, 7, 3, length=length)
        learned(method, batch, calls)
        assert counters["stats"]["unique_graphs"] == expected


@pytest.mark.slow
def test_too_many_shapes_are_an_error_and_no_silent_fall_back(build, batch, monkeypatch):
    monkeypatch.setattr(compiling, "MOST_SHAPES", 2)
    method = build("full_finetune", backbone="shallow")
    calls = tower_calls(compile=True, checkpoint=False)
    with method.clip.called_by(calls), compiling.compiling(), torch.no_grad():
        for length in (10, 11):
            method.encode_text(pad(batch.tokens, (0, length - 10)))
        with pytest.raises(Exception, match=r"Hard failure|recompile"):
            method.encode_text(pad(batch.tokens, (0, 2)))


def test_padding_changes_no_caption(build, batch):
    for name in ("full_finetune", "cskt", "coop"):
        method = build(name, backbone="shallow")
        with torch.no_grad():
            torch.testing.assert_close(
                method.encode_text(pad(batch.tokens, (0, 22))), method.encode_text(batch.tokens)
            )


@pytest.mark.parametrize(
    ("device", "message"), [("cpu", r"needs a C\+\+ compiler.*install g\+\+"), ("cuda", "needs Triton")]
)
def test_without_a_compiler_one_line_says_what_is_needed(monkeypatch, device, message):
    monkeypatch.setattr(compiling, "BACKEND", "inductor")
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: False)
    with pytest.raises(UsageError, match=message) as error:
        compiling.check_compiler(torch.device(device))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_real_compiler_gives_the_same_too(build, batch, monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "inductor")
    compiling.check_compiler(torch.device("cpu"))
    method = build("full_finetune", backbone="shallow")
    expected = learned(method, batch)
    found = learned(method, batch, tower_calls(compile=True, checkpoint=False))
    assert_alike(found[:1], expected[:1], rtol=1e-4, atol=1e-4)
    assert_alike(found[1:], expected[1:], rtol=1e-3, atol=1e-3)
