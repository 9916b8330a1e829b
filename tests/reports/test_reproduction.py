import json

import pytest
from harness.reports.reproduction import Reproduction, draw_reproduction, missing, results_table
from matplotlib import pyplot
from pandas import DataFrame

from harness.config.values import flatten
from harness.pages.tables import DASH
from harness.pages.theme import use_theme
from harness.presets.resolve import resolve
from harness.reporting.make import make_report
from harness.reporting.missing import load_gaps
from harness.reporting.published.matches import (
    OTHER,
    PARTLY,
    SAME,
    compared,
    counterparts,
    published_rule,
    published_tables,
    short_paper,
    with_published,
)
from harness.reporting.published.protocols import published_table
from harness.reporting.published.settings import changed_settings
from harness.results.panels import split_panels
from harness.results.run_table import load_rows, write_rows
from harness.suites.published_tables import load_published, published_names

ALL = counterparts(published_names())


def split(*rows, published=ALL):
    return split_panels(with_published(DataFrame(list(rows)), published), Reproduction.facts)


def panel_of(*rows, published=ALL):
    (panel,) = split(*rows, published=published)
    return panel


def real(fake, method="cskt", dataset="cuhk", r1=60.0, presets=("released",), overrides=(), **changes):
    """Return a result on real data, with the backbone of the published ones and the config of its presets."""
    values = resolve(method, dataset, presets=presets, overrides=overrides).model_dump(mode="json")
    config = {key: str(value) for key, value in flatten(values).items() if key != "seed"}
    own = {
        "synthetic": False,
        "config": config,
        "rule": values["eval"]["rule"],
        "val": values["dataset"]["val"],
        "backbone": values["backbone"]["name"],
        "image_size": "×".join(map(str, values["backbone"]["image_size"])),
    }
    return fake.row(method, dataset, r1=r1, **(own | changes))


def published(**changes):
    """Return a published row as `counterparts` does."""
    made = {
        "method": "Theirs",
        "condition": None,
        "counterpart": "cskt",
        "trained_on": "cuhk",
        "tested_on": "cuhk",
        "R1": 60.0,
        "R5": None,
        "R10": 71.0,
        "mAP": 50.0,
        "selection": "best epoch on the test split",
        "rule": "oracle",
        "backbone": "ViT-B/16",
        "image_size": "384×128",
        "paper": 'Who et al., "What", WHERE 2024',
        "table": "Table 2",
        "quoted_in": None,
        "link": None,
        "note": None,
        "tables": ["theirs"],
    }
    return made | changes


def test_the_difference_is_here_less_published_with_the_interval_of_the_result_alone(fake):
    panel = panel_of(real(fake, r1=69.0))
    (row,) = compared(panel)
    assert (row["published_as"], row["R1_published"]) == ("CSKT", 69.70)
    assert [row[f"R1_{end}"] for end in ("less", "less_low", "less_high")] == pytest.approx([-0.7, -3.7, 2.3])
    line = results_table(panel).cells.iloc[0]
    assert line.tolist() == [
        *("cskt", "cuhk", "CSKT", "R@1", "69.70", "69.0 [66.0, 72.0]", "−0.7 [−3.7, 2.3]", "within", SAME)
    ]
    assert "taken as exact" in results_table(panel).notes[0]


@pytest.mark.parametrize(
    ("value", "lies"), [(57.0, "within"), (63.0, "within"), (56.9, "below"), (63.1, "above"), (None, "")]
)
def test_words_say_where_the_published_figure_lies_of_the_interval(fake, value, lies):
    panel = panel_of(real(fake, r1=60.0), published=[published(R1=value)])
    assert compared(panel)[0]["R1_lies"] == lies


def test_cells_that_are_not_published_stay_empty(fake):
    panel = panel_of(real(fake, r1=60.0), published=[published(R5=None)])
    cells = results_table(panel).cells.set_index("metric")
    assert cells.loc["R@5", ["published", "difference", "published is"]].tolist() == [DASH] * 3
    assert cells.loc["R@5", "here [95 %]"] == "60.0 [57.0, 63.0]"
    assert cells.loc["R@10", "published is"] == "above"
    assert (
        json.loads(json.dumps(results_table(panel).as_dict(), allow_nan=False))["rows"][0]["R5_less"] is None
    )


def test_a_result_without_an_interval_has_a_difference_alone(fake):
    panel = panel_of(real(fake, r1=60.0, R1_low=None, R1_high=None), published=[published(R1=50.0)])
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


def test_real_and_synthetic_results_stand_in_panels_of_their_own(fake):
    panels = split(fake.row("cskt", "cuhk", r1=10), real(fake, r1=69))
    assert [len(compared(panel)) for panel in panels] == [1, 0]


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
        ({"overrides": ["backbone.pretrained=laion2b"]}, OTHER, "settings"),
        ({"overrides": ["train.epochs=3"], "rule": "val"}, OTHER, "epoch, settings"),
    ],
)
def test_unlike_protocols_are_marked_and_what_is_unlike_is_named(fake, changes, mark, named):
    panel = panel_of(real(fake, r1=10, **changes))
    line = results_table(panel).cells.iloc[0]
    assert line["protocol"] == (f"{mark}: {named}" if named else mark)
    assert set(results_table(panel).cells["protocol"]) == {line["protocol"]}
    notes = " ".join(published_table(panel).notes)
    assert ("Different for cskt on cuhk" in notes) == bool(named)
    assert all(part in notes for part in named.split(", ") if part)


def test_what_is_not_published_makes_a_protocol_partly_unknown_and_no_other(fake):
    panel = panel_of(real(fake, "zero_shot", r1=12, presets=(), rule="untrained", trainable=0))
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
        results_table(panel_of(real(fake), published=[unknown])).cells.iloc[0]["protocol"]
        == f"{PARTLY}: epoch"
    )


def test_notes_say_on_which_rows_the_choice_of_the_epoch_is_fair(fake):
    (oracle,) = split(real(fake))
    assert any(
        note == "Epoch best on test in both, so in that respect the difference is fair: cskt on cuhk."
        for note in results_table(oracle).notes
    )
    notes = " ".join(results_table(panel_of(real(fake, presets=()))).notes)
    assert (
        "best epoch on the test set, which is biased upwards, unlike the results here: cskt on cuhk" in notes
    )
    assert "is fair: " not in notes


def test_defaults_and_the_released_preset_are_no_changed_settings_but_others_are(fake):
    assert changed_settings(real(fake, presets=())) == {}
    assert changed_settings(real(fake, presets=("released",))) == {}
    assert changed_settings(real(fake, "full_finetune", presets=(), overrides=["method.loss=itc"])) == {
        "method.loss": "itc"
    }
    assert changed_settings(fake.row("of a third party")) == {}


def test_a_published_row_in_several_tables_counts_once_with_its_source(fake):
    both = [one for one in ALL if one["counterpart"] == "cskt" and one["tested_on"] == "cuhk" and one["R1"]]
    assert [one["tables"] for one in both] == [["cskt_main", "parameter_efficient"]]
    panel = panel_of(real(fake))
    assert published_table(panel).cells["source"].tolist() == ["[1]"]
    (source,) = [note for note in published_table(panel).notes if note.startswith("[1]")]
    assert source.startswith("[1] Liu et al., ICASSP 2024, as quoted in ITSELF (WACV 2026)")
    assert "best epoch by R@1 on the test split, one seed" in source


def test_every_published_choice_of_an_epoch_that_names_the_test_split_is_known_as_such():
    rows = [row for name in published_names() for row in load_published(name).rows]
    for row in rows:
        rule = published_rule(row.selection)
        assert (rule == "oracle") == (
            "test split" in row.selection and not row.selection.startswith("unknown")
        )
    assert {published_rule(row.selection) for row in rows} == {"oracle", "untrained", None}


def test_a_suite_shows_the_tables_that_it_names():
    assert published_tables("cskt_ablation") == ["cskt_main", "cskt_ablation"]
    assert published_tables("cskt-ablation") == ["cskt_main", "cskt_ablation"]
    assert published_tables(None) == published_tables("my own suite.yaml") == published_names()


def test_transfers_are_set_against_published_transfers_only(fake):
    away = published(tested_on="icfg")
    panel = panel_of(real(fake), real(fake, tested_on="icfg"), published=[away])
    assert [(row["trained_on"], row["tested_on"]) for row in compared(panel)] == [("cuhk", "icfg")]
    assert "Without a published counterpart: cskt on cuhk." in results_table(panel).notes


def test_published_cells_without_a_result_are_gaps_one_for_each_method_and_dataset(fake):
    found = {gap.what.partition(":")[0]: gap for gap in missing(ALL, split(real(fake)))}
    assert "cskt on cuhk" not in found
    assert found["cskt on icfg"].commands == ("harness run --method cskt --dataset icfg --preset released",)
    assert found["full_finetune on rstp"].commands == ("harness run --method full_finetune --dataset rstp",)
    assert found["zero_shot on cuhk"].commands == ("harness run --method zero_shot --dataset cuhk",)
    assert "published R@1 58.90 (CSKT, Liu et al., ICASSP 2024)" in found["cskt on icfg"].what
    assert len([gap for gap in missing(ALL, []) if "table" not in gap.what]) == 12
    assert found["irra on rstp"].commands == ("harness run --method irra --dataset rstp --preset released",)
    assert not any("prompt_only" in name or "→" in name for name in found)


def named(name):
    """Return the published row of TBPS-CLIP on CUHK-PEDES that has a name and the smaller backbone."""
    wanted = (name, "ViT-B/32", "cuhk", None)
    own = ("method", "backbone", "tested_on", "condition")
    (one,) = [row for row in ALL if tuple(row[part] for part in own) == wanted]
    return one


def tbps(fake, preset="clip_star", overrides=(), **changes):
    model = "backbone.name=ViT-B-32-quickgelu"
    return real(fake, "tbps_clip", presets=(preset,), overrides=(model, *overrides), **changes)


@pytest.mark.parametrize(
    ("preset", "overrides", "name"),
    [
        ("clip_baseline", [], "CLIP"),
        ("clip_baseline", ["method.soft_labels=0.5"], "CLIP + SLabel"),
        ("clip_star", [], "CLIP*"),
        ("clip_star", ["train.augment.recipe=pool"], "Augmentation pool"),
        ("clip_star", ["train.augment.text.eda=0.05"], "EDA"),
        ("clip_star_aug", ["method.itc=0", "method.n_itc=1"], "N-ITC"),
        ("full", [], "TBPS-CLIP"),
    ],
)
def test_a_result_stands_beside_the_published_row_of_its_own_settings_alone(fake, preset, overrides, name):
    (row,) = compared(panel_of(tbps(fake, preset, overrides)))
    assert (row["published_as"], row["R1_published"]) == (name, named(name)["R1"])
    assert row["differing"] == "epoch, training data"[: len("epoch")]


def test_a_result_of_other_settings_stands_beside_the_nearest_and_they_are_named(fake):
    (row,) = compared(panel_of(tbps(fake, overrides=["method.lr=0.5"])))
    assert (row["published_as"], row["differing"]) == ("CLIP*", "epoch, settings")
    assert "settings: method.lr=0.5" in row["unlike"]


def test_a_later_setting_that_a_record_leaves_out_has_its_default(fake):
    whole = tbps(fake)
    later = [key for key in whole["config"] if key.startswith("train.augment.recipe")]
    config = {key: value for key, value in whole["config"].items() if key not in later}
    (row,) = compared(panel_of(whole | {"config": config}))
    assert (later, row["published_as"]) == (["train.augment.recipe"], "CLIP*")
    assert changed_settings(whole | {"config": config})["train.augment.recipe"] == "flip_crop_erase"


def test_few_images_and_all_are_never_set_against_each_other(fake):
    few = tbps(fake, "full", ["dataset.few_shot=0.05"])
    (row,) = compared(panel_of(few))
    assert (row["published_as"], row["condition"]) == ("TBPS-CLIP", "5 % of the training data")
    assert compared(panel_of(tbps(fake, "full", ["dataset.few_shot=0.07"]))) == []
    few = real(fake, overrides=["dataset.few_shot=0.5"])
    assert compared(panel_of(few)) == []


def test_published_settings_without_a_result_are_one_gap_a_table_with_their_suite(fake):
    def of(*rows):
        found = missing(ALL, split(*rows), ["cuhk"])
        return {gap.what.partition(":")[0]: gap for gap in found}

    before, after = of(), of(tbps(fake))
    name = "tbps_clip on cuhk, table tbps_clip_tricks"
    assert (
        "5 published results (CLIP + GlobalGrad, CLIP + Dropout, CLIP + LockBL and 2 more)"
        in before[name].what
    )
    assert "4 published results" in after[name].what
    assert after[name].commands == ("harness suite run tbps_clip_tricks",)
    main = of()["tbps_clip on cuhk, table tbps_clip_main"].commands
    assert "harness run --method tbps_clip --dataset cuhk --preset full" in main
    assert f"{main[2]} --set train.batch_size=160" in main


def test_a_method_with_a_released_preset_that_only_other_protocols_were_run_for_is_a_gap(fake):
    val, oracle = real(fake, presets=(), condition="val"), real(fake, condition="released")
    (gap,) = Reproduction.gaps(split(val))
    assert gap.what == "cskt on cuhk: run under other protocols alone."
    assert gap.commands == ("harness run --method cskt --dataset cuhk --preset released",)
    assert Reproduction.gaps(split(val, oracle)) == []
    assert Reproduction.gaps(split(real(fake, "full_finetune", presets=()))) == []
    assert Reproduction.gaps(split(fake.row("cskt", "cuhk"))) == []


def test_a_twin_fills_no_gap_and_the_asked_datasets_narrow_them(fake):
    twin = split(fake.row("cskt", "cuhk"))
    assert len(missing(ALL, twin)) == len(missing(ALL, []))
    assert {gap.what.partition(":")[0] for gap in missing(ALL, twin, ["rstp"])} == {
        *("zero_shot on rstp", "full_finetune on rstp", "cskt on rstp", "irra on rstp"),
        "tbps_clip on rstp, table tbps_clip_main",
    }


def test_a_missing_transfer_needs_a_run_and_a_test(fake):
    (gap,) = missing([published(tested_on="icfg")], split(real(fake)))
    assert gap.commands == (
        "harness run --method cskt --dataset cuhk --preset released",
        "harness evaluate RUN --dataset icfg",
    )


def test_rows_keep_what_is_published_in_their_file(fake, tmp_path):
    rows = with_published(DataFrame([real(fake), fake.row("mine")]), ALL)
    write_rows(tmp_path / "x.json", rows)
    back = load_rows(tmp_path / "x.json")
    assert back["published"].tolist() == rows["published"].tolist()
    assert back["published"].tolist()[1] == []


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
    rows = [real(fake, r1=69), real(fake, "full_finetune", r1=60, **loss)]
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


def test_papers_lose_their_titles():
    assert short_paper('Cao et al., "An Empirical Study, of CLIP", AAAI 2024') == "Cao et al., AAAI 2024"
    assert short_paper("ICL (CVPR 2025)") == "ICL (CVPR 2025)"


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
