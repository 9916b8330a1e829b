"""What keeping the frozen parts of towers saves: step time and peak memory, against the same method with nothing kept.

On the CLIP and the batch of `method_steps`. What computing the parts once costs is no part of a step.
"""

import statistics

import torch

from benchmarks.common import Outcome, claim, outcome
from benchmarks.method_steps import CONFIG, N_PAIRS, compared, peak_bytes, prepare

NOTHING = "train.keep_frozen=off"
FIXED = tuple(f"train.augment.{name}=0" for name in ("flip", "pad", "erase"))
CASES = {
    "side_network, captions kept": ("side_network", ()),
    "side_network, captions and pictures kept": ("side_network", FIXED),
    "vpt, captions kept": ("vpt", ()),
    "coop, pictures kept": ("coop", FIXED),
    "linear_probe, both kept": ("linear_probe", ()),
}


def run() -> Outcome:
    """Time each case's step in turn with that of the same method with nothing kept."""
    torch.set_num_threads(1)
    claims, facts = [], {"pairs": N_PAIRS, "model": CONFIG.name, "image_size": list(CONFIG.image_size)}
    for case, (name, overrides) in CASES.items():
        own, reference = prepare(name, *overrides), prepare(name, NOTHING)
        ratios, seconds = compared(own, reference)
        peak, whole = peak_bytes(*own), peak_bytes(*reference)
        claims += [
            claim(f"{case}: step", statistics.median(ratios), unit="x", at_most=1),
            claim(f"{case}: peak memory of a step", peak / whole, unit="x"),
        ]
        facts[case] = {"step_ms": 1000 * statistics.median(seconds), "peak_mb": peak / 1e6}
    return outcome(
        "Step with frozen parts of towers kept, against nothing kept",
        "python -m benchmarks frozen_towers",
        claims,
        **facts,
    )
