"""A run tested on other datasets: once each, repeated on demand, and kept beside the run."""

import shutil

import numpy as np
import pytest
from pandas import DataFrame

from harness.data.protocols.galleries import parse_gallery
from harness.errors import DataError, UsageError
from harness.evaluate.encoder import evaluate
from harness.evaluate.intervals import METHOD
from harness.files import read_json, write_json
from harness.images.reduced import reduce
from harness.inference.transfer import evaluate_run, results_of
from harness.listener import Listener
from harness.metric_names import PROTOCOL_VERSION
from harness.record import WEIGHTS, RunFolder, all_runs
from harness.results.panels import dataset_facts, split_panels
from harness.results.run_table import run_rows
from harness.run.run import run
from harness.track.tags import record_row


class Notes(Listener):
    """Keeps what is said."""

    def __init__(self):
        self.stages, self.notes = [], []

    def on_stage(self, text):
        self.stages.append(text)

    def on_note(self, text):
        self.notes.append(text)


@pytest.fixture(scope="module")
def tested(world, twins, tmp_path_factory):
    """Return the folder of a run that needs no training, with a result on another dataset."""
    root = tmp_path_factory.mktemp("transfer")
    with pytest.MonkeyPatch.context() as patch, world.untracked():
        patch.setenv("HARNESS_CACHE", str(root / "cache"))
        made = run(world.quick(twins, "zero_shot"), runs=root)
        evaluate_run(made.name, ["cuhk"], runs=root)
    return root / made.name


@pytest.fixture
def folder(tested, untracked, tmp_path, monkeypatch):
    """Return a copy of that folder."""
    monkeypatch.setenv("HARNESS_CACHE", str(tested.parent / "cache"))
    shutil.copytree(tested, tmp_path / "runs" / tested.name)
    return RunFolder(tmp_path / "runs" / tested.name)


def again(folder, *datasets, **options):
    notes = Notes()
    return evaluate_run(
        folder.path.name, list(datasets), runs=folder.path.parent, listener=notes, **options
    ), notes


def test_a_result_names_its_dataset_and_holds_metrics_intervals_and_queries(folder):
    (result,) = results_of(folder)
    assert (result["run"], result["dataset"], result["synthetic"]) == (folder.path.name, "cuhk", True)
    assert result["protocol"] == PROTOCOL_VERSION
    assert result["interval_method"] == folder.read().interval_method == METHOD
    queries = folder.queries("transfer/cuhk.npz")
    r1 = 100 * (queries["t2i/rank"] == 1).mean()
    assert result["metrics"]["test/cuhk/t2i/R1"] == pytest.approx(r1)
    assert result["intervals"].keys() == {name for name in result["metrics"] if "Rsum" not in name}
    assert {"t2i/top", "t2i/colours", "i2t/rank"} <= queries.keys()
    assert result["fingerprint"] != folder.read().fingerprint


def test_what_is_there_is_shown_and_not_measured_again(folder, monkeypatch):
    monkeypatch.setattr("harness.inference.transfer.evaluate", None)
    (result,), notes = again(folder, "cuhk")
    assert result == results_of(folder)[0]
    assert len(notes.notes) == 1
    assert not [stage for stage in notes.stages if "cuhk" in stage]


def test_a_run_that_came_without_its_weights_shows_the_results_it_has(world, twins, untracked, tmp_path):
    made = RunFolder(tmp_path / run(world.quick(twins), runs=tmp_path).name)
    again(made, "cuhk")
    before = results_of(made)
    made.file(WEIGHTS).unlink()
    found, notes = again(made, "cuhk")
    assert found == before
    assert "shown, not repeated" in notes.notes[-1]
    with pytest.raises(DataError, match="no weights here"):
        again(made, "cuhk", force=True)
    assert results_of(made) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fingerprint": "other"}, "another annotation"),
        ({"protocol": PROTOCOL_VERSION + 1}, "another version of protocol"),
        ({"pictures": "other"}, "other pictures in test"),
        ({"pictures": None}, "made before pictures were part of it"),
    ],
)
def test_a_result_of_other_data_or_another_protocol_is_measured_again(folder, change, said):
    file = folder.file("transfer/cuhk.json")
    before = read_json(file)
    write_json(file, before | change | {"metrics": {}})
    (result,), notes = again(folder, "cuhk")
    assert result["metrics"] == before["metrics"]
    assert read_json(file)["fingerprint"] == before["fingerprint"]
    assert notes.notes == [f"the result on cuhk of {before['finished']} is made anew: {said}."]


def test_other_test_pictures_make_another_result_and_other_training_pictures_do_not(
    folder, world, tmp_path, monkeypatch
):
    data = world.make_twins(tmp_path / "data", ("cuhk",))
    entries = read_json(next((data / "synthetic").glob("*/reid_raw.json")))
    files = {
        split: [next(data.rglob(entry["file_path"])) for entry in entries if entry["split"] == split]
        for split in ("train", "test")
    }
    files["train"][0].unlink()
    (first,), notes = again(folder, "cuhk", data_root=str(data))
    files["test"][0].write_bytes(files["test"][1].read_bytes())
    (second,), notes = again(folder, "cuhk", data_root=str(data))
    assert "other pictures in test" in notes.notes[0]
    assert second["pictures"] != first["pictures"]
    for file in files["test"]:
        file.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        again(folder, "cuhk", data_root=str(data))


def test_force_measures_again_and_gives_the_same_numbers(folder):
    before = results_of(folder)[0]
    write_json(folder.file("transfer/cuhk.json"), before | {"metrics": {}})
    (result,), _ = again(folder, "cuhk", force=True)
    assert result["metrics"] == before["metrics"]
    assert result["intervals"] == {name: tuple(ends) for name, ends in before["intervals"].items()}


def test_on_the_run_s_own_dataset_the_numbers_are_those_of_its_test(folder):
    (result,), _ = again(folder, "icfg")
    record = folder.read()
    assert result["fingerprint"] == record.fingerprint
    assert result["metrics"] == pytest.approx(record.metrics)
    assert [one["dataset"] for one in results_of(folder)] == ["cuhk", "icfg"]


def test_an_unknown_dataset_stops_before_any_is_tested_and_no_results_are_none(folder, tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'rstp'"):
        again(folder, "icfg", "rspt")
    assert [one["dataset"] for one in results_of(folder)] == ["cuhk"]
    assert results_of(RunFolder(tmp_path / "none")) == []
    assert all_runs(folder.path.parent)[0].path == folder.path


def test_a_run_is_tested_with_galleries_of_lower_resolution_and_its_own_result_stays(folder):
    before = folder.read().metrics
    galleries = [parse_gallery(text) for text in ("2", "1,2,8")]
    found, _ = again(folder, galleries=galleries)
    names = ["icfg-low2", "icfg-mixed1_2_8"]
    assert [result["dataset"] for result in found] == names
    assert found[1]["gallery"] == {"factors": [1, 2, 8], "seed": 0}
    assert folder.read().metrics == before
    r1 = {result["dataset"]: result["metrics"][f"test/{result['dataset']}/t2i/mAP"] for result in found}
    assert len({before["test/icfg/t2i/mAP"], *r1.values()}) == 3
    (shown,), notes = again(folder, "icfg-low2")
    assert shown["metrics"] == found[0]["metrics"]
    assert "shown, not repeated" in notes.notes[-1]
    assert folder.faults() == []


def test_the_pictures_of_a_reduced_gallery_are_those_reduced_one_by_one(folder, monkeypatch):
    seen = {}

    def measured(encoder, split, *, detail):
        seen["images"], seen["names"] = split.images.read(range(len(split.images))), split.pairs.images
        return evaluate(encoder, split, detail=detail)

    monkeypatch.setattr("harness.inference.transfer.evaluate", measured)
    again(folder, "icfg", force=True)
    plain = seen["images"].numpy()
    gallery = parse_gallery("1,4", seed=5)
    again(folder, galleries=[gallery])
    for place, name in enumerate(seen["names"]):
        factor = gallery.factor_of(name)
        expected = plain[place] if factor == 1 else reduce(plain[place], factor, "bilinear")
        assert np.array_equal(seen["images"][place].numpy(), expected)


def test_a_gallery_that_leaves_nothing_is_refused_before_anything_is_opened(folder):
    notes = Notes()
    with pytest.raises(UsageError, match="leaves nothing of pictures of 48x16"):
        evaluate_run(
            folder.path.name,
            [],
            galleries=[parse_gallery("17")],
            runs=folder.path.parent,
            listener=notes,
        )
    assert notes.stages == []


def test_no_table_takes_a_reduced_gallery_for_the_gallery_as_it_is(folder):
    again(folder, galleries=[parse_gallery("4")])
    rows = list(run_rows(record_row(folder.read(), folder.results())))
    by_test = {row["tested_on"]: row for row in rows}
    low = by_test["icfg-low4"]
    assert (low["in_domain"], low["gallery"]) == (True, "pictures reduced to 1/4")
    assert by_test["icfg"]["gallery"] == by_test["cuhk"]["gallery"] == "no"
    panels = split_panels(DataFrame([by_test["icfg"], low]), dataset_facts)
    assert [panel.facts["dataset"] for panel in panels] == ["icfg", "icfg-low4"]
    assert panels[1].facts["gallery resolution"] == "pictures reduced to 1/4"
