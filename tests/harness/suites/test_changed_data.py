"""Done cells of a suite when pictures have changed: which are run again, and what is said of them."""

import pytest

from harness.queue.work_setup import WorkSetup
from harness.record import RunFolder, all_runs
from harness.suites.cells import expand
from harness.suites.run_suite import run_suite
from harness.suites.suite_files import load_suite
from tests.notes import Notes

ROWS = """
title: Untrained
datasets: [icfg]
seeds: 1
evaluate: [cuhk]
rows:
  - method: zero_shot
    set: {backbone.pretrained: null}
"""


@pytest.fixture
def suite(untracked, world, tmp_path):
    """Return a function that runs the suite and returns the names of its runs and what was noted, and the twins."""
    data, file = world.make_twins(tmp_path / "data", ("icfg", "cuhk")), tmp_path / "rows.yaml"
    file.write_text(ROWS)

    def call():
        notes = Notes()
        expansion = expand(load_suite(str(file)), synthetic=True)
        run_suite(expansion, WorkSetup(tmp_path / "runs", data_root=str(data), listener=notes))
        return {folder.path.name for folder in all_runs(tmp_path / "runs")}, notes.notes

    return call, data / "synthetic"


def change(folder):
    """Put each picture in the place of the one before it; return what brings all back."""
    files = sorted(folder.rglob("*.jpg"))
    contents = [file.read_bytes() for file in files]

    def write(step):
        for place, file in enumerate(files):
            file.write_bytes(contents[(place + step) % len(files)])

    write(1)
    return lambda: write(0)


@pytest.mark.slow
def test_a_done_cell_is_run_again_when_its_pictures_change_and_not_otherwise(suite, tmp_path):
    call, twins = suite
    (first,), _ = call()
    runs, notes = call()
    assert (runs, notes) == ({first}, [])
    restore = change(twins / "ICFG-PEDES")
    runs, notes = call()
    assert len(runs) == 2
    assert notes[0] == "zero_shot/icfg/1 is run again: other pictures in train, val, test."
    restore()
    assert call()[0] == runs
    assert call()[1] == []
    change(twins / "CUHK-PEDES")
    runs, notes = call()
    assert notes[0] == "zero_shot/icfg/1 is run again: other pictures in test on cuhk."
    assert any(f"found the finished run {first}" in note for note in notes)
    assert any("the result on cuhk of" in note and "is made anew" in note for note in notes)


def test_a_cell_made_before_pictures_were_part_of_it_stays_done(suite, tmp_path):
    call, twins = suite
    (first,), _ = call()
    folder = RunFolder(tmp_path / "runs" / first)
    record = folder.read()
    record.pictures = {}
    folder.write(record)
    change(twins / "ICFG-PEDES")
    assert call() == ({first}, [])
