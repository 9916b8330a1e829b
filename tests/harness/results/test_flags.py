"""What sets a result apart: flags of a tracked run, and panels that keep them apart."""

import dataclasses

import pandas
import pytest

from harness.results.flags import flag_columns, flags, met, shares_persons, trained_on
from harness.results.panels import conflicts, dataset_facts, split_panels
from harness.results.run_table import run_rows
from harness.track.run_row import RunRow


def run(**tags):
    values = {f"harness.{name}": value for name, value in ({"dataset": "icfg"} | tags).items()}
    return RunRow("1", "a", "FINISHED", 0, 1, values, {}, {})


def test_an_ordinary_run_has_no_flag_and_a_told_one_has_its_own():
    assert flags(flag_columns(run(), ["icfg"])) == {}
    tags = {"scored": "s.npy", "trained_on": "cuhk+icfg", "unlabelled_test": "yes", "reranked": "not told"}
    assert flags(flag_columns(run(**tags), ["cuhk", "icfg"])) == {
        "unlabelled test data used": "yes",
        "re-ranked": "not told",
        "several training sets": "cuhk+icfg",
    }
    assert (trained_on(run()), trained_on(run(trained_on="cuhk"))) == ("icfg", "cuhk")
    assert not flag_columns(run(scored="s.npy"), ["icfg"])["training_told"]


def test_persons_are_shared_with_any_of_several_training_sets():
    assert shares_persons("cuhk+icfg", "rstp")
    assert not shares_persons("cuhk+ufine", "rstp")


@pytest.mark.parametrize(
    "flag",
    [
        {"unlabelled_test": "yes"},
        {"reranked": "the first 50"},
        {"several": "a+b"},
        {"noise": "20 % moved, seed 0"},
    ],
)
def test_a_flag_keeps_a_result_in_a_panel_of_its_own_that_says_why(fake, flag):
    rows = pandas.DataFrame([fake.row("cskt"), fake.row("lora"), fake.row("other", **flag)])
    panels = split_panels(rows, dataset_facts)
    assert [len(panel.records) for panel in panels] == [2, 1]
    value = next(iter(flag.values()))
    assert f"is {value} here and no there" in panels[1].reasons[0]
    assert len(conflicts(panels[0].facts, panels[1].facts)) == 1


def test_what_was_scored_is_marked_in_label_and_caveats_and_stays_apart(fake):
    other = fake.row("IRRA", scored="s.npy (sha256 1)", training_told=False, train_pairs=None)
    panels = split_panels(pandas.DataFrame([fake.row("cskt"), other]), dataset_facts)
    assert [panel.records[0]["label"] for panel in panels] == ["cskt", "IRRA (scored)"]
    assert "training pairs of icfg is not told here and 700 there" in panels[1].reasons[0]
    assert "Scored, not trained here, as told and not checked: IRRA (scored)." in panels[1].caveats()
    assert not any("Scored" in line for line in panels[0].caveats())


def test_how_training_met_the_test_stands_below_the_table_with_its_source(fake):
    lines = met(["icfg", "webperson"], "rstp")
    assert [line.split(":")[0] for line in lines] == [
        "icfg shows persons of rstp",
        "webperson has captions made from those of rstp",
    ]
    (panel,) = split_panels(
        pandas.DataFrame([fake.row("cskt", met=lines), fake.row("lora", met=[])]), dataset_facts
    )
    said = [line for line in panel.caveats() if line.startswith("Met in training")]
    assert len(said) == 2
    assert said[0].endswith("(https://arxiv.org/abs/2107.12666).")


def test_a_run_that_starts_from_one_of_another_dataset_has_seen_both():
    def started(name, dataset, **params):
        tags = {
            "harness.dataset": dataset,
            "harness.method": "irra",
            "harness.weights": "w",
            "harness.rule": "val",
        }
        return RunRow(name, name, "FINISHED", 0, 1, tags, params, {f"test/{dataset}/t2i/R1": 50.0})

    start, same = started("a", "rstp"), started("b", "icfg")
    known = {"a": start, "b": same}
    (row,) = run_rows(started("c", "icfg", **{"backbone.init_from": "a"}), known)
    assert (row["several"], row["trained_on"], len(row["met"])) == ("icfg+rstp", "icfg", 1)
    (row,) = run_rows(started("d", "icfg", **{"backbone.init_from": "b"}), known)
    assert (row["several"], row["met"]) == ("no", [])
    twin = started("e", "icfg", **{"backbone.init_from": "a"})
    twin.tags["harness.synthetic"] = "true"
    (row,) = run_rows(twin, known)
    assert (row["several"], row["met"]) == ("icfg+rstp", [])


@pytest.mark.parametrize("flag", [{"several": "a+b"}, {"noise": "20 %"}])
def test_what_trains_nothing_stands_beside_results_whose_training_has_a_flag(fake, flag):
    floor = fake.row("zero_shot", rule="untrained")
    panels = split_panels(
        pandas.DataFrame([fake.row("cskt"), fake.row("lora", **flag), floor]), dataset_facts
    )
    assert [[row["method"] for row in panel.records] for panel in panels] == [
        ["cskt", "zero_shot"],
        ["lora", "zero_shot"],
    ]
    flagged = fake.row("zero_shot", rule="untrained", **flag)
    apart = split_panels(pandas.DataFrame([fake.row("cskt"), flagged]), dataset_facts)
    assert len(apart) == 2, "an untrained method that starts from such towers has the flag itself"


def test_noise_is_told_of_a_run_s_settings():
    row = run()
    noisy = dataclasses.replace(row, params={"dataset.noise": "0.5", "dataset.noise_seed": "3"})
    assert flags(flag_columns(noisy, ["icfg"])) == {"noisy captions": "50 % moved, seed 3"}
    told = [dataclasses.replace(row, params={"dataset.noise_index": letter * 64}) for letter in "ab"]
    assert len({flag_columns(one, ["icfg"])["noise"] for one in told}) == 2


def test_results_of_other_persons_are_apart_and_say_how_many(fake):
    rows = [fake.row("cskt"), fake.row("lora"), fake.row("cskt")]
    for row, seed in zip(rows, ("0", "0", "1"), strict=True):
        row["config"] |= {"dataset.few_shot_persons": "1000", "dataset.few_shot_seed": seed}
    panels = split_panels(pandas.DataFrame(rows), dataset_facts)
    assert [len(panel.records) for panel in panels] == [2, 1]
    found = [panel.facts["training persons of icfg"] for panel in panels]
    assert found == ["1,000, seed 0", "1,000, seed 1"]
