import pytest
from harness.reports.parameter_efficiency import (
    ParameterEfficiency,
    costs_and_fronts,
    costs_table,
    draw_costs,
    use_table,
)
from matplotlib import pyplot
from pandas import DataFrame

from harness.pages.tables import MARK
from harness.pages.theme import INK, use_theme
from harness.results.panels import split_panels
from harness.results.retention import with_retention
from harness.results.seeds.seed_notes import MARK_NOTE, MARK_WORDS
from tests.seed_cases import CASES, two


def split(*rows):
    chosen = ParameterEfficiency.select(DataFrame(list(rows)))
    return split_panels(chosen, ParameterEfficiency.facts)


@pytest.fixture
def whole(fake):
    rows = [
        fake.row("zero_shot", r1=15, rule="untrained"),
        fake.row("probe", r1=25, trainable=100.0, step_peak_bytes=1e9, train_seconds=9.0),
        fake.row("adapter", r1=50, trainable=1e5, step_peak_bytes=2e9, train_seconds=70.0, budget="9 trials"),
        fake.row("full", r1=45, trainable=1e6, step_peak_bytes=3e9, train_seconds=60.0),
        fake.row("broken", r1=10, trainable=1e6, step_peak_bytes=3e9, train_seconds=60.0),
    ]
    (panel,) = split(*rows)
    return panel


def test_rows_stand_best_first_with_the_fronts_that_they_are_on(whole):
    rows = costs_and_fronts(whole)
    assert rows["label"].tolist() == ["adapter (tuned, 9 trials)", "full", "probe", "zero_shot", "broken"]
    assert rows["front"].tolist() == ["P F M T", "T", "P M T", "P F M T", "–"]


@pytest.mark.parametrize("case", CASES)
def test_a_front_that_another_seed_may_change_is_marked_in_table_and_figure(case):
    use_theme()
    rows, found = two(case, {"trainable": 10.0, "train_seconds": 9.0}, {"trainable": 5.0})
    (panel,) = split_panels(ParameterEfficiency.select(DataFrame(rows)), ParameterEfficiency.facts, found)
    table = costs_table(panel)
    marked = table.cells.set_index("method")["front"].str.endswith(MARK)
    assert marked["better"] == CASES[case]
    assert table.values["persons_only"].tolist() == marked.tolist()
    assert any(note.startswith(MARK_NOTE) for note in table.notes) == CASES[case]
    figure = draw_costs(panel)
    figure.canvas.draw()
    texts = figure.legends[0].get_texts()
    words = {text.get_text() for text in texts}
    assert (MARK_WORDS in words) == CASES[case]
    named = {text.get_text() for axes in figure.axes for text in axes.texts} - {""}
    assert (f"better{MARK}" in named) == CASES[case]
    assert max(text.get_window_extent().x1 for text in texts) <= figure.bbox.x1
    pyplot.close(figure)


def test_a_front_that_the_cost_alone_decides_stands_without_mark(whole):
    marked = costs_and_fronts(whole).set_index("method")["persons_only"]
    assert marked.to_dict() == {
        **dict.fromkeys(("adapter", "full", "probe", "broken"), True),
        "zero_shot": False,
    }


def test_operations_of_the_towers_alone_are_told(fake, whole):
    assert not any("through each tower" in note for note in costs_table(whole).notes)
    earlier = fake.row("cskt") | {"pair_flops": None, "image_training_flops": 4e6}
    (panel,) = split(fake.row("zero_shot", rule="untrained"), fake.row("full"), earlier)
    table = costs_table(panel)
    shown = table.cells.set_index("method")["FLOPs"]
    assert (shown["full"], shown["cskt"]) == ("3 M", "5 M")
    (note,) = [note for note in table.notes if "through each tower" in note]
    assert note.startswith("FLOPs of cskt: ")


def test_one_result_alone_is_on_its_fronts_without_mark(fake):
    (panel,) = split(fake.row())
    assert costs_table(panel).cells["front"].tolist() == ["P F M T"]


def test_results_on_no_front_are_greyed(whole):
    assert costs_table(whole).faint == {4}


def test_the_table_shows_costs_and_conditions(whole):
    cells = costs_table(whole).cells.set_index("method")
    line = cells.loc["adapter (tuned, 9 trials)"]
    assert line[["trainable", "share", "memory", "time"]].tolist() == [
        "100,000",
        "5.00 %",
        "2,000 MB",
        "70 s",
    ]
    assert cells.loc["zero_shot", ["trainable", "memory", "time"]].tolist() == ["0", "–", "–"]
    assert "SYNTHETIC TWIN" in costs_table(whole).title


def test_what_all_share_is_said_once_and_what_differs_is_a_column(whole, fake):
    table = costs_table(whole)
    assert table.cells.columns[-1] == "budget"
    assert table.cells.set_index("method")["budget"].tolist() == ["9 trials", "none", "none", "none", "none"]
    assert (
        table.notes[0]
        == "Shared by all trained: rule val, seeds 1, pairs 700, batch 64, backbone tiny 96×32."
    )
    rows = [
        fake.row("zero_shot", rule="untrained"),
        fake.row("one"),
        fake.row("other", batch_size=32, n_seeds=3),
    ]
    (panel,) = split(*rows)
    cells = costs_table(panel).cells.set_index("method")
    assert cells.columns.tolist()[-2:] == ["seeds", "batch"]
    assert cells["batch"].to_dict() == {"one": "64", "other": "32", "zero_shot": "–"}
    (alone,) = split(rows[0])
    assert not [note for note in costs_table(alone).notes if note.startswith("Shared")]


def test_what_it_takes_to_use_a_result_stands_in_a_table_of_its_own(whole):
    line = use_table(whole).cells.set_index("method").loc["adapter (tuned, 9 trials)"]
    assert line["images/s, captions/s"] == "500 / –"
    assert line["peak test memory"] == "1,500 MB"


def test_retention_is_what_training_leaves_of_the_untrained_skill_elsewhere(fake):
    rows = [
        fake.row("zero_shot", "icfg", "icfg", 10, rule="untrained"),
        fake.row("zero_shot", "icfg", "cuhk", 20, rule="untrained"),
        fake.row("zero_shot", "icfg", "rstp", 30, rule="untrained", image_size="else"),
        fake.row("cskt", "icfg", "icfg", 60),
        fake.row("cskt", "icfg", "cuhk", 14),
        fake.row("cskt", "icfg", "rstp", 99),
    ]
    (panel,) = split_panels(
        ParameterEfficiency.select(DataFrame(rows[:2] + rows[3:])), ParameterEfficiency.facts
    )[:1]
    table = costs_table(panel)
    line = table.cells.set_index("method")["retention"]
    assert (line["cskt"], line["zero_shot"]) == ("−6.0", "–")
    assert [note for note in table.notes if "on other datasets (cuhk) minus" in note]
    assert with_retention(DataFrame(rows))["retention"].tolist()[3] == -6


def test_the_numbers_for_machines_are_not_rounded(fake):
    (panel,) = split(fake.row(r1=47.123456))
    assert costs_table(panel).values["R1"].tolist() == [47.123456]


def test_transfers_do_not_count_but_an_untrained_method_does_everywhere(fake):
    floor = fake.row("zero_shot", "icfg", "cuhk", 12, rule="untrained")
    panels = split(fake.row(), fake.row(tested_on="cuhk", r1=99), fake.row(trained_on="cuhk"), floor)
    assert [panel.facts["dataset"] for panel in panels] == ["icfg", "cuhk"]
    assert [sorted(panel.rows["method"]) for panel in panels] == [["cskt"], ["cskt", "zero_shot"]]
    assert 99 not in panels[1].rows["R1"].tolist()


def test_unlike_devices_stand_apart(fake):
    panels = split(fake.row("a"), fake.row("b"), fake.row("c", device="gpu"))
    assert [len(panel.records) for panel in panels] == [2, 1]
    assert "device is gpu here and cpu-1 there" in panels[1].reasons[0]


def test_gaps_name_a_missing_floor_rival_and_cost(fake):
    (panel,) = split(fake.row(train_seconds=None))
    found = ParameterEfficiency.gaps([panel])
    assert [
        "no untrained" in found[0].what,
        "needs two" in found[1].what,
        "not recorded" in found[2].what,
    ] == [True] * 3
    assert found[0].commands == ("harness run --method zero_shot --dataset icfg --synthetic",)


def test_a_whole_panel_has_no_gap_and_no_result_has_a_beginning(whole):
    assert ParameterEfficiency.gaps([whole]) == []
    assert ParameterEfficiency.gaps([])[0].commands


def test_the_figure_hollows_and_greys_what_is_beaten_and_shows_parameters_on_a_logarithmic_axis(whole):
    use_theme()
    figure = draw_costs(whole)
    first = figure.axes[0]
    assert first.get_xscale() == "log"
    points = {bar.lines[0].get_ydata()[0]: bar.lines[0] for bar in first.containers}
    assert {value for value, mark in points.items() if mark.get_markerfacecolor() == "white"} == {45, 10}
    assert set(points) == {25, 50, 45, 10}
    names = {
        " ".join(text.get_text().rstrip(MARK).split()): text.get_color()
        for text in first.texts
        if text.get_text()
    }
    assert {name for name, colour in names.items() if colour == INK} == {
        "zero_shot",
        "probe",
        "adapter (tuned, 9 trials)",
    }
    assert set(names) - {name for name, colour in names.items() if colour == INK} == {"full", "broken"}
    pyplot.close(figure)


def test_no_mark_is_cut_at_the_frame(fake):
    use_theme()
    (panel,) = split(
        fake.row("linear_probe", step_peak_bytes=1.409e9), fake.row("cskt", step_peak_bytes=1.548e9)
    )
    figure = draw_costs(panel)
    figure.canvas.draw()
    for axes in figure.axes:
        marks = [bar.lines[0].get_window_extent(figure.canvas.get_renderer()) for bar in axes.containers]
        assert max(mark.x1 for mark in marks) < axes.bbox.x1
    pyplot.close(figure)


def test_a_panel_without_trained_methods_or_costs_is_drawn_too(fake):
    use_theme()
    for rows in ([fake.row("zero_shot", rule="untrained")], [fake.row(trainable=None, train_seconds=None)]):
        (panel,) = split(*rows)
        pyplot.close(draw_costs(panel))
        assert len(costs_table(panel).cells) == 1
