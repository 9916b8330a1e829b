"""What `--style paper` writes of a panel: short names, four metrics with uncertainty, figures with fonts inside."""

import re
from itertools import pairwise

import pytest
from harness.reports.parameter_efficiency import ParameterEfficiency
from matplotlib import pyplot
from pandas import DataFrame

from harness.pages.theme import use_theme
from harness.reporting.paper import COLUMN_INCHES, caption, draw_paper, paper_table, save_paper
from harness.results.panels import dataset_facts, split_panels
from tests.fake_experiment import persons


@pytest.fixture
def panel(fake):
    """One panel of a twin: two trained methods, of which one has an odd name, and an untrained one."""
    rows = [
        fake.row("cskt", r1=60, trainable=2.5e6),
        fake.row(r"\evil{_%", r1=40),
        fake.row("zero_shot", r1=20, rule="untrained"),
    ]
    return split_panels(DataFrame(rows), dataset_facts, persons(rows))[0]


def test_the_table_has_proper_names_the_four_metrics_and_half_of_each_interval(panel):
    table = paper_table(panel, "x-1", {})
    assert [words for words, _ in table.rows] == [("CSKT†",), (r"\evil{_%†",), ("Zero-shot CLIP",)]
    assert [name for name, _ in table.numbers] == ["R@1", "R@5", "R@10", "mAP"]
    row = next(row for row in panel.records if row["method"] == "cskt")
    value, half = table.rows[0][1][0]
    assert value == row["R1"]
    assert half == pytest.approx((row["R1_high"] - row["R1_low"]) / 2)
    assert r"\evil" not in table.latex()


def test_the_caption_says_data_protocol_selection_pairs_and_seeds(panel):
    said = caption(panel)
    for words in (
        "ICFG-PEDES (synthetic twin)",
        "best on validation",
        "700 training pairs",
        "1 seed each",
        "† one seed",
    ):
        assert words in said


def test_a_report_adds_columns_of_its_own_and_places_where_they_differ(panel, fake):
    table = paper_table(panel, "x", ParameterEfficiency.paper_columns)
    assert table.numbers[0] == ("Par. (M)", 2)
    assert [numbers[0][0] for _, numbers in table.rows] == [2.5, 0.001, 0.0]
    rows = [fake.row(tested_on="cuhk"), fake.row()]
    (two,) = split_panels(DataFrame(rows), lambda row: {"data": "x"}, {})
    assert paper_table(two, "x", {}).words == ("Method", "Tested on")
    assert [words[1] for words, _ in paper_table(two, "x", {}).rows] == ["CUHK-PEDES", "ICFG-PEDES"]


def test_files_are_a_table_and_a_pdf_of_one_column_with_its_fonts_inside(panel, tmp_path):
    use_theme("paper")
    save_paper([panel], tmp_path / "paper", "leaderboard", {})
    assert sorted(file.name for file in tmp_path.rglob("*.*")) == ["leaderboard-1.pdf", "leaderboard-1.tex"]
    pdf = (tmp_path / "paper" / "leaderboard-1.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    box = [float(part) for part in re.search(rb"/MediaBox \[([^\]]*)\]", pdf)[1].split()]
    assert box[2] == pytest.approx(72 * COLUMN_INCHES, abs=0.1)
    assert draw_paper(panel).get_size_inches()[0] == COLUMN_INCHES
    pyplot.close("all")


def test_a_folded_name_touches_no_other(fake):
    use_theme("paper")
    rows = [fake.row(f"m{n}", r1=20 + n) for n in range(16)]
    rows.append(fake.row("a name of so many words that it takes three lines of a column", r1=30))
    (panel,) = split_panels(DataFrame(rows), dataset_facts, persons(rows))
    figure = draw_paper(panel)
    figure.canvas.draw()
    ticks = figure.axes[0].get_yticklabels()
    assert any(tick.get_text().count("\n") > 1 for tick in ticks)
    boxes = [tick.get_window_extent() for tick in ticks]
    assert not [pair for pair in pairwise(boxes) if pair[0].y0 < pair[1].y1]
    pyplot.close(figure)


def test_a_scored_result_that_tells_no_pairs_stands_beside_one_that_does(fake):
    rows = [fake.row("cskt"), fake.row("theirs", scored="x.npz", train_pairs=float("nan"))]
    panel = split_panels(DataFrame(rows), lambda row: {"data": "x"}, persons(rows))[0]
    assert "700 training pairs" in caption(panel)
