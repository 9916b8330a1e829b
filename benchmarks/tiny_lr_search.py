"""The learning rates of the preset `tiny`: the same number of trials for each method, chosen on validation.

    python -m benchmarks.tiny_lr_search [--processes 2] [--methods NAME ...]

Each trained method that ships tries its own default learning rate times the same factors on the synthetic ICFG twin,
one seed, no pruning, no test data. The best on validation (t2i R@1, then mAP) goes to `methods/NAME.tiny.yaml`, every
trial's value to `results/tiny_lr_search.json`, where methods that were not searched this time stay as they were. Trials
that are done are not repeated. `make bench` leaves it out.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.common import Claim, Outcome, claim, machine, outcome
from harness.config.strict_yaml import read_yaml
from harness.files import read_json, write_json, write_text

METHODS = (
    "full_finetune",
    "tbps_clip",
    "irra",
    "cskt",
    "adapter_only",
    "prompt_only",
    "linear_probe",
    "clip_adapter",
    "coop",
)
FACTORS = (1, 3, 10, 30, 100, 300)
KEY, SCORE, TIE = "method.lr", "val/t2i/R1", "val/t2i/mAP"
COMMAND = "python -m benchmarks.tiny_lr_search"
ROOT = Path(__file__).resolve().parent
PRESET = """\
# The best of {n} learning rates on the validation split of the synthetic ICFG twin, one seed: R@1 {score:.2f},
# mAP {tie:.2f}. Found by `{command}`, all values in benchmarks/results/tiny_lr_search.json.
method:
  lr: {lr:g}
"""


def search_one(method: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Try all factors for one method and return its trials and the best learning rate."""
    import torch

    from harness.config.fields import Choice
    from harness.methods import METHODS as REGISTRY
    from harness.presets.resolve import resolve
    from harness.queue.work_setup import WorkSetup
    from harness.sweep.settings import Search
    from harness.sweep.space import Axis
    from harness.sweep.sweep import sweep

    torch.set_num_threads(1)
    default = REGISTRY.get(method).Config().lr  # type: ignore[attr-defined]
    rates = tuple(float(f"{default * factor:.6g}") for factor in FACTORS)
    config = resolve(method, "icfg", synthetic=True, overrides=overrides)
    points = tuple({KEY: rate} for rate in rates)
    search = Search(trials=len(rates), objectives=(SCORE,), pruner="none", test_seeds=0, points=points)
    axes = [Axis(key=KEY, over=Choice(values=rates))]
    summary = sweep(config, axes, search, WorkSetup(), study=f"tiny-lr-{method}")
    best = summary.best
    assert best is not None, f"no trial of {method} finished"
    trials = [row.model_dump(mode="json") for row in summary.trials]
    return {"best": best.model_dump(mode="json"), "rates": rates, "trials": trials, "config": summary.config}


def run(methods: Sequence[str] = METHODS, overrides: Sequence[str] = (), processes: int = 1) -> Outcome:
    """Search for all methods, some of them at the same time."""
    work = partial(search_one, overrides=overrides)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        found = dict(zip(methods, pool.map(work, methods), strict=True))
    title = (
        f"Learning rates at tiny scale: {len(FACTORS)} trials a method, validation of the synthetic ICFG twin"
    )
    command = " ".join([COMMAND, *(["--set", *overrides] if overrides else [])])
    return outcome(title, command, [inside(*item) for item in found.items()], factors=FACTORS, methods=found)


def inside(method: str, found: dict[str, Any]) -> Claim:
    """Judge whether the best rate lies inside the grid: at an end of it, a rate beyond might be better still."""
    rate = found["best"]["params"][KEY]
    place = found["rates"].index(rate)
    name = f"{method}, best at {rate:g}: rates between it and the end of the grid"
    return claim(name, min(place, len(FACTORS) - 1 - place), at_least=1)


def write_presets(result: Outcome, folder: Path) -> None:
    """Write each method's best rate into its preset `tiny`; what else that says of the method stays."""
    for method, found in result["facts"]["methods"].items():
        best = found["best"]
        values = {"score": best["value"], "tie": best["metrics"][TIE], "lr": best["params"][KEY]}
        text = PRESET.format(n=len(found["trials"]), command=result["command"], **values)
        name = f"{method}.tiny.yaml"
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
        "--methods", nargs="+", choices=METHODS, default=METHODS, help="search some methods alone"
    )
    parser.add_argument(
        "--set", nargs="+", default=(), metavar="KEY=VALUE", help="for a trial: other settings"
    )
    parser.add_argument("--out", type=Path, help="for a trial: folder of result and presets")
    options = parser.parse_args()
    if options.set and not options.out:
        parser.error("another search is not the committed result: give --out")
    result = run(options.methods, options.set, options.processes)
    facts = {**result, "date": date.today().isoformat(), "machine": machine()}
    file = (options.out or ROOT / "results") / "tiny_lr_search.json"
    write_presets(result, options.out or ROOT.parent / "methods")
    write_json(file, joined(read_json(file), facts) if file.is_file() else facts)


def joined(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return a result with the methods of an earlier one that were not searched again."""
    searched = after["facts"]["methods"]
    kept = [row for row in before["claims"] if row["name"].partition(",")[0] not in searched]
    methods = {**before["facts"]["methods"], **searched}
    return {**after, "claims": kept + after["claims"], "facts": {**after["facts"], "methods": methods}}


if __name__ == "__main__":
    main()
