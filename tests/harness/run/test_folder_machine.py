"""A run's folder as a machine of states: killed at any write, resumed, forced, damaged, moved, it never lies.

The run's own orchestration, checkpoints, kept weights and records are real; the method is one matrix, and the test is a
function of the weights, so that thousands of steps take seconds.
"""

import hashlib
import os
import random
import shutil
import tempfile
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from harness import files
from harness.compute.devices import accelerator
from harness.config.values import content_hash
from harness.errors import DataError, HarnessError
from harness.files import file_hash
from harness.method_parts.batch import Losses
from harness.methods import Progress
from harness.presets.resolve import resolve
from harness.record import QUERIES, RECORD, WEIGHTS, Record, RunFolder, all_runs
from harness.run import run as run_module
from harness.run.job import Job
from harness.train.checkpoint import save_weights
from harness.train.loop import Training
from harness.train.tensor_files import check_tensors

EPOCHS, STEPS = 4, 2
CONFIG = resolve(
    "linear_probe",
    "icfg",
    synthetic=True,
    overrides=("backbone.pretrained=null", f"train.epochs={EPOCHS}", "train.checkpoint_seconds=0.000001"),
)


class Towers(torch.nn.Identity):
    """Towers that do nothing."""

    def called_by(self, calls):
        return nullcontext()


class Small(torch.nn.Module):
    """A method of one trained matrix."""

    name, trained = "linear_probe", True

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.clip = Towers()
        self.weight = torch.nn.Parameter(torch.randn(3, 3))

    def begin_training(self):
        self.train()

    def trainable(self):
        return self.named_parameters()

    def optimiser(self):
        return torch.optim.AdamW([{"params": [self.weight], "lr": 0.1}])

    def learning_rate(self, rate, at: Progress):
        return rate

    def on_step_start(self, at):
        pass

    def forward(self, batch):
        return Losses({"loss": (self.weight @ batch.content).square().mean()}, {"loss": 1.0})


class Same:
    """Batches that follow from seed, data and place alone."""

    def __init__(self, seed, data):
        self.start = 1000 * seed + 100 * data

    def __len__(self):
        return STEPS

    def epoch(self, epoch, start_step=0):
        for step in range(start_step, STEPS):
            drawn = torch.Generator().manual_seed(self.start + 10 * epoch + step)
            yield SimpleNamespace(content=torch.randn(3, 2, generator=drawn), n_local=2)


def score(method, epoch):
    """Return a validation that goes up and down, so that the best epoch is none of the last."""
    return {"t2i/R1": float((0, 30, 50, 40, 45)[epoch]), "t2i/mAP": float(method.weight.detach().sum())}


def work(job):
    """Train, choose and test as a run does."""
    seed, data = job.config.seed, int(job.record.fingerprint)
    method = Small(seed)
    training = Training(method, Same(seed, data), job.config, job.engine, job.folder, listener=job.listener)
    training.validate = lambda: score(method, training.state.epoch + 1)
    state = training.run()
    run_module._choose(job, method, state)
    save_weights(method, job.folder.file(WEIGHTS), {"identity": job.record.identity})
    job.record.weights_sha256 = file_hash(job.folder.file(WEIGHTS))
    queries = method.weight.detach().numpy()
    job.folder.write_queries({"t2i/rank": queries})
    job.folder.note(job.record, QUERIES)
    job.record.metrics = {"test/icfg/t2i/R1": float(np.float64(queries).sum())}
    return job.record


class Silent:
    """A tracker of nothing."""

    def __init__(self, *more):
        pass

    def __getattr__(self, name):
        return lambda *more: {"synced": False}


class Killed(BaseException):
    """The process is gone: nothing that it would still do is done."""


@contextmanager
def world(root, data):
    """Let `run` work in this folder on these data."""

    def prepare(config, runs, *more):
        identity = content_hash([config.seed, data])
        record = Record(
            identity=identity,
            config=config.model_dump(mode="json"),
            versions={},
            fingerprint=str(data),
            pictures={"train": str(data)},
            backbone={},
            synthetic=True,
        )
        folder = RunFolder(root / record.name)
        reading = SimpleNamespace(all=())
        return Job(config, accelerator("fp32", "cpu"), reading, None, record, folder, more[1], root)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "prepare", prepare)
        patch.setattr(run_module, "_work", work)
        patch.setattr(run_module, "Tracker", Silent)
        patch.setattr(run_module, "source_files", lambda *more: {})
        patch.setattr(run_module, "environment", lambda device: {"host": os.uname().nodename})
        yield


@contextmanager
def killed_at(n):
    """Kill at the n-th change that the file system would see; after it nothing changes any more."""
    count = 0

    def guarded(name):
        real = getattr(os, name)

        def call(*arguments, **options):
            nonlocal count
            if name == "open" and not (len(arguments) > 1 and arguments[1] & (os.O_CREAT | os.O_WRONLY)):
                return real(*arguments, **options)
            count += 1
            if n is not None and count >= n:
                raise Killed
            return real(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "replace", "rename", "unlink", "mkdir", "open"):
            patch.setattr(os, name, guarded(name))
        yield lambda: count


def attempt(root, seed=1, data=0, kill=None, force=False):
    """Run as a process of its own would, and return the record; None where it was killed."""
    attempt.processes += 1
    start = attempt.processes
    with pytest.MonkeyPatch.context() as patch, world(root, data), killed_at(kill) as count, suppress(Killed):
        patch.setattr(files, "_start_of", lambda process: start)
        config = CONFIG.model_copy(update={"seed": seed})
        attempt.record = run_module.run(config, runs=root, force=force)
        attempt.writes = count()
        return attempt.record
    return None


attempt.processes = 0


@pytest.fixture(scope="module", autouse=True)
def _quiet_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda number: None)
        yield


def result(record):
    return record.metrics, record.selection, record.weights_sha256


class FolderMachine(RuleBasedStateMachine):
    """What can happen to a folder of runs; `sure` holds the results that were finished."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp()) / "runs"
        self.root.mkdir()
        self.data, self.sure, self.damaged = 0, {}, set()

    def teardown(self):
        shutil.rmtree(self.root.parent)

    @initialize()
    def begin(self):
        self.references = REFERENCES

    @rule(seed=st.integers(1, 2), kill=st.one_of(st.none(), st.integers(1, 90)), force=st.booleans())
    def run(self, seed, kill, force):
        key = (seed, self.data)
        n_before = len(list(self.root.iterdir()))
        try:
            record = attempt(self.root, seed, self.data, kill, force)
        except DataError as error:
            assert any(str(name) in str(error) for name in self.damaged), error  # noqa: PT017
            assert not force
            return
        if record is None:
            return
        assert result(record) == self.references[key]
        self.sure[key] = record.name
        if force:
            assert len(list(self.root.iterdir())) >= n_before
        self._settled(RunFolder(self.root / record.name))

    def _settled(self, folder):
        """Nothing of the work is left in the folder of a finished run but its results."""
        left = {file.name for file in folder.path.iterdir()}
        assert left <= {".lock", RECORD, WEIGHTS, QUERIES, "history.json"}, left

    @rule(number=st.integers(0, 10**6), bit=st.integers(0, 7), place=st.integers(0, 10**6))
    def flip(self, number, bit, place):
        found = sorted(file for file in self.root.rglob("*") if file.is_file() and file.stat().st_size)
        if not found or len(self.damaged) > 2:
            return
        file = found[number % len(found)]
        content = bytearray(file.read_bytes())
        content[place % len(content)] ^= 1 << bit
        file.write_bytes(content)
        self.damaged.add(file.parent.name)

    @rule()
    def change_data(self):
        self.data = 1 - self.data

    @rule()
    def move(self):
        moved = self.root.with_name(self.root.name + "x")
        self.root.rename(moved)
        self.root = moved

    @rule()
    def read(self):
        """What reads says the truth or names what is damaged."""
        for folder in all_runs(self.root):
            try:
                record = folder.read()
            except DataError:
                assert folder.path.name in self.damaged
                continue
            if record.status != "finished":
                continue
            assert result(record) == self.references[record.config["seed"], int(record.fingerprint)]
            try:
                queries = folder.queries()["t2i/rank"]
                weights = folder.whole(WEIGHTS)
            except DataError as error:
                assert folder.path.name in self.damaged, error  # noqa: PT017
                continue
            assert float(np.float64(queries).sum()) == record.metrics["test/icfg/t2i/R1"]
            assert check_tensors(weights) == {"identity": record.identity}


def references():
    """Return the result of each config and data, undisturbed."""
    found = {}
    for seed in (1, 2):
        for data in (0, 1):
            with tempfile.TemporaryDirectory() as folder:
                found[seed, data] = result(attempt(Path(folder), seed, data))
    return found


REFERENCES: dict = {}


@pytest.mark.parametrize(
    ("examples", "steps"), [(4, 8), pytest.param(30, 25, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_no_history_of_a_folder_gives_a_wrong_result(examples, steps):
    REFERENCES.update(REFERENCES or references())
    options = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(FolderMachine, settings=options)


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_run_killed_before_any_of_its_writes_ends_as_if_it_had_not_been(tmp_path, every, record_property):
    REFERENCES.update(REFERENCES or references())
    attempt(tmp_path / "whole")
    writes = attempt.writes
    wrong, left = 0, 0
    for n in range(1, writes + 1, every):
        root = tmp_path / str(n)
        assert attempt(root, kill=n) is None
        record = attempt(root)
        wrong += result(record) != REFERENCES[1, 0]
        left += len([file for file in root.rglob(".*") if file.name != ".lock"])
    record_property("kills", len(range(1, writes + 1, every)))
    assert (wrong, left) == (0, 0)
    assert writes > 40


@pytest.mark.parametrize("count", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_damage_anywhere_in_a_folder_is_found_or_harmless(tmp_path, count, record_property):
    """Bits flipped, files cut and pages emptied, in a finished and in an interrupted run."""
    REFERENCES.update(REFERENCES or references())
    finished, cut = tmp_path / "finished", tmp_path / "cut"
    attempt(finished)
    attempt(cut, kill=attempt.writes // 2)
    found, harmless, wrong, chance = 0, 0, 0, random.Random(0)
    for number in range(count):
        root = tmp_path / "now"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree((finished, cut)[number % 2], root)
        (folder,) = (path for path in root.iterdir() if path.is_dir())
        parts = sorted(file for file in folder.iterdir() if file.is_file() and file.stat().st_size)
        spoil(parts[number // 2 % len(parts)], chance)
        try:
            record = attempt(root)
            folder = RunFolder(root / record.name)
            assert np.isfinite(folder.queries()["t2i/rank"]).all()
            folder.whole(WEIGHTS)
            folder.history()
        except HarnessError as error:
            assert str(folder.path if isinstance(folder, RunFolder) else folder) in str(error)  # noqa: PT017
            assert len(str(error).splitlines()) == 1  # noqa: PT017
            found += 1
            continue
        harmless += result(record) == REFERENCES[1, 0]
        wrong += result(record) != REFERENCES[1, 0]
    record_property("damages", {"found": found, "harmless": harmless, "wrong": wrong})
    assert wrong == 0
    assert found > count // 4


def spoil(file, chance):
    content = bytearray(file.read_bytes())
    place = chance.randrange(len(content))
    kind = chance.choice(("flip", "flip", "cut", "page"))
    if kind == "flip":
        content[place] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del content[place:]
    else:
        content[place // 512 * 512 : place // 512 * 512 + 512] = bytes(
            len(content[place // 512 * 512 : place // 512 * 512 + 512])
        )
    file.write_bytes(content)


def test_equal_runs_have_equal_weights_byte_by_byte(tmp_path):
    sums = set()
    for name in ("one", "two"):
        record = attempt(tmp_path / name)
        sums.add(hashlib.sha256((tmp_path / name / record.name / WEIGHTS).read_bytes()).hexdigest())
    assert len(sums) == 1
