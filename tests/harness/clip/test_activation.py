"""Which activation weights get: by what is asked for, the tag, the three keys, a config beside, a published hash."""

import hashlib
import json

import pytest
import torch

from harness.clip import activation
from harness.clip.activation import published_by_hash
from harness.clip.model import load_clip
from tests.small_clip import local, random_state, register

KEYS = {
    "input_resolution": torch.tensor(32),
    "context_length": torch.tensor(77),
    "vocab_size": torch.tensor(49408),
}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    register(monkeypatch)


@pytest.fixture
def file(tmp_path):
    torch.save(random_state(), tmp_path / "a.pt")
    return tmp_path / "a.pt"


def has_quick_gelu(clip):
    assert ("QuickGELU" in repr(clip.model)) == clip.identity.quick_gelu
    return clip.identity.quick_gelu


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"model": {f"module.{k}": v for k, v in s.items()}}])
def test_openais_three_keys_mean_quick_gelu_for_a_plain_name(file, wrap):
    torch.save(wrap(random_state() | KEYS), file)
    clip = load_clip(local(file))
    assert has_quick_gelu(clip)
    assert clip.notes == []


@pytest.mark.parametrize("by_name", [False, True])
def test_where_nothing_says_so_the_name_decides_and_the_choice_is_shown(monkeypatch, file, by_name):
    register(monkeypatch, quick_gelu=by_name)
    clip = load_clip(local(file))
    assert has_quick_gelu(clip) is by_name
    assert f"{'QuickGELU' if by_name else 'GELU'} is assumed" in clip.notes[0]
    chosen = clip.notes[0].rpartition("backbone.quick_gelu=")[2].rstrip(".")
    other = load_clip(local(file, quick_gelu={"true": True, "false": False}[chosen]))
    assert has_quick_gelu(other) is not by_name
    assert other.notes == []


@pytest.mark.parametrize("quick", [False, True])
def test_what_is_asked_for_wins_over_keys_and_name(monkeypatch, file, quick):
    register(monkeypatch, quick_gelu=not quick)
    torch.save(random_state() | KEYS, file)
    assert has_quick_gelu(load_clip(local(file, quick_gelu=quick))) is quick
    assert has_quick_gelu(load_clip(local(file, weights=None, quick_gelu=quick), random=True)) is quick


@pytest.mark.parametrize(
    ("name", "content", "quick"),
    [
        ("open_clip_config.json", {"model_cfg": {"quick_gelu": True}}, True),
        ("open_clip_config.json", {"model_cfg": {}}, False),
        ("config.json", {"model_type": "clip", "text_config": {}, "vision_config": {}}, True),
        ("config.json", {"model_type": "bert"}, None),
    ],
)
def test_a_config_beside_the_weights_decides(file, name, content, quick):
    file.with_name(name).write_text(json.dumps(content))
    clip = load_clip(local(file))
    assert has_quick_gelu(clip) is bool(quick)
    assert bool(clip.notes) == (quick is None)


@pytest.mark.parametrize("quick", [False, True])
def test_a_published_hash_decides(monkeypatch, file, quick):
    register(monkeypatch, quick_gelu=not quick)
    short = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(activation, "published_by_hash", lambda: {short: quick})
    clip = load_clip(local(file))
    assert has_quick_gelu(clip) is quick
    assert clip.notes == []


def test_a_published_file_of_openai_decides_by_its_whole_hash(monkeypatch, file):
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(activation, "published_archives", lambda: {sha256: "ViT-B-32.pt"})
    assert has_quick_gelu(load_clip(local(file)))


def test_the_hashes_in_published_addresses_are_those_of_open_clip():
    known = published_by_hash()
    assert known["46683a32"] is True, "vit_b_32-quickgelu-laion400m_e32"
    assert known["55e67d44"] is False, "vit_b_16-laion400m_e32"
