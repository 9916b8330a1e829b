import shlex

import pytest
from harness.reports.cross_dataset import CrossDataset, draw_transfer, drop_table, drops, matrix
from matplotlib import pyplot
from pandas import DataFrame
from scipy import stats

from harness.pages.tables import MARK
from harness.pages.theme import use_theme
from harness.results.panels import split_panels
from harness.results.seeds.seed_notes import MARK_NOTE
from tests.fake_experiment import persons
from tests.seed_cases import TRAINED, two


def panel_of(*rows):
    (panel,) = split_panels(DataFrame(list(rows)), CrossDataset.facts, persons(rows))
    return panel


@pytest.fixture
def whole(fake):
    return panel_of(
        fake.row("zero_shot", "icfg", "icfg", 10, rule="untrained", n_seeds=1),
        fake.row("zero_shot", "icfg", "rstp", 20, rule="untrained"),
        fake.row("cskt", "icfg", "icfg", 60, n_seeds=3, budget="9 trials"),
        fake.row("cskt", "icfg", "rstp", 45, n_seeds=2, budget="9 trials"),
        fake.row("cskt", "rstp", "rstp", 70, budget="9 trials"),
        fake.row("cskt", "rstp", "icfg", 30, budget="9 trials"),
    )


def test_the_matrix_has_a_line_for_each_method_and_training_set_and_the_floor_first(whole):
    cells = matrix(whole).cells
    assert cells["method"].tolist() == ["zero_shot", "cskt (tuned, 9 trials)", "cskt (tuned, 9 trials)"]
    assert cells["trained on"].tolist() == ["–", "icfg", "rstp"]
    assert cells["on icfg"].tolist() == [
        "10.0 [7.5, 13.3] (5.0)",
        "60.0 [57.6, 62.3] (55.0)‡",
        "30.0 [27.5, 32.6] (25.0)§",
    ]
    assert cells["on rstp"].tolist() == [
        "20.0 [17.3, 23.0] (15.0)",
        "45.0 [42.9, 47.1] (40.0)§",
        "70.0 [67.3, 72.6] (65.0)‡",
    ]


def test_the_matrix_shows_rule_seeds_pairs_batch_backbone_and_budget(whole):
    line = matrix(whole).cells.iloc[1]
    assert line[["rule", "seeds", "pairs", "batch"]].tolist() == ["val", "2–3", "700", "64"]
    assert line[["backbone", "budget"]].tolist() == ["tiny 96×32", "9 trials"]
    assert matrix(whole).cells.iloc[0][["rule", "pairs", "batch"]].tolist() == ["untrained", "–", "–"]


def test_titles_say_that_data_are_synthetic(whole):
    assert all("SYNTHETIC TWIN" in table.title for table in CrossDataset.tables(whole))


def test_the_drop_is_against_the_same_method_at_home_on_the_same_test_set(whole):
    found = drops(whole).set_index(["trained_on", "tested_on"])
    assert found.loc[("icfg", "rstp"), "drop"] == 45 - 70
    assert found.loc[("rstp", "icfg"), "drop"] == 30 - 60
    keys = ("cskt-rstp on icfg test-of-icfg", "cskt-icfg on icfg")
    away, home = (whole.persons[key].of("R1")[0] for key in keys)
    half = stats.t.ppf(0.975, len(home) - 1) * 10 * (away - home).std(ddof=1) / len(home) ** 0.5
    assert found.loc[("rstp", "icfg"), "drop_low"] == pytest.approx(-30 - half)
    assert len(found) == 2
    shown = f"−30.0 [−{30 + half:.1f}, −{30 - half:.1f}]†§"
    assert drop_table(whole).cells["on icfg"].tolist() == ["–", shown]


@pytest.mark.parametrize("case", TRAINED)
def test_a_drop_that_stands_on_persons_only_is_marked(case):
    at_home = {"method": "a", "trained_on": "icfg"}
    rows, found = two(case, at_home, {"method": "a", "trained_on": "cuhk", "tested_on": "icfg"})
    if not TRAINED[case]:
        rows[0]["n_seeds"], found = 3, found | persons(rows[:1], 3, 2.0)
    (panel,) = split_panels(DataFrame(rows), CrossDataset.facts, found)
    table = drop_table(panel)
    assert table.cells["on icfg"].iloc[0].endswith(f"]{MARK * TRAINED[case]}")
    assert table.values["persons_only"].tolist() == [TRAINED[case]]
    assert (MARK_NOTE in table.notes) == TRAINED[case]
    assert any(note.startswith(MARK_NOTE) for note in matrix(panel).notes) == TRAINED[case]


def test_without_training_at_home_there_is_no_drop(fake):
    panel = panel_of(
        fake.row("a", "icfg", "icfg", 60), fake.row("a", "icfg", "cuhk", 45), fake.row("b", "cuhk")
    )
    assert drops(panel)["drop"].isna().tolist() == [True]
    assert drop_table(panel).cells["on cuhk"].tolist() == ["–"]


def test_of_several_settings_at_home_only_the_same_ones_are_compared(fake):
    config = fake.row("a")["config"]
    other = config | {"method.lr": "9"}
    rows = [
        fake.row("a", "cuhk", "cuhk", 50, condition="1", config=config),
        fake.row("a", "cuhk", "cuhk", 40, condition="2", config=other),
        fake.row("a", "icfg", "cuhk", 30, condition="3", config=config),
        fake.row("a", "icfg", "cuhk", 20, condition="4", config=other),
        fake.row("b", "cuhk", "cuhk", 50, condition="5"),
    ]
    assert drops(panel_of(*rows))["drop"].tolist() == [-20, -20]


def test_one_dataset_gives_a_matrix_no_drop_and_says_what_is_missing(fake):
    panel = panel_of(fake.row())
    assert len(drop_table(panel).cells) == 0
    assert drop_table(panel).latex()
    gaps = " ".join(gap.what for gap in CrossDataset.gaps([panel]))
    assert "a transfer needs two" in gaps
    assert "no untrained method" in gaps


def test_gaps_name_untested_pairs_of_each_seed_and_missing_training_sets(fake):
    panel = panel_of(
        fake.row("zero_shot", rule="untrained"),
        fake.row(runs=["run-1", "run-2"]),
        fake.row(tested_on="cu hk;rm -rf ~", runs=["run-1"]),
    )
    found = {gap.what: gap.commands for gap in CrossDataset.gaps([panel])}
    evaluate = ["harness", "evaluate", "run-2", "--dataset", "cu hk;rm -rf ~"]
    train = ["harness", "run", "--method", "cskt", "--dataset", "cu hk;rm -rf ~", "--synthetic"]
    commands = [shlex.split(command) for commands in found.values() for command in commands]
    assert commands[0] == evaluate
    assert train in commands


def test_a_whole_matrix_has_no_gap(whole):
    assert CrossDataset.gaps([whole]) == []


def test_nothing_is_missing_where_a_dataset_is_a_test_alone(fake):
    rows = [fake.row("cskt", "ufine"), fake.row("cskt", "ufine", "ufine3c", 15)]
    rows += [fake.row("zero_shot", "ufine", tested, 12, rule="untrained") for tested in ("ufine", "ufine3c")]
    assert CrossDataset.gaps([panel_of(*rows)]) == []


def test_without_results_the_gaps_say_how_to_begin():
    (gap,) = CrossDataset.gaps([])
    assert "harness run --method zero_shot --dataset icfg --synthetic" in gap.commands


def test_the_figure_draws_each_trained_result_at_its_place(whole):
    use_theme()
    figure = draw_transfer(whole)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["tested on icfg", "tested on rstp"]
    drawn = [
        sorted(container.lines[0].get_xdata()[0] for container in axes.containers) for axes in figure.axes
    ]
    assert drawn == [[30, 60], [45, 70]]
    pyplot.close(figure)


def test_figures_draw_hostile_names_as_they_are(fake, tmp_path):
    use_theme()
    name = r"$\frac{1}$ <script>"
    figure = draw_transfer(panel_of(fake.row(name, name), fake.row(name, name, "cuhk")))
    figure.savefig(tmp_path / "x.svg")
    assert "<script" not in (tmp_path / "x.svg").read_text()
    pyplot.close(figure)


def test_reduced_galleries_are_left_to_another_report(fake):
    rows = [fake.row("cskt", "icfg", name) for name in ("icfg", "cuhk", "icfg-low4")]
    assert CrossDataset.select(DataFrame(rows))["tested_on"].tolist() == ["icfg", "cuhk"]


def test_joint_training_is_no_transfer_to_a_set_of_its_own(fake):
    joint = "cuhk+icfg"
    rows = [fake.row("cskt", joint, name, 50, in_domain=True) for name in ("cuhk", "icfg")]
    panel = panel_of(*rows, fake.row("cskt", joint, "rstp", 20), fake.row("cskt", "rstp", "rstp", 30))
    found = drops(panel)
    assert found[["trained_on", "tested_on"]].to_numpy().tolist() == [[joint, "rstp"]]
    assert found["R1_in_domain"].tolist() == [30]
    assert not [gap for gap in CrossDataset.gaps([panel]) if joint in f"{gap.what} {gap.commands}"]


def test_at_home_is_what_was_trained_on_the_test_set_s_data_alone(fake):
    rows = [
        fake.row("cskt", "icfg", "icfg", 60),
        fake.row("cskt", "cuhk+icfg", "icfg", 70, in_domain=True),
        fake.row("cskt", "rstp", "icfg", 30),
    ]
    found = drops(panel_of(*rows))
    assert found["R1_in_domain"].tolist() == [60]
