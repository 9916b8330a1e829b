"""What is wrong with real data is said, planned and recorded, by a run and by a test of it elsewhere."""

import pytest

from harness.inference.transfer import evaluate_run
from harness.presets.resolve import resolve
from harness.run.dry_run import make_plans
from harness.run.run import run
from tests.notes import Notes

CUT = "captions cut at 77 tokens: 2 of 2 in test; this makes captions equal to others: 2 in test"


@pytest.fixture
def tested_only(real_format, tmp_path):
    """Return the root of an ICFG of which only the test split is there, with captions that are too long."""
    entries = [entry for entry in real_format.icfg_entries() if entry["split"] == "test"]
    for number, entry in enumerate(entries):
        entry["captions"] = [f"{'a ' * 100}{number}"]
    return real_format.write_icfg(tmp_path / "data", entries)


@pytest.mark.slow
def test_a_run_its_plan_and_its_test_elsewhere_record_the_faults(tested_only, real_format, tmp_path):
    small = ("backbone.name=tiny", "backbone.pretrained=shapes", "backbone.image_size=[24,8]")
    settings = (f"dataset.root={tested_only}", "dataset.val=none", *small)
    config, runs, heard = resolve("zero_shot", "icfg", overrides=settings), tmp_path / "runs", Notes()
    (plan,) = make_plans(config, runs)
    record = run(config, runs=runs, device="cpu", listener=heard)
    faults = record.data["faults"]
    assert faults[0] == "No train set, unlike the published ICFG-PEDES"
    assert faults[1].startswith("Not the published test set: 2 images, published 19,848")
    assert CUT in faults
    assert all(
        any(note.startswith(f"warning: {line}. ") for note in heard.notes) for line in (*faults[:2], CUT)
    )
    assert plan.faults == [faults[0], faults[1], CUT]
    assert all(f"warning:    {line}" in plan.lines() for line in plan.faults)
    rows = [entry for entry in real_format.cuhk_entries() if entry["split"] == "test"]
    elsewhere = str(real_format.write_cuhk(tmp_path / "other", rows))
    (result,) = evaluate_run(record.name, ["cuhk"], data_root=elsewhere, runs=runs, device="cpu")
    assert "No train set, unlike the published CUHK-PEDES" in result["faults"]
