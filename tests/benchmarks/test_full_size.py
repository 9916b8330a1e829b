"""The benchmark of full-size twins measures whole process trees and judges what it measured."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.__main__ import names
from benchmarks.full_size import Stage, judged, measure_stage

CHILD = "import time; x = bytearray(80_000_000); x[::4096] = b'1' * len(x[::4096]); time.sleep(1.5)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}], check=True)"


def test_the_long_benchmark_runs_only_by_its_name():
    assert "full_size" not in names()
    assert "evaluation" in names()


def test_memory_is_that_of_a_command_and_what_it_started(tmp_path):
    stage = measure_stage([sys.executable, "-c", PARENT], tmp_path)
    assert 80 < stage.own_mb <= stage.resident_mb < 400
    assert stage.seconds > 1.5
    assert 0 < stage.cpu_seconds < stage.seconds + 5


def test_a_stage_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="ended with 3: no such thing"):
        measure_stage([sys.executable, "-c", "import sys; print('no such thing'); sys.exit(3)"], tmp_path)


def test_places_of_a_stage_are_below_its_folder(tmp_path):
    show = (
        "import os; assert os.environ['HARNESS_RUNS'] == os.path.abspath('runs'), os.environ['HARNESS_RUNS']"
    )
    measure_stage([sys.executable, "-c", show], tmp_path)


@pytest.mark.parametrize(
    ("quarter", "full", "holds"),
    [
        ((10, 900), (44, 1900), [True, True]),
        ((10, 900), (47, 2100), [False, False]),
        ((0.2, 1), (1.9, 1), [True, None]),
    ],
)
def test_a_stage_is_judged_by_memory_and_growth(quarter, full, holds):
    one, other = ({"make": Stage(1.0, cpu, mb, mb)} for cpu, mb in (quarter, full))
    assert [claim["holds"] for claim in judged("icfg", one, other)] == [None, *holds]
