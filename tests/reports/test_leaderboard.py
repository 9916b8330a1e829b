import itertools
import re

import pytest
from harness.reports.leaderboard import Leaderboard, draw_ranks, leaderboard, pair_table
from matplotlib import pyplot
from pandas import DataFrame

from harness.evaluate.per_identity import persons_key
from harness.pages.tables import DASH, MARK
from harness.pages.theme import use_theme
from harness.reporting.conditions import conditions
from harness.results.method_ranks import MOST_PAIRED, pairs, ranked
from harness.results.panels import split_panels
from harness.results.seeds.seed_notes import MARK_NOTE, MARK_WORDS
from tests.fake_experiment import persons
from tests.seed_cases import BOTH_ONE, CASES, two


def split(rows, found):
    return split_panels(Leaderboard.select(DataFrame(list(rows))), Leaderboard.facts, found)


def panel_of(*rows, without=()):
    known = [row for row in rows if row["method"] not in without]
    (panel,) = split(rows, persons(known))
    return panel


@pytest.fixture
def three_groups(fake):
    """One that is far ahead, two that are alike, one far behind, in an order of no meaning."""
    return panel_of(
        fake.row("low", r1=15),
        fake.row("top", r1=60, budget="9 trials"),
        fake.row("floor", r1=40, rule="untrained"),
        fake.row("mid", r1=41),
    )


def test_rows_stand_best_first_with_the_ranks_that_they_may_have(three_groups):
    cells = leaderboard(three_groups).cells
    assert cells["method"].tolist() == ["top (tuned, 9 trials)", "mid", "floor", "low"]
    assert cells["rank"].tolist() == ["1†", "2–3†", "2–3†", "4†"]
    assert cells["place"].tolist() == ["first†", "", "", ""]


def test_one_that_is_tied_is_tied_in_words_in_every_form_and_nothing_is_bold(fake):
    table = leaderboard(panel_of(fake.row("a", r1=50), fake.row("b", r1=50.2)))
    for text in (table.markdown(), table.latex(), table._repr_html_(), table.csv()):
        assert text.count("tied for first") >= 2
        assert not re.search(r"\*\*[ab]|textbf|<b>|<strong>", text)


def test_the_difference_is_to_the_leader_with_its_interval_p_and_what_could_be_seen(three_groups):
    rows = ranked(three_groups).set_index("method")
    paired = three_groups.difference(rows.loc["mid"].to_dict(), rows.loc["top"].to_dict())
    own = rows.loc["mid"]
    assert own[["difference", "difference_low", "difference_high", "detectable"]].tolist() == pytest.approx(
        [paired.estimate, paired.low, paired.high, paired.detectable]
    )
    cells = leaderboard(three_groups).cells.set_index("method")
    assert cells.loc[
        "top (tuned, 9 trials)", ["R@1 difference to leader", "p (Holm)", "detectable"]
    ].tolist() == [
        "leader",
        DASH,
        DASH,
    ]
    assert cells.loc["mid", "R@1 difference to leader"].startswith("−19.0 [−2")
    assert cells.loc["mid", "p (Holm)"] == "<0.001†"
    others = rows["detectable"].dropna()
    assert f"median {others.median():.1f} points" in leaderboard(three_groups).notes[2]


def test_conditions_show_what_the_interval_is_made_of_and_the_price(fake):
    rows = [fake.row("a", n_seeds=3, budget="9 trials"), fake.row("z", r1=10, rule="untrained")]
    (panel,) = split(rows, persons(rows[:1], seeds=3) | persons(rows[1:]))
    summary = panel.persons[persons_key(rows[0])].summary("R1")
    cells = conditions(panel).cells.set_index("method")
    assert cells.loc["a (tuned, 9 trials)"].tolist() == [
        *("1", f"{summary.identity_error:.2f}", f"{summary.seed_error:.2f}", "2", "seeds and identities"),
        *("0.10", "3", "40", "9 trials", "val", "5", "64", "1,000"),
    ]
    assert cells.loc["z", ["SE, seeds", "seeds' df", "interval", "rule", "epochs", "batch"]].tolist() == [
        *(DASH, DASH, "identities", "untrained", DASH, DASH)
    ]


def test_without_persons_a_result_has_dashes_and_a_gap_and_the_others_are_ranked_without_it(fake):
    panel = panel_of(fake.row("lost", r1=70), fake.row("a", r1=60), fake.row("b", r1=20), without=("lost",))
    cells = leaderboard(panel).cells.set_index("method")
    assert (
        cells.loc["lost", ["rank", "place", "R@1 difference to leader", "p (Holm)", "detectable"]].tolist()
        == [DASH] * 5
    )
    assert cells.loc["lost", "R@1 [95 %]"] == "70.0 [67.0, 73.0]"
    assert cells.loc[["a", "b"], "rank"].tolist() == ["1†", "2†"]
    assert cells.loc["a", "R@1 difference to leader"] == "leader"
    notes = " ".join(leaderboard(panel).notes)
    assert "the one pair of 2 results" in notes
    assert "Not ranked, because the results per identity are missing: lost." in notes
    assert (
        conditions(panel)
        .cells.set_index("method")
        .loc["lost", ["SE, identities", "ICC", "identities"]]
        .tolist()
        == [DASH] * 3
    )
    (gap,) = [gap for gap in Leaderboard.gaps([panel]) if "lost" in gap.what]
    assert gap.commands == ("harness runs sync --all",)
    assert pair_table(panel).cells.to_numpy().tolist()[0] == ["1 lost", DASH, DASH]


def test_without_any_persons_nothing_is_ranked_and_all_is_still_drawn(fake):
    use_theme()
    panel = panel_of(fake.row("a"), fake.row("b"), without=("a", "b"))
    assert leaderboard(panel).cells["rank"].tolist() == [DASH, DASH]
    assert len(pairs(panel)) == 0
    assert pair_table(panel).latex()
    pyplot.close(draw_ranks(panel))


def test_notes_say_what_is_no_fair_pair(fake, three_groups):
    notes = " ".join(leaderboard(three_groups).notes)
    assert "all 6 pairs of 4 results (Holm)" in leaderboard(three_groups).notes[1]
    assert "Tuning budgets differ (9 trials, none)" in notes
    assert "budgets differ" not in " ".join(leaderboard(panel_of(fake.row("a"), fake.row("b"))).notes)


@pytest.mark.parametrize("case", CASES)
def test_what_stands_on_persons_only_is_marked_wherever_it_is_claimed(case):
    use_theme()
    (panel,) = split(*two(case))
    board, how, pair = Leaderboard.tables(panel)
    sign = MARK * CASES[case]
    assert board.cells["rank"].tolist() == [f"1{sign}", f"2{sign}"]
    assert board.cells["place"].tolist() == [f"first{sign}", ""]
    assert board.cells["p (Holm)"].tolist() == [DASH, f"<0.001{sign}"]
    assert board.values["rank_persons_only"].tolist() == [CASES[case]] * 2
    assert board.values["persons_only"].tolist() == [False, CASES[case]]
    assert how.cells["rank"].tolist() == [f"1{sign}", f"2{sign}"]
    assert how.cells["interval"].str.endswith(MARK).any() == CASES[case]
    assert pair.cells.loc[1, "2"] == f"+40.0 (<0.001{sign})"
    assert pair.values["persons_only"].tolist() == [CASES[case]]
    for table in (board, how, pair):
        assert any(note.startswith(MARK_NOTE) for note in table.notes) == CASES[case]
    figure = draw_ranks(panel)
    (side,) = figure.axes[1].child_axes
    assert [tick.get_text() for tick in side.get_yticklabels()] == [f"1, first{sign}", f"2{sign}"]
    explained = [text.get_text() for text in figure.legends[0].get_texts()]
    assert (MARK_WORDS in explained) == CASES[case]
    pyplot.close(figure)


def test_the_mark_is_read_back_from_every_form_of_the_leaderboard():
    table = leaderboard(split(*two(BOTH_ONE))[0])
    assert "| 1† | better | first† |" in table.markdown()
    assert "| &lt;0.001† |" in table.markdown()
    assert ">first†</td>" in table._repr_html_()
    assert r"first\textdagger{}" in table.latex()
    assert table.csv().splitlines()[1].startswith("1,1,True,first,better,")
    assert [row["persons_only"] for row in table.as_dict()["rows"]] == [False, True]


def test_nothing_beside_or_below_the_figure_is_cut(fake):
    use_theme()
    rows = [fake.row("a", r1=60), fake.row("b", r1=59.9), fake.row("c", r1=20), fake.row("z", r1=15)]
    rows[-1]["rule"] = "untrained"
    figure = draw_ranks(panel_of(*rows))
    figure.canvas.draw()
    (side,) = figure.axes[1].child_axes
    shown = [*side.get_yticklabels(), *figure.legends[0].get_texts()]
    boxes = [text.get_window_extent() for text in shown]
    assert max(box.x1 for box in boxes) <= figure.bbox.x1
    assert min(box.x0 for box in boxes) >= figure.bbox.x0
    assert min(box.y0 for box in boxes) >= figure.bbox.y0
    pyplot.close(figure)


def test_pairs_show_row_less_column_and_grey_what_is_not_told_apart(three_groups):
    table = pair_table(three_groups)
    assert table.cells["method"].tolist() == ["1 top (tuned, 9 trials)", "2 mid", "3 floor"]
    assert table.cells.columns.tolist() == ["method", "2", "3", "4"]
    assert table.cells.loc[1, "4"] == "+45.0 (<0.001†)"
    assert re.fullmatch(r"\+1\.0 \(0\.\d+†\)", table.cells.loc[2, "3"])
    assert table.cells.loc[3].tolist()[:3] == ["3 floor", "", ""]
    assert table.faint_cells == {(1, 2)}
    html = table._repr_html_()
    assert html.count("color:#8a8a8a") == 1
    assert re.search(r"color:#8a8a8a'>\+1\.0", html)
    assert table.latex().count(r"\textcolor{gray}{+1.0") == 1


def test_of_many_results_the_best_are_paired_and_the_file_has_all_pairs(fake):
    panel = panel_of(*(fake.row(f"m{n}", r1=20 + 2 * n) for n in range(14)))
    table = pair_table(panel)
    assert table.cells.shape == (MOST_PAIRED - 1, MOST_PAIRED)
    assert len(table.values) == 14 * 13 / 2
    assert "The best 10 of 14 results; the CSV has all pairs. Column 10 is m4." in table.notes[0]
    assert "Each further result makes it harder for any pair to be significant" in " ".join(
        leaderboard(panel).notes
    )


def test_a_method_in_several_settings_stands_once_for_each(fake):
    config = fake.row("a")["config"]
    panel = panel_of(
        fake.row("a", r1=50, condition="1", config=config),
        fake.row("a", r1=20, condition="2", config=config | {"method.lr": "9"}),
    )
    assert leaderboard(panel).cells["method"].tolist() == ["a (method.lr=0.1)", "a (method.lr=9)"]


def test_transfers_stay_out_datasets_stand_apart_and_devices_together(fake):
    rows = [
        fake.row("a"),
        fake.row("b", device="gpu"),
        fake.row("a", tested_on="cuhk", r1=99),
        fake.row("a", "cuhk"),
        fake.row("zero", "icfg", "cuhk", 12, rule="untrained"),
    ]
    panels = split(rows, {})
    assert [panel.facts["dataset"] for panel in panels] == ["icfg", "cuhk"]
    assert [sorted(panel.rows["method"]) for panel in panels] == [["a", "b"], ["a", "zero"]]
    assert 99 not in panels[1].rows["R1"].tolist()


def test_long_labels_are_whole_in_table_and_figure_where_no_name_touches_the_next(fake):
    many = [{f"method.quite_a_long_key_{i}": str(j) for i in range(6)} for j in range(4)]
    rows = [fake.row(condition=f"c{j}", config=one, r1=30 + j) for j, one in enumerate(many)]
    panel = panel_of(*rows)
    names = set(panel.rows["label"])
    assert set(leaderboard(panel).cells["method"]) == names
    figure = draw_ranks(panel)
    figure.canvas.draw()
    ticks = figure.axes[0].get_yticklabels()
    assert {"".join(tick.get_text().split()) for tick in ticks} == {"".join(name.split()) for name in names}
    boxes = sorted((tick.get_window_extent().y0, tick.get_window_extent().y1) for tick in ticks)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(boxes))


def test_the_numbers_for_machines_are_not_rounded(fake):
    panel = panel_of(fake.row("a", r1=47.123456), fake.row("b", r1=20))
    table = leaderboard(panel)
    assert table.values["R1"].tolist()[0] == 47.123456
    assert table.values["difference"].tolist()[1] == pytest.approx(-27.123456)
    assert table.as_dict()["rows"][0]["difference"] is None


def test_the_figure_fills_those_that_are_tied_for_first_and_writes_ranks_beside(fake):
    use_theme()
    panel = panel_of(
        fake.row("a", r1=50),
        fake.row("b", r1=50.5),
        fake.row("c", r1=20),
        fake.row("z", r1=10, rule="untrained"),
    )
    figure = draw_ranks(panel)
    first = figure.axes[0]
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["b", "a", "c", "z"]
    marks = {bar.lines[0].get_ydata()[0]: bar.lines[0] for bar in first.containers}
    assert {place: line.get_xdata()[0] for place, line in marks.items()} == {0: 50.5, 1: 50, 2: 20, 3: 10}
    assert [place for place, line in marks.items() if line.get_markerfacecolor() == "white"] == [2, 3]
    dashed = [line.get_xdata()[0] for line in first.lines if line.get_linestyle() == "--"]
    assert dashed == [10]
    (side,) = figure.axes[1].child_axes
    texts = [tick.get_text() for tick in side.get_yticklabels()]
    assert texts == ["1–2, tied for first†", "1–2, tied for first†", "3†", "4†"]
    pyplot.close(figure)


def test_gaps_name_a_missing_floor_and_rival_and_a_whole_panel_has_none(fake, three_groups):
    found = Leaderboard.gaps([panel_of(fake.row())])
    assert ["no untrained" in found[0].what, "needs two" in found[1].what] == [True, True]
    assert Leaderboard.gaps([three_groups]) == []
    assert Leaderboard.gaps([])[0].commands


def test_one_result_has_a_rank_and_no_pair(fake):
    panel = panel_of(fake.row())
    assert leaderboard(panel).cells["rank"].tolist() == ["1"]
    assert "nothing to rank it against" in " ".join(leaderboard(panel).notes)
    assert len(pair_table(panel).cells) == 0
    assert "there is no pair" in pair_table(panel).notes[0]


def test_hostile_labels_stay_text(fake, tmp_path):
    use_theme()
    bad = "=cmd|' /C' <script>alert(1)</script> \\input{x} $\\frac$\x1b[31m"
    panel = panel_of(fake.row(bad), fake.row("b", r1=20))
    for table in Leaderboard.tables(panel):
        assert "<script" not in table._repr_html_() + table.markdown()
        assert r"\input" not in table.latex()
        assert "\x1b" not in table.csv()
    figure = draw_ranks(panel)
    figure.savefig(tmp_path / "x.svg")
    assert "<script" not in (tmp_path / "x.svg").read_text()
    pyplot.close(figure)
