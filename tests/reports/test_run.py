import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from harness.record import BOOTSTRAP, EARLIER_INTERVALS
from harness.reporting.make import make_report


def make(name, store, out, *subjects):
    experiment = store.client.get_experiment(store.experiment_id).name
    return make_report(name, subjects=subjects, out=out, runs=str(store.runs), experiment=experiment)


def tables_of(made):
    return {table["name"]: table for table in made.tables}


def test_a_run_is_told_whole(experiment, whole_run, tmp_path, no_kernel):
    run = whole_run()
    made = make("run", experiment, tmp_path, run.name)
    figures = {file.stem for file in (tmp_path / "figures").glob("*.png")}
    assert figures == {"curves", "ranks", "slices", "gallery", "map", "probe"}
    assert made.gaps == []
    tables = tables_of(made)
    facts = {row["what"]: row["value"] for row in tables["run-facts"]["rows"]}
    assert facts["run"] == run.name
    assert (facts["data"], facts["epoch tested"]) == ("SYNTHETIC TWIN", "2 of 5")
    scores = {(row["direction"], row["metric"]): row for row in tables["run-results"]["rows"]}
    assert scores["text to image", "R1"]["value"] == run.metrics["test/icfg/t2i/R1"]
    assert scores["text to image", "R1"]["low"] == run.intervals["test/icfg/t2i/R1"][0]
    costs = {row["cost"]: row["value"] for row in tables["run-costs"]["rows"]}
    assert costs["parameters.trainable"] == 1000


@pytest.mark.slow
def test_the_probe_reads_off_what_is_there_and_nothing_else(experiment, whole_run, tmp_path, no_kernel):
    made = make("run", experiment, tmp_path, whole_run().name)
    read_off = {row["attribute"]: row for row in tables_of(made)["run-probe"]["rows"]}
    assert read_off["shirt"]["accuracy"] > 95
    assert {"shirt", "sweater"} <= set(read_off)
    assert all(
        0 <= row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"] <= 100
        for row in read_off.values()
    )


def test_an_older_run_shows_what_it_has_and_says_what_it_lacks(experiment, fake, tmp_path, no_kernel):
    run = fake.send(experiment, *fake.record("older", "icfg", interval_method=BOOTSTRAP))
    made = make("run", experiment, tmp_path, run.name)
    (gap,) = made.gaps
    assert f"{EARLIER_INTERVALS.capitalize()}." in tables_of(made)["run-results"]["notes"]
    assert re.search("its top-ranked images, nor the words of its captions, nor its sample", gap.what)
    assert "harness run --method older --dataset icfg --synthetic --force" in gap.commands[0]
    assert {file.stem for file in (tmp_path / "figures").glob("*.png")} == {"ranks"}


def artifacts(store, run):
    """Return the folder in which MLflow keeps a run's files."""
    (folder,) = (store.runs / "mlartifacts").glob(f"*/{run.tracking['run_id']}/artifacts")
    return folder


def scrambled(path):
    """Break a file within its compressed numbers, which zlib notices and no zip directory tells."""
    content = bytearray(path.read_bytes())
    content[80:200] = bytes(120)
    path.write_bytes(bytes(content))


@pytest.mark.slow
@pytest.mark.parametrize("broken", [scrambled, lambda path: path.write_bytes(b"PK"), Path.unlink])
@pytest.mark.parametrize("name", ["queries.npz", "embeddings.npz"])
def test_arrays_that_cannot_be_read_are_told_as_missing(
    experiment, whole_run, tmp_path, no_kernel, broken, name
):
    run = whole_run()
    broken(artifacts(experiment, run) / name)
    (gap,) = make("run", experiment, tmp_path, run.name).gaps
    assert {"queries.npz": "per-query results", "embeddings.npz": "sample of embeddings"}[name] in gap.what
    assert not (tmp_path / "data" / name).exists()


@pytest.mark.slow
def test_results_with_broken_arrays_stand_in_a_leaderboard_without_a_rank(
    experiment, whole_run, tmp_path, no_kernel
):
    scrambled(artifacts(experiment, whole_run("cskt")) / "queries.npz")
    whole_run("linear_probe", seed=2)
    rows = tables_of(make("leaderboard", experiment, tmp_path))["leaderboard-1"]["rows"]
    assert {row["label"]: row["rank_low"] for row in rows} == {"cskt": None, "linear_probe": 1}


def test_a_run_whose_artifacts_are_gone_is_one_message_that_names_the_mend(experiment, whole_run, tmp_path):
    run = whole_run()
    shutil.rmtree(artifacts(experiment, run))
    with pytest.raises(UsageError, match=r"not among its artifacts.*harness runs sync.*--force"):
        make("run", experiment, tmp_path, run.name)


def test_a_run_is_found_by_how_its_name_begins_and_a_wrong_name_is_one_message(
    experiment, whole_run, tmp_path, fake
):
    whole_run()
    fake.send(experiment, *fake.record("cslx", "icfg"))
    with pytest.raises(UsageError, match="fits several runs"):
        make("run", experiment, tmp_path, "cs")
    with pytest.raises(UsageError, match="Did you mean"):
        make("run", experiment, tmp_path, "cskd-icfg-twin-63736b746963")
    with pytest.raises(UsageError, match="called as `harness report run RUN`; got 0"):
        make("run", experiment, tmp_path)
    assert not any(tmp_path.glob("*.html"))


@pytest.mark.slow
def test_hostile_names_stay_text(experiment, whole_run, tmp_path, no_kernel):
    method = "<script>alert(1)< \\input{x} $x_1$ =1+1"
    made = make("run", experiment, tmp_path, whole_run(method).name)
    for file in (
        *tmp_path.glob("*.ipynb"),
        *tmp_path.glob("*.html"),
        *tmp_path.glob("*/*.md"),
        *tmp_path.glob("*/*.svg"),
    ):
        assert "<script" not in file.read_text(), file
    assert all(r"\input" not in file.read_text() for file in tmp_path.glob("tables/*.tex"))
    assert made.n_results == 1


@pytest.mark.slow
def test_two_results_are_set_against_each_other(experiment, whole_run, tmp_path, no_kernel):
    strong, weak = whole_run("cskt", 0.7), whole_run("linear_probe", 0.3, seed=2)
    made = make("compare", experiment, tmp_path, strong.name, weak.name)
    assert {file.stem for file in (tmp_path / "figures").glob("*.png")} == {
        "persons",
        "ranks",
        "slices",
        "flips",
    }
    table = tables_of(made)["compare-verdict"]
    assert any("a difference of 1 point in R@1 takes" in note for note in table["notes"])
    assert table["notes"][0].startswith("On icfg, A is better than B")
    arrays = [np.load(tmp_path / "data" / f"{side}-queries.npz") for side in "ab"]
    gap = 100 * ((arrays[0]["t2i/rank"] == 1).mean() - (arrays[1]["t2i/rank"] == 1).mean())
    (r1,) = (row for row in table["rows"] if row["metric"] == "R1")
    assert r1["estimate"] == pytest.approx(gap)
    assert "SYNTHETIC TWIN" in table["title"]


@pytest.mark.slow
def test_two_older_results_are_compared_without_flips(experiment, fake, tmp_path, no_kernel):
    runs = [fake.send(experiment, *fake.record(method, "icfg", r1)) for method, r1 in (("a", 20), ("b", 60))]
    made = make("compare", experiment, tmp_path, *(run.name for run in runs))
    assert len(made.gaps) == 2
    assert {file.stem for file in (tmp_path / "figures").glob("*.png")} == {"persons", "ranks"}


@pytest.mark.slow
def test_the_notebook_of_a_run_runs_again_from_a_clean_kernel(experiment, whole_run, tmp_path):
    import nbformat

    from harness.pages.notebook import execute

    make("run", experiment, tmp_path, whole_run().name)
    notebook = nbformat.read(tmp_path / "run.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    execute(notebook, tmp_path / "again.ipynb")
    assert (tmp_path / "again.ipynb").read_text() == (tmp_path / "run.ipynb").read_text()
