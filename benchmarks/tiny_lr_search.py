"""The learning rates of the preset `tiny`: the same search for each trained method, chosen on validation.

    python -m benchmarks.tiny_lr_search [--processes 2] [--methods NAME[:PRESET] ...]

Each trained method that ships, and each preset of TBPS-CLIP, tries its own default learning rate times the same factors
on the synthetic ICFG twin, one seed, no pruning, no test data; while the best lies at an end, the next factor beyond
that end is tried, until it lies inside. The best on validation (t2i R@1, then mAP) goes to `methods/NAME.tiny.yaml` or
`methods/NAME.PRESET.tiny.yaml`, every trial's value to `results/tiny_lr_search.json`, where methods that were not
searched this time stay as they were. Trials that are done are not repeated. `make bench` leaves it out.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.__main__ import write_table
from benchmarks.common import Claim, Outcome, claim, dated, outcome, with_earlier
from harness.config.strict_yaml import read_yaml
from harness.files import write_json, write_text
from harness.methods import METHODS as REGISTRY

# One trains nothing, the other is a library that need not be installed: searched by its name alone, as its LoRA.
APART = ("zero_shot", "peft")
METHODS = (
    *(name for name in REGISTRY.names() if name not in APART),
    *(f"tbps_clip:{name}" for name in ("clip_baseline", "clip_star", "clip_star_aug", "simplified", "full")),
)
FACTORS = (3.0, 10.0, 30.0, 100.0)
KEY, SCORE, TIE = "method.lr", "val/t2i/R1", "val/t2i/mAP"
COMMAND = "python -m benchmarks.tiny_lr_search"
ROOT = Path(__file__).resolve().parent
PRESET = """\
# yaml-language-server: $schema=../harness/schemas/{schema}
# The best of {n} learning rates on the validation split of the synthetic ICFG twin, one seed: R@1 {score:.2f},
# mAP {tie:.2f}. Found by `{command}`, all values in benchmarks/results/tiny_lr_search.json.
method:
  lr: {lr:g}
"""


def search_one(name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Try the factors for one method, those beyond an end while the best lies there, and return trials and best."""
    import torch

    from harness.config.fields import Range
    from harness.presets.resolve import resolve
    from harness.queue.work_setup import WorkSetup
    from harness.sweep.settings import Search
    from harness.sweep.space import Axis
    from harness.sweep.sweep import sweep

    torch.set_num_threads(1)
    method, _, preset = name.partition(":")
    default = REGISTRY.get(method).Config().lr  # type: ignore[attr-defined]
    presets = [preset] if preset else []
    config = resolve(method, "icfg", synthetic=True, presets=presets, overrides=overrides)
    axis = Axis(key=KEY, over=Range(low=rate(default, 1e-2), high=rate(default, 1e4), log=True))
    rates = [rate(default, factor) for factor in FACTORS]
    while True:
        points = tuple({KEY: value} for value in rates)
        search = Search(trials=len(rates), objectives=(SCORE,), pruner="none", test_seeds=0, points=points)
        summary = sweep(config, [axis], search, WorkSetup(), study=f"tiny-lr-{name.replace(':', '-')}")
        best = summary.best
        assert best is not None, f"no trial of {name} finished"
        # A search that was stopped and begun anew may have gone beyond the grid before.
        rates = sorted({*rates, *(trial.params[KEY] for trial in summary.trials)})
        if best.params[KEY] == rates[0]:
            rates.insert(0, rate(default, below(rates[0] / default)))
        elif best.params[KEY] == rates[-1]:
            rates.append(rate(default, above(rates[-1] / default)))
        else:
            break
    trials = [row.model_dump(mode="json") for row in summary.trials]
    return {"best": best.model_dump(mode="json"), "rates": rates, "trials": trials, "config": summary.config}


def rate(default: float, factor: float) -> float:
    """Return a learning rate as it is written into a preset.

    >>> rate(3e-4, 0.3)
    9e-05
    """
    return float(f"{default * factor:.6g}")


def above(factor: float) -> float:
    """Return the next factor of the series 1, 3, 10, 30, and so on.

    >>> above(3.0), above(100.0)
    (10.0, 300.0)
    """
    return float(f"{factor * (10 / 3 if f'{factor:.0e}'[0] == '3' else 3):.3g}")


def below(factor: float) -> float:
    """Return the factor before in the series.

    >>> below(3.0), below(1.0)
    (1.0, 0.3)
    """
    return float(f"{factor / (3 if f'{factor:.0e}'[0] == '3' else 10 / 3):.3g}")


def run(methods: Sequence[str] = METHODS, overrides: Sequence[str] = (), processes: int = 1) -> Outcome:
    """Search for all methods, some of them at the same time."""
    work = partial(search_one, overrides=overrides)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        found = dict(zip(methods, pool.map(work, methods), strict=True))
    title = (
        "Learning rates at tiny scale: the same search for each method, validation of the synthetic ICFG twin"
    )
    command = " ".join([COMMAND, *(["--set", *overrides] if overrides else [])])
    return outcome(title, command, [inside(*item) for item in found.items()], factors=FACTORS, methods=found)


def inside(method: str, found: dict[str, Any]) -> Claim:
    """Judge whether the best rate lies inside the grid: at an end of it, a rate beyond might be better still."""
    rate = found["best"]["params"][KEY]
    place = found["rates"].index(rate)
    name = f"{method}, best at {rate:g}: rates between it and the end of the grid"
    return claim(name, min(place, len(found["rates"]) - 1 - place), at_least=1)


def write_presets(result: Outcome, folder: Path) -> None:
    """Write each method's best rate into its preset `tiny`; what else that says of the method stays."""
    for method, found in result["facts"]["methods"].items():
        best = found["best"]
        values = {"score": best["value"], "tie": best["metrics"][TIE], "lr": best["params"][KEY]}
        schema = f"preset.{method.partition(':')[0]}.json"
        values["schema"] = schema if (ROOT.parent / "harness/schemas" / schema).is_file() else "preset.json"
        text = PRESET.format(n=len(found["trials"]), command=result["command"], **values)
        name = f"{method.replace(':', '.')}.tiny.yaml"
        shipped = ROOT.parent / "methods" / name
        before = read_yaml(shipped)["method"] if shipped.is_file() else {}
        others = [f"  {key}: {value}\n" for key, value in before.items() if key != "lr"]
        write_text(folder / name, text + "".join(others))


def main() -> None:
    """Search for all methods and write the result and the presets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=1, help="methods searched at the same time")
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=(*METHODS, APART[1]),
        default=METHODS,
        help="search some methods alone",
    )
    parser.add_argument(
        "--set", nargs="+", default=(), metavar="KEY=VALUE", help="for a trial: other settings"
    )
    parser.add_argument("--out", type=Path, help="for a trial: folder of result and presets")
    options = parser.parse_args()
    if options.set and not options.out:
        parser.error("another search is not the committed result: give --out")
    result = run(options.methods, options.set, options.processes)
    file = (options.out or ROOT / "results") / "tiny_lr_search.json"
    write_presets(result, options.out or ROOT.parent / "methods")
    write_json(file, with_earlier(file, dated(result), lambda *found: [inside(*found)]))
    if not options.out:
        write_table()


if __name__ == "__main__":
    main()
