"""Whole runs with every setting that makes steps cheaper come out as those without, and under names of their own.

But for dropout of text attention, which draws other numbers where captions are padded to a length that is compiled.
"""

import pytest

from harness.compute import compiling
from harness.record import RunFolder
from harness.run.run import run

CHEAPER = (
    "train.compile=true",
    "train.checkpoint_activations=true",
    "train.tf32=true",
    "train.fused=always",
    "train.prefetch=false",
)


@pytest.fixture(autouse=True)
def _traced_alone(monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    yield
    compiling.forget_compiled()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "parts"),
    [("irra", "train.accumulation=2"), ("tbps_clip", "method.text_dropout=0")],
)
def test_a_run_comes_out_the_same(world, twins, tmp_path, untracked, method, parts):
    plain, cheaper = (
        run(world.quick(twins, method, "icfg", parts, *more), runs=tmp_path) for more in ((), CHEAPER)
    )
    assert plain.identity != cheaper.identity
    for one, other in zip(rows(cheaper, tmp_path), rows(plain, tmp_path), strict=True):
        assert {name: value for name, value in one.items() if name.startswith("train/")} == pytest.approx(
            {name: value for name, value in other.items() if name.startswith("train/")}, rel=1e-4, abs=1e-4
        )
    assert cheaper.metrics == pytest.approx(plain.metrics, abs=3)


def test_prefetch_is_no_part_of_what_a_run_is(world, twins, tmp_path, untracked):
    records = [
        run(world.quick(twins, "linear_probe", "icfg", f"train.prefetch={on}"), runs=tmp_path)
        for on in ("true", "false")
    ]
    assert records[0].name == records[1].name


def rows(record, root):
    return RunFolder(root / record.name).history()
