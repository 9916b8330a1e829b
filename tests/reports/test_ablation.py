import re
from itertools import pairwise
from types import SimpleNamespace

import pytest
from harness.reports.ablation import ALIKE, MOST_DRAWN, Ablation, ablation_table, draw_differences
from matplotlib import pyplot
from pandas import DataFrame

from harness.evaluate.per_identity import persons_key
from harness.pages.tables import DASH, MARK
from harness.pages.theme import use_theme
from harness.results.panels import split_panels
from harness.results.seeds.seed_notes import MARK_NOTE, MARK_WORDS
from tests.ablation_rows import configured, panel_of, star_panel
from tests.fake_experiment import persons
from tests.seed_cases import TRAINED, two


def split(*rows):
    return split_panels(Ablation.select(DataFrame(list(rows))), Ablation.facts, persons(rows))


@pytest.fixture
def star():
    return star_panel()


def test_the_table_shows_scores_changes_differences_and_parameters(star):
    cells = ablation_table(star).cells
    assert cells.iloc[0].tolist() == [
        *("mine", "reference: nearest to the others", DASH),
        *("40.0 [37.5, 42.5]", "40.0 [38.2, 41.8]", "35.0 [32.2, 37.9]", DASH, DASH, "1,000", "1"),
    ]
    last = cells.iloc[-1]
    assert last[["changed", "instead of"]].tolist() == ["method.depth=20, method.lr=9", "12, 0.1"]
    assert re.fullmatch(r"−10\.0 \[−1\d\.\d, −[67]\.\d\]", last["difference in R@1"])
    assert last["p (Holm)"] == "<0.001†"
    assert "SYNTHETIC TWIN" in ablation_table(star).title


@pytest.mark.parametrize("case", TRAINED)
def test_what_stands_on_persons_only_is_marked_in_table_and_figure(case):
    use_theme()
    config = configured()["config"]
    same = {"method": "mine", "condition": "1", "config": config}
    rows, found = two(case, same, same | {"condition": "2", "config": config | {"method.lr": "9"}})
    (panel,) = split_panels(DataFrame(rows), Ablation.facts, found)
    table = ablation_table(panel)
    sign = MARK * TRAINED[case]
    assert set(table.cells["p (Holm)"]) == {DASH, f"<0.001{sign}"}
    assert sorted(table.values["persons_only"]) == [False, TRAINED[case]]
    assert any(note.startswith(MARK_NOTE) for note in table.notes) == TRAINED[case]
    figure = draw_differences(panel)
    figure.canvas.draw()
    ticks = figure.axes[0].get_yticklabels()
    assert ticks[1].get_text().endswith(MARK) == TRAINED[case]
    texts = figure.legends[0].get_texts()
    assert (MARK_WORDS in [text.get_text() for text in texts]) == TRAINED[case]
    assert max(text.get_window_extent().x1 for text in texts) <= figure.bbox.x1
    pyplot.close(figure)


def test_names_of_two_lines_do_not_touch(fake):
    use_theme()
    long = {
        "method__a_setting_with_a_long_name": "['one value']",
        "method__another_setting_of_some_length": 2,
    }
    rows = [configured(40 + n, **{key: f"{value}{n}" for key, value in long.items()}) for n in range(24)]
    figure = draw_differences(panel_of(*rows))
    figure.canvas.draw()
    boxes = [tick.get_window_extent() for tick in figure.axes[0].get_yticklabels() if tick.get_text()]
    assert any("\n" in tick.get_text() for tick in figure.axes[0].get_yticklabels())
    assert not [pair for pair in pairwise(boxes) if pair[0].y0 < pair[1].y1]
    pyplot.close(figure)


def test_a_hollow_mark_claims_nothing_and_has_no_mark_of_seeds(fake):
    use_theme()
    figure = draw_differences(panel_of(configured(40, n_seeds=3), configured(40.1, method__lr=2)))
    assert not [tick for tick in figure.axes[0].get_yticklabels() if MARK in tick.get_text()]
    assert MARK_WORDS not in [text.get_text() for text in figure.legends[0].get_texts()]
    pyplot.close(figure)


def test_the_table_says_how_many_comparisons_it_makes(star, fake):
    assert "Comparisons in this table: 5." in ablation_table(star).notes[-1]
    assert "nothing to compare" in ablation_table(panel_of(configured())).notes[-1]


def test_a_row_that_changes_no_result_is_no_comparison(fake):
    base, inert, other = configured(40), configured(40, method__lr=2), configured(44, method__lr=3)
    found = persons([base, other])
    found |= {persons_key(inert): found[persons_key(base)]}
    (panel,) = split_panels(DataFrame([base, inert, other]), Ablation.facts, found)
    table, alone = ablation_table(panel), ablation_table(panel_of(base, other))
    cells = table.cells.set_index("changed")
    assert cells.loc["method.lr=2", ["difference in R@1", "p (Holm)"]].tolist() == [ALIKE, DASH]
    assert cells.loc["method.lr=3", "p (Holm)"] == alone.cells.iloc[1]["p (Holm)"] != DASH
    assert "Comparisons in this table: 1." in table.notes[-2]
    assert table.notes[-1].startswith(f"A row with the {ALIKE} has the reference's R@1, R@10 and mAP")
    assert not [note for note in alone.notes if ALIKE in note]
    figure = draw_differences(panel)
    assert len(figure.axes[0].containers) == 2
    pyplot.close(figure)


def test_only_what_has_a_p_is_counted_as_a_comparison(fake):
    rows = [configured(40 + n, method__lr=n) for n in range(4)]
    (panel,) = split_panels(DataFrame(rows), Ablation.facts, persons(rows[:3]))
    notes = ablation_table(panel).notes
    assert "Comparisons in this table: 2." in notes[-2]
    assert notes[-1] == "Without results per identity, and so no comparison: 1 row."


def test_the_numbers_for_machines_are_not_rounded(fake):
    panel = panel_of(configured(40, n_seeds=2), configured(41.123456, method__lr=2))
    assert ablation_table(panel).values["R1_difference"].tolist()[1] == pytest.approx(1.123456)
    assert ablation_table(panel).as_dict()["rows"][0]["R1_difference"] is None


def test_a_key_that_only_one_version_of_a_method_has_is_unset_in_the_other(fake):
    panel = panel_of(configured(40, n_seeds=3), configured(41, method__new=2))
    assert ablation_table(panel).cells.iloc[1][["changed", "instead of"]].tolist() == [
        "method.new=2",
        "unset",
    ]


def test_like_settings_of_another_version_or_budget_are_told_apart_and_come_last(fake):
    rows = [
        configured(40, condition="0123456789", budget="9 trials"),
        configured(40, n_seeds=2),
        configured(41, method__lr=2),
    ]
    cells = ablation_table(panel_of(*rows)).cells
    assert cells["changed"].tolist()[1:] == [*("method.lr=2", "tuned=9 trials")]


def test_without_the_persons_there_is_a_difference_and_no_interval_and_no_p(fake):
    rows = DataFrame([configured(40, n_seeds=3), configured(41, method__lr=2)])
    (panel,) = split_panels(rows, Ablation.facts)
    assert ablation_table(panel).cells.iloc[1][["difference in R@1", "p (Holm)"]].tolist() == ["1.0", DASH]
    use_theme()
    pyplot.close(draw_differences(panel))


def test_transfers_and_untrained_methods_do_not_count_and_datasets_stand_apart(fake):
    panels = split(
        fake.row(),
        fake.row(tested_on="cuhk"),
        fake.row("zero_shot", rule="untrained"),
        fake.row(trained_on="cuhk"),
    )
    assert [panel.facts["dataset"] for panel in panels] == ["icfg", "cuhk"]
    assert [len(panel.records) for panel in panels] == [1, 1]


def test_the_figure_draws_each_difference_under_its_key_and_hollow_where_it_is_not_told_apart(star):
    use_theme()
    figure = draw_differences(star)
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels == [
        *("mine: method.lr (0.1)", "0.5†", "mine: method.depth (12)", "1", "3", "10"),
        *("mine: several settings", "depth=20, lr=9†"),
    ]
    bars = [container.lines[0] for container in figure.axes[0].containers]
    ticks = figure.axes[0].get_yticks().tolist()
    places = {ticks.index(line.get_ydata()[0]): line.get_xdata()[0] for line in bars}
    assert places == pytest.approx({1: 12, 3: 1, 4: -2, 5: -1, 7: -10})
    hollow = {ticks.index(line.get_ydata()[0]) for line in bars if line.get_markerfacecolor() == "white"}
    assert hollow == {3, 4, 5}
    assert figure.axes[0].lines[0].get_xdata() == [0, 0]
    pyplot.close(figure)


def test_what_a_suite_calls_its_rows_is_in_table_and_figure_as_text():
    use_theme()
    bad = "SS-I <b>\x1b[31m $x$"
    rows = [configured(40), configured(41, method__depth=3), configured(42, method__lr=9, method__depth=2)]
    panel = panel_of(
        *(row | {"suite_row": name} for row, name in zip(rows, ("CLIP*", "N-ITC", bad), strict=True))
    )
    table = ablation_table(panel)
    assert table.cells["row"].tolist() == ["CLIP*", "N-ITC", "SS-I <b> $x$"]
    assert list(table.cells)[:3] == ["row", "method", "R@1 [95 %]"]
    assert list(table.cells)[-2:] == ["changed", "instead of"]
    assert table.cells["changed"].iloc[1] == "method.depth=3"
    assert ", most N-ITC, which raises it by " in Ablation.verdict(
        panel_of(
            configured(40, n_seeds=2) | {"suite_row": "CLIP*"},
            configured(60, n_seeds=2, method__depth=3) | {"suite_row": "N-ITC"},
        )
    )
    assert "<b>" not in table._repr_html_()
    figure = draw_differences(panel)
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert [label.partition(MARK)[0].partition(" ")[0] for label in labels] == ["N-ITC", "SS-I"]
    figure.canvas.draw()
    pyplot.close(figure)


def test_of_many_configurations_the_figure_draws_the_first_and_says_so(fake):
    use_theme()
    rows = [configured(40, n_seeds=2), *(configured(41, method__lr=n + 2) for n in range(60))]
    panel = panel_of(*rows)
    figure = draw_differences(panel)
    assert len(figure.axes[0].containers) == MOST_DRAWN
    assert figure.get_suptitle().endswith(f"the first {MOST_DRAWN} of 60")
    assert len(ablation_table(panel).cells) == 61
    pyplot.close(figure)


def test_one_configuration_is_a_gap_and_so_is_none(fake):
    panel = panel_of(fake.row("a"), fake.row("b"))
    (gap,) = Ablation.gaps([panel])
    assert "an ablation needs two" in gap.what
    assert gap.commands == ("harness suite run cskt_ablation --synthetic",)
    (real,) = Ablation.gaps([panel_of(fake.row(synthetic=False))])
    assert real.commands == ("harness suite run cskt_ablation",)
    assert Ablation.gaps([])[0].commands == ("harness suite run cskt_ablation --synthetic",)
    use_theme()
    figure = draw_differences(panel)
    assert "nothing to compare" in figure.get_suptitle()
    pyplot.close(figure)


def test_a_protocol_in_which_nothing_is_compared_is_left_out_beside_one_in_which_something_is(fake):
    def left(*rows):
        return [
            (row["method"], row["tested_on"])
            for row in Ablation.extend(DataFrame(rows), SimpleNamespace(suite=None)).to_dict("records")
        ]

    compared = [fake.row("a"), fake.row("a", method__lr=1.0), fake.row("b")]
    alone = [fake.row("a", trained_on="cuhk"), fake.row("b", trained_on="cuhk")]
    assert left(*alone, *compared) == [("a", "icfg"), ("a", "icfg"), ("b", "icfg")]
    assert left(*alone) == [("a", "cuhk"), ("b", "cuhk")]


def test_two_configurations_of_one_method_are_no_gap(star):
    assert Ablation.gaps([star]) == []


def test_hostile_keys_and_values_stay_text(fake, tmp_path):
    use_theme()
    bad = "=cmd|' /C' <script>alert(1)</script> \\input{x} $\\frac$\x1b[31m"
    panel = panel_of(configured(40, n_seeds=2), configured(41, method__lr=bad))
    table = ablation_table(panel)
    assert "<script" not in table._repr_html_() + table.markdown()
    assert r"\input" not in table.latex()
    assert "\x1b" not in table.csv()
    figure = draw_differences(panel)
    figure.savefig(tmp_path / "x.svg")
    assert "<script" not in (tmp_path / "x.svg").read_text()
    pyplot.close(figure)
