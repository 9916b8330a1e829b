import numpy as np
import pytest

from harness.analysis.compression.published import published
from harness.errors import UsageError
from harness.files import read_json, write_json
from harness.record import COMPRESSION, RunFolder
from harness.reporting.make import make_report
from harness.track.publish import log_result_file


def make(store, out, *subjects):
    experiment = store.client.get_experiment(store.experiment_id).name
    return make_report("compression", subjects=subjects, out=out, runs=str(store.runs), experiment=experiment)


def result(record, layers=None, **changes):
    """Return what a probe found, with the published values, or those of a shallower tower."""
    modules = [row for row in published()["modules"] if row["layer"] <= (layers or 12)]
    rows = [
        row | {"drop": 40 * row["C1"] - 2, "trained": True, "contradicted": False, "tower": row["tower"]}
        for row in modules
    ]
    return {
        "run": record.name,
        "method": record.config["method"]["name"],
        "dataset": "icfg",
        "synthetic": record.synthetic,
        "backbone": "ViT-B-16-quickgelu",
        "left_out": [],
        "split": "val",
        "epsilon": 3.0,
        "clip": None,
        "n_queries": 6156,
        "n_images": 3078,
        "text_layer_parameters": 3_152_384,
        "R1": 62.5,
        "modules": rows,
        "least_important": [7, 8, 3, 5, 6] if layers is None else [2],
        "cost": {"layer_forwards": 455.0, "layer_forwards_naive": 888.0},
    } | changes


@pytest.fixture
def probed(experiment, fake):
    """Return a function that tracks a run with a probe's result and returns its record."""

    def publish_one(method="full_finetune", **changes):
        made = fake.send(experiment, *fake.record(method, "icfg"))
        folder = RunFolder(experiment.runs / made.name)
        write_json(folder.file(COMPRESSION), result(made, **changes))
        assert log_result_file(made, folder, COMPRESSION)
        return made

    return publish_one


def tables_of(made):
    return {table["name"]: table for table in made.tables}


def test_a_probed_run_is_told_whole_with_the_paper_beside_it(experiment, probed, tmp_path, no_kernel):
    record = probed()
    made = make(experiment, tmp_path, record.name)
    assert {file.stem for file in (tmp_path / "figures").glob("*.svg")} == {"heat_maps"}
    tables = tables_of(made)
    assert [row["layer"] for row in tables["compression-order"]["rows"]][:5] == [7, 8, 3, 5, 6]
    choice = tables["compression-choice"]["rows"]
    assert choice[2]["layers"] == choice[2]["published"] == "3, 7, 8"
    assert choice[2]["method.freeze_text_layers"] == "--set 'method.freeze_text_layers=[3,7,8]'"
    assert choice[2]["method.drop_text_layers"] == "--set 'method.drop_text_layers=[3,7,8]'"
    assert choice[2]["parameters"] == 3 * 3_152_384
    agreement = {row["tower"]: row for row in tables["compression-agreement"]["rows"]}
    assert agreement["text"]["C¹ here and in the paper"] == pytest.approx(1)
    assert (tmp_path / "tables" / "compression-text.tex").read_text().count(r"\\") == 13
    facts = {row["what"]: row["value"] for row in tables["compression-facts"]["rows"]}
    assert facts["measured on"] == "the validation split"
    assert facts["cut of drops before C¹"] == "none"
    assert read_json(tmp_path / "data" / "published.json")["modules"][0]["C2"] == 0.9


def test_the_heat_maps_stand_last_layer_on_top_with_their_values_written_in(fake):
    from matplotlib import pyplot

    from harness.reports import REPORTS

    module = __import__(REPORTS.get("compression").__module__, fromlist=["draw_heat_maps"])
    made, _ = fake.record("full_finetune", "icfg")
    found = result(made)
    for row in found["modules"]:
        row["trained"] = (row["tower"], row["layer"]) != ("text", 12)
    figure = module.draw_heat_maps(found, published())
    panels = [axes for part in figure.subfigs for axes in part.axes]
    assert [axes.get_title(loc="left") or axes.get_title() for axes in panels[:4]] == [
        "text, C¹",
        "text, C²",
        "image, C¹",
        "image, C²",
    ]
    assert len(panels) == 8
    assert [label.get_text() for label in panels[0].get_yticklabels()] == [str(n) for n in range(12, 0, -1)]
    assert [text.get_text() for text in panels[0].texts][:6] == [
        "1.00",
        "0.19",
        "1.00",
        "1.00",
        "0.13",
        "1.00",
    ]
    grey = np.ma.getmaskarray(panels[1].collections[0].get_array().reshape(12, 3))
    assert grey[0].all()
    assert not grey[1:].any()
    pyplot.close(figure)


@pytest.mark.slow
def test_a_look_at_the_test_split_and_a_cut_are_said(experiment, probed, tmp_path, no_kernel):
    made = make(experiment, tmp_path, probed(split="test", clip=20.0).name)
    facts = {row["what"]: row["value"] for row in tables_of(made)["compression-facts"]["rows"]}
    assert facts["measured on"].startswith("the test split: what is chosen from it is chosen on test data")
    assert facts["cut of drops before C¹"] == "at 20 points (unpublished)"


@pytest.mark.slow
def test_towers_of_another_depth_are_not_correlated_with_the_paper(experiment, probed, tmp_path, no_kernel):
    made = make(experiment, tmp_path, probed(layers=3).name)
    row = tables_of(made)["compression-agreement"]["rows"][0]
    assert row["C¹ and C²"] is not None
    assert row["C¹ here and in the paper"] is None
    assert "–" in (tmp_path / "tables" / "compression-agreement.md").read_text()


@pytest.mark.slow
def test_one_layer_leaves_nothing_to_take_away(experiment, probed, tmp_path, no_kernel):
    made = make(experiment, tmp_path, probed(layers=1, least_important=[]).name)
    assert tables_of(made)["compression-choice"]["rows"] == []


def test_a_run_that_was_not_probed_says_how(experiment, fake, tmp_path, no_kernel):
    record = fake.send(experiment, *fake.record("cskt", "icfg"))
    made = make(experiment, tmp_path, record.name)
    assert made.n_results == 0
    (gap,) = made.gaps
    assert f"harness probe compression {record.name}" in gap.commands[0]
    with pytest.raises(UsageError, match="Unknown run"):
        make(experiment, tmp_path, "no-such-run")


@pytest.mark.slow
def test_hostile_names_stay_text(experiment, probed, tmp_path, no_kernel):
    hostile = "<script>alert(1)< \\input{x} $x_1$"
    make(experiment, tmp_path, probed(method=hostile, backbone=hostile).name)
    for file in (*tmp_path.glob("*.html"), *tmp_path.glob("*.ipynb"), *tmp_path.glob("*/*.svg")):
        assert "<script" not in file.read_text(), file
    assert all(r"\input" not in file.read_text() for file in tmp_path.glob("tables/*.tex"))
