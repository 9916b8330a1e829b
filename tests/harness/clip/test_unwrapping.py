"""A CLIP is found among a checkpoint's tensors under any wrapping, beside anything else, and nothing of it is lost."""

import pytest
import torch

from harness.clip.model import load_clip
from harness.clip.unwrapping import clip_of, flattened, unwrapped
from harness.clip.weight_files import read_weights
from harness.errors import UsageError
from tests.small_clip import local, random_state, register


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    register(monkeypatch)


@pytest.fixture
def state():
    return random_state()


def under(beginning, state):
    return {beginning + name: value for name, value in state.items()}


OPTIMISER = {"state": {0: {"exp_avg": torch.ones(3), "step": torch.tensor(7)}}, "param_groups": [{"lr": 0.1}]}

WRAPPINGS = {
    "module": lambda s: under("module.", s),
    "compiled and distributed": lambda s: under("_orig_mod.module.", s),
    "distributed and compiled": lambda s: {"state_dict": under("module._orig_mod.", s)},
    "lightning": lambda s: {"state_dict": under("model.net.", s), "epoch": 3, "hyper_parameters": {"lr": 1}},
    "net": lambda s: under("net.", s),
    "ema": lambda s: {"ema": under("module.", s), "optimizer": OPTIMISER},
    "averaged model": lambda s: under("module.", s) | {"n_averaged": torch.tensor(9)},
    "three deep": lambda s: {"checkpoint": {"student": {"backbone": under("clip.module.", s)}}},
    "a method's": lambda s: {"model": under("base_model.", s) | {"classifier.weight": torch.randn(9, 16)}},
    "optimiser and epoch beside": lambda s: s | {"optimizer": OPTIMISER, "epoch": torch.tensor(3)},
    "heads beside": lambda s: (
        s | {"classifier.weight": torch.randn(4, 16), "mlm_head.fc.bias": torch.ones(2)}
    ),
    "with OpenAI's keys": lambda s: under("module.", s | {"context_length": torch.tensor(77)}),
    "prefixes and strays": lambda s: (
        under("model.module.", s)
        | {
            "criterion.centers": torch.ones(3, 3),
            "model.head.weight": torch.ones(2, 2),
            "scaler": torch.ones(1),
        }
    ),
}


@pytest.mark.parametrize("name", WRAPPINGS)
def test_the_same_weights_are_found_under_any_wrapping(tmp_path, state, name):
    torch.save(WRAPPINGS[name](state), tmp_path / "a.pt")
    torch.save(state, tmp_path / "plain.pt")
    clip = load_clip(local(tmp_path / "a.pt"))
    for key, value in clip.model.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert clip.identity.sha256 == load_clip(local(tmp_path / "plain.pt")).identity.sha256


@pytest.mark.parametrize("average", ["ema", "model_ema", "teacher"])
def test_of_a_model_and_its_average_the_model_is_taken_and_that_is_said(tmp_path, state, average):
    other = {name: value + 1 for name, value in state.items()}
    torch.save({average: other, "model": under("module.", state)}, tmp_path / "a.pt")
    clip = load_clip(local(tmp_path / "a.pt"))
    assert torch.equal(clip.model.visual.proj, state["visual.proj"])
    assert any("holds 2 models" in note and "model.module is taken" in note for note in clip.notes)


def test_what_is_inside_the_towers_and_unknown_is_not_dropped(tmp_path, state):
    more = {"visual.transformer.resblocks.2.ln_1.weight": torch.ones(16)}
    torch.save(under("module.", state | more), tmp_path / "a.pt")
    with pytest.raises(UsageError, match=r"resblocks\.2"):
        load_clip(local(tmp_path / "a.pt"))


def test_a_methods_own_tensors_stay_for_its_map(tmp_path, state):
    content = {"model": under("module.base_model.", state) | {"module.classifier.weight": torch.ones(3, 16)}}
    torch.save(content | {"optimizer": OPTIMISER}, tmp_path / "a.pt")
    found = read_weights(tmp_path / "a.pt").state
    assert found.keys() == {*under("base_model.", state), "classifier.weight"}


def test_without_a_clip_only_what_all_names_share_is_taken_off():
    one = torch.ones(1)
    assert unwrapped({"module.model.ctx": one, "module.model.b": one}).state.keys() == {"ctx", "b"}
    assert unwrapped({"model.ctx": one, "head.b": one}).state.keys() == {"model.ctx", "head.b"}


@pytest.mark.parametrize("beginning", ["", "module.", "model.base_model."])
def test_openai_is_known_by_all_three_keys_wherever_they_are(beginning):
    keys = {"input_resolution", "context_length", "vocab_size"}
    tensors = {name: torch.tensor(1) for name in keys} | {
        "visual.proj": torch.ones(2, 2),
        "token_embedding.weight": torch.ones(2, 2),
    }
    assert unwrapped(under(beginning, tensors)).openai
    assert not keys & {name.rpartition(".")[2] for name in unwrapped(under(beginning, tensors)).state}
    del tensors["vocab_size"]
    assert not unwrapped(under(beginning, tensors)).openai


def test_mappings_are_flattened_and_layouts_that_are_not_known_stay_as_they_are():
    one = torch.ones(1)
    assert flattened({"a": {"b": {0: one}}, "c": 3, "d": [one]}).keys() == {"a.b.0"}
    assert clip_of({"image_encoder.x": one, "text_encoder.y": one}).keys() == {
        "image_encoder.x",
        "text_encoder.y",
    }
