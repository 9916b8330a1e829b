"""The GPU benchmark on the processor, as small as can be: every path of it runs, so that a first GPU finds no fault."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import __main__ as command
from benchmarks import gpu
from benchmarks.common import NotMeasured
from harness.compute import compiling

SMALL = (
    "train.augment.text.back_translation=0",
    "train.augment.text.random_deletion=0",
)


@pytest.fixture
def scale():
    return gpu.Scale(
        device="cpu",
        backbone=("backbone.name=tiny", "backbone.pretrained=null"),
        precision="fp32",
        cases=(
            gpu.Case("full_finetune", (32, 16), switches=True),
            gpu.Case("cskt", (32, 16)),
            gpu.Case("tbps_clip", (32, 32), ("simplified",), settings=SMALL),
            gpu.Case("no_such_method", (32, 16)),
        ),
        batch=2,
        steps=2,
        rounds=1,
        n_images=4,
        queries=(40, 30, 5),
        seconds=1000,
    )


def test_a_method_is_measured(scale):
    claims, _ = gpu.measure_case(scale, gpu.Case("coop", (32, 16)), Path("nowhere"))
    assert len(claims) == 5
    assert all(claim["value"] > 0 for claim in claims)


@pytest.mark.slow
def test_every_path_runs(scale, monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    found = gpu.measure(scale)
    names = [claim["name"] for claim in found["claims"]]
    assert len(names) == len(set(names))
    assert all(claim["value"] is None or claim["value"] > 0 for claim in found["claims"])
    for case in scale.cases[:3]:
        for what in (
            "training",
            "step over a bare step",
            "peak memory",
            "encoding images",
            "encoding captions",
        ):
            assert f"{case.label}, {what}" in names
    for switch in gpu.SWITCHES:
        assert f"full_finetune 32x16, {switch}: time of a step" in names
    assert found["facts"]["no_such_method 32x16"] == "no such method here: left out"
    assert torch.get_float32_matmul_precision() == "highest"


def test_what_there_is_no_time_for_is_said(scale, monkeypatch):
    monkeypatch.setattr(gpu.Scale, "left", lambda self: -1.0)
    found = gpu.measure(scale)
    assert found["facts"]["cskt 32x16"] == "left out for want of time"
    assert len(found["claims"]) == 2


def test_the_full_scale_is_made_of_settings_that_exist(monkeypatch):
    from harness.methods import METHODS
    from harness.presets.resolve import resolve

    scale = gpu.full()
    assert scale.seconds < 480
    for case in scale.cases:
        if case.method in METHODS.names():
            for settings in [(), *(side for pair in gpu.SWITCHES.values() for side in pair)]:
                overrides = [*scale.backbone, f"backbone.image_size={list(case.size)}", *settings]
                assert resolve(case.method, "icfg", presets=list(case.presets), overrides=overrides)


@pytest.mark.parametrize(
    ("module", "message"),
    [("open_clip", "needs open_clip_torch: pip install open_clip_torch"), (None, "no CUDA")],
)
def test_without_a_gpu_or_a_package_a_line_says_so_and_nothing_is_written(
    monkeypatch, tmp_path, capsys, module, message
):
    monkeypatch.setattr(gpu, "find_spec", lambda name: None if name == module else name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NotMeasured, match=message):
        gpu.run()

    def apart(name):
        return gpu.run()

    monkeypatch.setattr(command, "measure_apart", apart)
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(command, "write_table", lambda: None)
    assert command.main(["gpu"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("gpu: not measured: ")
    assert said.out.count("\n") == 1
    assert not list(tmp_path.iterdir())
