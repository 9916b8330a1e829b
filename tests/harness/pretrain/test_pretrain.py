"""Pretraining: repeatable weights, resumed wherever it was cut off, refused where it is another's, shipped small."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from harness.clip.model import load_clip
from harness.clip.weight_files import read_tensors
from harness.config.sections import BackboneConfig
from harness.errors import DataError, Interrupted, TrainingError, UsageError
from harness.files import Busy, locked, read_json
from harness.listener import Listener
from harness.pretrain import training
from harness.pretrain.pretrain import CHECKPOINT, RECORD, WEIGHTS, pretrain
from harness.pretrain.recipe import PretrainConfig

MODEL = "tiny-1x32-1x32"
SHORT = PretrainConfig(steps=6, batch_size=4, held_out=4, mix="web", model=MODEL)


class Dies(Listener):
    """Ends the work after a step, as nothing else does it in a test."""

    def __init__(self, step):
        self.step, self.stages, self.counts = step, [], []

    def on_stage(self, text):
        self.stages.append(text)

    def on_count(self, done, total):
        self.counts.append((done, total))
        if done == self.step:
            raise RuntimeError("died")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The record of an uninterrupted pretraining."""
    return pretrain(SHORT, tmp_path_factory.mktemp("whole"))


def same(record, other):
    """Whether two records are of the same weights and figures; times apart."""
    left_out = ("seconds",)
    return {k: v for k, v in record.items() if k not in left_out} == {
        k: v for k, v in other.items() if k not in left_out
    }


@pytest.mark.slow
def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(whole, tmp_path):
    assert same(pretrain(SHORT, tmp_path / "again"), whole)
    other = pretrain(SHORT.model_copy(update={"seed": 1}), tmp_path / "other")
    assert other["sha256"] != whole["sha256"]


def test_the_mix_of_shapes_is_what_the_shipped_weights_were_made_from(tmp_path):
    record = pretrain(PretrainConfig(steps=6, batch_size=8, held_out=8, warmup_steps=2), tmp_path)
    # As it was before shapes were a mix among others.
    assert record["loss"] == pytest.approx(2.4095276991526284, abs=1e-3)


@pytest.mark.parametrize("step", [1, 3, 5, 6])
def test_cut_off_after_any_step_it_resumes_to_the_same_result(whole, tmp_path, step):
    with pytest.raises(RuntimeError, match="died"):
        pretrain(SHORT, tmp_path, Dies(step), checkpoint_seconds=0)
    assert read_json(tmp_path / RECORD)["status"] == "training"
    listener = Dies(None)
    record = pretrain(SHORT, tmp_path, listener, checkpoint_seconds=0)
    assert same(record, whole)
    # The listener hears of a step before its checkpoint is written, so the last step is taken again.
    assert [done for done, _ in listener.counts] == list(range(step, 7))
    assert ("resuming" in listener.stages[0]) == (step > 1)
    assert {file.name for file in tmp_path.iterdir()} == {".lock", WEIGHTS, RECORD}


def test_cut_off_before_the_first_checkpoint_or_between_weights_and_record_it_resumes(
    whole, tmp_path, monkeypatch
):
    with pytest.raises(RuntimeError):
        pretrain(SHORT, tmp_path, Dies(2), checkpoint_seconds=1e9)
    assert not (tmp_path / CHECKPOINT).exists()
    with monkeypatch.context() as patch:
        patch.setattr(
            "harness.pretrain.pretrain.write_tensors", lambda *of: (_ for _ in ()).throw(OSError("died"))
        )
        with pytest.raises(OSError, match="died"):
            pretrain(SHORT, tmp_path)
    assert (tmp_path / CHECKPOINT).is_file()
    listener = Dies(None)
    assert same(pretrain(SHORT, tmp_path, listener), whole)
    assert not listener.counts


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.0, 0.4])
def test_killed_at_any_moment_the_same_command_gives_the_same_result(whole, tmp_path, wait):
    words = [sys.executable, "-m", "harness", *SHORT.command.split()[1:], "--out", str(tmp_path), "--json"]
    words += ["--checkpoint-seconds", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    end = time.monotonic() + 60
    while not (tmp_path / CHECKPOINT).is_file() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert same(json.loads(done.stdout), whole)


class Asks(Listener):
    """Sends this process a signal after a step."""

    def on_count(self, done, total):
        if done == 3:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_stops_after_the_step_and_leaves_what_is_needed_to_resume(whole, tmp_path):
    with pytest.raises(Interrupted, match="after step 3 of 6"):
        pretrain(SHORT, tmp_path, Asks(), checkpoint_seconds=1e9)
    listener = Dies(None)
    assert same(pretrain(SHORT, tmp_path, listener), whole)
    assert listener.counts[0] == (4, 6)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_is_finished_is_shown_and_not_repeated_but_by_force(whole, tmp_path):
    pretrain(SHORT, tmp_path)
    listener = Dies(None)
    assert same(pretrain(SHORT, tmp_path, listener), whole)
    assert not listener.counts
    assert same(pretrain(SHORT, tmp_path, listener, force=True), whole)
    assert len(listener.counts) == 6


def one_line(error, *words):
    text = str(error.value)
    assert "\n" not in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize("finished", [True, False])
def test_other_settings_in_the_same_folder_are_refused_in_one_line(tmp_path, finished):
    if finished:
        pretrain(SHORT, tmp_path)
    else:
        with pytest.raises(RuntimeError):
            pretrain(SHORT, tmp_path, Dies(3), checkpoint_seconds=0)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(UsageError) as error:
        pretrain(SHORT.model_copy(update={"mix": "shapes"}), tmp_path)
    one_line(error, "mix web instead of shapes", "--out", "--force")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_checkpoint_of_another_recipe_or_damaged_is_refused_in_one_line(tmp_path):
    with pytest.raises(RuntimeError):
        pretrain(SHORT, tmp_path, Dies(3), checkpoint_seconds=0)
    (tmp_path / RECORD).unlink()
    with pytest.raises(DataError) as error:
        pretrain(SHORT.model_copy(update={"steps": 7}), tmp_path)
    one_line(error, "steps 6 instead of 7")
    (tmp_path / RECORD).unlink()
    content = bytearray((tmp_path / CHECKPOINT).read_bytes())
    content[-1] ^= 1
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(DataError) as error:
        pretrain(SHORT, tmp_path)
    one_line(error, "damaged", "--force")


@pytest.mark.parametrize("text", ["{", "[]", '{"status": "finished"}', '{"config": {}, "status": "odd"}'])
def test_a_record_that_is_none_is_refused_in_one_line(tmp_path, text):
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(UsageError) as error:
        pretrain(SHORT, tmp_path)
    one_line(error, RECORD, "--out")


def test_weights_that_are_damaged_gone_or_of_another_record_are_refused_in_one_line(tmp_path):
    pretrain(SHORT, tmp_path)
    whole = (tmp_path / WEIGHTS).read_bytes()
    for content in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:100], None):
        (tmp_path / WEIGHTS).unlink()
        if content:
            (tmp_path / WEIGHTS).write_bytes(content)
        with pytest.raises(DataError) as error:
            pretrain(SHORT, tmp_path)
        one_line(error, WEIGHTS, "--force")
        (tmp_path / WEIGHTS).touch()


def test_two_at_once_in_a_folder_are_refused(tmp_path):
    with locked(tmp_path), pytest.raises(Busy):
        pretrain(SHORT, tmp_path)


def test_a_loss_that_is_no_number_ends_it_before_it_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(training.Training, "_step", lambda self: float("nan"))
    with pytest.raises(TrainingError, match="loss of step 1 is nan"):
        pretrain(SHORT, tmp_path, checkpoint_seconds=0)
    assert not (tmp_path / CHECKPOINT).exists()


def see_only(monkeypatch, kind, n):
    """Let training and retrieval see the first pictures of a kind alone."""
    pairs = training.batch({kind: 1.0}, 0, 0, n)
    for place in ("training", "held_out"):
        monkeypatch.setattr(f"harness.pretrain.{place}.batch", lambda *of: pairs)


def test_training_lowers_the_loss_and_finds_what_it_saw(tmp_path, monkeypatch):
    see_only(monkeypatch, "paper_dolls", 8)
    recipe = PretrainConfig(
        steps=60, batch_size=8, held_out=8, warmup_steps=5, mix="paper_dolls", model=MODEL, lr=3e-3
    )
    record = pretrain(recipe, tmp_path)
    assert record["curve"][-1] < 0.3 * record["curve"][0]
    assert record["loss"] < 0.5 * record["curve"][0]
    assert record["held_out"]["paper_dolls"]["t2i/R1"] == 100
    assert len(record["curve"]) == 60


def test_weights_are_stored_in_half_the_bytes_and_figures_are_those_of_what_is_stored(whole, tmp_path):
    pretrain(SHORT, tmp_path)
    tensors = read_tensors(tmp_path / WEIGHTS)
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    values = sum(value.numel() for value in tensors.values())
    assert (tmp_path / WEIGHTS).stat().st_size < 2 * values + 10_000
    assert whole["parameters"] == values
    config = BackboneConfig(name=MODEL, weights=str(tmp_path / WEIGHTS), image_size=(96, 32))
    clip = load_clip(config)
    assert {value.dtype for value in clip.parameters()} == {torch.float32}
    assert clip.identity.sha256 == whole["sha256"]
    figures = training_figures(clip)
    assert figures == whole["held_out"]


def training_figures(clip):
    from harness.pretrain.held_out import held_out_figures
    from harness.pretrain.pairs import shares_of

    return held_out_figures(clip, shares_of(SHORT.mix), SHORT.held_out, SHORT.seed)


@pytest.mark.slow
def test_half_the_bytes_cost_nothing_of_what_was_learned(tmp_path, monkeypatch):
    """By a model that finds most of the pictures that it saw, and not all."""
    see_only(monkeypatch, "garments", 64)
    recipe = PretrainConfig(
        steps=45, batch_size=64, held_out=64, warmup_steps=5, mix="garments", model=MODEL, lr=3e-3
    )
    record = pretrain(recipe, tmp_path)
    assert 20 < record["held_out"]["garments"]["t2i/R1"] < 99
    for kind, exact in record["held_out_float32"].items():
        for name, value in exact.items():
            assert record["held_out"][kind][name] == pytest.approx(value, abs=1.6), (kind, name)


def test_the_record_says_how_the_weights_were_made(whole):
    assert whole["command"] == SHORT.command
    assert PretrainConfig(**whole["config"]) == SHORT
    assert set(whole["held_out"]) == {*SHORT_KINDS, "all"}
    assert whole["relative_cost"] < 1
    assert (whole["threads"], whole["torch"]) == (torch.get_num_threads(), torch.__version__)


SHORT_KINDS = ("shapes", "garments", "accessories", "things", "scenes", "pictograms", "paper_dolls", "crowds")
