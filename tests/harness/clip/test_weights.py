"""Where weights come from: local files of each kind, the caches, a download; and what is refused unread."""

import hashlib
import io
import os
import pickle
import re
import urllib.error
import warnings
import zipfile

import open_clip
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from harness.clip import weight_files, weights
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import DataError, UsageError

SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}
CONFIG = BackboneConfig(name="small", pretrained=None, image_size=(32, 32))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch, tmp_path):
    """Offline, with empty caches and a home of its own; a download would fail the test."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "small", SMALL)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(open_clip, "download_pretrained", lambda cfg: pytest.fail("tried to download"))


@pytest.fixture(scope="module")
def state():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(open_clip.factory._MODEL_CONFIGS, "small", SMALL)
        return load_clip(CONFIG, random=True, seed=5).model.state_dict()


def local(path, **changes):
    return CONFIG.model_copy(update={"weights": str(path), **changes})


def assert_loads(path, state):
    clip = load_clip(local(path))
    for name, value in clip.model.state_dict().items():
        torch.testing.assert_close(value, state[name])
    return clip


def test_safetensors_are_read(tmp_path, state):
    save_file(state, tmp_path / "a.safetensors")
    assert_loads(tmp_path / "a.safetensors", state)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {"state_dict": {f"module.model.{name}": value for name, value in state.items()}},
        lambda state: {f"_orig_mod.{name}": value for name, value in state.items()},
        lambda state: {**state, "logit_scale": torch.tensor(4.6), "context_length": torch.tensor(77)},
    ],
    ids=["plain", "state_dict", "model and module", "module.model", "compiled", "with scale"],
)
def test_state_dicts_are_read_under_their_usual_wrappings(tmp_path, state, wrap):
    torch.save(wrap(state), tmp_path / "a.pt")
    assert_loads(tmp_path / "a.pt", state)


def test_equal_weights_have_equal_hashes_in_any_container_and_changed_ones_another(tmp_path, state):
    half = {name: value.half() for name, value in state.items()}
    save_file(half, tmp_path / "a.safetensors")
    torch.save({"state_dict": half | {"logit_scale": torch.tensor(1.0)}}, tmp_path / "b.pt")
    changed = half | {"visual.proj": half["visual.proj"] + 1}
    save_file(changed, tmp_path / "c.safetensors")
    first, same, other = (
        load_clip(local(tmp_path / name)).identity for name in ("a.safetensors", "b.pt", "c.safetensors")
    )
    assert first == same
    assert first.sha256 != other.sha256
    assert first.hash != other.hash


def test_positions_of_a_file_are_fitted_to_the_image_size_and_text_length(tmp_path, state):
    save_file(state, tmp_path / "a.safetensors")
    clip = load_clip(local(tmp_path / "a.safetensors", image_size=(96, 16), text_length=90))
    assert clip.model.visual.positional_embedding.shape == (1 + 12 * 2, 16)
    assert torch.equal(clip.model.visual.positional_embedding[0], state["visual.positional_embedding"][0])
    assert clip.model.positional_embedding.shape == (90, 8)
    assert clip.model.attn_mask.shape == (90, 90)


def test_weights_trained_at_the_wanted_size_are_taken_as_they_are(tmp_path):
    tall = CONFIG.model_copy(update={"image_size": (96, 16)})
    trained = load_clip(tall, random=True).model.state_dict()
    save_file(trained, tmp_path / "a.safetensors")
    clip = load_clip(local(tmp_path / "a.safetensors", image_size=(96, 16)))
    assert torch.equal(clip.model.visual.positional_embedding, trained["visual.positional_embedding"])


class Trap:
    """An object whose unpickling writes a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")
@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_pickle_that_carries_code_is_refused_and_does_not_run(tmp_path, save):
    save({"state_dict": Trap(tmp_path / "trapped")}, tmp_path / "a.pt")
    with pytest.raises(DataError, match=r"a\.pt.*safetensors"):
        weight_files.read_weights(tmp_path / "a.pt")
    assert not (tmp_path / "trapped").exists()


@pytest.fixture
def sparse():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.sparse_coo_tensor(torch.zeros(1, 1).long(), [1.0], (10**12,))


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
def test_sparse_tensors_are_refused(tmp_path, sparse):
    torch.save({"visual": sparse}, tmp_path / "a.pt")
    with pytest.raises(DataError, match=r"a\.pt.*is sparse"):
        weight_files.read_weights(tmp_path / "a.pt")


def endless():
    content = {"visual": torch.ones(1)}
    content["module"] = content
    return content


def doubled(levels=18):
    content = {"visual": torch.ones(1)}
    for _ in range(levels):
        content = {"a": content, "b": content}
    return content


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"visual": torch.ones(1).expand(10**12)}, "holds fewer"),
        ({"visual": torch.ones(2).as_strided((10**6, 10**6), (0, 0))}, "holds fewer"),
        ({"visual": torch.empty(10**12, device="meta")}, "sparse, quantised or without values"),
        (endless(), "more than 20 deep"),
        (doubled(), "more than 100,000 values"),
    ],
)
def test_a_small_file_of_endless_tensors_is_refused(tmp_path, content, told):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(DataError, match=rf"a\.pt.*{told}"):
        weight_files.read_weights(tmp_path / "a.pt")


def test_a_packed_archive_is_refused_before_it_unfolds(tmp_path):
    torch.save({"visual": torch.zeros(10**6)}, tmp_path / "whole.pt")
    with (
        zipfile.ZipFile(tmp_path / "whole.pt") as whole,
        zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    assert (tmp_path / "a.pt").stat().st_size < 100_000
    with pytest.raises(DataError, match=r"a\.pt cannot be used: 4,0.* bytes are packed into it"):
        weight_files.read_weights(tmp_path / "a.pt")


def test_a_pipe_in_place_of_weights_or_beside_them_is_not_waited_for(tmp_path, state):
    os.mkfifo(tmp_path / "a.pt")
    with pytest.raises(DataError, match="a named pipe"):
        weight_files.read_weights(tmp_path / "a.pt")
    os.mkfifo(tmp_path / "config.json")
    (tmp_path / "open_clip_config.json").write_text("[" * 100_000)
    save_file(state, tmp_path / "b.safetensors")
    assert load_clip(local(tmp_path / "b.safetensors"))


def scripted(path, state):
    """Save a TorchScript archive whose state dict is `state`, in float16 as OpenAI's are."""
    module = torch.nn.Module()
    for name, value in state.items():
        *parents, leaf = name.split(".")
        owner = module
        for parent in parents:
            if not hasattr(owner, parent):
                owner.add_module(parent, torch.nn.Module())
            owner = getattr(owner, parent)
        owner.register_buffer(leaf, value.half())
    torch.jit.save(torch.jit.script(module), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_script_archive_of_unknown_hash_is_refused_before_it_is_opened(tmp_path, state, monkeypatch):
    sha256 = scripted(tmp_path / "ViT-B-16.pt", state)
    monkeypatch.setattr(torch.jit, "load", lambda *a, **k: pytest.fail("opened the archive"))
    with pytest.raises(DataError, match=sha256):
        weight_files.read_weights(tmp_path / "ViT-B-16.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_published_archive_is_read_and_switches_quick_gelu_on(tmp_path, state, monkeypatch):
    sha256 = scripted(tmp_path / "openai.pt", state | {"context_length": torch.tensor(77)})
    monkeypatch.setattr(weight_files, "published_archives", lambda: {sha256: "openai.pt"})
    clip = assert_loads(tmp_path / "openai.pt", {name: value.half().float() for name, value in state.items()})
    assert clip.identity.quick_gelu
    assert "QuickGELU" in repr(clip.model.visual)
    save_file(state, tmp_path / "a.safetensors")
    assert "QuickGELU" not in repr(load_clip(local(tmp_path / "a.safetensors")).model)


def test_the_published_hashes_are_those_that_open_clip_lists():
    archives = weight_files.published_archives()
    assert archives["5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"] == "ViT-B-16.pt"
    assert {"ViT-L-14.pt", "RN50.pt"} <= set(archives.values())
    assert all(len(sha256) == 64 for sha256 in archives)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.bin"])
def test_a_broken_file_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"no weights at all")
    with pytest.raises(DataError, match=name):
        weight_files.read_weights(tmp_path / name)


def test_a_missing_file_and_a_file_without_tensors_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no weight file at .*gone\.pt"):
        load_clip(local(tmp_path / "gone.pt"))
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    with pytest.raises(DataError, match=r"empty\.pt contains no named tensors"):
        load_clip(local(tmp_path / "empty.pt"))


def test_weights_of_another_model_are_refused_with_what_does_not_fit(tmp_path, state):
    save_file(state | {"visual.proj": torch.zeros(3, 3)}, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match=r"does not contain the weights of small.*visual\.proj"):
        load_clip(local(tmp_path / "a.safetensors"))
    save_file(
        {name: value for name, value in state.items() if "ln_post" not in name}, tmp_path / "b.safetensors"
    )
    with pytest.raises(UsageError, match="ln_post"):
        load_clip(local(tmp_path / "b.safetensors"))


def in_hub(tmp_path, repository, file):
    """Lay a file into a Hugging Face cache as the hub client does."""
    folder = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
    place = folder / "snapshots" / "c0ffee" / file
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("c0ffee")
    return place


@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_the_hugging_face_cache_is_looked_in(tmp_path, file):
    place = in_hub(tmp_path, "timm/vit_base_patch16_clip_224.openai", file)
    for name in ("ViT-B-16", "ViT-B-16-quickgelu"):
        assert weights.locate(name, "openai") == place


def test_the_cache_of_openai_is_looked_in(tmp_path):
    place = tmp_path / "home" / ".cache" / "clip" / "ViT-B-16.pt"
    assert weights.find_cached("ViT-B-16", "openai") is None
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x")
    assert weights.locate("ViT-B-16", "openai") == place


def test_the_openai_tag_switches_quick_gelu_on_and_laion_leaves_it_off(tmp_path, state, monkeypatch):
    save_file(state, tmp_path / "a.safetensors")
    monkeypatch.setattr(weights, "find_cached", lambda name, tag: tmp_path / "a.safetensors")
    for tag, quick in (("openai", True), ("laion2b_s34b_b88k", False)):
        assert weights.load_weights(BackboneConfig(name="ViT-B-16", pretrained=tag)).quick_gelu is quick


def test_offline_with_nothing_cached_one_message_names_every_way_out(tmp_path):
    with pytest.raises(DataError) as caught:
        load_clip(BackboneConfig())
    text = str(caught.value)
    for part in (
        "'openai' of ViT-B-16-quickgelu",
        str(tmp_path / "home" / ".cache" / "clip" / "ViT-B-16.pt"),
        str(tmp_path / "hub"),
        "timm/vit_base_patch16_clip_224.openai",
        "--set backbone.weights=FILE",
        "--synthetic",
        "harness methods info",
        "HF_HUB_OFFLINE",
    ):
        assert part in text
    assert caught.value.exit_code == 2


@pytest.fixture
def online(monkeypatch):
    """Say yes to the question whether the hub can be reached, without asking it."""
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights, "urlopen", lambda request, timeout: io.BytesIO())


def test_a_hub_that_cannot_be_reached_is_said_so_at_once(online, monkeypatch):
    def refuse(request, timeout):
        raise urllib.error.URLError("connection refused")

    monkeypatch.setattr(weights, "urlopen", refuse)
    with pytest.raises(DataError, match=r"https://huggingface\.co cannot be reached: .*connection refused"):
        weights.locate("ViT-B-16", "openai")


def test_a_hub_that_answers_with_a_refusal_is_reachable(online, monkeypatch):
    def forbid(request, timeout):
        raise urllib.error.HTTPError(request.full_url, 403, "forbidden", None, None)

    monkeypatch.setattr(weights, "urlopen", forbid)
    monkeypatch.setattr(open_clip, "download_pretrained", lambda cfg: "fetched")
    assert weights.locate("ViT-B-16", "openai").name == "fetched"


def test_a_download_that_fails_ends_in_the_same_message(online, monkeypatch, caplog):

    def fail(cfg):
        raise RuntimeError("no route to host")

    monkeypatch.setattr(open_clip, "download_pretrained", fail)
    with pytest.raises(DataError, match="no route to host"):
        load_clip(BackboneConfig())
    assert "Fetching the weights openai" in caplog.text


def test_a_download_goes_through_open_clip(online, tmp_path, monkeypatch):
    monkeypatch.setattr(
        open_clip, "download_pretrained", lambda cfg: str(tmp_path / cfg["hf_hub"].strip("/"))
    )
    place = weights.locate("ViT-B-16", "datacomp_xl_s13b_b90k")
    assert place == tmp_path / "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "vit-b-16-quickgelo"}, "Did you mean 'ViT-B-16-quickgelu'"),
        ({"name": "ViT-B-16", "pretrained": "opnai"}, "Did you mean 'openai'"),
        ({"name": "tiny", "pretrained": "openai"}, "Known: shapes"),
    ],
)
def test_unknown_names_get_the_nearest_match(changes, message):
    with pytest.raises(UsageError, match=message):
        load_clip(BackboneConfig(**changes))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_that_are_not_finite_are_refused_with_file_and_tensor(tmp_path, state, value, kind):
    broken = {name: tensor.to(kind) for name, tensor in state.items()}
    broken["ln_final.bias"] = broken["ln_final.bias"].clone()
    broken["ln_final.bias"][3] = value
    torch.save({"model": {f"module.{name}": tensor for name, tensor in broken.items()}}, tmp_path / "a.pt")
    with pytest.raises(DataError, match=r"a\.pt.* ln_final\.bias holds 1 value of 8 that is not finite"):
        load_clip(local(tmp_path / "a.pt"))


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.complex64, torch.int64, torch.bool])
def test_a_tensor_of_a_type_that_holds_no_weights_is_refused(tmp_path, state, kind):
    file = tmp_path / "a.pt"
    torch.save({**state, "visual.proj": state["visual.proj"].to(kind)}, file)
    told = (
        rf"a\.pt cannot be used: its tensor visual\.proj is of the type {str(kind)[6:]}.* float16 or float32"
    )
    with pytest.raises(DataError, match=told):
        load_clip(local(file))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_other_floats_and_whole_numbers_beside_the_weights_are_read(tmp_path, state, kind):
    beside = {"context_length": torch.tensor(77), "visual.position_ids": torch.arange(4)}
    torch.save({**{name: value.to(kind) for name, value in state.items()}, **beside}, tmp_path / "a.pt")
    load_clip(local(tmp_path / "a.pt"))


@pytest.mark.parametrize("name", ["visual.positional_embedding", "positional_embedding"])
@pytest.mark.parametrize("cut", [lambda rows: rows[:0], lambda rows: rows[0], lambda rows: rows[0, 0]])
def test_positions_that_are_no_table_are_refused_with_their_shape(tmp_path, state, name, cut):
    positions = cut(state[name]).clone()
    torch.save({**state, name: positions}, tmp_path / "a.pt")
    with pytest.raises(
        UsageError, match=rf"a\.pt: {name} has the shape {re.escape(str(list(positions.shape)))}"
    ):
        load_clip(local(tmp_path / "a.pt"))


def test_what_is_not_finite_beside_the_model_does_not_matter(tmp_path, state):
    mask = torch.full((77, 77), -torch.inf).triu(1)
    torch.save({**state, "attn_mask": mask, "optimizer": {"state": {0: mask}}}, tmp_path / "a.pt")
    assert_loads(tmp_path / "a.pt", state)


def test_weights_that_are_all_zero_are_refused(tmp_path, state):
    torch.save({name: torch.zeros_like(tensor) for name, tensor in state.items()}, tmp_path / "a.pt")
    with pytest.raises(DataError, match=r"a\.pt cannot be used: all values of its \d+ tensors are zero"):
        load_clip(local(tmp_path / "a.pt"))


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors", "a.bin"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
        (b"", "empty file"),
        (b"PK\x05\x06" + bytes(18), "zip archive"),
    ],
)
def test_what_is_no_weight_file_is_named_with_the_way_out(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} holds no weights.*{words}"):
        load_clip(local(tmp_path / name))


def test_a_folder_is_no_weight_file(tmp_path):
    with pytest.raises(DataError, match="a folder, not a file"):
        load_clip(local(tmp_path))


def test_what_is_in_a_file_counts_and_not_its_ending(tmp_path, state):
    save_file(state, tmp_path / "a.pt")
    torch.save(state, tmp_path / "b.safetensors")
    for name in ("a.pt", "b.safetensors"):
        assert_loads(tmp_path / name, state)


def test_a_grid_that_fits_several_shapes_is_named(tmp_path):
    tall = CONFIG.model_copy(update={"image_size": (96, 16)})
    save_file(load_clip(tall, random=True).model.state_dict(), tmp_path / "a.safetensors")
    said = load_clip(local(tmp_path / "a.safetensors", image_size=(96, 16))).notes[-1]
    assert "24 patches" in said
    assert (
        "12x2 (height by width) is assumed, as backbone.image_size has it; 8x3, 6x4, 4x6, 3x8 would fit"
        in said
    )


def test_of_the_models_own_grid_nothing_is_said(tmp_path, state):
    save_file(state, tmp_path / "a.safetensors")
    notes = load_clip(local(tmp_path / "a.safetensors", image_size=(96, 16))).notes
    assert not any("patches" in note for note in notes)
