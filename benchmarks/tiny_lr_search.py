"""The learning rates of the preset `tiny`: the same number of trials for each method, chosen on validation.

    python -m benchmarks.tiny_lr_search [--processes 2]

Each trained method that ships tries its own default learning rate times the same factors on the synthetic ICFG twin,
one seed, no pruning, no test data. The best on validation (t2i R@1, then mAP) goes to `methods/NAME.tiny.yaml`, every
trial's value to `results/tiny_lr_search.json`. It is no benchmark: it makes no claim, and `make bench` leaves it out.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

METHODS = ("full_finetune", "cskt", "adapter_only", "prompt_only", "linear_probe")
FACTORS = (1, 3, 10, 30, 100, 300)
COMMAND = "python -m benchmarks.tiny_lr_search"
ROOT = Path(__file__).resolve().parent
RESULT = ROOT / "results" / "tiny_lr_search.json"
PRESET = """\
# The best of {n} learning rates on the validation split of the synthetic ICFG twin, one seed; found by
# `{command}`, all values in benchmarks/results/tiny_lr_search.json.
method:
  lr: {lr:g}
"""


def search_one(method: str) -> dict[str, Any]:
    """Try all factors for one method and return its trials and the best learning rate."""
    import torch

    from harness.config import Choice
    from harness.methods import METHODS as REGISTRY
    from harness.resolve import resolve
    from harness.space import Axis
    from harness.sweep import sweep
    from harness.sweep_settings import Search

    torch.set_num_threads(1)
    default = REGISTRY.get(method).Config().lr  # type: ignore[attr-defined]
    rates = tuple(float(f"{default * factor:.6g}") for factor in FACTORS)
    config = resolve(method, "icfg", synthetic=True, overrides=[f"method.lr={default}"])
    points = tuple({"method.lr": rate} for rate in rates)
    search = Search(trials=len(rates), pruning=False, test=False, points=points)
    axis = Axis(key="method.lr", over=Choice(values=rates))
    summary = sweep(config, [axis], search, study=f"tiny-lr-{method}")
    best = summary.best
    assert best is not None, f"no trial of {method} finished"
    return {"best": best.params["method.lr"], "trials": [row.model_dump(mode="json") for row in summary.trials]}


def main() -> None:
    """Search for all methods and write the result and the presets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=1)
    processes = parser.parse_args().processes
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        found = dict(zip(METHODS, pool.map(search_one, METHODS), strict=True))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"command": COMMAND, "factors": FACTORS, "methods": found}, indent=2) + "\n")
    for method, result in found.items():
        text = PRESET.format(n=len(FACTORS), command=COMMAND, lr=result["best"])
        (ROOT.parent / "methods" / f"{method}.tiny.yaml").write_text(text)


if __name__ == "__main__":
    main()
