import json

import pytest
from harness.reports.published_order import PublishedOrder, agreement_table, draw_order, pair_table
from matplotlib import pyplot
from pandas import DataFrame

from harness.pages.theme import use_theme
from harness.reporting.published.matches import with_published
from harness.reporting.published.order import OPEN, OPPOSITE, SAME, order_agreement, order_pairs
from harness.results.panels import dataset_facts, split_panels
from harness.results.seeds.seed_notes import MARK_NOTE
from tests.fake_experiment import persons, row
from tests.published_rows import published

NAMES = ("cskt", "full_finetune", "irra")


def panel_of(figures, there, seeds=3, **changes):
    """Return the panel of three methods' results on a twin, with their published rows."""
    rows = [
        row(name, "cuhk", r1=r1, n_seeds=seeds, seeds=[*range(seeds)], **changes)
        for name, r1 in zip(NAMES, figures, strict=True)
    ]
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
    cells = pair_table(panel).cells
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
    assert gap.commands == ("harness suite run tbps_clip_losses --synthetic",)
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
