"""Read tracked runs back from MLflow as tidy rows: one row for each run and each dataset it was tested on."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.identity import free_keys, later_defaults
from harness.config.sections import RunConfig
from harness.config.values import content_hash
from harness.datasets import DATASETS
from harness.errors import HarnessError
from harness.files import read_json, write_text
from harness.metric_names import METRICS

if TYPE_CHECKING:
    from pandas import DataFrame

    from harness.track.mlflow_store import Store

UNTRAINED = "untrained"
NO_BUDGET = "none"
INIT_FROM = "backbone.init_from"
_NOTHING_TRAINED = "metrics.`accounting/parameters.trainable` = 0"
_TESTED = re.compile(r"test/(.+)/t2i/R1")
_COSTS = {
    "trainable": "accounting/parameters.trainable",
    "total": "accounting/parameters.total",
    "inference_extra": "accounting/parameters.inference_extra",
    "checkpoint_bytes": "accounting/checkpoint_bytes",
    "train_peak_bytes": "accounting/train_peak_bytes",
    "test_peak_bytes": "accounting/test_peak_bytes",
    "train_seconds": "accounting/train_seconds",
    "step_seconds": "accounting/step_seconds",
    "seconds_to_best": "accounting/seconds_to_best",
    "image_flops": "accounting/flops.image_forward",
    "text_flops": "accounting/flops.text_forward",
    "image_training_flops": "accounting/flops.image_training",
    "text_training_flops": "accounting/flops.text_training",
    "images_per_second": "accounting/images_per_second",
    "captions_per_second": "accounting/captions_per_second",
    "train_pairs": "data/train_pairs",
    "train_images": "data/train_images",
}


def read_runs(store: "Store", suite: str | None = None, datasets: Sequence[str] = ()) -> "DataFrame":
    """Return one row for each finished run and test set of a store's experiment, newest first.

    A row holds who (`run_id`, `run`, `method`, `trained_on`, `tested_on`, `seed`), under which protocol (`rule`,
    `backbone`, `image_size`, `train_pairs`, `fingerprint`, ...), what came out (`R1`, `R1_low`, `R1_high`, ... in
    percent, text to image) and what it cost (`trainable`, `train_peak_bytes`, `train_seconds`, ...). Rows of
    the same `condition` differ in nothing but the seed.

    Args:
        store: where the runs are tracked.
        suite: only the cells of this suite; None means all.
        datasets: only runs trained on these, and those that trained nothing; none means all. MLflow looks them up, so
            that a large store costs little.
    """
    from pandas import DataFrame

    wanted = (
        [*(f"tags.`harness.dataset` = '{name}'" for name in datasets), _NOTHING_TRAINED] if datasets else [""]
    )
    found = {run.info.run_id: run for where in wanted for run in store.finished_runs(where=where)}
    newest = sorted(found.values(), key=lambda run: -run.info.start_time)
    known = {str(run.info.run_name): run for run in reversed(newest)}
    return DataFrame([row for run in of_suite(newest, suite) for row in run_rows(run, known)])


def of_suite(runs: Sequence[Any], suite: str | None) -> list[Any]:
    """Return the MLflow runs that are cells of a suite; all where none is named."""
    return [run for run in runs if suite is None or f"harness.suite.{suite}" in run.data.tags]


def read_unfinished(store: "Store", suite: str | None = None) -> "DataFrame":
    """Return name, method, dataset and status of the runs, or of one suite's, that did not finish, newest first."""
    from pandas import DataFrame

    runs = of_suite(store.unfinished_runs(), suite)
    names = ("method", "dataset", "status")
    rows = [
        {"run": str(run.info.run_name)}
        | {name: _tag(run, name) for name in names}
        | {"synthetic": _tag(run, "synthetic") == "true"}
        for run in runs
    ]
    return DataFrame(rows, columns=["run", *names, "synthetic"])


def run_rows(run: Any, known: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Yield one row for each dataset that an MLflow run was tested on.

    A run that starts from one of the `known` runs, by name, has that run's condition in place of its name, and the
    weights that it began with in turn: so seeds whose starts differ in the seed alone are one condition.
    """
    start = _start(run, known or {})
    shared = _who(run, start) | _protocol(run, start) | _costs(run)
    for key in run.data.metrics:
        if found := _TESTED.fullmatch(key):
            yield shared | _tested(run, found.group(1)) | _scores(run.data.metrics, found.group(1))


@dataclass(frozen=True)
class _Start:
    """What a run's towers start from: in words for its config, and the weights at the beginning of all."""

    words: str | None
    weights: str


def _start(run: Any, known: Mapping[str, Any]) -> _Start:
    name = run.data.params.get(INIT_FROM)
    source = known.get(name) if name else None
    if source is None or source is run:
        return _Start(name, _tag(run, "weights"))
    before = _start(source, {key: value for key, value in known.items() if key != name})
    return _Start(f"{_tag(source, 'method')} {_condition(source, before)[:6]}", before.weights)


def _who(run: Any, start: _Start) -> dict[str, Any]:
    return {
        "run_id": str(run.info.run_id),
        "run": str(run.info.run_name),
        "group": run.data.tags.get("mlflow.parentRunId"),
        "condition": _condition(run, start),
        "method": _tag(run, "method"),
        "trained_on": _tag(run, "dataset"),
        "seed": _number(_tag(run, "seed")),
        "synthetic": _tag(run, "synthetic") == "true",
        "config": dict(sorted(_config(run, start).items())),
    }


def _protocol(run: Any, start: _Start) -> dict[str, Any]:
    params = run.data.params
    trained = run.data.metrics.get(_COSTS["trainable"], 1) > 0
    return {
        "rule": _tag(run, "rule") if trained else UNTRAINED,
        "budget": _budget(run.data.tags.get("harness.budget", "")),
        "backbone": _tag(run, "backbone"),
        "weights": start.weights[:12],
        "image_size": "×".join(re.findall(r"\d+", params.get("backbone.image_size", ""))),
        "text_length": params.get("backbone.text_length", ""),
        "preprocessing": f"{params.get('backbone.interpolation')}, {params.get('backbone.normalisation')}",
        "val": params.get("dataset.val", ""),
        "train_on": params.get("dataset.train_on", ""),
        "fingerprint": _tag(run, "fingerprint")[:12],
        "batch_size": _number(params.get("train.batch_size")) if trained else None,
        "epochs": _number(params.get("train.epochs")) if trained else None,
        "device": _tag(run, "device"),
    }


def _costs(run: Any) -> dict[str, float | None]:
    costs = {name: _finite(run.data.metrics.get(key)) for name, key in _COSTS.items()}
    if costs["trainable"] == 0:
        costs |= {name: None for name in costs if name.startswith("train_") or name.startswith("step_")}
    return costs


def _tested(run: Any, dataset: str) -> dict[str, Any]:
    """Return what a row says of its test set; the run's own dataset is in-domain, any other a transfer."""
    trained_on, tags = _tag(run, "dataset"), run.data.tags
    own = dataset == trained_on
    fingerprint = _tag(run, "fingerprint") if own else tags.get(f"harness.transfer.{dataset}", "")
    own_protocol = _tag(run, "version.protocol")
    return {
        "tested_on": dataset,
        "in_domain": own,
        "test_fingerprint": fingerprint[:12],
        "protocol": own_protocol if own else tags.get(f"harness.transfer_protocol.{dataset}", own_protocol),
        "queries": "queries.npz" if own else f"transfer/{dataset}.npz",
        "shares_persons": shares_persons(trained_on, dataset),
    }


def _scores(metrics: Mapping[str, float], dataset: str) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in METRICS:
        key = f"test/{dataset}/t2i/{name}"
        found[name] = _finite(metrics.get(key))
        found |= {f"{name}_{end}": _finite(metrics.get(f"{key}/{end}")) for end in ("low", "high")}
    return found


def shares_persons(one: str, other: str) -> bool:
    """Say whether two datasets are known to show some of the same persons; unknown names share none."""
    return any(b in _shared(a) for a, b in ((one, other), (other, one)))


def _shared(dataset: str) -> tuple[str, ...]:
    try:
        return DATASETS.get(dataset).shares_persons_with
    except HarnessError:
        return ()


def _condition(run: Any, start: _Start) -> str:
    """Return the hash of all that decides a result but the seed."""
    tags = run.data.tags
    versions = {key: value for key, value in tags.items() if key.startswith("harness.version.")}
    names = ("fingerprint", "weights", "synthetic", "budget")
    marks = {name: tags.get(f"harness.{name}") for name in names}
    marks |= {"weights": start.weights} if start.words is not None else {}
    return content_hash([_config(run, start), versions, list(marks.values())])[:16]


def _config(run: Any, start: _Start) -> dict[str, str]:
    """Return a run's settings; later ones that its record leaves out have their defaults."""
    dropped = free_keys(RunConfig) | {"seed"}
    kept = {key: str(value) for key, value in run.data.params.items() if key not in dropped}
    later = {key: str(value) for key, value in later_defaults(RunConfig).items()}
    return later | kept | ({INIT_FROM: start.words} if start.words is not None else {})


def write_rows(path: Path, rows: "DataFrame") -> None:
    """Write rows as JSON that `load_rows` reads back as they were."""
    records = [{str(key): _plain(value) for key, value in row.items()} for row in rows.to_dict("records")]
    write_text(path, json.dumps(records, indent=1, allow_nan=False) + "\n")


def load_rows(path: str | Path) -> "DataFrame":
    """Return the rows that `write_rows` wrote."""
    from pandas import DataFrame

    return DataFrame(read_json(Path(path)))


def _plain(value: Any) -> Any:
    """Return a cell as JSON knows it; what is not a number becomes null."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tag(run: Any, name: str) -> str:
    return str(run.data.tags.get(f"harness.{name}", ""))


def _budget(text: str) -> str:
    """Return how a method's settings were tuned, in words."""
    return f"{text} trials" if text.isdigit() else text or NO_BUDGET


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?\d+", text) else None


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
