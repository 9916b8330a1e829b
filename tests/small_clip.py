"""A CLIP of one thousandth the size, made known to open_clip for as long as a test runs, and files of its weights."""

import open_clip
import torch

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig

SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 2},
}
CONFIG = BackboneConfig(name="small", pretrained=None, image_size=(32, 32))


def register(monkeypatch, name="small", **changes):
    """Make a small model known by a name; `changes` replace parts of its config."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, SMALL | changes)


def random_state(seed=5):
    """Return random weights of the registered model, biases and scales included."""
    state = load_clip(CONFIG, random=True, seed=seed).model.state_dict()
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value + 0.1 * torch.randn(value.shape, generator=generator) for name, value in state.items()
    }


def local(path, **changes):
    """Return the config of the small model with its weights in a file."""
    return CONFIG.model_copy(update={"weights": str(path), **changes})
