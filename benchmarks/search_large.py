"""Search among a million images whose embeddings lie in a gallery's file: start, time of a query, memory, order."""

import os
import statistics
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor

from benchmarks.common import Outcome, apart, claim, outcome
from harness.images.decoding import Pixels
from harness.inference.gallery import Gallery, _key, cache_file, find_images, open_gallery

N_IMAGE, DIM, TOP, TOGETHER, REPEATS, IN_A_FOLDER = 1_000_000, 512, 10, 16, 5, 1_000
# A similarity is shown with six decimals.
ROUNDING = 1.5e-6
MOST_SECONDS, MOST_MB = 0.5, 1_200


class Known:
    """Stands for a trained run that has encoded all images before."""

    def decode(self, path: str | Path) -> Pixels:
        """Is not called."""
        raise NotImplementedError

    def encode_pixels(self, pixels: Any) -> Tensor:
        """Is not called."""
        raise NotImplementedError

    def weights_identity(self) -> str:
        """Return a name."""
        return "random"


def run() -> Outcome:
    """Measure float32, as search writes it, and float16; files and folder are removed afterwards."""
    claims, facts = [], {}
    with tempfile.TemporaryDirectory(prefix="search-") as name:
        os.environ["HARNESS_CACHE"] = str(Path(name, "cache"))
        images = Path(name, "images")
        apart(partial(make_files, images))
        for dtype in ("float32", "float16"):
            apart(partial(write_embeddings, images, dtype))
            found = facts[dtype] = apart(partial(measured, images))
            what = f"{N_IMAGE:,} images, {dtype}"
            claims += [
                claim(f"{what}: start, every file looked at", found["start"], unit="s"),
                claim(f"{what}: a query", found["alone"], unit="s", at_most=MOST_SECONDS),
                claim(f"{what}: a query of {TOGETHER} at once", found["together"], unit="s"),
                claim(f"{what}: memory besides the mapped file", found["own_mb"], unit="MB", at_most=MOST_MB),
                claim(
                    f"{what}: distance to the similarities of a full sort",
                    found["off"],
                    at_most=ROUNDING,
                ),
            ]
    title = "Search in a large gallery, 512-d, two threads, wall time"
    return outcome(title, "python -m benchmarks search_large", claims, **facts)


def make_files(images: Path) -> None:
    """Make empty image files: a known image is not read."""
    for start in range(0, N_IMAGE, IN_A_FOLDER):
        folder = images / f"{start:07}"
        folder.mkdir(parents=True)
        for number in range(start, min(start + IN_A_FOLDER, N_IMAGE)):
            os.close(os.open(folder / f"{number:07}.jpg", os.O_CREAT | os.O_WRONLY))


def write_embeddings(images: Path, dtype: str) -> None:
    """Write the file of a gallery that holds all images: random directions."""
    keys = b"".join(_key(file, images) for file in find_images(images))
    rows = np.empty((N_IMAGE, DIM), dtype)
    random = np.random.default_rng(0)
    for start in range(0, N_IMAGE, 10_000):
        part = random.standard_normal((len(rows[start : start + 10_000]), DIM), np.float32)
        rows[start : start + 10_000] = part / np.linalg.norm(part, axis=1, keepdims=True)
    place = cache_file(Known(), images)
    place.parent.mkdir(parents=True, exist_ok=True)
    save_file({"keys": np.frombuffer(keys, np.uint8).reshape(N_IMAGE, -1).copy(), "embeddings": rows}, place)


def measured(images: Path) -> dict[str, float]:
    """Open the gallery and search it."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    queries = torch.nn.functional.normalize(torch.randn(TOGETHER, DIM))
    with OwnMemory() as memory:
        start = time.perf_counter()
        gallery = open_gallery(Known(), find_images(images), images)
        started = time.perf_counter() - start
        alone = [seconds(gallery, queries[place : place + 1]) for place in range(REPEATS)]
        together = [seconds(gallery, queries) / TOGETHER for _ in range(3)]
    return {
        "start": started,
        "alone": statistics.median(alone),
        "together": statistics.median(together),
        "own_mb": memory.most_mb,
        "off": furthest(gallery, queries[:3]),
    }


def seconds(gallery: Gallery, queries: Tensor) -> float:
    """Return the wall time of ranking some queries."""
    start = time.perf_counter()
    gallery.rank(queries, TOP)
    return time.perf_counter() - start


def furthest(gallery: Gallery, queries: Tensor) -> float:
    """Return the greatest distance between the similarity at a rank and that of a full sort in float64."""
    most = 0.0
    for query, hits in zip(queries.double(), gallery.rank(queries, TOP), strict=True):
        whole = torch.cat([rows.double() @ query for rows in gallery.embeddings.split(10_000)])
        expected = whole.sort(descending=True).values[:TOP]
        own = whole[torch.tensor([int(hit.path.stem) for hit in hits])]
        most = max(most, float((own - expected).abs().max()))
    return most


class OwnMemory:
    """Watches the most memory of this process that no file backs, in MB."""

    def __init__(self) -> None:
        self.most_mb = 0.0
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "OwnMemory":
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            kib = int(next(line for line in lines if line.startswith("RssAnon")).split()[1])
            self.most_mb = max(self.most_mb, kib * 1024 / 1e6)
