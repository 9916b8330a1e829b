"""Scores of 20,000 captions and images in a file, float32, float16, and ranked again by neighbours: memory and time."""

import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import Outcome, claim, memory_above_mb, outcome
from harness.evaluate.ranking import summarise_directions
from harness.scoring.embedded import Embedded
from harness.scoring.k_reciprocal import KReciprocal, Neighbours
from harness.scoring.orders import Order
from harness.scoring.ranked import Labels, rank_matrix
from harness.scoring.score_files import opened_scores

N, N_IDENTITY, DIM, SPREAD, ROWS = 20_000, 1_000, 256, 2.0, 500
MOST_MB, MOST_AGAIN_MB = 300, 600


def run() -> Outcome:
    """Write both files, rank each in a fresh process, and compare the figures."""
    torch.set_num_threads(1)
    claims, found = [], {}
    with tempfile.TemporaryDirectory(prefix="harness-scores-") as folder:
        files = write(Path(folder))
        for name, file in files.items():
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
                one = pool.submit(ranked, file).result()
            found[name] = one
            claims += [
                claim(
                    f"{name}: memory above what the process held before",
                    one["above_mb"],
                    unit="MB",
                    at_most=MOST_MB,
                ),
                claim(f"{name}: both directions", one["seconds"], unit="s"),
                claim(
                    f"{name}: size of the file",
                    file.stat().st_size / 1e6 if file.exists() else None,
                    unit="MB",
                ),
            ]
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
        again = found["k_reciprocal"] = pool.submit(ranked_again).result()
    claims += [
        claim(
            "k-reciprocal neighbours: memory above that", again["above_mb"], unit="MB", at_most=MOST_AGAIN_MB
        ),
        claim("k-reciprocal neighbours: both directions", again["seconds"], unit="s"),
    ]
    apart = abs(found["float32"]["R1"] - found["float16"]["R1"])
    claims.append(claim("R@1 of float16 against float32, points", apart, at_most=1))
    title = "Scoring a matrix of 20,000 x 20,000 from a file, one thread"
    return outcome(title, "python -m benchmarks scores", claims, **found)


def labels() -> Labels:
    """Return the identities: 20 captions and images each, in the order of the file."""
    identities = torch.arange(N) // (N // N_IDENTITY)
    return Labels(identities, identities)


def embeddings() -> tuple[Tensor, Tensor]:
    """Return embeddings of captions and of images [N, DIM] about a centre for each person."""
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(N_IDENTITY, DIM, generator=generator)

    def rows(of: Tensor) -> Tensor:
        noise = torch.randn(len(of), DIM, generator=generator)
        return torch.nn.functional.normalize(centres[of] + SPREAD * noise, dim=1)

    known = labels()
    return rows(known.captions), rows(known.images)


def write(folder: Path) -> dict[str, Path]:
    """Write similarities of the embeddings, as float32 and as float16."""
    text, image = embeddings()
    files = {name: folder / f"{name}.npy" for name in ("float32", "float16")}
    arrays = {
        name: np.lib.format.open_memmap(file, "w+", dtype=name, shape=(N, N)) for name, file in files.items()
    }
    for start in range(0, N, ROWS):
        block = (text[start : start + ROWS] @ image.T).numpy()
        for array in arrays.values():
            array[start : start + ROWS] = block
    return files


def ranked_again() -> dict[str, Any]:
    """Rank embeddings by k-reciprocal neighbours and return mAP, seconds and megabytes."""
    torch.set_num_threads(1)
    own = Order(torch.arange(N), torch.arange(N))
    first = Embedded(*embeddings())
    result: dict[str, Any] = {}

    def work() -> None:
        start = time.perf_counter()
        found, _ = rank_matrix(KReciprocal(first, Neighbours()), labels(), own, "embeddings")
        result["seconds"] = time.perf_counter() - start
        result["mAP"] = summarise_directions(found)["t2i/mAP"]

    return {"above_mb": memory_above_mb(work)} | result


def ranked(file: Path) -> dict[str, Any]:
    """Rank a file and return R@1, seconds and megabytes."""
    torch.set_num_threads(1)
    own = Order(torch.arange(N), torch.arange(N))
    result: dict[str, Any] = {}

    def work() -> None:
        start = time.perf_counter()
        with opened_scores(file, (N, N)) as matrix:
            found, _ = rank_matrix(matrix, labels(), own, file)
        result["seconds"] = time.perf_counter() - start
        result["R1"] = summarise_directions(found)["t2i/R1"]

    return {"above_mb": memory_above_mb(work)} | result
