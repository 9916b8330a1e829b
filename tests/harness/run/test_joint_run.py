"""A run on several datasets, from the command to the rows of a table."""

import json

import pytest
from click.testing import CliRunner
from pandas import DataFrame

from harness.bundle.verify import _identity
from harness.cli.main import cli
from harness.files import read_json
from harness.listener import Listener
from harness.presets.resolve import build_stored, resolve
from harness.record import HOLDOUT, RunFolder
from harness.results.panels import dataset_facts, split_panels
from harness.results.run_table import run_rows
from harness.run.dry_run import make_plans
from harness.run.run import run
from harness.track.tags import record_row
from tests.world import QUICK

pytestmark = pytest.mark.usefixtures("untracked")


@pytest.fixture(scope="module")
def data(world, tmp_path_factory):
    return world.make_twins(tmp_path_factory.mktemp("joint"), ("cuhk", "icfg"))


def config_of(data, *overrides, dataset="icfg+cuhk"):
    given = (*QUICK, f"dataset.root={data}", *overrides)
    return resolve("linear_probe", dataset, synthetic=True, overrides=given)


def test_a_joint_run_learns_from_all_and_is_tested_on_each(data, tmp_path):
    record = run(config_of(data), runs=tmp_path)
    alone = {name: run(config_of(data, dataset=name), runs=tmp_path) for name in ("cuhk", "icfg")}
    folder = RunFolder(tmp_path / record.name)
    (other,) = folder.results()
    assert record.name.startswith("linear_probe-cuhk+icfg-twin-")
    for count in ("train_pairs", "train_images", "train_identities", "val_captions"):
        assert record.data[count] == sum(one.data[count] for one in alone.values())
    assert record.data["test_captions"] == alone["cuhk"].data["test_captions"]
    assert set(record.metrics) == set(alone["cuhk"].metrics)
    assert (other["dataset"], other["trained_on"]) == ("icfg", "cuhk+icfg")
    assert set(other["metrics"]) == set(alone["icfg"].metrics)
    assert other["fingerprint"] == alone["icfg"].fingerprint == record.further["icfg"]["fingerprint"]
    assert other["pictures"] == alone["icfg"].pictures["test"]
    rows = folder.history()
    for row in rows:
        mean = (row["val/cuhk/t2i/R1"] + row["val/icfg/t2i/R1"]) / 2
        assert row["val/t2i/R1"] == pytest.approx(mean)
    assert record.selection["val/t2i/R1"] == max(row["val/t2i/R1"] for row in rows)
    held = read_json(tmp_path / record.name / HOLDOUT)
    assert held["icfg"] == read_json(tmp_path / alone["icfg"].name / HOLDOUT)["identities"]
    assert "cuhk" not in held
    assert folder.faults() == []
    assert _identity(record, record.name).agrees
    assert run(config_of(data, dataset="cuhk+icfg"), runs=tmp_path).name == record.name, "found, in any order"


def test_what_a_further_dataset_holds_is_part_of_the_run(data, world, tmp_path):
    record = run(config_of(data, "train.epochs=1"), runs=tmp_path)
    changed = world.make_twins(tmp_path / "changed", ("cuhk", "icfg"))
    entries = next((changed / "synthetic").glob("ICFG*/*.json"))
    values = json.loads(entries.read_text())
    next(one for one in values if one["split"] == "train")["captions"] = ["another caption"]
    entries.write_text(json.dumps(values))
    (plan,) = make_plans(config_of(changed, "train.epochs=1"), tmp_path)
    assert plan.name != record.name
    assert "other data in icfg" in plan.differs
    assert plan.train_pairs == record.data["train_pairs"]


def test_a_mixture_changes_what_is_learned_and_the_run(data, tmp_path):
    by_size, equal = (
        run(config_of(data, "train.epochs=1", *more), runs=tmp_path)
        for more in ((), ("dataset.mixture=equal",))
    )
    assert by_size.identity != equal.identity
    assert by_size.weights_sha256 != equal.weights_sha256
    assert by_size.data["train_pairs"] == equal.data["train_pairs"]


def test_results_of_several_sets_are_in_domain_on_each_and_apart_from_those_of_one(data, tmp_path):
    joint, alone = (run(config_of(data, dataset=name), runs=tmp_path) for name in ("cuhk+icfg", "cuhk"))
    rows = [
        row
        for one in (joint, alone)
        for row in run_rows(record_row(one, RunFolder(tmp_path / one.name).results()))
    ]
    assert [(row["trained_on"], row["tested_on"], row["in_domain"]) for row in rows] == [
        ("cuhk+icfg", "cuhk", True),
        ("cuhk+icfg", "icfg", True),
        ("cuhk", "cuhk", True),
    ]
    on_cuhk = DataFrame([row for row in rows if row["tested_on"] == "cuhk"])
    panels = split_panels(on_cuhk, dataset_facts)
    assert len(panels) == 2
    assert {panel.facts.get("several training sets") for panel in panels} == {None, "cuhk+icfg"}


def words_of(data, runs, *more):
    settings = [word for text in QUICK for word in ("--set", text)]
    where = ["--data-root", str(data), "--runs", str(runs)]
    return ["run", "-m", "linear_probe", "-d", "icfg+cuhk", "--synthetic", *where, *settings, *more]


def test_the_command_takes_joined_names_and_shows_each_test(data, tmp_path):
    ran = CliRunner().invoke(cli, words_of(data, tmp_path))
    assert ran.exit_code == 0, ran.output
    assert [line.split()[:2] for line in ran.output.splitlines() if "t2i" in line] == [
        ["cuhk", "t2i"],
        ["icfg", "t2i"],
    ]
    name = next(path.parent.name for path in tmp_path.glob("*/record.json"))
    shown = CliRunner().invoke(cli, ["runs", "show", name, "--runs", str(tmp_path)])
    assert "dataset.joined" in shown.output
    assert shown.output.count("icfg     t2i") == 1
    for asked in ("cuhk+icfg", "icfg", "cuhk", "icfg-twin"):
        listed = CliRunner().invoke(cli, ["runs", "list", "--dataset", asked, "--runs", str(tmp_path)])
        assert name[:20] in listed.output, asked
    stored = json.loads((tmp_path / name / "record.json").read_text())["config"]
    assert build_stored(stored).dataset.joined == "icfg"


def titles(output):
    return [line.strip() for line in output.splitlines() if "text to image" in line]


def test_several_seeds_are_one_result_on_each_dataset(data, tmp_path):
    ran = CliRunner().invoke(cli, words_of(data, tmp_path, "--seeds", "2"))
    assert ran.exit_code == 0, ran.output
    group = read_json(next((tmp_path / "groups").glob("linear_probe-cuhk+icfg-2seeds-*.json")))
    folders = [RunFolder(tmp_path / name) for name in group["runs"]]
    assert len({folder.read().identity for folder in folders}) == 2
    of_each = {
        "cuhk": [folder.read().metrics for folder in folders],
        "icfg": [next(iter(folder.results()))["metrics"] for folder in folders],
    }
    for dataset, found in of_each.items():
        key = f"test/{dataset}/t2i/R1"
        assert group["metrics"][key]["values"] == pytest.approx([one[key] for one in found])
    rows = [line.split() for line in ran.output.splitlines() if " t2i " in line]
    assert [row[0] for row in rows] == 5 * ["cuhk"] + 5 * ["icfg"]


def test_several_methods_have_a_table_for_each_test(data, tmp_path):
    ran = CliRunner().invoke(cli, words_of(data, tmp_path, "-m", "zero_shot"))
    assert ran.exit_code == 0, ran.output
    first, second = titles(ran.output)
    assert first.startswith("cuhk+icfg · tested on cuhk")
    assert second.startswith("cuhk+icfg · tested on icfg")
    records = [RunFolder(path.parent).read() for path in tmp_path.glob("*/record.json")]
    assert {one.config["method"]["name"] for one in records} == {"linear_probe", "zero_shot"}
    for record in records:
        (other,) = RunFolder(tmp_path / record.name).results()
        for metrics, dataset in ((record.metrics, "cuhk"), (other["metrics"], "icfg")):
            assert f"{metrics[f'test/{dataset}/t2i/R1']:.1f} [" in ran.output
    seeds = CliRunner().invoke(cli, words_of(data, tmp_path, "-m", "zero_shot", "--seeds", "2"))
    assert [" · tested on cuhk" in line for line in titles(seeds.output)] == [True, False]


def test_a_joint_run_that_was_stopped_resumes_to_the_same_end(data, tmp_path):
    class Stop(Listener):
        def on_epoch(self, epoch, row):
            raise KeyboardInterrupt

    there, anew = tmp_path / "whole", tmp_path / "stopped"
    whole = run(config_of(data), runs=there)
    with pytest.raises(KeyboardInterrupt):
        run(config_of(data), runs=anew, listener=Stop())
    stopped = RunFolder(anew / whole.name)
    assert stopped.glance().status == "interrupted"
    resumed = run(config_of(data), runs=anew)
    assert resumed.weights_sha256 == whole.weights_sha256
    assert resumed.metrics == whole.metrics
    folders = RunFolder(there / whole.name), stopped
    of_whole, of_resumed = (next(iter(folder.results()))["metrics"] for folder in folders)
    assert of_resumed == of_whole
    before, after = ([row["epoch"] for row in folder.history()] for folder in folders)
    assert before == after


def test_a_test_on_a_further_dataset_that_was_lost_is_told_and_can_be_made_anew(data, tmp_path):
    first = CliRunner().invoke(cli, words_of(data, tmp_path))
    (record,) = (RunFolder(path.parent).read() for path in tmp_path.glob("*/record.json"))
    file = tmp_path / record.name / "transfer" / "icfg.json"
    before = read_json(file)["metrics"]
    file.unlink()
    again = CliRunner().invoke(cli, words_of(data, tmp_path))
    assert (first.exit_code, again.exit_code) == (0, 0), again.output
    said = " ".join(again.output.split())
    assert "transfer/icfg.json of that run is missing" in said
    assert f"`harness evaluate {record.name} --dataset icfg` makes it anew" in said
    assert any("transfer/icfg.json is missing" in line for line in RunFolder(tmp_path / record.name).faults())
    several = CliRunner().invoke(cli, words_of(data, tmp_path, "-m", "zero_shot"))
    assert [line.split()[1] for line in several.output.splitlines() if line.split()[:1] == ["linear_probe"]][
        -1
    ] == "–"
    made = CliRunner().invoke(cli, ["evaluate", record.name, "--dataset", "icfg", "--runs", str(tmp_path)])
    assert made.exit_code == 0, made.output
    assert read_json(file)["metrics"] == before
    assert RunFolder(tmp_path / record.name).faults() == []
