"""Finished runs whose figures follow from their per-query results, made in milliseconds from random embeddings."""

import torch
from torch.nn.functional import normalize

from harness.config.identity import identity_values, recorded_values
from harness.config.values import content_hash
from harness.evaluate.intervals import METHOD
from harness.evaluate.measure import correlation, intervals, metrics_of
from harness.evaluate.ranking import rank_directions
from harness.files import file_hash, write_json
from harness.presets.resolve import resolve
from harness.record import HISTORY, QUERIES, QUERIES_SHA256, TRANSFER, Record, RunFolder

PERSONS, EACH = 25, 3


def measured(seed, skill=1.0, persons=PERSONS):
    """Per-query results of both directions, better with more skill."""
    generator = torch.Generator().manual_seed(seed)
    names = torch.arange(persons).repeat_interleave(EACH)
    images = torch.randn(len(names), 32, generator=generator)
    own = torch.randn(persons, 32, generator=generator)[names]
    image, text = (
        normalize(skill * own + one, dim=1)
        for one in (images, torch.randn(len(names), 32, generator=generator))
    )
    arrays = {}
    for way, found in rank_directions(image, text, names, names, top=10).items():
        parts = {"identity": names, "rank": found.first_rank, "AP": found.ap, "INP": found.inp}
        parts |= {"n_right": found.n_right, "top": found.top}
        arrays |= {f"{way}/{name}": value.numpy() for name, value in parts.items()}
    return arrays


def named(values, dataset):
    return {f"test/{dataset}/{name}": value for name, value in values.items()}


def finished(root, method="linear_probe", seed=1, skill=1.0, elsewhere=(), **more):
    """Write the folder of a finished run on the ICFG twin and return its record."""
    config = resolve(method, "icfg", synthetic=True, overrides=[f"seed={seed}"])
    arrays = measured(seed, skill)
    parts = {
        "config": identity_values(config),
        "data": "annotation",
        "pictures": {"train": "a", "val": "b", "test": "c"},
        "backbone": {"name": "tiny", "sha256": "ab" * 32},
        "versions": {"method": 1, "dataset": 1, "protocol": 1},
    }
    rows = [{"epoch": epoch, "val/t2i/R1": 10.0 * epoch, "loss": 3.0 / epoch} for epoch in (1, 2, 3)]
    record = Record(
        identity=content_hash(parts),
        key=f"key{seed}{method}",
        status="finished",
        config=recorded_values(config),
        fingerprint=parts["data"],
        **{name: parts[name] for name in ("pictures", "backbone", "versions")},
        synthetic=True,
        started=f"2026-11-29T01:00:{seed:02d}+00:00",
        finished="2026-11-29T01:01:00+00:00",
        seconds=60.0,
        environment={"device_name": "cpu-1", "host": "laboratory-7"},
        data={"train_pairs": 700, "test_images": 75, "left_out": {"train": 0, "val": 0, "test": 0}},
        accounting={"parameters": {"trainable": 1000, "total": 2000}, "train_seconds": 50.0},
        selection={"rule": "val", "epoch": 3, "epochs": 3, "val/t2i/R1": 30.0},
        metrics=named(metrics_of(arrays), "icfg"),
        intervals=named(intervals(arrays), "icfg"),
        interval_method=METHOD,
        statistics={"t2i/R1/intra_identity_correlation": correlation(arrays)},
        **more,
    )
    folder = RunFolder(root / record.name)
    folder.path.mkdir(parents=True)
    folder.write_queries(arrays)
    write_json(folder.file(HISTORY), rows)
    folder.note(record, QUERIES, HISTORY)
    folder.write(record)
    for number, dataset in enumerate(elsewhere):
        other(folder, dataset, seed + 50 + number)
    return record


def other(folder, dataset, seed):
    """Test a run on another dataset."""
    (folder.path / TRANSFER).mkdir(exist_ok=True)
    arrays = measured(seed, skill=0.5, persons=20)
    name = f"{TRANSFER}/{dataset}"
    folder.write_queries(arrays, f"{name}.npz")
    result = {
        "dataset": dataset,
        "protocol": 1,
        "fingerprint": "other",
        "pictures": "d",
        "left_out": 0,
        "interval_method": METHOD,
        QUERIES_SHA256: file_hash(folder.file(f"{name}.npz")),
        "metrics": named(metrics_of(arrays), dataset),
        "intervals": named(intervals(arrays), dataset),
    }
    write_json(folder.file(f"{name}.json"), result)
