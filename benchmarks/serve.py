"""How quickly the page to search with answers among 10,000 images, once text and images are embeddings."""

import http.client
import json
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks.common import Outcome, claim, cpu_seconds, outcome
from harness.inference.desk import Desk, Seat
from harness.inference.gallery import Gallery
from harness.inference.server import serving

N_IMAGE, DIM, REPEATS, MOST_MS = 10_000, 512, 20, 100


class Known:
    """Stands for a trained run to which every text is a random direction."""

    def __init__(self) -> None:
        self.method = SimpleNamespace(clip=SimpleNamespace(text_length=77))

    def encode_text(self, captions: list[str]) -> Any:
        """Return unit rows [n, DIM]."""
        return torch.nn.functional.normalize(torch.randn(len(captions), DIM), dim=1)


def run() -> Outcome:
    """Ask over HTTP, for one run and for two side by side; the time is this process's, server and client together."""
    claims = []
    for n_run in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            seconds, wall = answered(Path(name), n_run)
        what = f"an answer of {n_run} run{'s' * (n_run > 1)} among {N_IMAGE:,} images"
        claims += [
            claim(f"{what}: processor time", 1000 * seconds, unit="ms", at_most=MOST_MS),
            claim(f"{what}: least time until it is there", 1000 * wall, unit="ms"),
        ]
    return outcome("Searching as one types", "python -m benchmarks serve", claims)


def answered(folder: Path, n_run: int) -> tuple[float, float]:
    """Return processor and wall seconds of one answer: means, and the least, of some."""
    files = [folder / f"{number}.jpg" for number in range(N_IMAGE)]
    rows = torch.nn.functional.normalize(torch.randn(N_IMAGE, DIM), dim=1)
    seats: list[Any] = [Seat(Known(), folder, Gallery(files, rows)) for _ in range(n_run)]  # type: ignore[arg-type]
    walls = []
    with serving(Desk(seats)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()

        def ask() -> None:
            start = time.perf_counter()
            link = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
            body, named = json.dumps({"text": "a red coat"}), {"Content-Type": "application/json"}
            link.request("POST", f"/{server.token}/search", body, named)
            assert link.getresponse().status == 200
            link.close()
            walls.append(time.perf_counter() - start)

        ask()
        seconds = cpu_seconds(lambda: [ask() for _ in range(REPEATS)]) / REPEATS
        server.shutdown()
    return seconds, min(walls)
