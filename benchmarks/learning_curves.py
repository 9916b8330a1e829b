"""Learning curves at tiny scale: validation R@1 of each trained method by epoch, under `tiny` and `tiny_long`.

    python -m benchmarks.learning_curves [--processes 2] [--methods NAME[:PRESET] ...]

Each method trains on the synthetic ICFG twin with one seed and the rates of the shipped presets; runs that are finished
in the runs folder are read, not repeated. The zero-shot figure on that validation split comes with its interval over
identities. Written are `results/learning_curves.json`, where methods that were not trained this time stay as they were,
and the picture `results/learning_curves.png`. `make bench` leaves it out.
"""

import argparse
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.__main__ import RESULTS, save, write_table
from benchmarks.common import Claim, Outcome, claim, dated, outcome, with_earlier
from benchmarks.tiny_lr_search import METHODS

PRESETS = ("tiny", "tiny_long")
METRIC = "t2i/R1"
COMMAND = "python -m benchmarks.learning_curves"
FAMILIES = {
    "Heads, and the last blocks": ("linear_probe", "clip_adapter", "side_network", "partial"),
    "Prompts and prefixes": ("coop", "prompt_only", "vpt", "ivlp", "maple", "prefix"),
    "Adapters": ("adapter_only", "adaptformer", "houlsby"),
    "Weights and norms": ("lora", "bitfit", "layer_norm", "ssf", "ia3"),
    "For persons": ("cskt", "dm_adapter", "up_person", "irra", "full_finetune"),
    "TBPS-CLIP": ("tbps_clip", *(name for name in METHODS if name.startswith("tbps_clip:"))),
}


def curves_of(name: str) -> dict[str, list[float]]:
    """Train a method under each preset and return validation R@1 in percent by epoch."""
    import torch

    from harness.presets.resolve import resolve
    from harness.record import find_run
    from harness.run.run import run

    torch.set_num_threads(1)
    method, _, preset = name.partition(":")
    found = {}
    for length in PRESETS:
        presets = [part for part in (preset, length) if part and part != "tiny"]
        record = run(resolve(method, "icfg", synthetic=True, presets=presets))
        history = find_run(record.name).history()
        found[length] = [row[f"val/{METRIC}"] for row in history if f"val/{METRIC}" in row]
    return found


def zero_shot() -> dict[str, Any]:
    """Return the zero-shot R@1 on the validation split in percent, with its 95 % interval over identities."""
    from harness.data.loading import open_material
    from harness.evaluate.encoder import Encoder, evaluate
    from harness.evaluate.measure import intervals
    from harness.listener import Listener
    from harness.presets.resolve import resolve
    from harness.run.job import build_method, prepare

    config = resolve("zero_shot", "icfg", synthetic=True)
    job = prepare(config, None, "cpu", Listener(), {}, "none")
    material = open_material(
        job.reading.all[0], config.dataset, config.backbone, job.clip.tokenize, Listener()
    )
    assert material.val is not None, "the twin holds persons out"
    encoder = Encoder(build_method(config, job.clip), config, job.engine)
    evaluation, _ = evaluate(encoder, material.val, detail=True)
    return {"value": evaluation.metrics[METRIC], "ends": list(intervals(evaluation.queries)[METRIC])}


def run(methods: Sequence[str] = METHODS, processes: int = 1) -> Outcome:
    """Train all methods, some of them at the same time."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        found = dict(zip(methods, pool.map(curves_of, methods), strict=True))
    base = zero_shot()
    claims = [row for name, curves in found.items() for row in judged(name, curves, base)]
    title = "Learning curves at tiny scale: validation R@1 on the synthetic ICFG twin, one seed"
    return outcome(title, COMMAND, claims, zero_shot=base, methods=found)


def judged(name: str, curves: Mapping[str, Sequence[float]], base: Mapping[str, Any]) -> list[Claim]:
    """Return a method's best of each length; wanted is that it rises above the zero-shot interval."""
    above = base["ends"][1]
    return [
        claim(f"{name}, best R@1 under {length}, epoch {1 + curve.index(max(curve))}", max(curve), unit="%",
              at_least=above if length == "tiny" else None)
        for length, curve in curves.items()
    ]  # fmt: skip


def draw(facts: Mapping[str, Any], path: Path) -> None:
    """Draw one panel a family: long curves as lines, short ones thinner and fainter, a mark at each end."""
    from matplotlib import pyplot
    from PIL import Image

    from harness.pages.theme import FAINT, INK, WIDTH, marks, use_theme

    use_theme()
    methods, base = facts["methods"], facts["zero_shot"]
    figure, grid = pyplot.subplots(2, 3, figsize=(WIDTH * 1.25, 6.6), sharex=True, sharey=True)
    for axes, (family, members) in zip(grid.flat, FAMILIES.items(), strict=True):
        axes.axhspan(*base["ends"], color=FAINT, alpha=0.35, linewidth=0)
        axes.axhline(base["value"], color=INK, linewidth=0.9, linestyle=":")
        shown = [name for name in members if name in methods]
        for name, look in marks(shown).items():
            for length, curve in methods[name].items():
                short = length == "tiny"
                at = range(1, len(curve) + 1)
                axes.plot(
                    at, curve, color=look["color"], linewidth=1 if short else 1.8, alpha=0.55 if short else 1
                )
                axes.plot(at[-1], curve[-1], linestyle="", label=None if short else name, **look)
        axes.set_title(family)
        axes.legend(fontsize=7.5, loc="lower right", ncols=2 if len(shown) > 4 else 1)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    for axes in grid[:, 0]:
        axes.set_ylabel("validation R@1 (%)")
    figure.suptitle(
        "Thin: tiny, 5 epochs; thick: tiny_long. Dotted, grey: zero-shot and its 95 % interval.", fontsize=9.5
    )
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    # A palette takes a quarter of the bytes.
    with Image.open(path) as drawn:
        drawn.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Train all methods, write the result and draw the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=1, help="methods trained at the same time")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="train some alone")
    options = parser.parse_args()
    assert {*METHODS} == {name for members in FAMILIES.values() for name in members}, (
        "each method in a family"
    )
    result = dated(run(options.methods, options.processes))
    file = RESULTS / "learning_curves.json"
    base = result["facts"]["zero_shot"]
    result = with_earlier(file, result, lambda name, curves: judged(name, curves, base))
    save("learning_curves", result)
    write_table()
    draw(result["facts"], RESULTS / "learning_curves.png")


if __name__ == "__main__":
    main()
