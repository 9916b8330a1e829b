"""The command line of runs, called as a function: results, JSON, mistakes and exit codes."""

import json

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.cli.options import run_safely

pytestmark = pytest.mark.usefixtures("untracked")
QUICK = ["--set", "backbone.pretrained=null", "--set", "train.epochs=1", "--set", "train.batch_size=16"]


@pytest.fixture
def call(twins, tmp_path, capsys, monkeypatch):
    """Call `harness` with arguments on the small twins; return exit code, standard output and error."""
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path))
    monkeypatch.setenv("HARNESS_DATA", str(twins))

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["harness", *arguments])
        code = run_safely(cli, debug=False)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_run_show_list_and_evaluate(call):
    code, out, err = call("run", "--method", "linear-probe", "--dataset", "icfg", "--synthetic", *QUICK)
    assert code == 0
    assert "SYNTHETIC TWIN" in out
    assert "R1" in out
    assert "differs from the default" in err
    assert "train.epochs=1 (default 60)" in err
    code, out, _ = call("runs", "list", "--json")
    (listed,) = json.loads(out)
    assert listed["status"] == "finished"
    name = f"linear_probe-icfg-twin-{listed['identity'][:12]}"
    code, out, _ = call("evaluate", "linear_probe", "--dataset", "cuhk", "--dataset", "rstp")
    assert code == 0
    assert "cuhk" in out
    assert "rstp" in out
    code, out, err = call("evaluate", "linear_probe", "--dataset", "cuhk", "--json")
    assert "shown, not repeated" in err
    assert set(json.loads(out)[0]["metrics"]) >= {"test/cuhk/t2i/R1", "test/cuhk/i2t/mAP"}
    code, out, _ = call("runs", "show", name)
    assert code == 0
    assert "on cuhk" in out
    code, out, _ = call("runs", "show", name, "--json")
    assert {result["dataset"] for result in json.loads(out)["transfer"]} == {"cuhk", "rstp"}
    code, out, _ = call("runs", "resume", name)
    assert code == 0


def test_several_methods_are_compared_in_one_table(call):
    methods = ["--method", "zero_shot", "--method", "linear_probe"]
    code, out, _ = call("run", *methods, "--dataset", "icfg", "--synthetic", *QUICK)
    assert code == 0
    lines = [
        line.split() for line in out.splitlines() if line.strip().startswith(("zero_shot", "linear_probe"))
    ]
    assert [line[0] for line in lines] == ["zero_shot", "linear_probe"]


def test_several_seeds_are_one_group_with_interval_and_single_values(call, tmp_path):
    arguments = ["run", "-m", "linear_probe", "-d", "icfg", "--synthetic", "--seeds", "3", *QUICK]
    code, out, _ = call(*arguments, "--json")
    assert code == 0
    group = json.loads(out)
    metric = group["metrics"]["test/icfg/t2i/R1"]
    assert group["seeds"] == [1, 2, 3]
    assert metric["mean"] == pytest.approx(sum(metric["values"]) / 3)
    assert metric["low"] <= metric["mean"] <= metric["high"]
    assert (tmp_path / "groups" / f"{group['name']}.json").is_file()


def test_dry_run_prints_the_plan_and_trains_nothing(call, tmp_path):
    code, out, _ = call("run", "-m", "cskt", "-d", "icfg", "--synthetic", *QUICK, "--dry-run")
    assert code == 0
    assert "temperature: 0.02" in out
    assert "trainable" in out
    assert not list(tmp_path.glob("*/record.json"))
    code, out, _ = call("run", "-m", "cskt", "-d", "icfg", "--synthetic", *QUICK, "--dry-run", "--json")
    assert json.loads(out)["config"]["train"]["epochs"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "-m", "cskd", "-d", "icfg"], "Did you mean 'cskt'?"),
        (["run", "-m", "cskt", "-d", "icgf"], "Did you mean 'icfg'?"),
        (["run", "-m", "cskt", "-d", "icfg", "--set", "train.epoch=3"], "Did you mean 'train.epochs'?"),
        (["run", "-m", "cskt", "-d", "icfg", "--set", "train.epochs=many"], "train.epochs"),
        (["run", "-m", "cskt", "-d", "icfg", "--set", "epochs"], "section.field=value"),
        (["run", "-m", "cskt", "-d", "icfg", "--preset", "relaesed"], "Did you mean 'released'?"),
        (
            ["run", "-m", "zero_shot", "-d", "icfg", "--synthetic", "--set", "backbone.pretrained=shape"],
            "shapes",
        ),
        (["run", "-m", "zero_shot", "-d", "icfg", "--synthetic", "--set", "backbone.name=tini"], "tiny"),
        (["runs", "show", "nothing"], "No run 'nothing'"),
        (["runs", "lits"], "Did you mean 'list'?"),
        (["rnu"], "Did you mean 'run'?"),
        (["run", "-m", "cskt"], "--dataset"),
    ],
)
def test_a_mistake_ends_as_one_message_with_exit_code_2(call, arguments, message):
    code, out, err = call(*arguments)
    assert code == 2, err
    assert message in err
    assert "Traceback" not in err + out


def test_missing_data_say_where_they_come_from_and_belong(call, tmp_path):
    code, _, err = call("run", "-m", "zero_shot", "-d", "icfg", "--data-root", str(tmp_path / "none"))
    assert code == 2
    assert "--data-root" in err
    assert "--synthetic" in err


def test_a_failed_run_exits_1_and_is_shown_with_its_traceback(call):
    code, _, err = call(
        "run", "-m", "full_finetune", "-d", "icfg", "--synthetic", *QUICK, "--set", "train.max_loss=1e-6"
    )
    assert code == 1
    assert "train.max_loss" in err
    code, out, _ = call("runs", "list", "--status", "failed")
    assert "failed" in out
    code, out, _ = call("runs", "show", "full_finetune")
    assert "Traceback" in out


def test_an_empty_list_says_how_to_begin(call):
    code, out, _ = call("runs", "list")
    assert code == 0
    assert "No runs" in out
    assert "harness run" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert "_HARNESS_COMPLETE" in result.output


@pytest.mark.slow
def test_a_run_starts_from_another_by_the_beginning_of_its_name(call):
    call("run", "-m", "full_finetune", "-d", "icfg", "--synthetic", *QUICK)
    name = json.loads(call("runs", "list", "--json")[1])[0]["identity"][:12]
    arguments = [
        "run",
        "-m",
        "zero_shot",
        "-d",
        "icfg",
        "--synthetic",
        "--init-from",
        name[:6],
        *QUICK,
        "--json",
    ]
    code, out, _ = call(*arguments)
    assert code == 0
    assert json.loads(out)["config"]["backbone"]["init_from"] == f"full_finetune-icfg-twin-{name}"
    code, _, err = call(
        "run", "-m", "zero_shot", "-d", "icfg", "--synthetic", "--init-from", "nowhere", *QUICK
    )
    assert code == 2
    assert "No run 'nowhere'" in err


def test_a_share_of_the_images_is_given_in_short(call):
    code, out, _ = call(
        "run", "-m", "linear_probe", "-d", "icfg", "--synthetic", "--few-shot", "0.5", *QUICK, "--json"
    )
    assert code == 0
    assert json.loads(out)["config"]["dataset"]["few_shot"] == 0.5
    code, _, err = call("run", "-m", "linear_probe", "-d", "icfg", "--synthetic", "--few-shot", "0", *QUICK)
    assert code == 2
    assert "is not in the range 0<x<=1" in err


@pytest.mark.slow
def test_a_table_of_synonyms_of_one_s_own_is_given_in_short(call, tmp_path):
    table = tmp_path / "1e3.txt"
    table.write_text("coat: jacket\n")
    arguments = [
        "run",
        "-m",
        "full_finetune",
        "-d",
        "icfg",
        "--synthetic",
        "--set",
        "train.augment.text.eda=0.5",
    ]
    code, out, _ = call(*arguments, "--synonyms", str(table), *QUICK, "--json")
    assert code == 0
    assert json.loads(out)["config"]["train"]["augment"]["text"]["synonyms"] == str(table)
    code, _, err = call(*arguments, "--synonyms", str(tmp_path / "missing.txt"), *QUICK)
    assert code == 2
    assert "missing.txt" in err
