"""The command that repeats a run makes a config of the same identity, whatever made the run."""

import shlex

import pytest

from harness.bundle.card import write_card
from harness.cli.actions.run import config_from
from harness.cli.actions.runs.show import print_run
from harness.cli.commands.run import run
from harness.config.identity import identity_values, recorded_values
from harness.presets.repeat import repeating_command
from harness.presets.resolve import resolve
from harness.record import WEIGHTS, Record, RunFolder
from tests import measured_runs

WORKER = "harness worker suite-cross_dataset-twin --runs runs --device auto --heartbeat 30 --follow 2440"
MADE = {
    "plain": ("cskt", "icfg", {}),
    "twin": ("linear_probe", "icfg", {"synthetic": True}),
    "settings": (
        "lora",
        "icfg",
        {"overrides": ["method.rank=2", "seed=7", "dataset.val=holdout", "backbone.image_size=[256,128]"]},
    ),
    "twin as it is not usual": (
        "irra",
        "rstp",
        {"synthetic": True, "overrides": ["train.epochs=60", "backbone.pretrained=null"]},
    ),
    "joint": ("cskt", "cuhk+icfg", {"synthetic": True, "overrides": ["dataset.mixture=cuhk=2,icfg=1"]}),
    "presets": ("tbps_clip", "cuhk", {"synthetic": True, "presets": ["tiny_long"]}),
}


def record_of(config, command=WORKER):
    return record_with(recorded_values(config), command)


def record_with(config, command):
    facts = {"identity": "a" * 64, "versions": {}, "fingerprint": "annotation", "backbone": {}}
    return Record(**facts, config=config, synthetic=True, command=command)


@pytest.mark.parametrize("name", MADE)
def test_the_command_of_what_a_worker_made_gives_the_same_config(name):
    method, dataset, more = MADE[name]
    config = resolve(method, dataset, **more)
    words = shlex.split(repeating_command(record_of(config.fitted(3))))
    assert words[:2] == ["harness", "run"]
    options = run.make_context("run", words[2:]).params
    (method,), (dataset,) = options["methods"], options["datasets"]
    assert identity_values(config_from(method, dataset, options)) == identity_values(config)


def test_a_twin_is_asked_for_by_its_option_and_with_its_own_settings_alone():
    config = resolve("linear_probe", "icfg", synthetic=True, overrides=["train.epochs=2"])
    command = repeating_command(record_of(config))
    assert "--dataset icfg --synthetic --seed 1" in command
    assert "train.epochs=2" in command
    assert "image_size" not in command


@pytest.mark.parametrize(
    "made_by", ["suite run x", "sweep -m cskt", "runs resume cskt-icfg-1a2b", "check x.yaml"]
)
def test_other_commands_that_make_many_runs_repeat_none(made_by):
    config = resolve("cskt", "icfg")
    command = repeating_command(record_of(config, f"harness {made_by}"))
    assert command == "harness run --method cskt --dataset icfg --seed 1"


def test_data_of_ones_own_are_named_by_their_file():
    config = resolve("cskt", "icfg").model_dump(mode="json")
    own = {"file": "/a b/street.csv", "images": "/photos", "columns": "image=x", "shares": "70/10/20"}
    config["dataset"] |= {"root": "/data", **own}
    expected = (
        "--data '/a b/street.csv' --images /photos --columns image=x --shares 70/10/20 --data-root /data"
    )
    assert expected in repeating_command(record_with(config, WORKER))
    config["dataset"]["shares"] = "80/10/10"
    usual = "--data '/a b/street.csv' --images /photos --columns image=x --data-root /data"
    assert usual in repeating_command(record_with(config, WORKER)), "refused where the file names its splits"


def test_a_command_of_its_own_stays_and_an_unknown_one_is_none():
    config = resolve("cskt", "icfg")
    for command in ("harness run -m cskt -d icfg --seeds 3", "harness --include x run -m cskt", "x.py", None):
        assert repeating_command(record_of(config, command)) == command
    unknown = record_of(config)
    unknown.config["method"]["name"] = "gone"
    assert repeating_command(unknown) is None


def test_what_shows_a_command_shows_the_repeating_one(tmp_path, capsys):
    record = measured_runs.finished(tmp_path / "runs", command=WORKER)
    command = repeating_command(record)
    # The tiny CLIP's own, which nothing light to import knows.
    assert (
        command
        == "harness run --method linear_probe --dataset icfg --synthetic --seed 1 --set backbone.text_length=77"
    )
    print_run(record.name, str(tmp_path / "runs"), False)
    out = " ".join(capsys.readouterr().out.split())
    assert f"command {command}" in out
    assert f"made by {WORKER}" in out
    RunFolder(tmp_path / "runs" / record.name).file(WEIGHTS).write_bytes(b"weights")
    write_card(record.name, tmp_path / "card", tmp_path / "runs")
    assert f"Made again by\n\n```\n{command}\n```" in (tmp_path / "card" / "README.md").read_text()
