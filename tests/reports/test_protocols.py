"""The report on protocols: which results are set beside the usual protocol, the differences, what is missing."""

import pytest
from harness.reports.protocols import SUITES, Protocols, draw_protocols, lines, protocols_table
from matplotlib import pyplot
from pandas import DataFrame

from harness.pages.theme import use_theme
from harness.reporting.paper import paper_table
from harness.reporting.protocols import USUAL
from harness.results.panels import split_panels
from harness.suites.suite_files import load_suite
from tests.fake_experiment import persons
from tests.protocol_rows import result

GALLERY = "icfg-low4"


def split(*rows):
    frame = Protocols.select(DataFrame(list(rows)))
    frame = Protocols.extend(frame, None)
    return split_panels(frame, Protocols.facts, persons(frame.to_dict("records")))


def panel_of(*rows):
    (panel,) = split(*rows)
    return panel


def test_settings_of_other_protocols_are_taken_with_the_usual_one_and_a_floor(fake):
    rows = [
        result(fake, tested_on=GALLERY, r1=30),
        result(fake, r1=40),
        result(fake, "lora", r1=41),
        result(fake, "zero_shot", r1=10, rule="untrained"),
        result(fake, "zero_shot", r1=11, rule="untrained", tested_on="cuhk", in_domain=False),
        result(fake, tested_on="cuhk", r1=12, in_domain=False),
        result(fake, "mine", r1=50, tested_on=GALLERY, scored="scores.npy"),
    ]
    assert Protocols.select(DataFrame(rows))["R1"].tolist() == [30, 40, 10]
    assert not len(Protocols.select(DataFrame(rows[1:3])))
    assert not len(Protocols.select(DataFrame(rows[-1:])))


def whole(fake):
    return [
        result(fake, r1=40),
        result(fake, r1=33, tested_on="icfg-low8"),
        result(fake, r1=36, tested_on=GALLERY),
        result(fake, r1=30, data={"noise": 0.5}),
        result(fake, r1=35, data={"noise": 0.2}),
        result(fake, r1=28, data={"few_shot_persons": 50}),
        result(fake, r1=34, data={"few_shot_persons": 200}),
        result(fake, r1=46, trained_on="cuhk+icfg"),
        result(fake, "full_finetune", r1=50),
        result(fake, "full_finetune", r1=35, data={"noise": 0.5}),
        result(fake, "zero_shot", r1=10, rule="untrained", train_pairs=None),
    ]


def test_all_protocols_of_a_test_set_are_one_panel_the_usual_one_first_then_in_order(fake):
    panel = panel_of(*whole(fake))
    assert panel.facts["dataset"] == "icfg"
    assert not {"gallery resolution", "noisy captions", "several training sets"} & panel.facts.keys()
    rows = lines(panel)
    assert list(dict.fromkeys(rows["line"])) == ["full_finetune", "cskt", "zero_shot"]
    assert rows.loc[rows["line"] == "cskt", "protocol_words"].tolist() == [
        USUAL,
        "pictures reduced to 1/4",
        "pictures reduced to 1/8",
        "20 % of the captions moved",
        "50 % of the captions moved",
        "200 training persons",
        "50 training persons",
        "trained on cuhk+icfg",
    ]
    assert len(split(*whole(fake), result(fake, synthetic=False, data={"noise": 0.2}))) == 2


def test_a_difference_is_to_the_same_setting_under_the_usual_protocol_person_by_person(fake):
    panel = panel_of(*whole(fake))
    rows = lines(panel)
    noisy = rows[rows["protocol_words"] == "50 % of the captions moved"].set_index("line")
    assert noisy["R1_difference"].tolist() == pytest.approx([-15, -10])
    one, other = (
        next(
            row
            for row in panel.records
            if row["method"] == "cskt" and row["R1"] == pytest.approx(r1, abs=0.1)
        )
        for r1 in (30, 40)
    )
    found = panel.difference(one, other, "mAP")
    assert noisy.loc["cskt", "mAP_difference_low"] == found.low
    assert rows.loc[rows["protocol_words"] == USUAL, "R1_difference"].isna().all()
    lonely = lines(panel_of(result(fake, data={"noise": 0.5}), result(fake, "lora", data={"noise": 0.5})))
    assert lonely["R1_difference"].isna().all()


def test_the_table_shows_each_line_and_what_it_is_set_against(fake):
    table = protocols_table(panel_of(*whole(fake)))
    assert len(table.cells) == len(table.values) == 11
    assert table.cells.columns[:2].tolist() == ["method", "protocol"]
    assert table.cells.loc[0, "difference in R@1"] == "–"
    assert table.cells.loc[1, "difference in R@1"].startswith("−15.0 [")
    assert any(note.startswith("Usual: ") for note in table.notes)


def test_the_verdict_counts_what_is_clear_and_names_the_largest_loss(fake):
    said = Protocols.verdict(panel_of(*whole(fake)))
    assert said.startswith(
        "R@1 is significantly lower in 7 of 8 results under another protocol than the usual one on "
    )
    assert "most for full fine-tuning (50 % of the captions moved)" in said
    assert "it is significantly higher in 1, by 6.0 points" in said
    one = Protocols.verdict(panel_of(result(fake, r1=40), result(fake, r1=20, tested_on=GALLERY)))
    assert "lower in 1 of 1 result under" in one
    assert "that of CSKT (pictures reduced to 1/4)" in one
    alike = Protocols.verdict(panel_of(result(fake, r1=40), result(fake, r1=40, tested_on=GALLERY)))
    assert "R@1 is significantly lower in none of 1 result" in alike
    assert "nothing can be said" in Protocols.verdict(panel_of(result(fake, tested_on=GALLERY))).lower()


def commands(*rows):
    return {gap.what: gap.commands for gap in Protocols.gaps(split(*rows))}


def test_what_is_missing_is_named_with_a_command_that_makes_it(fake):
    rows = [
        result(fake, tested_on=GALLERY),
        result(fake),
        result(fake, "bitfit"),
        result(fake, "bitfit", data={"noise": 0.2, "noise_seed": 1}),
        result(fake, "maple", data={"few_shot_persons": 50}),
        result(fake, "coop", trained_on="cuhk+icfg"),
        result(fake, "zero_shot", rule="untrained"),
    ]
    found = commands(*rows)
    lacks = "Protocol 1, icfg: {} lacks a result under this protocol: {}."
    assert found[lacks.format("bitfit", "pictures reduced to 1/4")] == (
        "harness evaluate bitfit-icfg-1 --dataset icfg --gallery 4",
    )
    assert found[lacks.format("cskt", "20 % of the captions moved, seed 1")] == (
        "harness run --method cskt --dataset icfg --synthetic --set method.lr=0.1 --set dataset.noise=0.2 "
        "--set dataset.noise_seed=1",
    )
    assert found[lacks.format("cskt", "50 training persons")][0].endswith("--set dataset.few_shot_persons=50")
    (joint,) = found[lacks.format("cskt", "trained on cuhk+icfg")]
    assert "--dataset cuhk+icfg --synthetic" in joint
    usual = "Protocol 1, icfg: {} has no result under the usual protocol, to which differences are taken."
    assert found[usual.format("maple")] == (
        "harness run --method maple --dataset icfg --synthetic --set method.lr=0.1",
    )
    assert lacks.format("maple", "pictures reduced to 1/4") not in found, "its run is not there to be tested"
    assert not [what for what in found if "zero_shot" in what]


def test_without_results_the_suites_are_named_which_end_in_this_report():
    (gap,) = Protocols.gaps([])
    assert gap.commands == tuple(f"harness suite run {name} --synthetic" for name in SUITES)
    assert [load_suite(name).report for name in SUITES] == len(SUITES) * [Protocols.name]


def test_the_figure_has_each_protocol_and_the_floor(fake):
    use_theme()
    panel = panel_of(*whole(fake))
    figure = draw_protocols(panel)
    (axes,) = figure.axes
    rows = lines(panel).query("rule != 'untrained'")
    assert [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()] == list(
        dict.fromkeys(rows.sort_values("line")["protocol_words"])
    )
    assert len(axes.containers) == len(rows)
    drawn = sorted(container[0].get_xdata()[0] for container in axes.containers)
    assert drawn == pytest.approx(sorted(rows["R1"]))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["full_finetune", "cskt", "zero_shot, usual"]
    pyplot.close(figure)


def test_a_table_for_a_paper_names_the_protocol(fake):
    panel = panel_of(*whole(fake))
    table = paper_table(panel, "protocols-1", {})
    assert table.words == ("Method", "Protocol")
    assert [row[0] for row in table.rows][:5] == [
        ("Full fine-tuning†", "Usual"),
        ("CSKT†", "Usual"),
        ("Zero-shot CLIP", "Usual"),
        ("CSKT†", "Pictures reduced to 1/4"),
        ("CSKT†", "Pictures reduced to 1/8"),
    ]
    assert table.rows[-1][0] == ("CSKT†", "Trained on cuhk+icfg")


def test_results_are_called_by_their_protocol_and_a_title_by_the_test_set_alone(fake):
    panel = panel_of(*whole(fake))
    labels = [row["label"] for row in panel.records]
    assert len(set(labels)) == len(labels)
    assert {"cskt", "cskt (pictures reduced to 1/4)", "full_finetune (50 % of the captions moved)"} <= set(
        labels
    )
    assert Protocols.subject([panel]) == (
        "Other protocols: full fine-tuning, CSKT and zero-shot CLIP on ICFG-PEDES (synthetic twin)"
    )


@pytest.mark.parametrize("usual", [False, True])
def test_the_grey_band_is_the_usual_protocol_s_alone(fake, usual):
    rows = [result(fake, r1=30 - n, data={"noise": n / 10}) for n in (2, 5)]
    figure = draw_protocols(panel_of(*rows, *[result(fake, r1=35)] * usual))
    bands = [patch for patch in figure.axes[0].patches if patch.get_zorder() == 0]
    assert len(bands) == usual
    pyplot.close(figure)
