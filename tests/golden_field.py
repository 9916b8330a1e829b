"""Weights and inputs of golden values: integers decide them, so that they are the same on any machine and version."""

import open_clip
import torch

from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.methods import METHODS
from tests import authors_files

# Heads are 64 wide in the image tower, as the authors' code has them.
CONFIG = {
    "embed_dim": 8,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 128, "head_width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 200, "width": 64, "heads": 2, "layers": 3},
}
OPTIONS = {"up_person": {"rank": 3, "length": 4}}
ENDS = (5, 30, 76)
IDENTITIES = torch.tensor([0, 1, 1])


def numbers(shape, salt):
    """Return values in [-1, 1) of any shape, from integers alone."""
    count = torch.Size(shape).numel()
    n = (torch.arange(count) + 1) * 1_103_515_245 + salt * 40_503
    for shift in (13, 17, 5):
        n = (n ^ (n >> shift)) * 69_069 % 2**31
    return (n.double() / 2**30 - 1).float().reshape(shape)


def golden_clip():
    """Return the small CLIP, known to open_clip only while it is made."""
    open_clip.factory._MODEL_CONFIGS["golden"] = CONFIG
    try:
        return load_clip(BackboneConfig(name="golden", pretrained=None, image_size=(32, 16)))
    finally:
        del open_clip.factory._MODEL_CONFIGS["golden"]


def golden_state(method, clip):
    """Return a checkpoint in the authors' names; vectors stay near what they start from, so that all matters."""
    state = getattr(authors_files, method)(clip, **OPTIONS.get(method, {}))
    drawn = {}
    for salt, (name, value) in enumerate(sorted(state.items())):
        spread = 0.5 if value.dim() < 2 else 1.5 / value.shape[-1] ** 0.5
        start = float((name.endswith("weight") and value.dim() == 1) or not value.dim())
        same = next((other for other in drawn if state[other] is value), None)
        drawn[name] = drawn[same] if same else start + spread * numbers(value.shape, salt)
    return drawn


def golden_method(name, **fields):
    """Return a method with the golden weights, as an import gives it them, and their state in the authors' names."""
    clip, method_class = golden_clip(), METHODS.get(name)
    state = golden_state(name, clip)
    method = method_class(clip, method_class.Config(name=name, **fields))
    method.load_state_dict(method_class.imported(state))
    return method, state


def _tokens():
    tokens = torch.zeros(len(ENDS), 77, dtype=torch.long)
    for row, end in enumerate(ENDS):
        words = (numbers((end,), 900 + row) + 1) * 90 + 3
        tokens[row, :end] = words.long()
        tokens[row, 0], tokens[row, end] = 198, 199
    return tokens


IMAGES = 1.5 * numbers((3, 3, 32, 16), 901)
TOKENS = _tokens()
