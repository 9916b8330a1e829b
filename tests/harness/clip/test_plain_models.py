"""The models that are named as taking injections are those that do."""

import open_clip
import pytest

from harness.clip.model import load_clip
from harness.clip.plain_models import plain_models
from harness.config.sections import BackboneConfig

SOME = ("tiny", "ViT-B-32", "ViT-S-16-alt", "RN50", "coca_base", "ViT-B-16-SigLIP", "ViT-L-14-CLIPA")


def takes(name):
    return load_clip(
        BackboneConfig(name=name, pretrained=None, image_size=(224, 224)), device="meta"
    ).injectable


@pytest.mark.parametrize("name", SOME)
def test_of_some_models_it_is_true(name):
    assert (name in plain_models()) == takes(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*open_clip.list_models()} - {*SOME}))
def test_of_every_model_it_is_true(name):
    if "hf_model_name" in open_clip.get_model_config(name)["text_cfg"]:
        assert name not in plain_models()
    else:
        assert (name in plain_models()) == takes(name)
