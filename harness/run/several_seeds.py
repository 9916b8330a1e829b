"""Several seeds of one config as one result: mean, interval over seeds and identities, and the single values."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.compute.devices import agreed, is_main_process
from harness.config.sections import RunConfig
from harness.config.values import content_hash
from harness.errors import DataError, many
from harness.evaluate.intervals import METHOD, seed_summary
from harness.evaluate.per_identity import query_values
from harness.files import read_json, write_json
from harness.listener import Listener
from harness.methods import METHODS
from harness.metric_names import ALL_METRICS, DIRECTIONS
from harness.pages.tables import ends_text
from harness.paths import runs_root
from harness.record import (
    QUERIES,
    Record,
    RunFolder,
    Tell,
    left_out_words,
    now,
    queries_elsewhere,
    sets_name,
    warn,
)
from harness.registry.set_names import split_sets
from harness.run.run import run
from harness.track.publish import publish_group

# Added to the seed where a chosen configuration is trained again.
FRESH_SEED = 1000
_GROUPS = "groups"


def run_seeds(
    config: RunConfig,
    n_seeds: int,
    *,
    runs: str | Path | None = None,
    force: bool = False,
    device: str = "auto",
    listener: Listener | None = None,
    tags: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Run `n_seeds` seeds from `config.seed` on; return and record the group with mean and intervals.

    Of what no seed changes there is one run (`with_seeds`).
    """
    listener = listener or Listener()
    records = []
    for one in with_seeds(config, n_seeds):
        records.append(run(one, runs=runs, force=force, device=device, listener=listener, tags=tags))
    root = runs_root(runs).path
    folders = [RunFolder(root / record.name) for record in records]
    # The main process alone has written all results when it comes here; the others wait for what it makes of them.
    group: dict[str, Any] = agreed(summarise(records, folders) if is_main_process() else None)
    if is_main_process():
        write_json(root / _GROUPS / f"{group['name']}.json", group)
        publish_group(group, records, root)
    return group


def with_seeds(config: RunConfig, n_seeds: int) -> list[RunConfig]:
    """Return the config with each of `n_seeds` seeds from its own on; once where no seed changes anything."""
    n_seeds = n_seeds if seed_matters(config) else 1
    return [config.model_copy(update={"seed": config.seed + number}) for number in range(n_seeds)]


def seed_matters(config: RunConfig) -> bool:
    """Return whether runs that differ in the seed alone can differ: something is trained, or weights are random."""
    backbone = config.backbone
    given = backbone.pretrained or backbone.weights or backbone.init_from
    return METHODS.get(config.method.name).trained or not given


def summarise(records: list[Record], folders: list[RunFolder]) -> dict[str, Any]:
    """Combine the seeds' per-query results into mean, 95 % interval, deviation and single values of each metric.

    Of a joint training these are the metrics on each of its datasets.
    """
    first = records[0]
    dataset, trained = first.config["dataset"]["name"], sets_name(first.config)
    metrics = {}
    for tested in split_sets(trained):
        own = QUERIES if tested == dataset else queries_elsewhere(tested)
        queries = [folder.queries(own) for folder in folders]
        for direction in DIRECTIONS:
            identities = queries[0][f"{direction}/identity"]
            for name in ALL_METRICS:
                per_query = np.stack([query_values(one, name, direction) for one in queries])
                metrics[f"test/{tested}/{direction}/{name}"] = _metric(per_query, identities)
    identity = content_hash([record.identity for record in records])
    n_seeds = len(records)
    twin = " · SYNTHETIC TWIN" if first.synthetic else ""
    without = "".join(
        f" · {words}" for words in dict.fromkeys(left_out_words(one.data) for one in records) if words
    )
    rule = first.selection.get("rule")
    basis = (
        "untrained, one run" if rule == "none" and n_seeds == 1 else f"{many(n_seeds, 'seed')} · rule {rule}"
    )
    return {
        "name": f"{first.config['method']['name']}-{trained}-{n_seeds}seeds-{identity[:12]}",
        "identity": identity,
        "method": first.config["method"]["name"],
        "dataset": dataset,
        **({"trained_on": trained} if first.further else {}),
        "title": f"{first.config['method']['name']} on {trained}{twin}{without} · {basis}",
        "note": f"mean [95 % interval over {'seeds and ' * (n_seeds > 1)}identities] and each seed's value"
        + "; two seeds tell little of another, and a third would narrow these intervals" * (n_seeds == 2),
        "seeds": [record.config["seed"] for record in records],
        "runs": [record.name for record in records],
        "faults": list(dict.fromkeys(line for one in records for line in one.data.get("faults", ()))),
        "synthetic": first.synthetic,
        "finished": now(),
        "interval_method": METHOD,
        "metrics": metrics,
    }


def groups(root: Path, tell: Tell = warn) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the recorded groups of seeds with their files; `tell` hears one line of each that cannot be read."""
    for file in sorted((root / _GROUPS).glob("*.json")):
        try:
            group = read_json(file, of=dict)
            _ = (
                group["name"],
                [RunFolder(root / str(name)) for name in group["runs"]],
                group["metrics"].items(),
            )
        except DataError as error:
            tell(file, str(error))
        except (KeyError, TypeError, AttributeError):
            tell(file, f"{file} is no group of seeds: remove it, or repeat its `harness run --seeds`.")
        else:
            yield file, group


def group_table_rows(group: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: one line per dataset, where there are several, direction and metric."""
    keys = [key.split("/") for key in group["metrics"]]
    several = len({dataset for _, dataset, _, _ in keys}) > 1
    header = ["query", "metric", "mean [95 %]", "sd", *(f"seed {seed}" for seed in group["seeds"])]
    header = ["tested on"] * several + header
    rows = []
    for (_, dataset, direction, name), metric in zip(keys, group["metrics"].values(), strict=True):
        mean = f"{metric['mean']:.1f} {ends_text((metric['low'], metric['high']))}"
        rows.append(
            [
                *[dataset] * several,
                direction,
                name,
                mean,
                f"{metric['sd']:.2f}",
                *(f"{value:.1f}" for value in metric["values"]),
            ]
        )
    return header, rows


def _metric(per_query: np.ndarray, identities: np.ndarray) -> dict[str, Any]:
    """Summarise one metric of several seeds [n_seed, n_query], in percent."""
    summary = seed_summary(per_query, identities)
    values = 100 * per_query.mean(axis=1)
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return {
        "mean": 100 * summary.estimate,
        "low": 100 * summary.low,
        "high": 100 * summary.high,
        "sd": sd,
        "values": values.tolist(),
    }
