"""`harness plan-seeds` on the command line."""

import json

import pytest
from click.testing import CliRunner

from harness.cli.actions.compare import show_seed_plan
from harness.cli.main import cli
from harness.errors import UsageError
from harness.results.run_source import Source
from harness.results.seeds.seed_plan import POINTS, plan_seeds


@pytest.fixture
def asked(experiment, fake):
    """Return a function that calls the command on two results of three seeds; and what they tell."""
    for method, r1 in (("cskt", 50), ("linear_probe", 30)):
        for seed in (1, 2, 3):
            fake.send(experiment, *fake.record(method, "icfg", r1, seed=seed))
    name = experiment.client.get_experiment(experiment.experiment_id).name
    place = ("--runs", str(experiment.runs), "--experiment", name)

    def ask(*arguments):
        return call(*arguments, *place)

    (known,), _ = plan_seeds(Source(str(experiment.runs), name))
    return ask, known


def call(*arguments):
    found = CliRunner().invoke(
        cli, ["plan-seeds", *arguments], catch_exceptions=False, standalone_mode=False, env={"COLUMNS": "140"}
    )
    return found.stdout


def test_the_table_holds_the_answers_and_says_what_they_stand_on(asked):
    ask, known = asked
    lines = ask("--dataset", "icfg").splitlines()
    assert lines[0] == "icfg · SYNTHETIC TWIN · seeds per method to see a difference in R@1"
    assert lines[1].split("  ")[0] == "points"
    assert "40 identities" in lines[1]
    assert lines[1].endswith("identities, 3 seeds")
    needs = known.needs(POINTS, 3)
    for line, one in zip(lines[3:7], needs, strict=True):
        cells = [cell["text"] for cell in one["seeds"]] + [one["identities"]["text"]]
        assert line.split() == f"{one['points']:g} {' '.join(cells)}".split()
    text = " ".join(" ".join(lines[7:]).split())
    assert all(words in text for words in known.words)
    assert "–: no number is enough" in text


@pytest.mark.slow
def test_points_and_seeds_may_be_chosen_and_json_has_them_all(asked):
    ask, known = asked
    found = json.loads(ask("--points", "20", "--points", "10", "--points", "20", "--seeds", "5", "--json"))
    (one,) = found["measured"]
    assert found["untold"] == []
    assert one["needs"] == known.needs([10.0, 20.0], 5)
    assert (one["dataset"], one["synthetic"], one["freedom"], one["n_seeds"]) == ("icfg", True, 4, 6)
    assert "–: no number" not in ask("--points", "60")
    assert "identities, 5 seeds" in ask("--points", "60", "--seeds", "5")


@pytest.mark.slow
def test_several_tables_are_numbered_and_what_tells_nothing_is_named(asked, experiment, fake):
    ask, _ = asked
    for seed in (1, 2):
        fake.send(experiment, *fake.record("cskt", "cuhk", 60, seed=seed, synthetic=False))
    fake.send(experiment, *fake.record("cskt", "rstp", 60))
    text = ask()
    assert "cuhk · protocol 1 · " in text
    assert "icfg · SYNTHETIC TWIN · protocol 2 · " in text
    assert "rstp, SYNTHETIC TWIN: no result has several seeds" in text


@pytest.mark.parametrize("points", ["0", "-1", "nan", "100.5", "inf"])
def test_a_difference_that_is_none_is_refused(points, tmp_path):
    said = CliRunner().invoke(cli, ["plan-seeds", "--points", points, "--runs", str(tmp_path)])
    assert (said.exit_code, "is not in the range 0<x<=100" in said.output) == (2, True)


def test_wrong_names_and_a_missing_store_are_one_message(asked, tmp_path):
    ask, _ = asked
    with pytest.raises(UsageError, match="Did you mean 'icfg'"):
        ask("--dataset", "icgf")
    with pytest.raises(UsageError, match="No finished run is tracked yet"):
        call("--runs", str(tmp_path))
    with pytest.raises(UsageError, match="No finished run is tracked yet"):
        show_seed_plan((1.0,), 3, False, {"runs": str(tmp_path)})
    with pytest.raises(UsageError, match="suite"):
        ask("--suite", "none_such")
