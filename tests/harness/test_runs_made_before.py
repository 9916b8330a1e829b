"""What version 0.1.0 left in a runs folder: every command reads it, repeats nothing of it, and goes on with it.

`tests/data/runs_0_1_0.tar.xz` holds it, which `tests/data/make_runs_0_1_0.py` made.
"""

import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.db import commands as mlflow_db

import harness
from harness.cli.main import cli
from harness.config.removed import REMOVED, without_removed
from harness.config.values import flatten
from harness.errors import HarnessError
from harness.evaluate.intervals import METHOD
from harness.files import read_json
from harness.presets.resolve import resolve

ARCHIVE = Path(__file__).resolve().parents[1] / "data" / "runs_0_1_0.tar.xz"
BINARY = {".npz", ".safetensors", ".pt"}

# What `--synthetic` meant then: other weights, and other rates.
TWIN = ("-d", "icfg", "--synthetic", "--set", "backbone.pretrained=shapes")
COOP = ("-m", "coop", *TWIN, "--set", "method.lr=0.001")
ONE_EPOCH = ("--set", "train.epochs=1")
SMALL = ("lr=0.0009", "prompt_length=1", "prompt_depth=1", "directions=none", "reduction=64")
AS_ZERO = ("run", "-m", "zero_shot", *TWIN)
AS_CSKT = ("run", "-m", "cskt", *TWIN, *ONE_EPOCH, *(f"--set=method.{text}" for text in SMALL))
AS_FEW = ("run", *COOP, *ONE_EPOCH, "--few-shot", "0.5")
AS_FAILED = ("run", *COOP, *ONE_EPOCH, "--set", "train.max_loss=1e-6")
PROBE = ("-m", "linear_probe", *TWIN)
AS_PROBES = (
    "run",
    *PROBE,
    "--set",
    "method.lr=0.003",
    "--set",
    "train.epochs=2",
    "--set",
    "train.drop_last=true",
    "--seeds",
    "2",
)
SPACE = ("--space=method.lr=1e-4:1e-2:log", "--fix=method.warmup_epochs=0", "--fix=method.weight_decay=0")
SWEEP = ("sweep", *PROBE, *ONE_EPOCH, "--set", "train.batch_size=128", *SPACE, "--trials", "3")
AS_WHOLE = (*SWEEP, "--study", "whole", "--test-seeds", "1")
AS_BEGUN = (*SWEEP, "--study", "begun", "--test-seeds", "0", "--seeds", "2")

ZERO = "zero_shot-icfg-twin-f9e2504117c9"
PROBES = ["linear_probe-icfg-twin-3e9254ba7ce2", "linear_probe-icfg-twin-1ab17378ed2e"]
CSKT = "cskt-icfg-twin-37ae8370c69a"
FEW = "coop-icfg-twin-2f568731f9e2"
BEST = "linear_probe-icfg-twin-6eed61d4f9f4"
CELL = "coop-icfg-twin-28b3d5bfb999"
FAILED = "coop-icfg-twin-1fc30d1dd50a"
CUT_OFF = "coop-icfg-twin-6a4f0058166a"
FINISHED = [ZERO, *PROBES, CSKT, FEW, BEST, CELL]
N_TRIALS = 3 + 2 * 2
FLOAT16 = 2e-3


def unpack(world):
    """Lay the archive out in a folder; older tables of MLflow are brought up to date as MLflow asks its users to."""
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            file, content = world / member.name, archive.extractfile(member).read()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if file.suffix in BINARY else content.replace(b"@WORLD@", bytes(world)))
    for dump in (world / "runs").glob("*.sql"):
        with closing(sqlite3.connect(dump.with_suffix(".db"))) as database:
            database.executescript(dump.read_text())
        dump.unlink()
    assert CliRunner().invoke(mlflow_db, ["upgrade", store(world)]).exit_code == 0
    return world


def store(world):
    return f"sqlite:///{world}/runs/mlflow.db"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A world whose runs stay as they are."""
    return unpack(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def own(tmp_path):
    """A world of the test's own."""
    return unpack(tmp_path / "own")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def call(twins, cache, tmp_path, monkeypatch):
    """Return a function that calls `harness` on a world, and returns the JSON that it prints and what it notes."""
    monkeypatch.setenv("HARNESS_DATA", str(twins))
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)

    def call(world, *arguments):
        monkeypatch.setenv("HARNESS_RUNS", str(world / "runs"))
        command = [*map(str, arguments), "--json"]
        result = CliRunner().invoke(cli, command, obj={"quiet": False}, standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return json.loads(result.stdout), result.stderr

    return call


def read(world, place):
    return read_json(world / "runs" / place)


def study_of(world, name):
    """Return a study's summary, with its config as it is read today."""
    found = read(world, f"studies/{name}/study.json")
    return found | {"config": without_removed(found["config"])}


def recorded(world, place="*"):
    return {
        file.parent.name: json.loads(file.read_text()) for file in world.glob(f"runs/{place}/record.json")
    }


def tracked(world, where=""):
    client = MlflowClient(store(world))
    return client.search_runs([e.experiment_id for e in client.search_experiments()], where, max_results=1000)


def as_before(now, before):
    """Say whether all that was known before is as it was; a later version may know more."""
    if isinstance(before, dict):
        return all(key in now and as_before(now[key], value) for key, value in before.items())
    if isinstance(before, list):
        return len(now) == len(before) and all(map(as_before, now, before))
    return now == before


def split_of(twins):
    """Return the image files and captions of the twin's test split, in its order."""
    folder = twins / "synthetic" / "ICFG-PEDES"
    samples = [one for one in json.loads((folder / "ICFG-PEDES.json").read_text()) if one["split"] == "test"]
    return [folder / "imgs" / one["file_path"] for one in samples], [one["captions"][0] for one in samples]


def test_every_run_is_listed_and_shown_as_it_was_recorded(call, kept):
    before = recorded(kept)
    assert before.keys() == {*FINISHED, FAILED, CUT_OFF}
    listed, _ = call(kept, "runs", "list")
    by_identity = {record["identity"]: record for record in listed}
    assert len(listed) == len(before)
    for name, record in before.items():
        shown, _ = call(kept, "runs", "show", name)
        assert as_before(shown, record)
        in_list = by_identity[record["identity"]]
        assert in_list.pop("bytes") > 0
        assert as_before(shown, in_list)
        assert shown["transfer"] == (
            [read(kept, f"{name}/transfer/cuhk.json")] if name in (CSKT, CELL) else []
        )
        assert len(shown["history"]) == record["selection"].get("epochs", 0)


def test_the_table_of_runs_has_their_settings_and_results(kept):
    table, before = harness.runs(kept / "runs").set_index("run"), recorded(kept)
    assert set(table.index) == before.keys()
    for name, record in before.items():
        row = table.loc[name]
        assert {key: row[key] for key in record["metrics"]} == record["metrics"]
        assert (row["status"], row["train.epochs"]) == (record["status"], record["config"]["train"]["epochs"])


def test_mlflow_has_every_run_and_none_is_left_to_send(call, kept):
    sent, _ = call(kept, "runs", "sync")
    assert sent == {"sent": [], "left": len(FINISHED) + 2 + N_TRIALS, "closed": 0, "uri": store(kept)}
    found = {run.info.run_id: run for run in tracked(kept, "tags.`harness.kind` = 'run'")}
    for name, record in recorded(kept).items():
        run = found.pop(record["tracking"]["run_id"])
        assert run.info.run_name == name
        assert as_before(run.data.metrics, record["metrics"])
    assert not found


def test_their_intervals_are_re_read_once_and_metrics_stay(call, own):
    before, twin = recorded(own), f"{CSKT}/transfer/cuhk.json"
    assert {record.get("interval_method") for record in before.values()} == {None}
    (group,) = (own / "runs" / "groups").glob("*.json")
    bootstrapped = read(own, f"groups/{group.name}")
    found, _ = call(own, "runs", "reread")
    elsewhere = [f"{name} on cuhk" for name in (CSKT, CELL)]
    assert sorted(one["result"] for one in found["reread"]) == sorted([*FINISHED, *elsewhere, group.stem])
    assert (found["left"], found["skipped"]) == (0, {})
    now = recorded(own)
    for name, record in before.items():
        assert now[name]["metrics"] == record["metrics"]
        assert (now[name].get("interval_method") == METHOD) == (name in FINISHED)
        assert (now[name]["intervals"] != record["intervals"]) == (name in FINISHED)
    assert (
        read(own, twin)["interval_method"] == read(own, f"groups/{group.name}")["interval_method"] == METHOD
    )
    assert read(own, f"groups/{group.name}")["metrics"] != bootstrapped["metrics"]
    runs = {run.info.run_name: run for run in tracked(own, "tags.`harness.kind` = 'run'")}
    ends = now[CSKT]["intervals"]["test/icfg/t2i/R1"]
    key = "test/icfg/t2i/R1"
    assert [runs[CSKT].data.metrics[f"{key}/{end}"] for end in ("low", "high")] == ends
    assert runs[CSKT].data.tags["harness.transfer_interval_method.cuhk"] == str(METHOD)
    again, _ = call(own, "runs", "reread", CSKT)
    assert (again["reread"], again["left"]) == ([], 2)
    shown, _ = call(own, "sweep", "show", "whole")
    assert [test["intervals"] for test in shown["tests"]] == [now[BEST]["intervals"]]


@pytest.mark.parametrize(("command", "name"), [(AS_ZERO, ZERO), (AS_CSKT, CSKT), (AS_FEW, FEW)])
def test_the_same_command_makes_another_run_and_says_why(call, own, command, name):
    before = recorded(own)
    found, notes = call(own, *command)
    assert (
        f"another run than {name}, which has the same config: made before pictures were part of it." in notes
    )
    now = recorded(own)
    assert now.items() >= before.items()
    assert [one["identity"] for one in now.values() if one.get("pictures")] == [found["identity"]]
    assert found["metrics"] == pytest.approx(before[name]["metrics"], abs=0.5)
    _, notes = call(own, *command)
    assert "found the finished run" in notes


@pytest.mark.slow
def test_seeds_made_before_are_left_as_they_are(call, own):
    before = recorded(own)
    group, notes = call(own, *AS_PROBES)
    assert notes.count("another run than linear_probe-icfg-twin-") == 2
    assert not set(group["runs"]) & set(PROBES)
    assert recorded(own).items() >= before.items()


def test_a_result_on_another_dataset_is_made_anew_and_then_found(call, own):
    before = read(own, f"{CSKT}/transfer/cuhk.json")
    found, notes = call(own, "evaluate", "cskt", "--dataset", "cuhk")
    assert "is made anew: made before pictures were part of it" in notes
    assert found[0]["metrics"] == pytest.approx(before["metrics"])
    again, notes = call(own, "evaluate", "cskt", "--dataset", "cuhk")
    assert "found the result on cuhk" in notes
    assert again == found == [read(own, f"{CSKT}/transfer/cuhk.json")]


def test_what_a_probe_found_is_found(call, kept):
    found, notes = call(kept, "probe", "compression", "cskt")
    assert "found the result of" in notes
    assert found == read(kept, f"{CSKT}/compression.json")


def test_results_are_compared(call, kept):
    found, _ = call(kept, "compare", CSKT, PROBES[0])
    (test,) = found["tests"]
    key, before = "test/icfg/t2i/mAP", recorded(kept)
    assert found["n_seeds"] == [1, 2]
    assert test["a"]["mAP"] == before[CSKT]["metrics"][key]
    assert test["b"]["mAP"] == pytest.approx(fmean(before[name]["metrics"][key] for name in PROBES))


@pytest.mark.parametrize("name", FINISHED)
def test_the_weights_give_the_embeddings_that_they_gave(call, kept, twins, name):
    files, captions = split_of(twins)
    model = harness.load(kept / "runs" / name)
    before = np.load(kept / "runs" / name / "embeddings.npz")
    for now, kind in ((model.encode_image(files), "image"), (model.encode_text(captions), "text")):
        torch.testing.assert_close(now, torch.tensor(before[kind]).float(), atol=FLOAT16, rtol=0)


def test_a_small_gallery_is_searched(call, kept, twins, tmp_path):
    files, captions = split_of(twins)
    before = np.load(kept / "runs" / CSKT / "embeddings.npz")
    expected = (before["image"][:4].astype(float) @ before["text"][0].astype(float)).tolist()
    (tmp_path / "photos").mkdir()
    for place, file in enumerate(files[:4]):
        shutil.copy(file, tmp_path / "photos" / f"{place}.jpg")
    found, _ = call(kept, "search", captions[0], "--run", "cskt", "--gallery", tmp_path / "photos")
    hits = {int(Path(hit["path"]).stem): hit["similarity"] for hit in found["queries"][0]["results"]}
    assert [hits[place] for place in range(4)] == pytest.approx(expected, abs=FLOAT16)


def test_studies_are_listed_shown_and_exported(call, kept, tmp_path):
    listed, _ = call(kept, "sweep", "list")
    studies = {name: study_of(kept, name) for name in ("begun", "whole")}
    assert {one["study"]: (one["ended"], one["waiting"], one["best"]) for one in listed} == {
        "begun": (2, 0, studies["begun"]["best"]["value"]),
        "whole": (3, 0, studies["whole"]["best"]["value"]),
        "suite-two_rows-twin": (1, 1, None),
    }
    for name, before in studies.items():
        assert as_before(call(kept, "sweep", "show", name)[0], before)
        exported = CliRunner().invoke(cli, ["sweep", "export", name], obj={"quiet": False})
        written = flatten(yaml.safe_load((kept / f"runs/studies/{name}/best.yaml").read_text()))
        assert written.items() >= {"eval.replicates": 200}.items()
        # What differs from `--synthetic` of today.
        changed = without_removed(written) | {"backbone.pretrained": "shapes"}
        assert flatten(yaml.safe_load(exported.stdout)) == before["best"]["params"] | changed


@pytest.mark.slow
def test_a_whole_study_is_shown_and_its_best_configuration_tested_on_pictures_that_are_known(call, own):
    before, trials = study_of(own, "whole"), recorded(own, "studies/whole/trials/*")
    found, _ = call(own, *AS_WHOLE)
    tests = found.pop("tests")
    assert as_before(found, {key: value for key, value in before.items() if key != "tests"})
    assert recorded(own, "studies/whole/trials/*") == trials
    (known,) = tests
    assert known["pictures"].keys() == {"train", "val", "test"}
    assert known["metrics"] == pytest.approx(recorded(own)[BEST]["metrics"], abs=0.5)


def test_the_best_configuration_that_a_study_wrote_and_the_config_of_a_run_are_still_presets(
    own, twins, monkeypatch
):
    monkeypatch.setenv("HARNESS_DATA", str(twins))
    best = own / "runs/studies/whole/best.yaml"
    whole = own / "whole.yaml"
    whole.write_text(yaml.safe_dump(recorded(own)[BEST]["config"]))
    for file in (best, whole):
        assert "replicates" in file.read_text()
        config = resolve("linear_probe", "icfg", synthetic=True, presets=[str(file)])
        assert (config.train.batch_size, config.train.epochs) == (128, 1)
    whole.write_text("eval: {replicates: 200}")
    with pytest.raises(HarnessError, match=r"^eval\.replicates is gone"):
        resolve("linear_probe", "icfg", presets=[str(whole)])


@pytest.mark.parametrize("key", REMOVED)
def test_a_setting_that_is_gone_is_refused_in_one_line_wherever_a_person_gives_it(call, kept, key):
    for given in ((*AS_ZERO, "--set"), ("sweep", *PROBE, "--fix"), ("sweep", *PROBE, "--space")):
        with pytest.raises(HarnessError, match=rf"^{key} is gone: .*; leave it out\.$") as told:
            call(kept, *given, f"{key}=200")
        assert told.value.exit_code == 2


@pytest.mark.slow
def test_a_study_that_was_begun_gains_what_is_missing(call, own):
    before, trials = study_of(own, "begun"), recorded(own, "studies/begun/trials/*")
    known = {run.info.run_id for run in tracked(own)}
    found, _ = call(own, *AS_BEGUN)
    assert [trial["state"] for trial in found["trials"]] == ["finished"] * 3
    assert as_before(found["trials"][:2], before["trials"])
    now = recorded(own, "studies/begun/trials/*")
    assert now.items() >= trials.items()
    assert sorted(now.keys() - trials.keys()) == sorted(found["trials"][2]["runs"])
    new = [run for run in tracked(own) if run.info.run_id not in known]
    assert sorted(run.data.tags["harness.kind"] for run in new) == ["trial", "trial_seed", "trial_seed"]
    (study,) = tracked(own, "tags.`harness.kind` = 'study' and tags.`harness.study` = 'begun'")
    assert study.info.run_id in known
    assert study.data.metrics["trials/finished"] == 3


@pytest.mark.slow
def test_a_suite_goes_on_and_does_not_repeat_the_cell_that_is_done(call, own):
    command, before = (own / "two_rows.yaml", "--synthetic"), recorded(own)
    with pytest.raises(
        HarnessError, match=r"eval\.replicates is gone: intervals are computed, not drawn; leave it out"
    ):
        call(own, "suite", "status", *command)
    # What `--synthetic` meant then, as above.
    text = command[0].read_text().replace("eval.replicates: 200", "backbone.pretrained: shapes")
    for method, rate in (("coop", 0.001), ("clip_adapter", 0.3)):
        text = text.replace(
            f"- method: {method}", f"- {{method: {method}, name: {method}, set: {{method.lr: {rate}}}}}"
        )
    command[0].write_text(text)
    status, _ = call(own, "suite", "status", *command)
    assert [(cell["name"], cell["state"], cell["run"]) for cell in status["cells"]] == [
        ("coop/icfg/1", "done", CELL),
        ("clip_adapter/icfg/1", "waiting", None),
    ]
    done, _ = call(own, "suite", "run", *command)
    first, second = done["cells"]
    assert done["counts"]["done"] == 2
    assert as_before(first, status["cells"][0])
    now = recorded(own)
    assert now.items() >= before.items()
    assert now.keys() - before.keys() == {second["run"]}
    assert (own / "runs" / second["run"] / "transfer" / "cuhk.json").is_file()
    assert len(tracked(own, "tags.`harness.kind` = 'suite'")) == 1


def test_an_interrupted_run_whose_pictures_nobody_knows_is_not_gone_on_with(call, own):
    before = recorded(own)
    with pytest.raises(HarnessError, match=rf"{CUT_OFF} cannot be gone on with: made before pictures were"):
        call(own, "runs", "resume", CUT_OFF)
    assert recorded(own) == before


def test_a_failed_run_is_tried_again_beside_it(call, own):
    before = recorded(own)
    with pytest.raises(HarnessError, match=r"train\.max_loss"):
        call(own, *AS_FAILED)
    now = recorded(own)
    assert now.items() >= before.items()
    (new,) = now.keys() - before.keys()
    assert (now[new]["status"], bool(now[new]["pictures"])) == ("failed", True)


@pytest.mark.slow
def test_a_lost_store_is_filled_anew(call, own):
    (own / "runs" / "mlflow.db").unlink()
    sent, _ = call(own, "runs", "sync", "--all")
    assert (len(sent["sent"]), sent["left"]) == (len(FINISHED) + 2 + N_TRIALS, 0)
    runs = {run.info.run_name: run for run in tracked(own, "tags.`harness.kind` = 'run'")}
    for name, record in recorded(own).items():
        assert as_before(runs[name].data.metrics, record["metrics"])


def test_an_old_run_is_tested_on_another_dataset(call, own):
    (found,), _ = call(own, "evaluate", BEST, "--dataset", "cuhk")
    assert found == read(own, f"{BEST}/transfer/cuhk.json")
    assert found["fingerprint"] == read(own, f"{CSKT}/transfer/cuhk.json")["fingerprint"]


# The untrained one stands beside the methods of each share of the images.
ALL = [ZERO, ZERO, CSKT, FEW, BEST, CELL]


@pytest.mark.parametrize(
    ("report", "names", "elsewhere"),
    [
        ("leaderboard", [*ALL, "probes"], []),
        pytest.param("parameter_efficiency", [*ALL, "probes"], [], marks=pytest.mark.slow),
        pytest.param("cross_dataset", [*ALL, "probes"], [CSKT, CELL], marks=pytest.mark.slow),
        pytest.param("reproduction", [*ALL, "probes"], [CSKT, CELL], marks=pytest.mark.slow),
        # Nothing was made beside the one that learned from few images.
        pytest.param("ablation", [CSKT, BEST, CELL, "probes"], [], marks=pytest.mark.slow),
        pytest.param("few_shot", [FEW, CELL], [], marks=pytest.mark.slow),
    ],
)
def test_results_stand_in_a_report_of_many(call, kept, no_kernel, tmp_path, report, names, elsewhere):
    made, _ = call(kept, "report", report, "--out", tmp_path / "out")
    before = {name: record["metrics"].get("test/icfg/t2i/mAP") for name, record in recorded(kept).items()}
    before["probes"] = fmean(before[name] for name in PROBES)
    other = [read(kept, f"{name}/transfer/cuhk.json")["metrics"]["test/cuhk/t2i/mAP"] for name in elsewhere]
    found = [
        row["mAP"]
        for table in made["tables"]
        if table["name"].startswith(f"{report}-")
        for row in table["rows"]
    ]
    assert sorted(found) == pytest.approx(sorted([*(before[name] for name in names), *other]))
    assert {FAILED, CUT_OFF} <= {word for gap in made["missing"] for word in gap["what"].split()}


def tables_of(call, kept, tmp_path, *command):
    made, _ = call(kept, "report", *command, "--out", tmp_path / "out")
    assert made["missing"] == []
    return {table["name"]: table["rows"] for table in made["tables"]}


@pytest.mark.slow
def test_a_run_is_reported(call, kept, no_kernel, tmp_path):
    rows = tables_of(call, kept, tmp_path, "run", CSKT)["run-results"]
    record, ways = recorded(kept)[CSKT], {"text to image": "t2i", "image to text": "i2t"}
    keys = [f"test/icfg/{ways[row['direction']]}/{row['metric']}" for row in rows]
    assert [row["value"] for row in rows] == [record["metrics"][key] for key in keys]
    assert [[row["low"], row["high"]] for row in rows] == [record["intervals"][key] for key in keys]
    assert (tmp_path / "out" / "figures" / "gallery.png").is_file()


@pytest.mark.slow
def test_two_results_are_reported_beside_one_another(call, kept, no_kernel, tmp_path):
    rows = tables_of(call, kept, tmp_path, "compare", CSKT, ZERO)["compare-verdict"]
    before = recorded(kept)
    for side, name in (("a", CSKT), ("b", ZERO)):
        assert [row[side] for row in rows] == [
            before[name]["metrics"][f"test/icfg/t2i/{row['metric']}"] for row in rows
        ]


@pytest.mark.slow
def test_what_a_probe_found_is_reported(call, kept, no_kernel, tmp_path):
    tables = tables_of(call, kept, tmp_path, "compression", CSKT)
    modules = read(kept, f"{CSKT}/compression.json")["modules"]
    assert [*tables["compression-text"], *tables["compression-image"]] == modules


@pytest.mark.slow
def test_a_study_is_reported(call, kept, no_kernel, tmp_path):
    tables = tables_of(call, kept, tmp_path, "sweep", "whole")
    trials = {trial["number"]: trial for trial in read(kept, "studies/whole/study.json")["trials"]}
    for row in tables["best_trials"]:
        trial = trials.pop(row["number"])
        assert row["val/t2i/R1"] == trial["value"]
        assert {key: row[key] for key in trial["params"]} == trial["params"]
    assert not trials
    tested = {row["value"] for row in tables["tested"] if row["metric"] == "test/icfg/t2i/R1"}
    assert tested == {recorded(kept)[BEST]["metrics"]["test/icfg/t2i/R1"]}
