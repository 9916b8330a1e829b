"""Read tracked runs back from MLflow as tidy rows: one row for each run and each dataset it was tested on."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.identity import free_keys, later_defaults
from harness.config.removed import REMOVED
from harness.config.sections import RunConfig
from harness.config.values import content_hash
from harness.data.protocols.galleries import parse_test
from harness.datasets import SPLITS
from harness.files import read_json, write_text
from harness.metric_names import METRICS
from harness.record import BOOTSTRAP, QUERIES, RunFolder, queries_elsewhere, reached
from harness.registry.set_names import split_sets
from harness.results.flags import (
    NO,
    NOT_TOLD,
    flag_columns,
    known_text,
    met,
    preprocessing,
    shares_persons,
    trained_on,
)
from harness.results.row_faults import left_out, test_faults
from harness.results.versions import older_parts
from harness.track.run_row import RunRow, as_budget, as_sizes, as_whole
from harness.track.tags import PLACE, SUITE

if TYPE_CHECKING:
    from pandas import DataFrame

    from harness.track.mlflow_store import Store

UNTRAINED = "untrained"
_INIT_FROM = "backbone.init_from"
_NOTHING_TRAINED = "metrics.`accounting/parameters.trainable` = 0"
_NAMED = "attributes.run_name = '{name}'"
_TESTED = re.compile(r"test/(.+)/t2i/R1")
_VERSIONS = ("method", "dataset")
_COSTS = {
    "trainable": "accounting/parameters.trainable",
    "total": "accounting/parameters.total",
    "inference_extra": "accounting/parameters.inference_extra",
    "checkpoint_bytes": "accounting/checkpoint_bytes",
    "step_peak_bytes": "accounting/step_peak_bytes",
    "train_peak_bytes": "accounting/train_peak_bytes",
    "test_peak_bytes": "accounting/test_peak_bytes",
    "train_seconds": "accounting/train_seconds",
    "step_seconds": "accounting/step_seconds",
    "seconds_to_best": "accounting/seconds_to_best",
    "image_flops": "accounting/flops.image_forward",
    "text_flops": "accounting/flops.text_forward",
    "image_training_flops": "accounting/flops.image_training",
    "text_training_flops": "accounting/flops.text_training",
    "pair_flops": "accounting/flops.pair_training",
    "images_per_second": "accounting/images_per_second",
    "captions_per_second": "accounting/captions_per_second",
    "train_pairs": "data/train_pairs",
    "train_images": "data/train_images",
}


_OF_SUITE = {"suite_row": SUITE, "suite_place": PLACE}


def read_runs(store: "Store", suite: str | None = None, datasets: Sequence[str] = ()) -> "DataFrame":
    """Return one row for each finished run and test set of a store's experiment, newest first.

    A row holds who (`run_id`, `run`, `suite_row` and `suite_place`: what the suite calls it and its place there, as
    text, `method`, `trained_on`, `tested_on`, `seed`, `day`), under which protocol (`rule`, `backbone`, `image_size`,
    `train_pairs`, `fingerprint`, ...), on which data (`faults`, a line each), on which pictures (`pictures`,
    `left_out`, those of the test split, and `train_pictures`, `train_left_out`), what came out (`R1`, `R1_low`,
    `R1_high`, ... in percent, text to image, the ends by `tracked_method`) and what it cost (`trainable`,
    `train_peak_bytes`, `train_seconds`, ...). Rows of the same `condition` differ in nothing but the seed.

    Args:
        store: where the runs are tracked.
        suite: only the cells of this suite; None means all.
        datasets: only runs trained on these, also jointly, and those that trained nothing; none means all. MLflow
            looks them up, so that a large store costs little; where a name is part of another's, more are returned.
    """
    from pandas import DataFrame

    alone = (f"tags.`harness.dataset` = '{name}'" for name in datasets)
    together = (f"tags.`harness.trained_on` LIKE '%{name}%'" for name in datasets)
    wanted = [*alone, *together, _NOTHING_TRAINED] if datasets else [""]
    found = {run.id: run for where in wanted for run in store.finished_runs(where=where)}
    newest = sorted(found.values(), key=lambda run: -(run.started or 0))
    known = _with_sources(newest, store) if datasets else {run.name: run for run in reversed(newest)}
    return DataFrame(
        [
            row | {name: run.tags.get(f"{tag}{suite}", "") for name, tag in _OF_SUITE.items()}
            for run in _of_suite(newest, suite)
            for row in run_rows(run, known)
        ]
    )


def _with_sources(runs: Sequence[RunRow], store: "Store") -> dict[str, RunRow]:
    """Return runs by name, newest first, and those that they start from, however far back."""
    known = {run.name: run for run in reversed(runs)}
    asked = {*known, str(None)}
    while names := {run.params.get(_INIT_FROM, str(None)) for run in known.values()} - asked:
        asked |= names
        # No run has a name with a quotation mark, which would end the filter's own.
        for name in (one for one in sorted(names) if "'" not in one):
            known |= {run.name: run for run in reversed(store.finished_runs(where=_NAMED.format(name=name)))}
    return known


def _of_suite(runs: Sequence[RunRow], suite: str | None) -> list[RunRow]:
    """Return the runs that are cells of a suite; all where none is named."""
    return [run for run in runs if suite is None or f"{SUITE}{suite}" in run.tags]


def read_unfinished(store: "Store", suite: str | None = None) -> "DataFrame":
    """Return name, method, dataset, status and progress of the runs, or of one suite's, that did not finish.

    Newest first. A run that the store believes running, and whose process on this machine is gone, is `interrupted`.
    """
    from pandas import DataFrame

    names = ("run", "method", "dataset", "status", "reached", "synthetic")
    rows = [_unfinished(run, store.runs) for run in _of_suite(store.unfinished_runs(), suite)]
    return DataFrame(rows, columns=list(names))


def _unfinished(run: RunRow, root: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"run": run.name, "synthetic": run.synthetic}
    row |= {name: run.tag(name) for name in ("method", "dataset", "status", "reached")}
    here = RunFolder(root / run.name).glance() if run.running and Path(run.name).name == run.name else None
    return row if here is None else row | {"status": here.status, "reached": reached(here.progress)}


def run_rows(run: RunRow, known: Mapping[str, RunRow] | None = None) -> Iterator[dict[str, Any]]:
    """Yield one row for each dataset that a run was tested on.

    A run that starts from one of the `known` runs, by name, has that run's condition in place of its name, and the
    weights that it began with in turn: so seeds whose starts differ in the seed alone are one condition.
    """
    start = _start(run, known or {})
    shared = _who(run, start) | _protocol(run, start) | _costs(run)
    for key in run.metrics:
        if found := _TESTED.fullmatch(key):
            yield shared | _tested(run, found.group(1), start.sets) | _scores(run, found.group(1))


@dataclass(frozen=True)
class _Start:
    """What a run's towers start from: in words for its config, the first weights of all, and all sets seen."""

    words: str | None
    weights: str
    sets: tuple[str, ...]


def _start(run: RunRow, known: Mapping[str, RunRow]) -> _Start:
    name = run.params.get(_INIT_FROM)
    source = known.get(name) if name else None
    if source is None or source is run:
        return _Start(name, run.tag("weights"), tuple(split_sets(trained_on(run))))
    before = _start(source, {key: value for key, value in known.items() if key != name})
    own = split_sets(trained_on(run))
    return _Start(
        f"{source.tag('method')} {_condition(source, before)[:6]}",
        before.weights,
        tuple(sorted({*own, *before.sets})),
    )


def _who(run: RunRow, start: _Start) -> dict[str, Any]:
    versions = {part: n for part in _VERSIONS if (n := as_whole(run.tag(f"version.{part}"))) is not None}
    return {
        "run_id": run.id,
        "run": run.name,
        "group": run.parent,
        "condition": _condition(run, start),
        "method": run.tag("method"),
        "trained_on": trained_on(run),
        "seed": as_whole(run.tag("seed")),
        "synthetic": run.synthetic,
        "config": dict(sorted(_config(run, start).items())),
        "versions": versions,
        "older": older_parts(run.tag("method"), run.tag("dataset"), versions),
        "imported": run.tag("imported"),
        **flag_columns(run, start.sets),
        "day": run.day,
    }


def _protocol(run: RunRow, start: _Start) -> dict[str, Any]:
    params = run.params
    trained = run.metrics.get(_COSTS["trainable"], 1) > 0
    return {
        "rule": run.tag("rule") if trained else UNTRAINED,
        "budget": as_budget(run.tag("budget")),
        "backbone": run.tag("backbone"),
        "weights": start.weights[:12],
        "image_size": "×".join(map(str, as_sizes(params.get("backbone.image_size")))) or NOT_TOLD,
        "text_length": known_text(params.get("backbone.text_length", "")),
        "preprocessing": preprocessing(params),
        "val": params.get("dataset.val", ""),
        "train_on": params.get("dataset.train_on", ""),
        "fingerprint": run.tag("fingerprint")[:12],
        "train_pictures": run.tag("pictures.train")[:12],
        "train_left_out": left_out(run, "train"),
        "batch_size": as_whole(params.get("train.batch_size")) if trained else None,
        "epochs": as_whole(params.get("train.epochs")) if trained else None,
        "device": run.tag("device"),
    }


def _costs(run: RunRow) -> dict[str, float | None]:
    costs = {name: run.metric(key) for name, key in _COSTS.items()}
    if costs["trainable"] == 0:
        costs |= {name: None for name in costs if name.startswith("train_") or name.startswith("step_")}
    return costs


def _tested(run: RunRow, dataset: str, sets: Sequence[str]) -> dict[str, Any]:
    """Return a row's columns on its test set; the run's own dataset is in-domain, any other a transfer."""
    own, (base, gallery) = dataset == run.tag("dataset"), parse_test(dataset)
    fingerprint = run.tag("fingerprint") if own else run.tag(f"transfer.{dataset}")
    own_protocol = run.tag("version.protocol")
    method = "interval_method" if own else f"transfer_interval_method.{dataset}"
    return {
        "tested_on": dataset,
        "in_domain": base in split_sets(trained_on(run)),
        "gallery": gallery.words if gallery else NO,
        "test_fingerprint": fingerprint[:12],
        "pictures": run.tag("pictures.test" if own else f"transfer_pictures.{dataset}")[:12],
        "left_out": left_out(run, "test") if own else as_whole(run.tag(f"transfer_left_out.{dataset}")),
        "faults": test_faults(run, dataset, own),
        "tracked_method": as_whole(run.tag(method)) or BOOTSTRAP,
        "protocol": own_protocol if own else run.tag(f"transfer_protocol.{dataset}") or own_protocol,
        "queries": QUERIES if own else queries_elsewhere(dataset),
        "shares_persons": shares_persons(trained_on(run), base),
        "met": [] if run.synthetic else met(sets, base),
    }


def _scores(run: RunRow, dataset: str) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in METRICS:
        key = f"test/{dataset}/t2i/{name}"
        found[name] = run.metric(key)
        found |= {f"{name}_{end}": run.metric(f"{key}/{end}") for end in ("low", "high")}
    return found


def _condition(run: RunRow, start: _Start) -> str:
    """Return the hash of all that decides a result but the seed."""
    versions = {key: value for key, value in run.tags.items() if key.startswith("harness.version.")}
    names = ("fingerprint", "weights", "synthetic", "budget", *(f"pictures.{split}" for split in SPLITS))
    marks = {name: run.tags.get(f"harness.{name}") for name in names}
    marks |= {"weights": start.weights} if start.words is not None else {}
    marks |= {"further": run.tag("further")} if run.tag("further") else {}
    return content_hash([_told(run, start), versions, list(marks.values())])[:16]


def _config(run: RunRow, start: _Start) -> dict[str, str]:
    """Return a run's settings; later ones that its record leaves out have their defaults."""
    return {key: str(value) for key, value in later_defaults(RunConfig).items()} | _told(run, start)


def _told(run: RunRow, start: _Start) -> dict[str, str]:
    """Return the settings that a run's record has: a later one only where it is not its default."""
    dropped = free_keys(RunConfig) | {"seed", *REMOVED}
    kept = {key: value for key, value in run.params.items() if key not in dropped}
    return kept | ({_INIT_FROM: start.words} if start.words is not None else {})


def write_rows(path: Path, rows: "DataFrame") -> None:
    """Write rows as JSON that `load_rows` reads back as they were."""
    records = [{str(key): json_cell(value) for key, value in row.items()} for row in rows.to_dict("records")]
    write_text(path, json.dumps(records, indent=1, allow_nan=False) + "\n")


def load_rows(path: str | Path) -> "DataFrame":
    """Return the rows that `write_rows` wrote."""
    from pandas import DataFrame

    return DataFrame(read_json(Path(path)))


def json_cell(value: Any) -> Any:
    """Return a cell as JSON knows it; NaN becomes null."""
    if isinstance(value, list):
        return [json_cell(one) for one in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
