"""What counting a method's operations without weights takes, beside PyTorch alone, which works out each shape anew."""

from contextlib import nullcontext
from unittest.mock import patch

import torch

from benchmarks.common import Outcome, claim, cpu_seconds, outcome
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig, TrainConfig
from harness.methods import METHODS, Method
from harness.train import cost

NAMES = ("cskt", "full_finetune", "irra", "linear_probe", "tbps_clip")
AT_MOST = 0.6


def run() -> Outcome:
    """Count some methods on ViT-B/16 both ways in turn; both must count the same."""
    seconds, counts = {"known": 0.0, "anew": 0.0}, {}
    for name in NAMES:
        counts["known", name], known = _counted(name)
        with patch.object(cost, "KnownShapes", nullcontext):
            counts["anew", name], anew = _counted(name)
        if counts["known", name] != counts["anew", name]:
            raise AssertionError(f"{name} is counted as {counts}")
        seconds = {"known": seconds["known"] + known, "anew": seconds["anew"] + anew}
    return outcome(
        "Counting operations without weights, five methods on ViT-B/16",
        "python -m benchmarks counting",
        [claim("processor time", seconds["known"] / seconds["anew"], unit="x", at_most=AT_MOST)],
        seconds=seconds,
    )


def _counted(name: str) -> tuple[dict[str, int], float]:
    """Return a method's counts, and the processor's seconds that they took."""
    method, found = _blueprint(name), {}

    def count() -> None:
        found.update(cost.training_flops(method) | cost.pair_flops(method, TrainConfig().compared))
        found.update(cost.inference_flops(method))

    return found, cpu_seconds(count)


def _blueprint(name: str) -> Method:
    clip = load_clip(BackboneConfig(pretrained=None), device="meta")
    method_class = METHODS.get(name)
    with torch.device("meta"):
        return method_class(clip, method_class.Config(name=name))
