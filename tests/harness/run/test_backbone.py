"""Trained towers as the start of another run, and training on a few images: whole runs on a small twin."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.clip.positions import resize_grid
from harness.config.sections import BackboneConfig
from harness.config.values import content_hash
from harness.errors import DataError, HarnessError, UsageError
from harness.files import file_hash
from harness.inference.model import Trained
from harness.inference.transfer import evaluate_run
from harness.record import FEW_SHOT, NOISE, WEIGHTS, RunFolder
from harness.run import backbone
from harness.run.backbone import TOWERS, load_backbone
from harness.run.run import run
from tests import tower_kinds
from tests.notes import Notes

pytestmark = pytest.mark.usefixtures("untracked")


@pytest.fixture
def source(world, twins, tmp_path):
    return run(world.quick(twins, "full_finetune", "icfg", "train.epochs=1"), runs=tmp_path), tmp_path


def test_a_run_starts_from_the_towers_that_another_trained(world, twins, source):
    record, runs = source
    config = world.quick(twins, "zero_shot", "icfg", f"backbone.init_from={record.name}")
    started = run(config, runs=runs)
    assert started.metrics == record.metrics, "zero-shot with the trained towers is the trained run"
    assert started.backbone["sha256"] != record.backbone["sha256"]
    loaded = Trained(RunFolder(runs / started.name))
    trained = load_file(runs / record.name / WEIGHTS)
    own = loaded.method.clip.model.state_dict()
    assert all(torch.equal(own[key.removeprefix("clip.model.")], value) for key, value in trained.items())


def test_what_a_start_weighs_is_part_of_what_starts_from_it(world, twins, source):
    record, runs = source
    config = world.quick(twins, "linear_probe", "icfg", f"backbone.init_from={record.name}")
    started = run(config, runs=runs)
    # The same run again, on another device, say: other weights under the same identity.
    folder = RunFolder(runs / record.name)
    weights = {name: value * 1.001 for name, value in load_file(folder.file(WEIGHTS)).items()}
    save_file(weights, folder.file(WEIGHTS))
    record.weights_sha256 = file_hash(folder.file(WEIGHTS))
    folder.write(record)
    assert run(config, runs=runs).name != started.name
    with pytest.raises(HarnessError, match="trained on other backbone weights than those found now"):
        Trained(RunFolder(runs / started.name))


@pytest.mark.parametrize(("finished", "loads"), [("2000-01-01T00:00:00+00:00", True), (None, False)])
def test_a_run_of_an_earlier_version_loads_where_its_start_is_older(world, twins, source, finished, loads):
    record, runs = source
    started = run(world.quick(twins, "linear_probe", "icfg", f"backbone.init_from={record.name}"), runs=runs)
    started.backbone["sha256"] = content_hash([record.identity, record.backbone["sha256"]])
    RunFolder(runs / started.name).write(started)
    # One that finished after, though it says the same, was repeated since.
    record.finished = finished or "2100-01-01T00:00:00+00:00"
    RunFolder(runs / record.name).write(record)
    with nullcontext() if loads else pytest.raises(HarnessError, match="other backbone weights"):
        assert Trained(RunFolder(runs / started.name)).method.trained


def test_positions_are_fitted_to_another_image_size(world, twins, source):
    record, runs = source
    config = world.quick(twins, "zero_shot", "icfg", f"backbone.init_from={record.name}")
    backbone = config.backbone.model_copy(update={"image_size": (64, 64)})
    clip = load_backbone(backbone, seed=0, runs=runs)
    n_patches = 1 + (64 // 8) * (64 // 8)
    assert clip.model.visual.positional_embedding.shape[0] in (n_patches, 1 + (64 // 16) ** 2)
    assert clip.encode_image(torch.zeros(1, 3, 64, 64)).shape == (1, clip.embed_dim)


@pytest.mark.parametrize(
    ("method", "message"),
    [("linear_probe", "trained nothing of the towers"), ("zero_shot", "trained nothing")],
)
def test_a_run_that_left_the_towers_alone_is_no_start(world, twins, tmp_path, method, message):
    record = run(world.quick(twins, method, "icfg"), runs=tmp_path)
    with pytest.raises(UsageError, match=message):
        run(world.quick(twins, "full_finetune", "icfg", f"backbone.init_from={record.name}"), runs=tmp_path)


def test_a_run_without_some_text_layers_is_no_start(world, twins, tmp_path):
    record = run(world.quick(twins, "tbps_clip", "icfg", "method.drop_text_layers=[1]"), runs=tmp_path)
    with pytest.raises(UsageError, match=r"has no text layer 1 \(method.drop_text_layers\)"):
        run(world.quick(twins, "full_finetune", "icfg", f"backbone.init_from={record.name}"), runs=tmp_path)


def test_a_run_whose_weights_are_not_here_is_no_start_and_no_model(world, twins, source):
    record, runs = source
    folder = RunFolder(runs / record.name)
    folder.file(WEIGHTS).unlink()
    for work in (
        lambda: run(world.quick(twins, "zero_shot", "icfg", f"backbone.init_from={record.name}"), runs=runs),
        lambda: Trained(folder),
    ):
        with pytest.raises(
            DataError, match=f"{record.name} has no weights here, so there is nothing to load"
        ):
            work()


def test_an_unknown_run_and_another_model_are_one_clear_error(world, twins, source):
    record, runs = source
    with pytest.raises(UsageError, match="No run 'nowhere'"):
        run(world.quick(twins, "zero_shot", "icfg", "backbone.init_from=nowhere"), runs=runs)
    other = world.quick(twins, "zero_shot", "icfg", f"backbone.init_from={record.name}").backbone
    with pytest.raises(
        UsageError, match=r"has the backbone tiny-2x64-2x64, not RN50: set backbone.name=tiny-2x64-2x64"
    ):
        load_backbone(other.model_copy(update={"name": "RN50", "pretrained": None}), seed=0, runs=runs)


def test_a_few_shot_run_learns_from_its_images_alone_and_lists_them(world, twins, tmp_path):
    whole = run(world.quick(twins, "linear_probe"), runs=tmp_path)
    few = run(world.quick(twins, "linear_probe", "icfg", "dataset.few_shot=0.5"), runs=tmp_path)
    listed = json.loads((tmp_path / few.name / FEW_SHOT).read_text())["images"]
    assert few.data["train_images"] == len(listed) == whole.data["train_images"] // 2
    assert few.data["test_images"] == whole.data["test_images"]
    assert few.identity != whole.identity
    assert not (tmp_path / whole.name / FEW_SHOT).exists()


def test_a_run_on_a_few_persons_lists_them_and_their_images(world, twins, tmp_path):
    few = run(world.quick(twins, "linear_probe", "icfg", "dataset.few_shot_persons=9"), runs=tmp_path)
    more = run(world.quick(twins, "linear_probe", "icfg", "dataset.few_shot_persons=12"), runs=tmp_path)
    listed, larger = (json.loads((tmp_path / one.name / FEW_SHOT).read_text()) for one in (few, more))
    assert few.data["train_identities"] == len(listed["identities"]) == 9
    assert few.data["train_images"] == len(listed["images"])
    assert set(listed["identities"]) < set(larger["identities"])
    assert few.config["dataset"]["few_shot_persons"] == 9
    assert few.data["notes"] == ["few-shot by identity: 9 training persons"]
    with pytest.raises(UsageError, match=r"few_shot_persons is 4,000, but training has \d+ persons"):
        run(world.quick(twins, "linear_probe", "icfg", "dataset.few_shot_persons=4000"), runs=tmp_path)


def test_a_run_on_noisy_captions_stores_which_and_its_own_list_gives_them_again(world, twins, tmp_path):
    clean = run(world.quick(twins, "linear_probe"), runs=tmp_path)
    noisy = run(world.quick(twins, "linear_probe", "icfg", "dataset.noise=0.5"), runs=tmp_path)
    assert noisy.metrics != clean.metrics
    assert noisy.pictures == clean.pictures
    assert noisy.identity != clean.identity
    indices = np.load(tmp_path / noisy.name / NOISE, allow_pickle=False)
    n = noisy.data["train_pairs"]
    assert (len(indices), int((indices != np.arange(n)).sum())) == (n, n // 2)
    assert f"{n // 2} of {n} training captions" in noisy.data["notes"][0]
    assert NOISE in noisy.files
    copy = tmp_path / "indices.npy"
    copy.write_bytes((tmp_path / noisy.name / NOISE).read_bytes())
    again = run(world.quick(twins, "linear_probe", "icfg", f"dataset.noise_file={copy}"), runs=tmp_path)
    assert again.metrics == noisy.metrics
    moved = copy.rename(tmp_path / "moved.npy")
    assert (
        run(world.quick(twins, "linear_probe", "icfg", f"dataset.noise_file={moved}"), runs=tmp_path).name
        == again.name
    )


def test_a_test_elsewhere_knows_nothing_of_few_persons_and_noise(world, twins, tmp_path):
    settings = ("dataset.few_shot_persons=9", "dataset.noise=0.5")
    record = run(world.quick(twins, "linear_probe", "icfg", *settings), runs=tmp_path)
    (own,) = evaluate_run(record.name, ["icfg"], runs=tmp_path)
    assert own["metrics"] == record.metrics


def test_augmented_captions_change_what_is_learned_and_a_missing_translation_is_said_once(
    world, twins, tmp_path
):
    plain = run(world.quick(twins, "full_finetune", "icfg", "train.epochs=1"), runs=tmp_path)
    notes = Notes()
    overrides = ("train.augment.text.random_deletion=0.5", "train.augment.text.back_translation=0.5")
    config = world.quick(twins, "full_finetune", "icfg", "train.epochs=1", *overrides)
    changed = run(config, runs=tmp_path, listener=notes)
    weights = [load_file(tmp_path / record.name / WEIGHTS) for record in (plain, changed)]
    assert any(not torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert sum("Back translation is off" in note for note in notes.notes) == 1


def spoil(file, content=None):
    """Make the first tensor of a file infinite at one place, or put something else in the file's place."""
    if content is not None:
        file.write_bytes(content)
        return ""
    tensors = load_file(file)
    name = sorted(tensors)[0]
    tensors[name].view(-1)[0] = float("inf")
    save_file(tensors, file)
    return name


DOORS = {
    "init_from": lambda world, twins, record, runs: load_backbone(
        world.quick(twins, "zero_shot", "icfg", f"backbone.init_from={record.name}").backbone,
        seed=0,
        runs=runs,
    ),
    "load": lambda world, twins, record, runs: Trained(RunFolder(runs / record.name), device="cpu"),
    "evaluate": lambda world, twins, record, runs: evaluate_run(
        record.name, ["icfg"], runs=runs, device="cpu"
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_runs_own_weights_are_refused_where_they_are_not_finite_or_no_weights(world, twins, source, door):
    record, runs = source
    record.weights_sha256 = None  # As an earlier version left it.
    RunFolder(runs / record.name).write(record)
    name = spoil(runs / record.name / WEIGHTS)
    with pytest.raises(DataError, match=rf"{WEIGHTS} cannot be used: its tensor {name} holds 1 value"):
        DOORS[door](world, twins, record, runs)
    spoil(runs / record.name / WEIGHTS, b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n")
    with pytest.raises(DataError, match=rf"{WEIGHTS} holds no weights.*git lfs pull"):
        DOORS[door](world, twins, record, runs)


def test_the_grid_of_towers_that_a_run_trained_is_known_and_not_guessed(world, twins, source):
    record, runs = source
    config = world.quick(twins, "zero_shot", "icfg", f"backbone.init_from={record.name}")
    own = load_backbone(config.backbone, seed=0, runs=runs).model
    other = config.backbone.model_copy(update={"image_size": (64, 48)})
    got = load_backbone(other, seed=0, runs=runs)
    positions = [model.visual.positional_embedding for model in (own, got.model)]
    assert torch.equal(positions[1], resize_grid(positions[0], (6, 2), (8, 6)))
    assert got.notes == []


def test_a_run_keeps_the_activation_that_it_was_made_with(world, twins, tmp_path, source):
    record, runs = source
    folder = RunFolder(runs / record.name)
    assert Trained(folder, device="cpu").method.clip.identity.quick_gelu
    record.backbone["quick_gelu"] = False
    folder.write(record)
    clip = Trained(folder, device="cpu").method.clip
    assert not clip.identity.quick_gelu
    assert "QuickGELU" not in repr(clip.model)


@pytest.mark.parametrize("kind", ["small_siglip", "small_registers", "small_eva02", "small_pe"])
@pytest.mark.parametrize("size", [tower_kinds.SIZE, (32, 32), (40, 24)])
def test_towers_of_timm_are_taken_from_another_size(monkeypatch, tmp_path, kind, size):
    """Trained at 32x16, where the model is built at 32x32: positions are the run's, resized as timm does."""
    tower_kinds.register(monkeypatch)
    trained = tower_kinds.build(kind)
    state = {f"{TOWERS}{key}": value.contiguous() for key, value in trained.model.state_dict().items()}
    save_file(state, tmp_path / WEIGHTS)
    config = BackboneConfig(name=kind, pretrained=None, image_size=tower_kinds.SIZE)
    record = SimpleNamespace(
        status="finished",
        name="trained",
        identity="ab",
        scored=None,
        weights_sha256=None,
        accounting={},
        config={"backbone": config.model_dump(), "seed": 1},
    )
    folder = SimpleNamespace(
        read=lambda: record, weights=lambda: tmp_path / WEIGHTS, backbone=lambda config: config
    )
    monkeypatch.setattr(backbone, "find_run", lambda run, runs: folder)
    found = load_backbone(config.model_copy(update={"init_from": "trained", "image_size": size}), seed=0)
    trained.model.visual.set_input_size(size)
    trained.model.visual.eval()
    pictures = tower_kinds.images(size=size)
    with torch.no_grad():
        torch.testing.assert_close(found.encode_image(pictures), trained.encode_image(pictures))
