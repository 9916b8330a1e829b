"""Costs against formulas and against what a process really used."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.conformance.bench import Bench, step
from harness.methods import METHODS
from harness.train.checkpoint import State
from harness.train.cost import (
    count_parameters,
    inference_flops,
    pair_flops,
    step_summary,
    training_flops,
)


def blueprint(name, backbone="tiny", size=(96, 32), **fields):
    method_class = METHODS.get(name)
    clip = load_clip(BackboneConfig(name=backbone, pretrained=None, image_size=size), device="meta")
    with torch.device("meta"):
        return method_class(clip, method_class.Config(name=name, **fields))


def block_operations(length, width):
    """Return the operations of one block: projections and MLP (12 width^2 products) and attention's two products."""
    return 2 * length * 12 * width**2 + 2 * 2 * length**2 * width


def clip_operations(clip, *, extra_image=0, text_length=77):
    model, visual = clip.model, clip.model.visual
    patch = visual.patch_size[0]
    n_patches = visual.grid_size[0] * visual.grid_size[1]
    stem = 2 * n_patches * 3 * patch**2 * clip.image_width
    image = stem + clip.image_layers * block_operations(n_patches + 1 + extra_image, clip.image_width)
    text = clip.text_layers * block_operations(text_length, clip.text_width)
    heads = (2 * matrix.shape[0] * matrix.shape[1] for matrix in (visual.proj, model.text_projection))
    return [tower + head for tower, head in zip((image, text), heads, strict=True)]


def flops(method):
    return inference_flops(method) | training_flops(method)


@pytest.mark.parametrize("backbone", [("tiny", (96, 32)), ("ViT-B-16-quickgelu", (384, 128))], ids=str)
def test_operations_of_clip_equal_the_formula(backbone):
    method = blueprint("zero_shot", *backbone)
    image, text = clip_operations(method.clip)
    counted = flops(method)
    assert counted["image_forward"] == pytest.approx(image, rel=0.01)
    assert counted["text_forward"] == pytest.approx(text, rel=0.01)
    assert counted["image_training"] == counted["image_forward"]
    if backbone[0].startswith("ViT"):
        assert counted["image_forward"] / 1e9 == pytest.approx(34.39, abs=0.01)
        assert counted["text_forward"] / 1e9 == pytest.approx(5.96, abs=0.01)


def test_full_finetuning_costs_about_three_forward_passes():
    counted = flops(blueprint("full_finetune"))
    for tower in ("image", "text"):
        assert counted[f"{tower}_training"] == pytest.approx(3 * counted[f"{tower}_forward"], rel=0.02)


def test_operations_of_cskt_equal_the_formula():
    method = blueprint("cskt")
    clip, width = method.clip, method.clip.image_width
    image, text = clip_operations(clip, extra_image=8)
    n_image = clip.model.visual.positional_embedding.shape[0] + 8
    maps = 3 * 2 * 4 * clip.text_width * clip.image_width
    image += clip.image_layers * 2 * n_image * 2 * width * (width // 8) + maps
    text += clip.text_layers * 2 * 77 * 2 * clip.text_width * (clip.text_width // 8) + maps
    counted = flops(method)
    assert counted["image_forward"] == pytest.approx(image, rel=0.001)
    assert counted["text_forward"] == pytest.approx(text, rel=0.001)


TRAINED = [name for name in METHODS.names() if METHODS.get(name).trained]
# Views and what is beside the towers: how often the operations of one pass through each tower.
MORE = {"tbps_clip": (2.0, 2.4), "irra": (5.0, 9.0)}


@pytest.mark.parametrize("name", TRAINED)
def test_operations_of_a_pair_are_those_of_its_step(name):
    method = Bench(METHODS.get(name)).make(device="meta")
    towers = sum(training_flops(method).values())
    low, high = MORE.get(name, (0.99, 1.01))
    assert low <= pair_flops(method, 6)["pair_training"] / towers <= high
    assert all(parameter.grad is None for parameter in method.parameters())


def test_operations_of_a_pair_are_those_that_a_step_takes():
    bench = Bench(METHODS.get("tbps_clip"))
    method = bench.make()
    counter = FlopCounterMode(display=False)
    batch = bench.batch(method)
    whole = torch.ones(6, method.clip.text_length, dtype=torch.long)
    batch = replace(batch, tokens=whole, token_views=tuple(whole for _ in batch.token_views))
    with sdpa_kernel(SDPBackend.MATH), counter:
        step(method, batch, method.optimiser())
    assert pair_flops(method, 6)["pair_training"] == pytest.approx(counter.get_total_flops() / 6, rel=1e-3)


def test_operations_of_a_step_that_looks_at_values_are_not_known():
    class Looks(METHODS.get("linear_probe")):
        def losses(self, features, batch):
            assert features["image"].sum().item() > -1e9
            return super().losses(features, batch)

    assert pair_flops(Bench(Looks).make(device="meta"), 6) == {}


def test_a_folded_method_needs_no_maps():
    method = blueprint("cskt")
    before = flops(method)
    method.fold()
    maps = 3 * 2 * 4 * method.clip.text_width * method.clip.image_width
    for tower in ("image", "text"):
        assert before[f"{tower}_forward"] - inference_flops(method)[f"{tower}_forward"] == maps


def test_real_weights_and_the_meta_device_count_alike():
    clip = load_clip(BackboneConfig(name="tiny", pretrained=None, image_size=(96, 32)))
    method_class = METHODS.get("cskt")
    method = method_class(clip, method_class.Config(name="cskt"))
    assert flops(method) == flops(blueprint("cskt"))
    assert all(parameter.grad is None for parameter in method.parameters())
    assert count_parameters(method) == count_parameters(blueprint("cskt"))


def test_parameters_are_counted_once_and_by_kind():
    counts = count_parameters(blueprint("cskt"))
    maps, prompts = 2 * 3 * (128 * 128 + 128), 2 * 3 * 4 * 128
    adapters = (4 + 3) * (128 * 16 + 16 + 16 * 128 + 128 + 2 * 128)
    assert counts.trainable == maps + prompts + adapters
    assert counts.inference_extra == 3 * 8 * (128 + 128) + adapters
    assert counts.total == 2_296_064 + counts.trainable
    assert counts.checkpoint_bytes == 4 * counts.trainable
    assert counts.as_dict().keys() == {"trainable", "total", "inference_extra"}


PEAKS = """
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from harness.train.cost import PeakMemory, resident_high_water

before = resident_high_water()
with PeakMemory("cpu") as small:
    pass
with PeakMemory("cpu") as large:
    held = torch.ones(40_000_000)
    del held
with PeakMemory("cpu") as again:
    pass
print(before, small.bytes, large.bytes, again.bytes)
"""


@pytest.mark.slow
def test_peak_memory_on_cpu_sees_what_was_freed_again():
    # In a process of its own: in one that has freed much, new memory is old memory and raises no mark.
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    before, small, large, again = map(int, done.stdout.split())
    assert before > 0
    assert large - small > 100e6
    assert large - again > 100e6, "each measurement begins anew"


def test_time_is_summed_up():
    state = State()
    state.seconds = 12.5
    assert step_summary([], None, state) == {"train_seconds": 12.5}
    summary = step_summary([0.1, 0.2, 0.3, 0.4, 9.0], None, state)
    assert summary["step_seconds"] == pytest.approx(0.3)
    assert summary["step_seconds_p95"] == pytest.approx(0.4 + 0.8 * 8.6)
    assert step_summary([0.2], None, state) == {"train_seconds": 12.5}
    assert step_summary([], None, state, keep_seconds=2.0) == {"train_seconds": 14.5}
    two = step_summary([0.2, 0.4], 7, state)
    assert (two["step_seconds"], two["step_seconds_p95"]) == pytest.approx((0.3, 0.39))
    assert two["step_peak_bytes"] == 7
