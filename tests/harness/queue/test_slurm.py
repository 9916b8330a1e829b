"""Jobs are submitted and found through Slurm's programs; what these refuse is one line."""

import os
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.queue.slurm import jobs_of, name_of, partitions, submit, under_way
from tests.fake_slurm import FakeSlurm

ROOT = Path("/scratch/runs")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Return Slurm's programs, of which none is there yet."""
    programs = FakeSlurm(tmp_path / "bin")
    for name in ("cat", "env", "sh"):
        (programs.folder / name).symlink_to(
            f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}"
        )
    monkeypatch.setenv("PATH", str(programs.folder))
    return programs


def test_a_script_is_given_to_sbatch_with_its_environment(fake):
    fake.answers("sbatch", "4711;cluster\n")
    assert submit("#!/bin/bash\n", {**os.environ, "HARNESS_STORAGE": "sqlite:////x"}) == "4711"
    assert fake.calls("sbatch") == ["--parsable"]
    assert fake.given("sbatch") == "#!/bin/bash\n"
    assert fake.environment("sbatch")["HARNESS_STORAGE"] == "sqlite:////x"


def test_without_sbatch_the_script_can_still_be_seen(fake):
    with pytest.raises(UsageError, match=r"sbatch is not on this machine.*--print"):
        submit("", {})


def test_what_sbatch_says_against_it_is_passed_on_in_one_line(fake):
    fake.answers(
        "sbatch",
        code=1,
        said="sbatch: warning: x\nsbatch: error: Batch job submission failed: Invalid partition name specified\n",
    )
    fake.answers("sinfo", "gpu\ncpu\ngpu\n")
    with pytest.raises(UsageError) as error:
        submit("", os.environ)
    assert "Slurm refused the jobs: Invalid partition name specified. Partitions here: cpu, gpu." in str(
        error.value
    )
    assert "\n" not in str(error.value)
    fake.answers("sbatch", code=1)
    with pytest.raises(UsageError, match="no reason given"):
        submit("", os.environ)
    fake.answers("sbatch", "\n")
    with pytest.raises(UsageError, match="refused"):
        submit("", os.environ)


def test_what_slurm_says_of_a_studys_jobs_is_found_by_their_name(fake):
    assert jobs_of("mine", ROOT, None) == []
    fake.answers(
        "squeue", "12_0|RUNNING|1:02|4:00:00|node-3\n12_1|PENDING|0:00|4:00:00|(Priority)\nnonsense\n"
    )
    fake.answers(
        "sacct",
        "12_0|RUNNING|00:01:00|04:00:00|node-3\n12_2|TIMEOUT|04:00:00|04:00:00|node-1\n"
        "11_0|TIMEOUT|04:00:00|04:00:00|node-1\n12_[1,3]|PENDING|00:00:00|04:00:00|None assigned\n",
    )
    jobs = jobs_of("mine", ROOT, None)
    assert {one["job"]: (one["state"], one["time"]) for one in jobs} == {
        "12_0": ("RUNNING", "1:02"),
        "12_2": ("TIMEOUT", "04:00:00"),
        "12_1": ("PENDING", "0:00"),
    }
    assert under_way(jobs) == ["12_0", "12_1"]
    name = name_of("mine", ROOT, None)
    assert all(f"--name={name}" in fake.calls(program)[0] for program in ("squeue", "sacct"))
    fake.answers("squeue", code=1, said="slurm_load_jobs error: Unable to contact slurm controller")
    fake.answers("sacct", code=1)
    assert jobs_of("mine", ROOT, None) == partitions() == []


def test_other_runs_or_another_storage_have_other_names_and_a_password_does_not_matter():
    names = [
        name_of("mine", ROOT, None),
        name_of("mine", ROOT / "others", None),
        name_of("mine", ROOT, "postgresql://me:one@host/a"),
        name_of("mine", ROOT, "postgresql://me:two@host/b"),
    ]
    assert len(set(names)) == 4
    assert name_of("mine", ROOT, "postgresql://me:two@host/a") == names[2]
