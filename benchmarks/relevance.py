"""Where relevance maps look: against leaving patches out one by one, and against where a twin has drawn the garment.

Pictures are the first of each test person of the ICFG twin, drawn anew so that each garment's box is known; captions
name one garment of one colour. `HARNESS_RUNS` keeps the runs for another time.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from scipy import stats

from benchmarks.common import Outcome, claim, outcome
from harness.datasets import DATASETS
from harness.inference.model import Trained
from harness.inference.relevance import occlusion, patch_map, patch_size
from harness.listener import Listener
from harness.presets.resolve import resolve
from harness.record import find_run
from harness.run.run import run as run_one
from harness.twins.drawing.canvas import Part
from harness.twins.drawing.people import NONE
from harness.twins.drawing.photograph import photograph
from harness.twins.drawing.views import draw_view
from harness.twins.plan import Order, plan_pictures, split_sizes

METHODS = ("zero_shot", "full_finetune")
GARMENTS = {
    "upper": (Part.TORSO, Part.SLEEVE),
    "lower": (Part.LOWER, Part.SHIN),
    "shoes": (Part.SHOE,),
    "bag": (Part.BAG,),
}
# Of a garment that shows less, in supersampled pixels, no caption is made.
LEAST_PIXELS, LEAST_CORRELATION = 60, 0.4


def run() -> Outcome:
    """Measure the shipped weights `web` as they are, and a run that was trained from them."""
    claims, facts = [], {}
    with tempfile.TemporaryDirectory(prefix="relevance-") as name:
        for method in METHODS:
            found = facts[method] = measured(method, Path(os.environ.get("HARNESS_RUNS", name)), name)
            correlation = f"{method}: rank correlation with leaving out, median"
            claims += [
                claim(correlation, found["correlation"], at_least=LEAST_CORRELATION),
                claim(f"{method}: largest error of the sum", found["error"], at_most=0.02),
            ]
            for garment, one in found["garments"].items():
                what = f"{method}, {garment}: in the box, less its share of the picture"
                claims.append(claim(what, one["excess"], unit="points"))
    return outcome(
        "Relevance maps against the drawn garment's place", "python -m benchmarks relevance", claims, **facts
    )


def measured(method: str, runs: Path, folder: str) -> dict[str, Any]:
    """Return correlation, error and, by garment, where the map is; with 95 % intervals over persons."""
    overrides = () if "HARNESS_DATA" in os.environ else (f"dataset.root={folder}",)
    config = resolve(method, "icfg", synthetic=True, overrides=("backbone.pretrained=web", *overrides))
    record = run_one(config, runs=runs, listener=Listener())
    trained = Trained(find_run(record.name, runs), device="cpu")
    rows = [row for order in pictures() for row in looked_at(trained, order)]
    garments = {
        name: located([row for row in rows if row["garment"] == name])
        for name in GARMENTS
        if any(row["garment"] == name for row in rows)
    }
    correlations = [row["correlation"] for row in rows]
    return {
        "correlation": float(np.median(correlations)),
        "correlation_5": float(np.quantile(correlations, 0.05)),
        "error": max(row["error"] for row in rows),
        "flat": float(np.mean([row["flat"] for row in rows])),
        "garments": garments,
    }


def pictures() -> Iterator[Order]:
    """Yield the first picture of each test person."""
    dataset = DATASETS.get("icfg")
    assert dataset.twin is not None
    sizes = split_sizes(dataset.twin, {split: c.identities for split, c in dataset.expected.items()}, None)
    seen = set()
    for order in plan_pictures(dataset.twin, dataset.name, sizes, seed=0):
        if order.split == "test" and order.number not in seen:
            seen.add(order.number)
            yield order


def looked_at(trained: Trained, order: Order) -> Iterator[dict[str, Any]]:
    """Yield one row for each garment that a picture shows."""
    domain = DATASETS.get("icfg").twin
    assert domain is not None
    look, person = domain.looks[order.source], order.person
    picture, parts = photograph(
        person, order.body_seed, draw_view(look, order.facing, Random(order.seed)), look
    )
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        picture.save(file.name)
        pixels = torch.from_numpy(trained.decode(file.name))
    for garment, own in GARMENTS.items():
        shown = np.isin(parts, own)
        if getattr(person, garment) == NONE or shown.sum() < LEAST_PIXELS:
            continue
        caption = f"a person with a {getattr(person, f'{garment}_colour')} {getattr(person, garment)}"
        found = patch_map(trained.encoder, pixels, caption)
        exact = occlusion(trained.encoder, pixels, caption).flatten()
        yield {
            "garment": garment,
            "correlation": float(stats.spearmanr(found.patches.flatten(), exact).statistic),
            "error": abs(float(found.patches.sum()) - (found.similarity - found.without)),
            "flat": found.is_flat,
            **inside(found.patches.numpy(), shown, patch_size(trained.encoder)),
        }


def inside(patches: Any, shown: Any, size: tuple[int, int]) -> dict[str, float]:
    """Return, in percent, the share of a garment's box of what speaks for the match and of the picture.

    A patch's part is spread evenly over its pixels.
    """
    spread = np.kron(patches.clip(min=0), np.ones(size))
    (top, bottom), (left, right) = (_ends(shown.any(axis=axis)) for axis in (1, 0))
    rows, columns = _covered(spread.shape[0], top, bottom), _covered(spread.shape[1], left, right)
    mass = float(rows @ spread @ columns / max(spread.sum(), 1e-9))
    return {"mass": 100 * mass, "area": 100 * (bottom - top) * (right - left)}


def _ends(taken: Any) -> tuple[float, float]:
    places = np.flatnonzero(taken)
    return places[0] / len(taken), (places[-1] + 1) / len(taken)


def _covered(n: int, start: float, end: float) -> Any:
    """Return how much of each of n pixels lies between two shares of a side."""
    return np.diff(np.clip(np.arange(n + 1) / n, start, end)) * n


def located(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means over persons, of one picture each, and the excess with its 95 % interval, in points."""
    mass, area = (np.array([row[key] for row in rows]) for key in ("mass", "area"))
    excess, n = mass - area, len(rows)
    half = float(stats.t.ppf(0.975, n - 1) * excess.std(ddof=1) / n**0.5)
    mean = float(excess.mean())
    return {
        "persons": n,
        "mass": float(mass.mean()),
        "area": float(area.mean()),
        "excess": mean,
        "interval": [mean - half, mean + half],
    }
