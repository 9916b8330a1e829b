import json

import pytest
from harness.reports.reproduction import Reproduction, draw_reproduction, missing, results_table
from matplotlib import pyplot

from harness.pages.tables import DASH
from harness.pages.theme import use_theme
from harness.reporting.make import make_report
from harness.reporting.missing import load_gaps
from harness.reporting.published.matches import (
    OTHER,
    PARTLY,
    SAME,
    compared,
)
from harness.reporting.published.protocols import published_table
from harness.results.run_table import load_rows
from harness.results.seeds.seed_notes import MARK_NOTE
from tests.published_rows import panel_of, published, real, split


def test_the_difference_is_here_less_published_with_the_interval_of_the_result_alone():
    panel = panel_of(real(r1=69.0))
    (row,) = compared(panel)
    assert (row["published_as"], row["R1_published"]) == ("CSKT", 69.70)
    assert [row[f"R1_{end}"] for end in ("less", "less_low", "less_high")] == pytest.approx([-0.7, -3.7, 2.3])
    line = results_table(panel).cells.iloc[0]
    assert line.tolist() == [
        *("cskt", "cuhk", "CSKT", "R@1", "69.70", "69.0 [66.0, 72.0]", "−0.7 [−3.7, 2.3]", "within", SAME)
    ]
    assert "taken as exact" in results_table(panel).notes[0]


@pytest.mark.parametrize(
    "fault",
    [
        "Not the published test set: 402 images, published 3,074",
        "Known wrong file: the test split is cut",
        "3 persons in more than one split: test data would be trained on (1 in test, train)",
    ],
)
def test_on_other_data_than_the_published_nothing_is_within_and_the_fault_is_named(fault):
    panel = panel_of(real(r1=69.0, faults=[fault, "captions cut at 77 tokens: 1 of 9 in test"]))
    cells = results_table(panel).cells
    assert set(cells["published is"]) == {DASH}
    assert set(cells["protocol"]) == {f"{OTHER}: data"}
    said = f"{fault[0].lower()}{fault[1:]}"
    assert any(said in note for note in results_table(panel).notes)
    assert any(f"Different for cskt on cuhk: {said}." in note for note in published_table(panel).notes)


def test_captions_that_are_cut_leave_a_result_comparable():
    panel = panel_of(real(r1=69.0, faults=["captions cut at 77 tokens: 1 of 9 in test"]))
    assert results_table(panel).cells.iloc[0][["published is", "protocol"]].tolist() == ["within", SAME]


def test_cells_that_are_not_published_stay_empty():
    panel = panel_of(real(r1=60.0), published=[published(R5=None)])
    cells = results_table(panel).cells.set_index("metric")
    assert cells.loc["R@5", ["published", "difference", "published is"]].tolist() == [DASH] * 3
    assert cells.loc["R@5", "here [95 %]"] == "60.0 [57.0, 63.0]"
    assert cells.loc["R@10", "published is"] == "above†"
    assert (
        json.loads(json.dumps(results_table(panel).as_dict(), allow_nan=False))["rows"][0]["R5_less"] is None
    )


@pytest.mark.parametrize(
    ("interval", "shown"),
    [
        ("identities only", ["above†", "within", "below†"]),
        ("seeds and identities", ["above", "within", "below"]),
        ("identities", ["above", "within", "below"]),
    ],
)
def test_what_another_seed_may_change_is_marked(interval, shown):
    panel = panel_of(real(r1=60.0, interval=interval), published=[published(R1=70.0, R5=60.0, R10=50.0)])
    table = results_table(panel)
    assert table.cells.set_index("metric").loc[["R@1", "R@5", "R@10"], "published is"].tolist() == shown
    assert any(note.startswith(MARK_NOTE) for note in table.notes) == ("above†" in shown)


def test_a_result_without_an_interval_has_a_difference_alone():
    panel = panel_of(real(r1=60.0, R1_low=None, R1_high=None), published=[published(R1=50.0)])
    assert results_table(panel).cells.iloc[0][["difference", "published is"]].tolist() == ["10.0", DASH]


def test_synthetic_results_are_never_set_against_published_ones(fake):
    panel = panel_of(fake.row("cskt", "cuhk", r1=69.0), fake.row("cskt", "cuhk", "icfg", r1=10))
    assert all(row["published"] for row in panel.records)
    assert compared(panel) == []
    own, beside = Reproduction.tables(panel)
    assert not any("published" in name or "less" in name for name in own.values.columns)
    assert not any("differ" in name or "published" in name for name in own.cells.columns)
    assert "A synthetic twin has no published counterpart" in own.notes[0]
    assert "69.7" not in own.markdown() + own.csv()
    assert beside.cells.iloc[0][["method here", "dataset", "R@1", "epoch"]].tolist() == [
        *("cskt", "cuhk", "69.70", "best on test")
    ]
    assert beside.cells.iloc[1][["dataset", "R@1", "mAP"]].tolist() == ["cuhk → icfg", DASH, DASH]
    assert not {"R1_low", "R1_less"} & set(beside.values.columns)
    assert "69.0" not in beside.markdown() + beside.csv()


@pytest.mark.parametrize(
    ("changes", "mark", "named"),
    [
        ({}, SAME, ""),
        ({"rule": "val"}, OTHER, "epoch"),
        ({"rule": "last"}, OTHER, "epoch"),
        ({"image_size": "224×224"}, OTHER, "image size"),
        ({"backbone": "ViT-L-14"}, OTHER, "backbone"),
        ({"val": "holdout"}, OTHER, "training data"),
        ({"train_on": "train+val"}, OTHER, "training data"),
        ({"overrides": ["method.prompt_length=8"]}, OTHER, "settings"),
        ({"overrides": ["backbone.pretrained=dfn2b"]}, OTHER, "settings"),
        ({"overrides": ["train.epochs=3"], "rule": "val"}, OTHER, "epoch, settings"),
        ({"overrides": ["dataset.few_shot_persons=50"]}, OTHER, "training persons"),
        ({"noise": "20 % moved, seed 0"}, OTHER, "noisy captions"),
        ({"reranked": "k-reciprocal"}, OTHER, "re-ranked"),
        ({"unlabelled_test": "re-ranking"}, OTHER, "unlabelled test data used"),
    ],
)
def test_unlike_protocols_are_marked_and_what_is_unlike_is_named(changes, mark, named):
    panel = panel_of(real(r1=10, **changes))
    line = results_table(panel).cells.iloc[0]
    assert line["protocol"] == (f"{mark}: {named}" if named else mark)
    assert set(results_table(panel).cells["protocol"]) == {line["protocol"]}
    notes = " ".join(published_table(panel).notes)
    assert ("Different for cskt on cuhk" in notes) == bool(named)
    assert all(part in notes for part in named.split(", ") if part)


def test_what_is_not_published_makes_a_protocol_partly_unknown_and_no_other():
    panel = panel_of(real("zero_shot", r1=12, presets=(), rule="untrained", trainable=0))
    line = results_table(panel).cells.iloc[0]
    assert line[["published as", "published", "protocol"]].tolist() == [
        *("CLIP zero-shot", "12.65", f"{PARTLY}: image size")
    ]
    cells = published_table(panel).cells.iloc[0]
    assert cells[["epoch here", "epoch published", "image published"]].tolist() == [
        *("no training", "no training", "not published")
    ]
    unknown = published(rule=None, selection="unknown")
    assert (
        results_table(panel_of(real(), published=[unknown])).cells.iloc[0]["protocol"] == f"{PARTLY}: epoch"
    )


def test_notes_say_on_which_rows_the_choice_of_the_epoch_is_fair():
    (oracle,) = split(real())
    assert any(
        note == "Epoch best on test in both, so in that respect the difference is fair: cskt on cuhk."
        for note in results_table(oracle).notes
    )
    notes = " ".join(results_table(panel_of(real(presets=()))).notes)
    assert (
        "best epoch on the test set, which is biased upwards, unlike the results here: cskt on cuhk" in notes
    )
    assert "is fair: " not in notes


def test_transfers_are_set_against_published_transfers_only():
    away = published(tested_on="icfg")
    panel = panel_of(real(), real(tested_on="icfg"), published=[away])
    assert [(row["trained_on"], row["tested_on"]) for row in compared(panel)] == [("cuhk", "icfg")]
    assert "Without a published counterpart: cskt on cuhk." in results_table(panel).notes


def test_a_method_with_a_released_preset_that_only_other_protocols_were_run_for_is_a_gap(fake):
    val, oracle = real(presets=(), condition="val"), real(condition="released")
    (gap,) = Reproduction.gaps(split(val))
    assert gap.what == "cskt on cuhk: run under other protocols alone."
    assert gap.commands == ("harness run --method cskt --dataset cuhk --preset released",)
    assert Reproduction.gaps(split(val, oracle)) == []
    assert Reproduction.gaps(split(real("full_finetune", presets=()))) == []
    assert Reproduction.gaps(split(fake.row("cskt", "cuhk"))) == []


@pytest.mark.slow
def test_the_report_reads_the_suite_and_names_real_gaps_only_beside_real_results(
    experiment, fake, tmp_path, monkeypatch
):
    monkeypatch.setattr("harness.reporting.make.execute", lambda notebook, path: path.write_text("{}"))
    marks = {"tags": {"harness.suite.cross_dataset": "cskt"}}
    fake.send(experiment, *fake.record("cskt", "cuhk", 40, **marks))
    name = experiment.client.get_experiment(experiment.experiment_id).name
    common = {"runs": str(experiment.runs), "experiment": name}
    make_report("reproduction", out=tmp_path / "all", **common)
    assert load_gaps(tmp_path / "all" / "data" / "missing.json") == []
    make_report("reproduction", out=tmp_path / "suite", suite="cross_dataset", **common)
    kept = [
        load_rows(tmp_path / where / "data" / "results.json")["published"][0] for where in ("all", "suite")
    ]
    assert [len(rows) for rows in kept] == [1, 0]
    fake.send(experiment, *fake.record("full_finetune", "cuhk", 40, synthetic=False))
    made = make_report("reproduction", out=tmp_path / "real", **common)
    assert {gap.what.partition(":")[0] for gap in made.gaps} >= {"cskt on icfg", "full_finetune on rstp"}
    assert not any(gap.what.startswith("full_finetune on cuhk") for gap in made.gaps)


def test_the_figure_draws_published_marks_by_protocol_and_none_beside_twins(fake):
    use_theme()
    loss = {"presets": (), "overrides": ["method.loss=itc"], "rule": "oracle", "val": "none"}
    rows = [real(r1=69), real("full_finetune", r1=60, **loss)]
    figure = draw_reproduction(panel_of(*rows))
    hollow = {
        line.get_ydata()[0]: (line.get_marker(), line.get_xdata()[0])
        for line in figure.axes[0].lines
        if line.get_markerfacecolor() == "none"
    }
    assert hollow == {0: ("D", 69.70), 1: ("s", 68.19)}
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [
        "cskt · cuhk",
        "full_finetune · cuhk",
    ]
    pyplot.close(figure)
    twin = draw_reproduction(panel_of(fake.row("cskt", "cuhk", r1=69)))
    assert not [line for axes in twin.axes for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert "twins have no published counterpart" in twin.get_suptitle()
    assert len(twin.axes[0].containers) == 1
    pyplot.close(twin)


def test_results_without_any_counterpart_make_whole_tables_and_a_figure(fake):
    use_theme()
    for synthetic in (True, False):
        panel = panel_of(fake.row("mine", synthetic=synthetic))
        for table in Reproduction.tables(panel):
            assert table.latex()
            assert table.markdown()
            assert table.csv() is not None
        pyplot.close(draw_reproduction(panel))
    assert "Without a published counterpart: mine on icfg." in results_table(panel).notes


def test_hostile_figures_of_others_stay_text(fake, tmp_path):
    use_theme()
    bad = "=cmd|' /C' <script>alert(1)</script> \\input{x} $\\frac$\x1b[31m"
    texts = dict.fromkeys(
        ("method", "condition", "selection", "paper", "table", "quoted_in", "note", "backbone"), bad
    )
    theirs = published(**texts, counterpart=bad)
    rows = [fake.row(bad, "cuhk", synthetic=synthetic) for synthetic in (True, False)]
    for panel in split(*rows, published=[theirs]):
        for table in Reproduction.tables(panel):
            assert "<script" not in table._repr_html_() + table.markdown()
            assert r"\input" not in table.latex()
            assert "\x1b" not in table.csv()
        figure = draw_reproduction(panel)
        figure.savefig(tmp_path / "x.svg")
        assert "<script" not in (tmp_path / "x.svg").read_text()
        pyplot.close(figure)
    (gap,) = missing([theirs], [])
    assert gap.commands == ()
