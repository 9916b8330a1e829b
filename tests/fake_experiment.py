"""Make tracked runs without training: records with chosen figures, published to a store as real ones are."""

from zlib import crc32

import numpy as np

from harness.evaluate.intervals import METHOD
from harness.evaluate.per_identity import Persons, persons_key
from harness.metric_names import METRICS
from harness.record import Record, RunFolder, now
from harness.track.mlflow_store import Store
from harness.track.publish import log_transfer, publish, publish_group

N_IDENTITIES, N_CAPTIONS = 40, 3


def config(method, dataset, seed, **changes):
    values = {
        "method": {"name": method, "lr": 1e-4},
        "dataset": {
            "name": dataset,
            "root": f"/data/{seed}",
            "val": "holdout",
            "train_on": "train",
            "store": "disk",
        },
        "backbone": {
            "name": "tiny",
            "image_size": [96, 32],
            "text_length": 77,
            "interpolation": "bilinear",
            "normalisation": "clip",
        },
        "train": {"batch_size": 64, "epochs": 5},
        "eval": {"rule": "val"},
        "seed": seed,
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        values[section][name] = value
    return values


def queries(r1, seed, n_identities=N_IDENTITIES):
    """Return per-query results whose share of hits is about `r1` percent, alike within an identity."""
    rng = np.random.default_rng(seed)
    skill = rng.beta(4 * r1 / 100 + 0.01, 4 * (1 - r1 / 100) + 0.01, n_identities).repeat(N_CAPTIONS)
    rank = np.where(rng.random(len(skill)) < skill, 1, rng.integers(2, 30, len(skill)))
    identity = np.arange(n_identities).repeat(N_CAPTIONS)
    return {"t2i/identity": identity, "t2i/rank": rank, "t2i/AP": 1 / rank, "t2i/INP": 1 / rank}


def scores(arrays, dataset):
    """Return the metrics and intervals that a record notes of per-query results, in percent."""
    found = {f"R{k}": 100 * float((arrays["t2i/rank"] <= k).mean()) for k in (1, 5, 10)}
    found["mAP"] = 100 * float(arrays["t2i/AP"].mean())
    metrics = {f"test/{dataset}/t2i/{name}": value for name, value in found.items()}
    return metrics, {name: (value - 3, value + 3) for name, value in metrics.items()}


def record(method, dataset, r1=40.0, *, seed=1, trainable=1000, synthetic=True, identity=None, **more):
    """Return a finished record and its per-query results; `config__name` style arguments change the config."""
    changes = {key: more.pop(key) for key in list(more) if "__" in key}
    settings = config(method, dataset, seed, **changes)
    arrays = queries(r1, abs(hash((method, dataset, seed))) % 2**32 if more.pop("noise", False) else seed)
    metrics, intervals = scores(arrays, dataset)
    made = Record(
        identity=identity or f"{method}{dataset}{seed}{sorted(changes.items())}".encode().hex(),
        status=more.pop("status", "finished"),
        config=settings,
        versions=more.pop("versions", {"method": 1, "dataset": 1, "protocol": 1}),
        fingerprint=more.pop("fingerprint", f"data-of-{dataset}"),
        pictures=more.pop("pictures", {"train": f"train-of-{dataset}", "test": f"test-of-{dataset}"}),
        backbone={"name": settings["backbone"]["name"], "sha256": "ab" * 32},
        synthetic=synthetic,
        started=more.pop("started", now()),
        finished=now(),
        environment={"device_name": more.pop("device", "cpu-1")},
        data={
            "train_pairs": more.pop("train_pairs", 700),
            "bad_images": 0,
            "left_out": more.pop("left_out", {"train": 0, "val": 0, "test": 0}),
            "faults": more.pop("faults", []),
        },
        accounting={
            "parameters": {"trainable": trainable, "total": 2_000_000, "inference_extra": trainable},
            "flops": {"image_training": 2e6, "text_training": 1e6, "pair_training": 3e6},
            "step_peak_bytes": more.pop("memory", 2e9),
            "train_seconds": more.pop("seconds", 60.0),
        },
        metrics=metrics,
        intervals=intervals,
        interval_method=more.pop("interval_method", METHOD),
        tags=more.pop("tags", {}),
    )
    assert not more, more
    return made, arrays


def send(store, made, arrays, transfers=()):
    """Write a record's folder and publish it, with its results on other datasets (name, R@1)."""
    folder = RunFolder(store.runs / made.name)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write(made)
    folder.write_queries(arrays)
    made.tracking = publish(made, folder, store)
    for dataset, r1 in transfers:
        found = queries(r1, made.config["seed"])
        metrics, intervals = scores(found, dataset)
        folder.write_queries(found, f"transfer/{dataset}.npz")
        known = {"fingerprint": f"data-of-{dataset}", "pictures": f"test-of-{dataset}", "left_out": 0}
        result = {"dataset": dataset, "protocol": 1, "interval_method": made.interval_method, **known}
        assert log_transfer(made, folder, result | {"metrics": metrics, "intervals": intervals})
    return made


def group(store, records, mean, low, high):
    """Publish records as one group of seeds with chosen numbers."""
    dataset = records[0].config["dataset"]["name"]
    metric = {"mean": mean, "low": low, "high": high, "sd": 1.0}
    values = {
        "name": "group",
        "identity": "g" + records[0].identity,
        "seeds": [made.config["seed"] for made in records],
        "metrics": {f"test/{dataset}/t2i/{name}": metric for name in ("R1", "R5", "R10", "mAP")},
    }
    assert publish_group(values, records, store.runs)


def row(method="cskt", trained_on="icfg", tested_on=None, r1=40.0, **changes):
    """Return one result with its seeds combined, as the rows of a report are."""
    tested_on = tested_on or trained_on
    untrained = changes.get("rule") == "untrained"
    made = {
        "run": f"{method}-{trained_on}",
        "condition": f"{method}-{trained_on}",
        "method": method,
        "trained_on": trained_on,
        "tested_on": tested_on,
        "in_domain": trained_on == tested_on,
        "shares_persons": {trained_on, tested_on} == {"icfg", "rstp"},
        "synthetic": True,
        "config": {"method.name": method, "method.lr": "0.1", "dataset.name": trained_on},
        "rule": "val",
        "budget": "none",
        "backbone": "tiny",
        "weights": "abab",
        "image_size": "96×32",
        "text_length": "77",
        "preprocessing": "bilinear, clip",
        "val": "holdout",
        "train_on": "train",
        "fingerprint": f"data-of-{trained_on}",
        "test_fingerprint": f"data-of-{tested_on}",
        "pictures": f"test-of-{tested_on}",
        "left_out": 0,
        "train_pictures": f"train-of-{trained_on}",
        "train_left_out": 0,
        "protocol": "1",
        "batch_size": None if untrained else 64,
        "epochs": None if untrained else 5,
        "device": "cpu-1",
        "trainable": 0 if untrained else 1000.0,
        "total": 2e6,
        "inference_extra": 0.0,
        "checkpoint_bytes": None,
        "step_peak_bytes": None if untrained else 2e9,
        "train_seconds": None if untrained else 60.0,
        "step_seconds": None,
        "seconds_to_best": None,
        "image_flops": None,
        "text_flops": None,
        "image_training_flops": None if untrained else 2e6,
        "text_training_flops": None if untrained else 1e6,
        "pair_flops": None if untrained else 3e6,
        "images_per_second": 500.0,
        "captions_per_second": None,
        "test_peak_bytes": 1.5e9,
        "run_id": f"{method}-{trained_on}-id",
        "train_pairs": None if untrained else 700.0,
        "runs": [f"{method}-{trained_on}-1"],
        "seeds": [1],
        "n_seeds": 1,
        "interval": "identities" if untrained else "identities only",
        "R1_seeds": [r1],
        "interval_method": METHOD,
        "scored": "",
        "training_told": True,
        "unlabelled_test": "no",
        "reranked": "no",
        "several": "no",
    }
    for name, value in {"R1": r1, "R5": r1, "R10": r1, "mAP": r1 - 5}.items():
        made |= {name: value, f"{name}_low": value - 3, f"{name}_high": value + 3}
    return made | changes


def persons(rows, seeds=1, apart=0.0):
    """Return the persons of results: 40 of ten queries each, whose figures spread by 8 points around a row's own.

    Seeds are so many points `apart` from one another.
    """
    return {persons_key(one): _persons(one, seeds, apart) for one in rows}


def _persons(one, seeds, apart):
    rng = np.random.default_rng(crc32(f"{one['condition']} on {one['tested_on']}".encode()))
    noise = rng.normal(size=(seeds, N_IDENTITIES, len(METRICS)))
    noise = 0.08 * (noise - noise.mean(axis=1, keepdims=True))
    shift = apart / 100 * (np.arange(seeds) - (seeds - 1) / 2)[:, None, None]
    means = np.array([one[name] for name in METRICS]) / 100 + shift
    sizes = np.full(N_IDENTITIES, 10.0)
    return Persons(np.arange(N_IDENTITIES), sizes, (means + noise) * 10, 0.1)


def experiment(runs, name, monkeypatch=None):
    """Return the store of a named experiment, and make it the one that publishing writes to."""
    if monkeypatch is not None:
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", name)
    return Store(runs, name)


def fill_whole(store):
    """Publish three methods on two datasets, tested on both, with a floor; one with more seeds and settings."""
    floor, arrays = record("zero_shot", "icfg", 12, trainable=0)
    send(store, floor, arrays, [("cuhk", 15)])
    figures = {
        "linear_probe": (25, 2e5, 1.2e9, 8),
        "full_finetune": (44, 1.9e6, 2.6e9, 90),
        "cskt": (47, 1.2e5, 1.9e9, 70),
    }
    for method, (r1, trainable, memory, seconds) in figures.items():
        for dataset, other in (("icfg", "cuhk"), ("cuhk", "icfg")):
            costs = {"trainable": trainable, "memory": memory, "seconds": seconds}
            made, arrays = record(method, dataset, r1, **costs)
            send(store, made, arrays, [(other, r1 * 0.6)])
    for dataset, other in (("icfg", "cuhk"), ("cuhk", "icfg")):
        made, arrays = record("cskt", dataset, 41, method__lr=1e-3, trainable=1.2e5, memory=1.9e9, seconds=70)
        send(store, made, arrays, [(other, 25)])
    for seed in (2, 3):
        made, arrays = record("cskt", "icfg", 47, seed=seed, trainable=1.2e5, memory=1.9e9, seconds=70)
        send(store, made, arrays, [("cuhk", 28)])


__all__ = [
    "config",
    "experiment",
    "fill_whole",
    "group",
    "persons",
    "queries",
    "record",
    "row",
    "scores",
    "send",
]
