"""What counting a method's operations without weights takes, beside PyTorch alone, which works out each shape anew."""

from contextlib import nullcontext
from unittest.mock import patch

from benchmarks.common import Outcome, claim, cpu_seconds, outcome
from harness.presets.resolve import resolve
from harness.run.job import outline
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
        seconds["known"] += known
        seconds["anew"] += anew
    return outcome(
        "Counting operations without weights, five methods on ViT-B/16",
        "python -m benchmarks counting",
        [claim("processor time", seconds["known"] / seconds["anew"], unit="x", at_most=AT_MOST)],
        seconds=seconds,
    )


def _counted(name: str) -> tuple[dict[str, int], float]:
    """Return a method's counts, and the processor's seconds that they took."""
    config = resolve(name, "icfg")
    method, found = outline(config), {}

    def count() -> None:
        found.update(cost.training_flops(method) | cost.pair_flops(method, config.train.compared))
        found.update(cost.inference_flops(method))

    return found, cpu_seconds(count)
