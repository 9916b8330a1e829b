"""Small random CLIPs and batches for the tests of methods."""

import json

import open_clip
import pytest
import torch

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.method_parts.batch import Batch
from harness.methods import METHODS

NARROW = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 12, "width": 32, "head_width": 8, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 200, "width": 24, "heads": 3, "layers": 12},
}
SHALLOW = {
    **NARROW,
    "vision_cfg": {**NARROW["vision_cfg"], "layers": 4},
    "text_cfg": {**NARROW["text_cfg"], "layers": 2},
}
EOS = 199
# What a method's defaults have too much of for a model so small.
FITTING = {"adaptformer": {"bottleneck": 8}, "houlsby": {"bottleneck": 8}, "up_person": {"rank": 4}}


@pytest.fixture(autouse=True)
def _one_thread():
    """Small products are quicker without a second thread to wait for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def _known_models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, config in {"narrow": NARROW, "shallow": SHALLOW}.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)


@pytest.fixture(scope="session")
def build():
    """Return a maker of methods on a small CLIP with lively random weights: every weight matters."""

    def make(name, backbone="narrow", seed=0, device="cpu", **fields):
        clip = load_clip(BackboneConfig(name=backbone, pretrained=None, image_size=(32, 16)), seed=seed)
        torch.manual_seed(seed)
        _enliven(clip)
        method_class = METHODS.get(name)
        return method_class(clip, method_class.Config(name=name, **FITTING.get(name, {}) | fields))

    return make


@pytest.fixture
def irra(build):
    """Return IRRA on a small CLIP with many words to guess."""
    return build("irra", backbone="shallow", n_identities=5, mask_share=0.5)


@pytest.fixture(scope="session")
def blueprint():
    """Return a maker of methods on ViT-B/16 at 384x128 without numbers, for counts."""
    sized = {"pretrained": None, "image_size": (384, 128)}

    def make(name, **fields):
        clip = load_clip(BackboneConfig(name="ViT-B-16-quickgelu", **sized), device="meta")
        with torch.device("meta"):
            return METHODS.get(name)(clip, METHODS.get(name).Config(name=name, **fields))

    return make


@pytest.fixture(scope="session")
def enliven():
    return _enliven


@torch.no_grad()
def _enliven(module):
    """Give all vectors and small matrices random values, so that a forgotten one shows."""
    for name, parameter in module.named_parameters():
        if parameter.dim() < 2:
            parameter.normal_(mean=float("weight" in name), std=0.3)


@pytest.fixture(scope="session")
def captions():
    """Return a maker of token ids [n, 77] whose EOS stands at the given places."""

    def make(*ends, length=77):
        tokens = torch.zeros(len(ends), length, dtype=torch.long)
        generator = torch.Generator().manual_seed(1)
        for row, end in zip(tokens, ends, strict=True):
            row[0] = 198
            row[1:end] = torch.randint(1, 190, (end - 1,), generator=generator)
            row[end] = EOS
        return tokens

    return make


@pytest.fixture
def batch(captions):
    """Return six pairs of four persons, with every view that a method may ask for."""
    generator = torch.Generator().manual_seed(2)
    images, view, *contrast = torch.randn(4, 6, 3, 32, 16, generator=generator)
    identities = torch.tensor([0, 1, 1, 2, 3, 0])
    return Batch(
        images,
        captions(4, 6, 9, 5, 7, 3, length=10),
        identities,
        image_views=(view,),
        token_views=(captions(5, 4, 3, 6, 3, 4, length=10),),
        contrast_views=tuple(contrast),
        seed=11,
    )
