"""The peak memory of a step: counted by hand, freed when tensors are, and the same step as without looking."""

import copy

import pytest
import torch

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.method_parts.batch import Batch
from harness.methods import METHODS
from harness.record import RunFolder
from harness.run.run import run
from harness.train.cost import StepMemory, held_tensors

CONFIG = BackboneConfig(name="tiny-2x64-2x64", pretrained=None, image_size=(48, 16))
KILO = 1000  # floats of 4 bytes, so 4,000 bytes


@pytest.fixture
def build():
    """Return a maker of methods on a small CLIP."""

    def make(name):
        torch.manual_seed(0)
        return METHODS.get(name)(load_clip(CONFIG), METHODS.get(name).Config(name=name))

    return make


@pytest.fixture
def batch():
    tokens = load_clip(CONFIG).tokenize(["a man in red", "a woman in blue", "a man in red"])[:, :12]
    return Batch(torch.randn(3, 3, 48, 16), tokens, torch.tensor([0, 1, 0]))


def test_what_is_alive_at_once_is_counted_and_what_was_freed_is_not():
    held = torch.ones(KILO)
    with StepMemory([held, held, held[:10]]) as memory:
        assert memory.peak == 4 * KILO, "memory that is shared counts once"
        one = held + 1
        two = one * 2
        del one
        three = two + 1  # two others are alive beside what was held
        _ = three[:5].view(5, 1)
        three += 1
    assert memory.peak == 3 * 4 * KILO
    assert len(three) == KILO


def test_activations_that_the_backward_pass_needs_stay_alive_and_gradients_are_counted():
    weight = torch.ones(KILO, requires_grad=True)

    def peak(depth):
        with StepMemory([weight]) as memory:
            x = weight
            for _ in range(depth):
                x = x.exp()
            x.sum().backward()
        weight.grad = None
        return memory.peak

    per_layer = [peak(depth + 1) - peak(depth) for depth in (3, 6)]
    assert per_layer == [4 * KILO, 4 * KILO]
    with torch.no_grad(), StepMemory([weight]) as memory:
        x = weight
        for _ in range(9):
            x = x.exp()
    assert memory.peak == 3 * 4 * KILO, "without a graph nothing is kept"


def test_everything_that_a_step_makes_is_let_go(build, batch):
    method = build("full_finetune")
    optimiser = method.optimiser()

    def step():
        method(batch).total.backward()
        optimiser.step()
        optimiser.zero_grad()

    step()
    held = held_tensors(method, optimiser, list(vars(batch).values()))
    before = sum({id(t.untyped_storage()): t.untyped_storage().nbytes() for t in held}.values())
    weights = sum(parameter.numel() for parameter in method.parameters()) * 4
    assert before >= 3 * weights, "Adam keeps two values a weight"
    with StepMemory(held) as memory:
        step()
    assert memory._live == before
    assert memory.peak > before + weights, "gradients come on top"


def test_looking_changes_nothing(build, batch):
    method = build("cskt")
    other = copy.deepcopy(method)
    for one, seen in ((method, False), (other, True)):
        torch.manual_seed(5)
        optimiser = one.optimiser()
        for _ in range(2):
            if seen:
                with StepMemory(held_tensors(one, optimiser)):
                    one(batch).total.backward()
            else:
                one(batch).total.backward()
            optimiser.step()
            optimiser.zero_grad()
    pairs = zip(method.trainable(), other.trainable(), strict=True)
    assert all(torch.equal(one, two) for (_, one), (_, two) in pairs)


@pytest.mark.usefixtures("untracked")
def test_a_run_accounts_for_its_step_and_not_for_its_libraries(world, twins, tmp_path):
    found = {}
    for method in ("linear_probe", "adapter_only", "full_finetune"):
        record = run(world.quick(twins, method), runs=tmp_path)
        found[method] = record.accounting["step_peak_bytes"]
        assert record.accounting["train_peak_bytes"] > 10 * found[method]
        assert RunFolder(tmp_path / record.name).read().accounting["step_peak_bytes"] == found[method]
    assert found["linear_probe"] < found["adapter_only"] < found["full_finetune"]
