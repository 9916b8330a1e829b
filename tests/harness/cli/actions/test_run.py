"""What `harness run` makes of its options and prints of results: configs, one record, seeds, several, plans, JSON."""

import json
import shlex
from dataclasses import replace

import click
import pytest

from harness.cli.actions import run as run_module
from harness.cli.actions.run import (
    _show_plans,
    _show_results,
    _told_how_to_resume,
    config_from,
    execute,
    say_differences,
    show_record,
)
from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.cli.progress import TerminalListener
from harness.errors import HarnessError, Interrupted, UsageError
from harness.presets.resolve import resolve
from harness.record import RunFolder
from harness.run.dry_run import Plan

OPTIONS = {
    "methods": ("linear_probe",),
    "datasets": ("icfg",),
    "synthetic": True,
    "presets": (),
    "overrides": (),
    "runs": None,
    "force": False,
    "device": "cpu",
    "seeds": 1,
    "dry_run": False,
    "as_json": False,
    "report": None,
}
GROUP = {
    "method": "cskt",
    "dataset": "icfg",
    "synthetic": True,
    "faults": [],
    "title": "g · 2 seeds",
    "note": "a note",
    "seeds": [1, 2],
    "runs": ["a-1", "a-2"],
    "metrics": {
        "test/icfg/t2i/R1": {"mean": 30.06, "low": 25.0, "high": 35.0, "sd": 2.125, "values": [28.0, 32.0]}
    },
}


def finished(fake, method="cskt", **more):
    made, _ = fake.record(method, "icfg", **more)
    made.selection = {"rule": "val", "epoch": 2, "epochs": 5}
    made.tracking = {"synced": True}
    return made


def test_a_shorthand_is_the_override_it_stands_for():
    short = config_from(
        "linear_probe", "icfg", {**OPTIONS, "seed": 7, "val": "holdout", "few_shot": 0.5, "data_root": "/x"}
    )
    long = ["seed=7", "dataset.val=holdout", "dataset.few_shot=0.5", "dataset.root=/x"]
    assert short == resolve("linear_probe", "icfg", synthetic=True, overrides=long)
    assert config_from("linear_probe", "icfg", OPTIONS) == resolve("linear_probe", "icfg", synthetic=True)


def test_a_shorthand_of_zero_counts_as_given_and_says_the_same_as_its_override():
    both = {**OPTIONS, "overrides": ("seed=0", "method.lr=0.5"), "seed": 0}
    config = config_from("linear_probe", "icfg", both)
    assert (config.seed, config.method.lr) == (0, 0.5)


@pytest.mark.parametrize(
    ("given", "one", "other"),
    [
        ({"seed": 3, "overrides": ("seed=4",)}, "--seed 3", "--set seed=4"),
        ({"val": "holdout", "overrides": ("dataset.val=own",)}, "--val holdout", "--set dataset.val=own"),
        ({"overrides": ("dataset.synthetic=false",)}, "--synthetic", "--set dataset.synthetic=false"),
        ({"overrides": ("seed=1", "seed=2")}, "--set seed=1", "--set seed=2"),
        ({"overrides": ("method.lr=1",), "fix": ("method.lr=2",)}, "--set method.lr=1", "--fix method.lr=2"),
        (
            {"train_on": "train", "overrides": ("dataset={train_on: train+val}",)},
            "--train-on train",
            "--set dataset={train_on: train+val}",
        ),
    ],
)
def test_options_that_contradict_one_another_are_refused_and_both_named(given, one, other):
    with pytest.raises(UsageError) as told:
        config_from("linear_probe", "icfg", {**OPTIONS, **given})
    assert one in str(told.value)
    assert other in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["1e5", "null", 'a "quoted" [name]', "人 😀"])
def test_names_of_files_stay_the_text_that_they_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = config_from("tbps_clip", "icfg", {**OPTIONS, "synonyms": name})
    assert config.train.augment.text.synonyms == name


def test_the_run_to_start_from_is_named_in_full_and_by_its_folder_elsewhere(fake, tmp_path):
    made = finished(fake)
    RunFolder(tmp_path / "runs" / made.name).write(made)
    start = {**OPTIONS, "init_from": made.name[:8], "runs": str(tmp_path / "runs")}
    assert config_from("linear_probe", "icfg", start).backbone.init_from == made.name
    elsewhere = start | {"init_from": str(tmp_path / "runs" / made.name), "runs": str(tmp_path / "other")}
    assert config_from("linear_probe", "icfg", elsewhere).backbone.init_from == str(
        tmp_path / "runs" / made.name
    )


def test_one_record_several_and_a_group_are_shown_as_what_they_are(fake, capsys):
    made = finished(fake)
    _show_results([made], OPTIONS)
    assert f"next: harness runs show {made.name}" in capsys.readouterr().out
    _show_results([finished(fake, "zero_shot"), made], OPTIONS)
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if line]
    r1 = f"{made.metrics['test/icfg/t2i/R1']:.1f}"
    assert [line for line in lines if line[0] in ("zero_shot", "cskt")] == [["zero_shot", r1], ["cskt", r1]]
    _show_results([GROUP], {**OPTIONS, "seeds": 2})
    out = capsys.readouterr().out
    (row,) = [line.split() for line in out.splitlines() if line.split()[:1] == ["t2i"]]
    assert row == ["t2i", "R1", "30.1", "[25.0,", "35.0]", "2.12", "28.0", "32.0"]
    assert "a note" in out


def test_json_is_one_value_for_one_result_and_a_list_for_several(fake, capsys):
    made = finished(fake)
    _show_results([made], {**OPTIONS, "as_json": True})
    assert json.loads(capsys.readouterr().out)["metrics"] == made.metrics
    _show_results([made, GROUP], {**OPTIONS, "as_json": True})
    one, other = json.loads(capsys.readouterr().out)
    assert (one["identity"], other) == (made.identity, GROUP)


def test_a_run_that_the_store_did_not_take_says_how_to_send_it(fake, capsys):
    made = finished(fake)
    made.tracking = {"synced": False, "error": "away"}
    show_record(made, False)
    out, err = capsys.readouterr()
    assert "away" in err
    assert "harness runs sync" in err
    assert "next:" not in out
    made.tracking = {"synced": False}
    show_record(made, False)
    assert "did not take this run (its process ended before it was sent): harness runs sync" in " ".join(
        capsys.readouterr().err.split()
    )


def test_plans_are_text_or_json(capsys):
    config = {"train": {"epochs": 3}}
    plan = Plan(
        config,
        [("method.lr", 1, 2)],
        "name",
        "new",
        {"trainable": 1000, "total": 4000},
        12345,
        6.4,
        "2 earlier runs",
    )
    _show_plans([[plan, replace(plan, config={"seed": 2}, name="other", state="finished: found")]], False)
    out = capsys.readouterr().out
    for text in (
        "epochs: 3",
        "method.lr: 2 (default 1)",
        "1,000 of 4,000",
        "25.00 %",
        "12,345",
        "6 s",
        "and seed 2: other (finished: found)",
    ):
        assert text in out
    _show_plans([[plan]], True)
    assert json.loads(capsys.readouterr().out)["train_pairs"] == 12345
    _show_plans([[plan], [plan]], True)
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_what_differs_from_the_default_is_said_on_standard_error(capsys):
    say_differences(resolve("linear_probe", "icfg", overrides=["method.lr=0.5"]))
    out, err = capsys.readouterr()
    assert out == ""
    assert "method.lr=0.5 (default " in err
    say_differences(resolve("linear_probe", "icfg"))
    assert capsys.readouterr().err == ""


def test_each_method_is_run_once_with_the_options_and_a_wrong_report_stops_before(fake, monkeypatch, capsys):
    calls = []

    def run(config, *, listener, **options):
        calls.append((config.method.name, config.dataset.name, options))
        return finished(fake, config.method.name)

    monkeypatch.setattr(run_module, "run", run)
    several = {"methods": ("linear_probe", "zero_shot", "linear-probe"), "datasets": ("icfg", "cuhk", "icfg")}
    assert execute({**OPTIONS, **several, "as_json": True}, quiet=False) == 0
    common = {"runs": None, "force": False, "device": "cpu"}
    asked = [
        (method, dataset, common) for dataset in ("icfg", "cuhk") for method in ("linear_probe", "zero_shot")
    ]
    assert calls == asked
    out, err = capsys.readouterr()
    assert [one["config"]["method"]["name"] for one in json.loads(out)] == ["linear_probe", "zero_shot"] * 2
    assert err == ""
    with pytest.raises(UsageError, match="Did you mean 'leaderboard'"):
        execute({**OPTIONS, "report": "leaderbord"}, quiet=True)
    with pytest.raises(UsageError, match="4 runs, 2 datasets: `harness report run RUN`"):
        execute({**OPTIONS, **several, "report": "run"}, quiet=True)
    assert len(calls) == 4


def test_every_dataset_has_a_table_of_its_methods(fake, capsys):
    made = [
        fake.record(method, dataset)[0]
        for dataset in ("icfg", "cuhk")
        for method in ("zero_shot", "linear_probe")
    ]
    _show_results(made, OPTIONS)
    first, second = capsys.readouterr().out.split("\n\n")
    assert first.startswith("icfg · SYNTHETIC TWIN")
    assert second.startswith("cuhk · SYNTHETIC TWIN")
    for table in (first, second):
        assert [line.split()[0] for line in table.splitlines()[3:5]] == ["zero_shot", "linear_probe"]


def test_a_dry_run_plans_each_seed_of_each_method_on_each_dataset(monkeypatch, capsys):
    asked = []
    plan = Plan({"seed": 1}, [], "name", "new", {}, 1, None, None)

    def make_plans(config, runs, n_seeds):
        asked.append((config.method.name, config.dataset.name, config.seed, n_seeds))
        return [plan] * n_seeds

    monkeypatch.setattr(run_module, "make_plans", make_plans)
    several = {"methods": ("linear_probe", "zero_shot"), "datasets": ("icfg", "cuhk"), "seeds": 2, "seed": 3}
    assert execute({**OPTIONS, **several, "dry_run": True, "as_json": True}, quiet=True) == 0
    assert asked == [
        (method, dataset, 3, 2) for dataset in ("icfg", "cuhk") for method in ("linear_probe", "zero_shot")
    ]
    assert len(json.loads(capsys.readouterr().out)) == 8


def test_missing_data_of_any_dataset_stop_before_the_first_run(monkeypatch, real_format, tmp_path):
    monkeypatch.setattr(run_module, "run", None)
    several = {"datasets": ("icfg", "cuhk"), "synthetic": False}
    with pytest.raises(UsageError, match="CUHK-PEDES"):
        execute({**OPTIONS, **several, "data_root": str(real_format.write_icfg(tmp_path))}, quiet=True)


def test_several_seeds_are_run_as_a_group(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(run_module, "run_seeds", lambda config, n, **options: asked.append(n) or GROUP)
    assert execute({**OPTIONS, "seeds": 2}, quiet=True) == 0
    assert asked == [2]
    assert "30.1" in capsys.readouterr().out


def parsed(text):
    """The commands after `next:`, each parsed by the command line as a person would type it."""
    commands = [line[6:] for line in click.unstyle(text).splitlines() if line.startswith("next: ")]
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "harness"
        group = cli
        with click.Context(cli) as context:
            while isinstance(group, click.Group):
                _, group, words = group.resolve_command(context, words)
            group.make_context("harness", words, parent=context)
    return commands


def group_of(method, r1, dataset="icfg"):
    numbers = {"mean": r1, "low": r1 - 2, "high": r1 + 2, "sd": 1.0, "values": [r1, r1]}
    metrics = {f"test/{dataset}/t2i/{name}": numbers for name in ("R1", "R5", "R10", "mAP")}
    return {
        **GROUP,
        "method": method,
        "dataset": dataset,
        "metrics": metrics,
        "runs": [f"{method}-1", f"{method}-2"],
    }


def test_several_methods_of_several_seeds_are_one_table_for_each_dataset(fake, capsys, narrow):
    untrained = finished(fake, "zero_shot", r1=12.0)
    results = [untrained, group_of("coop", 30.0), group_of("cskt", 41.0), group_of("cskt", 50.0, "cuhk")]
    _show_results(results, {**OPTIONS, "seeds": 2, "runs": "my runs"})
    out = capsys.readouterr().out
    rows = [
        line.split() for line in out.splitlines() if line.split()[:1] in (["zero_shot"], ["coop"], ["cskt"])
    ]
    r1 = f"{untrained.metrics['test/icfg/t2i/R1']:.1f}"
    assert [row[:5] for row in rows] == [
        ["zero_shot", "one", "run", r1, rows[0][4]],
        ["coop", "2", "30.0", "[28.0,", "32.0]"],
        ["cskt", "2", "41.0", "[39.0,", "43.0]"],
    ]
    # A dataset with one group has its own table of all metrics.
    assert out.count("g · 2 seeds") == 1
    assert max(len(line) for line in out.splitlines() if not line.startswith("next: ")) <= 80
    assert parsed(out) == [
        "harness compare cskt-1 coop-1 --runs 'my runs'",
        "harness runs list --runs 'my runs'",
        "harness report",
    ]


def test_what_to_do_next_fits_one_run_one_group_and_runs_on_several_datasets(fake, capsys):
    made = finished(fake)
    _show_results([made], OPTIONS)
    assert parsed(capsys.readouterr().out) == [f"harness runs show {made.name}"]
    _show_results([GROUP], {**OPTIONS, "seeds": 2})
    assert parsed(capsys.readouterr().out) == ["harness plan-seeds --dataset icfg"]
    _show_results([group_of("cskt", 40.0), group_of("cskt", 50.0, "cuhk")], {**OPTIONS, "seeds": 2})
    assert parsed(capsys.readouterr().out) == ["harness runs list"]


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("failed", HarnessError("bad"), ["show", "resume"]),
        ("interrupted", Interrupted("stopped"), ["resume"]),
        ("interrupted", KeyboardInterrupt(), ["resume"]),
        ("finished", HarnessError("another one is bad"), []),
    ],
)
def test_an_error_that_ends_a_run_says_how_to_resume_it(
    fake, tmp_path, capsys, monkeypatch, status, error, words
):
    made = finished(fake, status=status)
    RunFolder(tmp_path / made.name).write(made)

    @click.command()
    def fails():
        listener = TerminalListener(quiet=True)
        listener.name = made.name
        with _told_how_to_resume(listener, str(tmp_path)):
            raise error

    monkeypatch.setattr("sys.argv", ["harness"])
    assert run_safely(fails, debug=False) in (1, 130)
    err = capsys.readouterr().err
    assert parsed(err) == [f"harness runs {word} {made.name} --runs {tmp_path}" for word in words]
    assert err.strip().startswith(("Error: ", "Interrupted"))
