"""What a backbone is fed by default is what open_clip says of model and tag; CLIP gets what the papers feed it."""

import open_clip
import pytest
import torch
from open_clip.transform import image_transform
from PIL import Image
from torch.nn.functional import cosine_similarity

from harness.clip.model import load_clip
from harness.clip.own_input import with_own_input
from harness.config.pixels import STATISTICS
from harness.config.sections import BackboneConfig
from harness.images.augment import Augment
from harness.images.decoding import decode
from tests.small_clip import SMALL, register


def fed(name, pretrained, **changes):
    own = with_own_input(BackboneConfig(name=name, pretrained=pretrained, **changes))
    return own.text_length, own.normalisation, own.interpolation


@pytest.mark.parametrize(
    ("name", "tag", "wanted"),
    [
        ("ViT-B-16-quickgelu", "openai", (77, "clip", "bilinear")),
        ("RN50", "openai", (77, "clip", "bilinear")),
        ("ViT-B-16", "laion2b_s34b_b88k", (77, "clip", "bilinear")),
        ("tiny", "shapes", (77, "clip", "bilinear")),
        ("ViT-L-14", "laion2b_s32b_b82k", (77, "half", "bilinear")),
        ("ViT-B-16-SigLIP", "webli", (64, "half", "bicubic")),
        ("ViT-L-14-CLIPA", "datacomp1b", (32, "imagenet", "bilinear")),
        ("MobileCLIP-S1", "datacompdr", (77, "unit", "bilinear")),
        ("ViT-H-14", "dfn5b", (77, "clip", "bicubic")),
        ("PE-Core-T-16-384", "meta", (32, "half", "bilinear")),
        ("ViT-B-16-SigLIP", None, (64, "half", "bicubic")),
    ],
)
def test_the_input_is_that_of_model_and_tag(name, tag, wanted):
    assert fed(name, tag) == wanted


def test_a_local_file_gets_what_all_tags_of_the_model_share():
    assert fed("ViT-B-16-SigLIP", "openai", weights="a.pt") == (64, "half", "bicubic")
    assert fed("ViT-L-14", "openai", weights="a.pt") == (77, "clip", "bilinear")


def test_what_is_chosen_stays():
    chosen = BackboneConfig(
        name="ViT-B-16-SigLIP",
        pretrained="webli",
        text_length=77,
        normalisation="clip",
        interpolation="bilinear",
    )
    assert with_own_input(chosen) == chosen


def test_no_tag_of_open_clip_is_normalised_otherwise_than_it_was_trained():
    for name, tag in open_clip.list_pretrained():
        said = open_clip.get_pretrained_cfg(name, tag)
        length, normalisation, interpolation = fed(name, tag)
        assert STATISTICS[normalisation] == (tuple(said["mean"]), tuple(said["std"])), (name, tag)
        assert length == open_clip.get_model_config(name)["text_cfg"].get("context_length", 77)
        if said["resize_mode"] == "squash":
            assert interpolation == said["interpolation"], (name, tag)


@pytest.mark.parametrize(("name", "tag"), [("ViT-B-16-SigLIP", "webli"), ("ViT-L-14-CLIPA", "datacomp1b")])
def test_pixels_of_a_squashed_picture_equal_those_of_open_clips_own_preprocessing(tmp_path, name, tag):
    file = tmp_path / "a.png"
    Image.effect_noise((90, 200), 80).convert("RGB").save(file)
    own = with_own_input(BackboneConfig(name=name, pretrained=tag))
    said = open_clip.get_pretrained_cfg(name, tag)
    theirs = image_transform(
        (224, 224),
        is_train=False,
        mean=said["mean"],
        std=said["std"],
        interpolation=said["interpolation"],
        resize_mode=said["resize_mode"],
    )(Image.open(file))
    pixels = torch.from_numpy(decode(file, (224, 224), own.interpolation))[None]
    ours = Augment(None, (224, 224), own.normalisation).normalise(pixels)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [20, 64, 77])
def test_text_embeddings_at_the_default_length_are_those_of_the_native_model(monkeypatch, tmp_path, length):
    text = SMALL["text_cfg"] | {"context_length": length}
    register(monkeypatch, "short", text_cfg=text)
    torch.manual_seed(2)
    native = open_clip.create_model("short").eval()
    with torch.no_grad():
        native.positional_embedding.mul_(20)
    torch.save(native.state_dict(), tmp_path / "a.pt")
    clip = load_clip(BackboneConfig(name="short", image_size=(32, 32), weights=str(tmp_path / "a.pt")))
    captions = ["a man in a red coat", "a woman " + "with a bag " * 40]
    tokens = open_clip.get_tokenizer("short")(captions)
    with torch.no_grad():
        wanted, got = native.encode_text(tokens), clip.encode_text(clip.tokenize(captions))
    assert clip.text_length == length
    assert torch.equal(clip.tokenize(captions), tokens)
    torch.testing.assert_close(cosine_similarity(got, wanted), torch.ones(2))
    assert not any("interpolated" in note for note in clip.notes)


def test_interpolated_text_positions_are_said(monkeypatch, tmp_path):
    register(monkeypatch, "short", text_cfg=SMALL["text_cfg"] | {"context_length": 20})
    torch.save(open_clip.create_model("short").state_dict(), tmp_path / "a.pt")
    config = BackboneConfig(name="short", image_size=(32, 32), weights=str(tmp_path / "a.pt"), text_length=30)
    said = [note for note in load_clip(config).notes if "interpolated" in note]
    assert len(said) == 1
    assert "text_length=30" in said[0]
    assert " 20," in said[0]
