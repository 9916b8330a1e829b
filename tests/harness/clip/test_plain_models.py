"""Every model of open_clip is built once: those named as taking injections do, each reads text of its own length."""

import open_clip
import pytest

from harness.clip.model import load_clip
from harness.clip.own_input import own_text_length
from harness.clip.plain_models import plain_models
from harness.config.sections import BackboneConfig

SOME = {
    "tiny": True,
    "ViT-B-32": True,
    "ViT-S-16-alt": True,
    "RN50": False,
    "coca_base": False,
    "ViT-L-14-CLIPA": False,
    "ViT-B-16-SigLIP": True,
    "ViT-B-16-SigLIP2": True,
    "ViT-SO400M-16-SigLIP-i18n-256": True,
    "EVA02-B-16": True,
    "EVA01-g-14": True,
    "PE-Core-B-16": True,
    "MobileCLIP2-L-14": False,
    "vit_medium_patch16_gap_256": False,
    "convnext_tiny": False,
}


def built(name):
    """Return a model without weights, which reads text of its own length."""
    clip = load_clip(BackboneConfig(name=name, pretrained=None, image_size=(384, 192)), device="meta")
    assert clip.text_length == own_text_length(name)
    assert getattr(clip.model, "text", clip.model).context_length == clip.text_length
    return clip


@pytest.mark.parametrize("name", SOME)
def test_of_some_models_it_is_true(name):
    assert built(name).injectable == (name in plain_models()) == SOME[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*open_clip.list_models()} - {*SOME}))
def test_of_every_model_it_is_true(name):
    if "hf_model_name" in open_clip.get_model_config(name)["text_cfg"]:
        assert name not in plain_models()
    else:
        assert (name in plain_models()) == built(name).injectable
