"""Runs as one file: bytes, time and memory of packing and checking results of ICFG-PEDES' size."""

import resource
import tempfile
import time
from pathlib import Path

import torch
from torch.nn.functional import normalize

from benchmarks.common import Outcome, apart, claim, outcome
from harness.bundle import export_runs, verify_bundle
from harness.config.identity import identity_values, recorded_values
from harness.config.values import content_hash
from harness.evaluate.intervals import METHOD
from harness.evaluate.measure import intervals, metrics_of
from harness.evaluate.ranking import rank_directions
from harness.files import write_arrays
from harness.presets.resolve import resolve
from harness.record import QUERIES, Record, RunFolder

# Test captions and images of ICFG-PEDES, and its test persons.
N_QUERY, N_PERSON, DIM, TOP = 19_848, 946, 64, 10
MOST_MB, MOST_MEMORY = 2.0, 1_000


def run() -> Outcome:
    """Pack and check one run and three; everything is removed afterwards."""
    claims, facts = [], {}
    with tempfile.TemporaryDirectory(prefix="bundle-") as name:
        root = Path(name)
        names = [apart(make_run, root, seed) for seed in (1, 2, 3)]
        for n in (1, 3):
            found = facts[str(n)] = apart(measured, root, names[:n])
            what = f"{n} run{'s' * (n > 1)} of {N_QUERY:,} captions, both directions"
            claims += [
                claim(f"{what}: a run in the file", found["mb"] / n, unit="MB", at_most=MOST_MB),
                claim(f"{what}: export, which verifies", found["export"], unit="s"),
                claim(f"{what}: verify", found["verify"], unit="s"),
                claim(f"{what}: peak memory", found["memory_mb"], unit="MB", at_most=MOST_MEMORY),
            ]
    return outcome(
        "Runs as one file that others can check", "python -m benchmarks bundle", claims, sizes=facts
    )


def make_run(root: Path, seed: int) -> str:
    """Write a finished run whose results follow from random embeddings; return its name."""
    generator = torch.Generator().manual_seed(seed)
    owner = torch.arange(N_QUERY) % N_PERSON
    own = torch.randn(N_PERSON, DIM, generator=generator)[owner]
    image, text = (normalize(own + torch.randn(N_QUERY, DIM, generator=generator), dim=1) for _ in range(2))
    arrays = {}
    for way, found in rank_directions(image, text, owner, owner, top=TOP).items():
        parts = {"identity": owner, "rank": found.first_rank, "AP": found.ap, "INP": found.inp}
        parts |= {"n_right": found.n_right, "top": found.top}
        arrays |= {f"{way}/{name}": value.numpy() for name, value in parts.items()}
    config = resolve("linear_probe", "icfg", synthetic=True, overrides=[f"seed={seed}"])
    known = {
        "fingerprint": "annotation",
        "pictures": {"train": "a", "test": "b"},
        "backbone": {"name": "tiny", "sha256": "ab" * 32},
        "versions": {"method": 1, "dataset": 1, "protocol": 1},
    }
    parts = {"config": identity_values(config), **known}
    parts["data"] = parts.pop("fingerprint")
    record = Record(
        identity=content_hash(parts),
        status="finished",
        config=recorded_values(config),
        synthetic=True,
        started=f"2026-01-01T00:00:{seed:02d}+00:00",
        finished="2026-01-01T00:01:00+00:00",
        selection={"rule": "last", "epoch": 5},
        accounting={"parameters": {"trainable": 1000, "total": 2000}},
        metrics={f"test/icfg/{name}": value for name, value in metrics_of(arrays).items()},
        intervals={f"test/icfg/{name}": ends for name, ends in intervals(arrays).items()},
        interval_method=METHOD,
        **known,  # type: ignore[arg-type]
    )
    folder = RunFolder(root / record.name)
    folder.path.mkdir(parents=True)
    write_arrays(folder.file(QUERIES), arrays)
    folder.note(record, QUERIES)
    folder.write(record)
    return record.name


def measured(root: Path, names: list[str]) -> dict[str, float]:
    """Return the size of a bundle in MB, seconds to write and to check it, and the peak memory in MB."""
    start = time.perf_counter()
    done = export_runs(names, root / "b.zip", root)
    written = time.perf_counter()
    assert verify_bundle(root / "b.zip").agrees, "the bundle verifies"
    checked = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"mb": done.bytes / 1e6, "export": written - start, "verify": checked - written, "memory_mb": peak}
