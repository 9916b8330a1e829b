"""Whole runs on a small twin: what is recorded, found again, selected, interrupted and resumed."""

import hashlib
import json
import os
import stat

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from harness.captions.vocabulary import COLOURS, GARMENTS, caption_features
from harness.data.annotations import read_annotations
from harness.datasets import DATASETS
from harness.errors import HarnessError, Interrupted, TrainingError, UsageError
from harness.evaluate import encoder as evaluate_module
from harness.listener import Listener
from harness.record import (
    EMBEDDINGS,
    GALLERY,
    HISTORY,
    HOLDOUT,
    QUERIES,
    WEIGHTS,
    RunFolder,
    all_runs,
    find_run,
)
from harness.run import final_test, oracle
from harness.run import run as run_module
from harness.run.provenance import command_line
from harness.run.resume import resume_run
from harness.run.run import run
from harness.twins.writer import write_twin

pytestmark = pytest.mark.usefixtures("untracked")


class Stop(Listener):
    """Asks the run to stop, as Ctrl-C does, at a step of an epoch."""

    def __init__(self, epoch, step):
        self.at = (epoch, step)

    def on_step(self, epoch, step, n_steps):
        if (epoch, step) == self.at:
            import signal

            signal.raise_signal(signal.SIGINT)


class Notes(Listener):
    def __init__(self):
        self.notes, self.resumed = [], None

    def on_note(self, text):
        self.notes.append(text)

    def on_resume(self, history, step):
        self.resumed = (len(history), step)


def folder_of(record, root):
    return RunFolder(root / record.name)


def test_a_run_records_config_metrics_intervals_accounting_and_files(world, twins, tmp_path):
    record = run(world.quick(twins, "full_finetune"), runs=tmp_path)
    folder = folder_of(record, tmp_path)
    assert record.status == "finished"
    assert record.synthetic
    assert record == folder.read()
    for direction in ("t2i", "i2t"):
        for name in ("R1", "R5", "R10", "mAP", "mINP"):
            key = f"test/icfg/{direction}/{name}"
            low, high = record.intervals[key]
            assert 0 <= low <= record.metrics[key] <= high <= 100, key
    assert record.accounting["parameters"]["trainable"] == record.accounting["parameters"]["total"]
    assert record.accounting["checkpoint_bytes"] == folder.file(WEIGHTS).stat().st_size
    assert record.data["train_pairs"] > record.data["train_identities"] > 0
    for name in (HISTORY, HOLDOUT, QUERIES, WEIGHTS):
        assert folder.file(name).is_file(), name
    assert [row["epoch"] for row in folder.history()] == [1, 2]
    assert not list(folder.path.glob("*checkpoint*"))


def test_metrics_are_those_of_the_per_query_results(world, twins, tmp_path):
    record = run(world.quick(twins), runs=tmp_path)
    queries = folder_of(record, tmp_path).queries()
    assert record.metrics["test/icfg/t2i/R5"] == pytest.approx(100 * np.mean(queries["t2i/rank"] <= 5))
    assert record.metrics["test/icfg/i2t/mAP"] == pytest.approx(100 * np.mean(queries["i2t/AP"]))


def test_a_tested_run_keeps_what_galleries_and_slices_need_and_validation_does_not_make_it(
    world, twins, tmp_path, monkeypatch
):
    asked = []
    measure = evaluate_module.measure
    monkeypatch.setattr(
        evaluate_module, "measure", lambda *a, detail: (asked.append(detail), measure(*a, detail=detail))[1]
    )
    record = run(world.quick(twins, "linear_probe", "cuhk"), runs=tmp_path)
    assert asked == [False, False, True]
    with np.load(folder_of(record, tmp_path).file(QUERIES), allow_pickle=False) as archive:
        queries = dict(archive)
    for direction, other in (("t2i", "i2t"), ("i2t", "t2i")):
        top, rank = queries[f"{direction}/top"], queries[f"{direction}/rank"]
        right = queries[f"{other}/identity"][top] == queries[f"{direction}/identity"][:, None]
        assert (top.dtype, top.shape) == (np.int32, (len(rank), min(10, len(queries[f"{other}/identity"]))))
        assert np.array_equal(right.any(axis=1), rank <= 10)
        assert np.array_equal(right[rank <= 10].argmax(axis=1) + 1, rank[rank <= 10])
    captions = [
        c
        for s in read_annotations(DATASETS.get("cuhk"), twins / "synthetic")
        if s.split == "test"
        for c in s.captions
    ]
    expected = caption_features(captions)
    for name in ("n_words", "colours", "garments"):
        assert np.array_equal(queries[f"t2i/{name}"], expected[name])
    assert queries["words/colours"].tolist() == list(COLOURS)
    assert queries["words/garments"].tolist() == list(GARMENTS)


def test_a_tested_run_keeps_a_sample_of_its_embeddings_and_other_methods_the_same_persons(
    world, twins, tmp_path
):
    kept = []
    for method in ("linear_probe", "zero_shot"):
        record = run(world.quick(twins, method), runs=tmp_path)
        sample = folder_of(record, tmp_path).queries(EMBEDDINGS)
        assert sample["image"].shape == sample["text"].shape == (len(sample["place"]), 128)
        norms = np.linalg.norm(sample["image"].astype(float), axis=1)
        np.testing.assert_allclose(norms, 1, atol=1e-3)
        assert np.array_equal(
            sample["identity"], folder_of(record, tmp_path).queries()["i2t/identity"][sample["place"]]
        )
        kept.append(sample)
    for name in ("place", "caption", "identity"):
        assert np.array_equal(kept[0][name], kept[1][name])


def test_what_is_kept_for_reports_changes_neither_a_metric_nor_the_identity(
    world, twins, tmp_path, monkeypatch
):
    record = run(world.quick(twins), runs=tmp_path / "with")
    monkeypatch.setattr(final_test, "evaluate", lambda encoder, split, **more: plain(encoder, split))
    plain = evaluate_module.evaluate
    monkeypatch.setattr(final_test, "write_gallery", lambda folder, *_: folder.file(GALLERY).touch())
    bare = run(world.quick(twins), runs=tmp_path / "without")
    assert "t2i/top" not in folder_of(bare, tmp_path / "without").queries()
    assert (bare.identity, bare.metrics, bare.intervals) == (
        record.identity,
        record.metrics,
        record.intervals,
    )


def test_the_hold_out_is_disjoint_from_what_was_trained_on(world, twins, tmp_path):
    record = run(world.quick(twins), runs=tmp_path)
    held = json.loads((tmp_path / record.name / HOLDOUT).read_text())["identities"]
    full = run(
        world.quick(twins, "linear_probe", "icfg", "dataset.val=none", "eval.rule=last"), runs=tmp_path
    )
    assert len(held) + record.data["train_identities"] == full.data["train_identities"]


def test_an_identical_finished_run_is_found_and_force_repeats_it(world, twins, tmp_path, monkeypatch):
    config = world.quick(twins)
    first = run(config, runs=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_work", None)
        notes = Notes()
        assert run(config, runs=tmp_path, listener=notes) == first
    assert "shown, not repeated" in notes.notes[0]
    again = run(config, runs=tmp_path, force=True)
    assert again.metrics == first.metrics
    assert len(all_runs(tmp_path)) == 1
    assert (tmp_path / f"{first.name}~1").is_dir()


def test_a_found_run_of_other_sources_names_what_changed(world, twins, tmp_path):
    config = world.quick(twins)
    record = run(config, runs=tmp_path)
    folder = folder_of(record, tmp_path)
    record.sources["harness/method_parts/losses.py"] = "0" * 12
    folder.write(record)
    notes = Notes()
    run(config, runs=tmp_path, listener=notes)
    assert "harness/method_parts/losses.py" in notes.notes[1]


@pytest.mark.parametrize(
    "override", ["method.lr=0.05", "train.epochs=3", "seed=2", "dataset.val=none", "train.augment.flip=0.1"]
)
def test_whatever_can_change_a_result_changes_the_identity(world, twins, override):
    other = ("eval.rule=last",) if "val=none" in override else ()
    listener = Listener()
    jobs = [
        run_module.prepare(world.quick(twins, "linear_probe", "icfg", *o), None, "cpu", listener, {})
        for o in ((), (override, *other))
    ]
    assert jobs[0].record.identity != jobs[1].record.identity


def test_what_cannot_change_a_result_does_not_change_the_identity(world, twins, tmp_path):
    listener = Listener()
    configs = world.quick(twins), world.quick(twins, "linear_probe", "icfg", "dataset.store=off")
    a, b = (run_module.prepare(config, None, "cpu", listener, {}).record.identity for config in configs)
    assert a == b


def test_a_raised_version_is_another_run(world, twins, monkeypatch):
    from harness.methods import METHODS

    before = run_module.prepare(world.quick(twins), None, "cpu", Listener(), {}).record.identity
    monkeypatch.setattr(METHODS.get("linear_probe"), "version", 99)
    assert run_module.prepare(world.quick(twins), None, "cpu", Listener(), {}).record.identity != before


@pytest.mark.parametrize("method", [pytest.param("full_finetune", marks=pytest.mark.slow), "cskt"])
@pytest.mark.parametrize("at", [(1, 2), pytest.param((2, 1), marks=pytest.mark.slow)])
def test_an_interrupted_run_goes_on_to_bit_identical_weights_and_metrics(world, twins, tmp_path, method, at):
    config = world.quick(twins, method)
    whole = run(config, runs=tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(config, runs=tmp_path / "cut", listener=Stop(*at))
    assert find_run(whole.name, tmp_path / "cut").read().status == "interrupted"
    notes = Notes()
    resumed = run(config, runs=tmp_path / "cut", listener=notes)
    assert notes.resumed is not None
    assert resumed.metrics == whole.metrics
    assert resumed.selection == whole.selection
    one, two = (load_file(tmp_path / name / whole.name / WEIGHTS) for name in ("whole", "cut"))
    assert all(torch.equal(one[key], two[key]) for key in one)
    rows = [RunFolder(tmp_path / name / whole.name).history() for name in ("whole", "cut")]
    assert [row["train/loss"] for row in rows[0]] == [row["train/loss"] for row in rows[1]]
    assert resumed.seconds > resumed.accounting["train_seconds"]


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "chosen"), [("val", 1), ("oracle", 2), ("last", 3)])
def test_the_time_to_the_best_epoch_includes_that_epoch(world, twins, tmp_path, monkeypatch, rule, chosen):
    more = ("eval.test_each_epoch=true",) if rule == "oracle" else ()
    config = world.quick(twins, "full_finetune", "icfg", f"eval.rule={rule}", "train.epochs=3", *more)
    scores = iter({"val": (9, 1, 1), "oracle": (1, 1, 9, 9, 1, 1), "last": (1, 1, 1)}[rule])
    real = evaluate_module.evaluate

    def scored(encoder, split, *, detail=False):
        found = real(encoder, split, detail=detail)
        if not detail:
            found[0].metrics["t2i/R1"] = next(scores)
        return found

    for module in (run_module, oracle):
        monkeypatch.setattr(module, "evaluate", scored)
    record = run(config, runs=tmp_path)
    seconds = [row["seconds"] for row in folder_of(record, tmp_path).history()]
    assert record.selection["epoch"] == chosen
    assert record.accounting["seconds_to_best"] == pytest.approx(sum(seconds[:chosen]))
    assert min(seconds) > 0


def test_what_trains_nothing_learned_from_nothing(world, twins, tmp_path):
    record = run(world.quick(twins, "zero_shot"), runs=tmp_path)
    assert [record.data[f"train_{what}"] for what in ("pairs", "images", "identities")] == [0, 0, 0]
    assert record.data["test_images"] > 0
    assert record.weights_sha256 is None


def test_a_run_notes_its_command_and_the_hash_of_its_weights(world, twins, tmp_path):
    record = run(world.quick(twins), runs=tmp_path)
    assert record.command == command_line()
    content = (tmp_path / record.name / WEIGHTS).read_bytes()
    assert record.weights_sha256 == hashlib.sha256(content).hexdigest()


def test_the_same_seed_gives_the_same_numbers_and_another_one_others(world, twins, tmp_path):
    config = world.quick(twins, "adapter_only", "icfg", "method.lr=0.01")
    first, second = (run(config, runs=tmp_path / name) for name in "ab")
    assert first.metrics == second.metrics
    other = run(world.quick(twins, "adapter_only", "icfg", "method.lr=0.01", "seed=2"), runs=tmp_path)
    assert (
        folder_of(other, tmp_path).history()[0]["train/loss"]
        != (folder_of(first, tmp_path / "a").history()[0]["train/loss"])
    )


def test_a_loss_that_is_not_a_number_fails_the_run_with_step_and_culprit(world, twins, tmp_path):
    config = world.quick(twins, "full_finetune", "icfg", "method.lr=1e6", "method.warmup_epochs=0")
    with pytest.raises(TrainingError, match=r"epoch 1, step \d.*sdm=nan"):
        run(config, runs=tmp_path)
    (folder,) = all_runs(tmp_path)
    record = folder.read()
    assert record.status == "failed"
    assert "Traceback" in record.error["traceback"]
    assert not record.metrics


def test_an_exploding_loss_is_stopped_too(world, twins, tmp_path):
    with pytest.raises(TrainingError, match=r"train\.max_loss"):
        run(world.quick(twins, "full_finetune", "icfg", "train.max_loss=0.001"), runs=tmp_path)


@pytest.mark.slow
def test_the_rule_last_takes_the_last_epoch_and_val_the_best(world, twins, tmp_path):
    last = run(world.quick(twins, "full_finetune", "icfg", "eval.rule=last"), runs=tmp_path)
    assert last.selection["epoch"] == 2
    val = run(world.quick(twins, "full_finetune", "icfg", "train.epochs=3"), runs=tmp_path)
    rows = folder_of(val, tmp_path).history()
    best = max(rows, key=lambda row: (row["val/t2i/R1"], row["val/t2i/mAP"], -row["epoch"]))
    assert val.selection["epoch"] == best["epoch"]


@pytest.mark.slow
def test_the_oracle_reports_the_best_test_epoch_and_its_gap(world, twins, tmp_path):
    record = run(
        world.quick(twins, "full_finetune", "icfg", "eval.test_each_epoch=true", "method.lr=1e-3"),
        runs=tmp_path,
    )
    final_test = [row["t2i/R1"] for row in record.oracle["history"]]
    assert record.oracle["metrics"]["t2i/R1"] == max(final_test)
    assert record.oracle["optimism_gap"] == pytest.approx(
        max(final_test) - record.metrics["test/icfg/t2i/R1"]
    )
    chosen = next(row for row in record.oracle["history"] if row["epoch"] == record.selection["epoch"])
    assert chosen["t2i/R1"] == record.metrics["test/icfg/t2i/R1"]
    oracle = run(
        world.quick(
            twins, "full_finetune", "icfg", "eval.test_each_epoch=true", "eval.rule=oracle", "method.lr=1e-3"
        ),
        runs=tmp_path,
    )
    assert oracle.metrics["test/icfg/t2i/R1"] == max(final_test)


def test_without_test_each_epoch_the_test_split_is_encoded_once(world, twins, tmp_path, monkeypatch):
    seen = []
    encode = run_module.Encoder.encode
    monkeypatch.setattr(
        run_module.Encoder, "encode", lambda self, split: (seen.append(split.name), encode(self, split))[1]
    )
    run(world.quick(twins, "full_finetune"), runs=tmp_path)
    assert seen == ["val", "val", "test"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset.val=none"], "eval.rule=last"),
        (["dataset.val=own"], "--val holdout"),
        (["eval.rule=oracle"], "test_each_epoch=true"),
        (["eval.rule=last", "dataset.train_on=train+val"], "no validation split"),
    ],
)
def test_impossible_selections_are_refused_with_the_mend(world, twins, tmp_path, overrides, message):
    with pytest.raises(UsageError, match=message):
        run(world.quick(twins, "linear_probe", "icfg", *overrides), runs=tmp_path)


def test_training_on_val_too_uses_more_pairs(world, twins, tmp_path):
    plain = run(world.quick(twins, "linear_probe", "cuhk"), runs=tmp_path)
    joined = run(
        world.quick(twins, "linear_probe", "cuhk", "dataset.train_on=train+val", "eval.rule=last"),
        runs=tmp_path,
    )
    assert joined.data["train_pairs"] == plain.data["train_pairs"] + plain.data["val_captions"]


def test_early_stopping_ends_after_patience_validations(world, twins, tmp_path):
    record = run(
        world.quick(twins, "full_finetune", "icfg", "train.epochs=9", "train.patience=2", "method.lr=1e-12"),
        runs=tmp_path,
    )
    assert record.selection["epochs"] == 3


def test_accumulation_takes_one_step_for_several_parts(world, twins, tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(Listener, "on_step", lambda self, epoch, step, n: steps.append((epoch, step, n)))
    record = run(world.quick(twins, "full_finetune", "icfg", "train.accumulation=2"), runs=tmp_path)
    n = -(-record.data["train_pairs"] // 8)
    assert steps[-1] == (2, -(-n // 2), -(-n // 2))


def test_zero_shot_needs_no_training_and_says_so(world, twins, tmp_path):
    record = run(world.quick(twins, "zero_shot"), runs=tmp_path)
    assert record.selection["rule"] == "none"
    assert record.accounting["parameters"]["trainable"] == 0
    assert not folder_of(record, tmp_path).file(WEIGHTS).exists()


def test_a_bad_image_fails_with_its_path_or_is_skipped_and_counted(world, tmp_path):
    data = world.make_twins(tmp_path / "data")
    victim = sorted((data / "synthetic" / "ICFG-PEDES" / "imgs").rglob("*.jpg"))[0]
    victim.write_bytes(b"no image")
    with pytest.raises(UsageError, match=victim.name):
        run(world.quick(data), runs=tmp_path / "runs")
    record = run(
        world.quick(data, "linear_probe", "icfg", "dataset.on_bad_image=skip"), runs=tmp_path / "runs"
    )
    assert record.data["bad_images"] == 1


def test_two_processes_cannot_work_on_the_same_run(world, twins, tmp_path):
    from harness.errors import HarnessError
    from harness.files import locked

    config = world.quick(twins)
    name = run_module.prepare(config, tmp_path, "cpu", Listener(), {}).record.name
    with locked(tmp_path / name), pytest.raises(HarnessError, match="Another process"):
        run(config, runs=tmp_path)


@pytest.mark.parametrize("umask", [0o022, 0o002])
def test_all_that_a_run_and_its_twin_write_has_the_mode_that_the_umask_gives(
    world, tmp_path, monkeypatch, umask
):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    before = os.umask(umask)
    try:
        data = tmp_path / "data"
        write_twin(DATASETS.get("icfg"), data, identities=30, workers=1)
        config = world.quick(data, "linear_probe", "icfg", "train.checkpoint_seconds=0.001")
        with pytest.raises(Interrupted):
            run(config, runs=tmp_path / "runs", listener=Stop(2, 2))
        interrupted = {file.name for file in (tmp_path / "runs").rglob("*")}
        assert {"checkpoint.pt", "selected-1.safetensors"} <= interrupted
        _have_modes(tmp_path, umask)
        run(config, runs=tmp_path / "runs")
    finally:
        os.umask(before)
    _have_modes(tmp_path, umask)


def _have_modes(root, umask):
    files = list(root.rglob("*"))
    wrong = {
        str(file.relative_to(root)): oct(mode)
        for file in files
        if (mode := stat.S_IMODE(file.stat().st_mode)) != (0o777 if file.is_dir() else 0o666) & ~umask
    }
    assert files
    assert not wrong


def test_other_pictures_under_the_same_names_are_another_run(world, tmp_path):
    data, root = world.make_twins(tmp_path / "data"), tmp_path / "runs"
    config, notes = world.quick(data, "zero_shot"), Notes()
    first = run(config, runs=root)
    pictures = sorted(data.rglob("*.jpg"))
    old, new = pictures[0].read_bytes(), pictures[1].read_bytes()
    pictures[0].write_bytes(new)
    second = run(config, runs=root, listener=notes)
    assert second.identity != first.identity
    (split,) = [name for name in first.pictures if first.pictures[name] != second.pictures[name]]
    assert (
        f"another run than {first.name}, which has the same config: other pictures in {split}." in notes.notes
    )
    pictures[0].write_bytes(old)
    assert run(config, runs=root, listener=notes).identity == first.identity
    assert f"found the finished run {first.name}" in notes.notes[-1]


def test_a_finished_run_is_not_found_when_its_pictures_are_gone(world, tmp_path):
    data, root = world.make_twins(tmp_path / "data"), tmp_path / "runs"
    run(world.quick(data, "zero_shot"), runs=root)
    for picture in data.rglob("*.jpg"):
        picture.unlink()
    notes = Notes()
    for skip in ((), ("dataset.on_bad_image=skip",)):
        with pytest.raises(UsageError, match=r"cannot be read(?s:.*)\.jpg"):
            run(world.quick(data, "zero_shot", "icfg", *skip), runs=root, listener=notes)
    assert notes.notes == []
    assert len(all_runs(root)) == 1


def test_training_does_not_go_on_over_other_pictures(world, tmp_path):
    data, root = world.make_twins(tmp_path / "data"), tmp_path / "runs"
    config = world.quick(data)
    with pytest.raises(Interrupted):
        run(config, runs=root, listener=Stop(2, 1))
    (folder,) = all_runs(root)
    pictures = sorted(data.rglob("*.jpg"))
    pictures[0].write_bytes(pictures[1].read_bytes())
    with pytest.raises(
        UsageError, match=rf"{folder.path.name} cannot be gone on with: other pictures in \w+\."
    ):
        resume_run(folder.path.name, root, device="cpu")
    assert [run.path for run in all_runs(root)] == [folder.path]
    notes = Notes()
    assert run(config, runs=root, listener=notes).name != folder.path.name
    assert notes.resumed is None


def test_a_checkpoint_of_other_pictures_is_refused(world, twins, tmp_path):
    config = world.quick(twins)
    with pytest.raises(Interrupted):
        run(config, runs=tmp_path, listener=Stop(2, 1))
    (folder,) = all_runs(tmp_path)
    checkpoint = folder.file("checkpoint.pt")
    content = torch.load(checkpoint, weights_only=True)
    assert content["state"]["pictures"] == folder.read().pictures
    content["state"]["pictures"]["train"] = "other"
    torch.save(content, checkpoint)
    with pytest.raises(HarnessError, match="of other pictures: remove it to start over"):
        run(config, runs=tmp_path)
