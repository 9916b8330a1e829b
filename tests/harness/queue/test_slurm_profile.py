"""Profiles for Slurm: what they ask for, and what is refused in one line because it would end in a script."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from harness.errors import UsageError
from harness.paths import SCHEMAS
from harness.queue.slurm_profile import Profile, load_profile
from tests.small_suites import written

WHOLE = """
partition: gpu
account: proj-17
qos: long
gpus: 1
gpu_type: a100
cpus: 8
memory: 32G
time: "04:00:00"
stop_before: 120
jobs: 8
at_once: 4
node: node-3.cluster
setup: [module load cuda, "source ~/.venv/bin/activate"]
python: python
sbatch: [--constraint=a100&ib, --exclusive]
"""


def load(folder, text):
    return load_profile(Path(written(folder, text, "cluster.yaml")))


def test_a_profile_is_options_of_sbatch(tmp_path):
    profile = load(tmp_path, WHOLE)
    assert profile.directives() == [
        "--partition=gpu",
        "--account=proj-17",
        "--qos=long",
        "--nodelist=node-3.cluster",
        "--gres=gpu:a100:1",
        "--cpus-per-task=8",
        "--mem=32G",
        "--time=04:00:00",
        "--constraint=a100&ib",
        "--exclusive",
    ]
    assert load_profile(None).directives() == []
    assert load(tmp_path, "gpus: 1\n").directives() == ["--gres=gpu:1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partitoin: gpu", "unknown key 'partitoin'. Did you mean 'partition'?"),
        ('partition: "gpu\\n#SBATCH --account=other"', "partition must be one word"),
        ("partition: gpu --account=other", "partition must be one word"),
        ('partition: "gpu\'; rm -rf x"', "partition must be one word"),
        ('account: "$(id)"', "account must be one word"),
        ("account: -x", "account must be one word"),
        ("account: 17", "account must be a valid string, but got 17 (put it in quotes)"),
        ('node: "a,b"', "node must be the name of one node"),
        ('node: "a[1-3]"', "node must be the name of one node"),
        ("gpus: 2", "gpus must be less than or equal to 1, but got 2: a job does one run at a time"),
        ("gpu_type: a100", "gpu_type needs `gpus: 1`"),
        ("time: 90", "(put it in quotes)"),
        ('time: "soon"', "time must be a time as Slurm writes it"),
        ('time: "2"', "time 2 leaves nothing before stop_before, 180 seconds"),
        ('setup: ["a\\nb"]', "setup, 0 must be one line of bash"),
        ('setup: ["  #SBATCH --account=other"]', "options of sbatch belong under `sbatch`"),
        ("setup: module load cuda", "setup must be a valid list"),
        ('python: "a\\tb"', "python must be one line of bash"),
        ("sbatch: [constraint=a100]", "must be one option with its value"),
        ('sbatch: ["--comment=a b"]', "must be one option with its value"),
        ("sbatch: [--array=0-99]", "--array is set by the harness"),
        ("sbatch: [--partition=x]", "--partition has a key of its own in the profile"),
        ("jobs: 0", "jobs must be greater than or equal to 1"),
        ("- partition", "must hold the keys partition, account"),
        ("partition: [", "is not valid YAML"),
    ],
)
def test_what_cannot_stand_in_a_script_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(UsageError) as error:
        load(tmp_path, text)
    assert said in str(error.value)
    assert "cluster.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_profile_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        load_profile(tmp_path / "nowhere.yaml")


def test_an_editor_sees_by_the_schema_what_the_profile_takes(tmp_path):
    rule = Draft202012Validator(json.loads((SCHEMAS / "slurm.json").read_text()))
    assert not list(rule.iter_errors(load(tmp_path, WHOLE).model_dump(mode="json")))
    for slip in ({"partitoin": "x"}, {"partition": "a b"}, {"time": "soon"}, {"gpus": 2}, {"sbatch": ["x"]}):
        assert list(rule.iter_errors(slip)), slip
    schema = json.loads((SCHEMAS / "slurm.json").read_text())
    assert all(schema["properties"][name]["description"] for name in Profile.model_fields)
