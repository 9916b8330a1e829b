import json
from dataclasses import replace
from types import SimpleNamespace

import harness.reports.published_order as report
import pytest
from harness.reports.published_order import PublishedOrder, agreement_table, draw_order, pair_table
from matplotlib import pyplot
from pandas import DataFrame

from harness.config.values import flatten
from harness.pages.theme import use_theme
from harness.presets.resolve import resolve
from harness.reporting.published.matches import with_published
from harness.reporting.published.order import OPEN, OPPOSITE, SAME, order_agreement, order_pairs
from harness.results.panels import dataset_facts, split_panels
from harness.results.seeds.seed_notes import MARK_NOTE
from tests.fake_experiment import persons, row
from tests.published_rows import published

NAMES = ("cskt", "full_finetune", "irra")


def results(figures, seeds=3, configs=({}, {}, {}), **changes):
    """Return three methods' results on a twin, at their defaults but for what `configs` says."""
    return [
        row(name, "cuhk", r1=r1, n_seeds=seeds, seeds=[*range(seeds)], config=config, **changes)
        for name, r1, config in zip(NAMES, figures, configs, strict=True)
    ]


def panel_of(figures, there, seeds=3, **changes):
    """Return the panel of three methods' results on a twin, with their published rows."""
    rows = results(figures, seeds, **changes)
    table = with_published(DataFrame(rows), there)
    (panel,) = split_panels(table, dataset_facts, persons(rows, seeds, 1.0))
    return panel


def figures(*values, **changes):
    return [
        published(counterpart=name, method=name.upper(), R1=value, **changes)
        for name, value in zip(NAMES, values, strict=True)
    ]


def test_a_pair_has_the_published_order_and_is_same_or_opposite_here():
    panel = panel_of((50.0, 30.0, 49.5), figures(69.7, 68.2, 71.0))
    found = {(one["better"], one["worse"]): (one["order"], one["claim"]) for one in order_pairs(panel)}
    assert found == {
        ("irra", "full_finetune"): (SAME, SAME),
        ("cskt", "full_finetune"): (SAME, SAME),
        ("irra", "cskt"): (OPPOSITE, OPEN),
    }
    assert all(one["p_holm"] >= one["p"] for one in order_pairs(panel))
    cells = pair_table(panel).cells
    assert cells["source"].tolist() == ["Who et al., WHERE 2024, ViT-B/16"] * 3
    assert cells["published difference"].tolist() == ["+2.80", "+1.50", "+1.30"]
    assert cells["order here"].tolist()[:2] == ["same, significantly same"] * 2
    assert cells["order here"].iloc[2] == "opposite, not significant"
    assert cells.iloc[2]["difference here [95 %]"].startswith("−0.5 [")
    tau = order_agreement(panel, order_pairs(panel))
    assert tau.tau == pytest.approx(1 / 3)
    line = agreement_table(panel).cells.iloc[0]
    assert line["Kendall's tau [95 %]"] == f"0.33 [{tau.low:.2f}, {tau.high:.2f}]".replace("-", "−")
    assert line[["pairs", "same order", "opposite order", "equal"]].tolist() == ["3", "2", "1", "0"]
    assert line[["significantly same", "significantly opposite"]].tolist() == ["2", "0"]


@pytest.mark.parametrize(
    "changes",
    [
        {"paper": "Others"},
        {"backbone": "ViT-B/32"},
        {"image_size": "224×224"},
        {"selection": "last epoch"},
        {"condition": "few shots"},
        {"R1": None},
        {"R1": 69.7},
    ],
)
def test_figures_of_other_protocols_ties_and_gaps_make_no_pair(changes):
    there = figures(69.7, 68.2, 60.0)
    there[1] |= changes
    panel = panel_of((50.0, 30.0, 40.0), there)
    assert ("cskt", "full_finetune") not in {(one["better"], one["worse"]) for one in order_pairs(panel)}
    assert ("cskt", "irra") in {(one["better"], one["worse"]) for one in order_pairs(panel)}


def test_a_result_of_other_settings_than_were_published_makes_no_pair():
    there = figures(69.7, 68.2, 60.0)
    longer, tuned = {"train.epochs": "30"}, {"method.lr": "9"}

    def found(*configs):
        pairs = order_pairs(panel_of((50.0, 30.0, 40.0), there, configs=configs))
        return {(one["better"], one["worse"]) for one in pairs}

    assert len(found({}, {}, {})) == len(found(longer, longer, longer)) == 3
    assert found(longer, {}, {}) == found(tuned, {}, {}) == {("full_finetune", "irra")}
    assert found(tuned, {}, tuned) == set()


def test_settings_of_a_method_are_called_as_published_and_of_one_protocol_whatever_their_condition():
    def one(preset, r1, **changes):
        own = {"presets": [preset], "set": {}, "backbone": "ViT-B/32", **changes}
        return published(counterpart="tbps_clip", method=preset.upper(), R1=r1, **own)

    there = [one("simplified", 72.0, condition="few words"), one("clip_baseline", 65.0)]
    configs = [
        {key: str(value) for key, value in flatten(made.model_dump(mode="json")).items()}
        for made in (resolve("tbps_clip", "cuhk", synthetic=True, presets=each["presets"]) for each in there)
    ]
    rows = [
        row("tbps_clip", "cuhk", r1=r1, n_seeds=3, seeds=[0, 1, 2], config=config, condition=str(r1))
        for r1, config in zip((40.0, 60.0), configs, strict=True)
    ]
    table = with_published(DataFrame(rows), there)
    (panel,) = split_panels(table, dataset_facts, persons(rows, 3, 1.0))
    (pair,) = order_pairs(panel)
    assert pair["better"] == "tbps_clip: SIMPLIFIED (few words)"
    assert (pair["worse"], pair["claim"]) == ("tbps_clip: CLIP_BASELINE", OPPOSITE)


def test_significance_is_adjusted_for_the_number_of_pairs(monkeypatch):
    panel = panel_of((50.0, 30.0, 49.5), figures(69.7, 68.2, 71.0))
    p_value = dict(zip(range(3), (0.02, 0.02, 0.9), strict=True))
    real, asked = panel.difference, []

    def difference(one, other):
        asked.append(one)
        return replace(real(one, other), p_value=p_value[len(asked) - 1])

    monkeypatch.setattr(panel, "difference", difference)
    found = order_pairs(panel)
    assert [round(one["p_holm"], 3) for one in found] == [0.9, 0.06, 0.06]
    assert {one["claim"] for one in found} == {OPEN}


def test_protocols_without_a_pair_are_left_out_unless_none_has_one(monkeypatch):
    source = SimpleNamespace(suite=None)
    monkeypatch.setattr(report, "counterparts", lambda tables: figures(69.7, 68.2, 60.0))
    paired = results((50.0, 30.0, 40.0))
    alone = [row("cskt", "icfg"), row("irra", "icfg"), row("zero_shot", "icfg", rule="untrained")]
    kept = PublishedOrder.extend(DataFrame([*alone, *paired]), source)
    assert kept["tested_on"].tolist() == ["cuhk"] * 3
    assert len(PublishedOrder.extend(DataFrame(alone), source)) == 3


def test_the_page_is_called_by_the_methods_that_are_in_a_pair():
    panel = panel_of((50.0, 30.0, 40.0), figures(69.7, 68.2, 60.0)[:2])
    assert PublishedOrder.subject([panel]).startswith("Published order of CSKT and full fine-tuning on ")
    assert "IRRA" in PublishedOrder.subject([panel_of((50.0, 30.0, 40.0), [])])
    assert "Kendall's tau is 1.00" in PublishedOrder.verdict(panel)


def test_of_many_pairs_a_table_shows_the_clearest_and_its_csv_all(monkeypatch):
    monkeypatch.setattr(report, "MOST_SHOWN", 2)
    panel = panel_of((50.0, 30.0, 49.5), figures(69.7, 68.2, 71.0))
    table = pair_table(panel)
    assert table.cells["published difference"].tolist() == ["+2.80", "+1.50"]
    assert len(table.values) == 3
    assert "1 more, none clearer, are in the table's CSV." in table.notes
    figure = draw_order(panel)
    assert not any(bars.lines[2] for bars in figure.axes[0].containers)
    pyplot.close(figure)


def test_a_pair_that_a_paper_has_in_several_tables_counts_once_and_two_papers_are_two():
    again = [*figures(69.7, 68.2, 60.0), *figures(69.7, 68.2, 60.0, table="Table 9")]
    assert len(order_pairs(panel_of((50.0, 30.0, 40.0), again))) == 3
    other = [*figures(69.7, 68.2, 60.0), *figures(69.0, 70.0, 60.0, paper="Others")]
    pairs = order_pairs(panel_of((50.0, 30.0, 40.0), other))
    assert len(pairs) == 6
    assert {one["order"] for one in pairs if one["better"] == "full_finetune" and one["worse"] == "cskt"} == {
        OPPOSITE
    }


def test_no_published_figure_of_a_result_is_shown_on_a_twin():
    panel = panel_of((50.0, 30.0, 49.5), figures(69.7, 68.2, 71.0))
    for table in PublishedOrder.tables(panel):
        for text in (table.csv(), table.markdown(), json.dumps(table.as_dict())):
            assert not any(figure in text for figure in ("69.7", "68.2", "71.0"))


def test_what_one_seed_decides_is_marked():
    panel = panel_of((50.0, 30.0, 49.5), figures(69.7, 68.2, 71.0), seeds=1)
    agreed, pairs = PublishedOrder.tables(panel)
    assert agreed.cells["Kendall's tau [95 %]"].iloc[0].endswith("]†")
    assert pairs.cells["order here"].tolist() == [
        *["same, significantly same†"] * 2,
        "opposite, not significant",
    ]
    assert any(note.startswith(MARK_NOTE) for note in agreed.notes)
    assert any(note.startswith(MARK_NOTE) for note in pairs.notes)


def test_without_a_pair_the_tables_say_so_and_a_gap_says_how():
    panel = panel_of((50.0, 30.0, 49.5), [])
    assert order_agreement(panel, []) is None
    agreed, pairs = PublishedOrder.tables(panel)
    assert agreed.cells["Kendall's tau [95 %]"].tolist() == ["–"]
    assert len(pairs.cells) == 0
    assert "No two results have counterparts" in " ".join(pairs.notes)
    (gap,) = PublishedOrder.gaps([panel])
    command = "harness run --method tbps_clip --dataset cuhk --synthetic --preset"
    assert gap.commands == (f"{command} clip_baseline", f"{command} simplified")
    assert "To begin" in PublishedOrder.gaps([])[0].what


def test_the_figure_draws_each_pair_on_its_side_of_the_line():
    use_theme()
    panel = panel_of((50.0, 30.0, 49.5), figures(69.7, 68.2, 71.0))
    figure = draw_order(panel)
    points = sorted(
        tuple(point) for bars in figure.axes[0].containers for point in bars.lines[0].get_xydata().tolist()
    )
    assert [x for x, _ in points] == pytest.approx([1.3, 1.5, 2.8])
    assert [y > 0 for _, y in points] == [False, True, True]
    words = {text.get_text() for text in figure.legends[0].get_texts()}
    assert words == {"significantly the same order", "not significant"}
    pyplot.close(figure)
    empty = draw_order(panel_of((50.0, 30.0, 49.5), []))
    assert not empty.legends
    pyplot.close(empty)
