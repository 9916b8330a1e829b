"""What a run would do: `--dry-run` says it without training."""

import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.accounting import count_parameters
from harness.config import RunConfig
from harness.listener import Listener
from harness.material import read_dataset
from harness.methods import METHODS
from harness.paths import runs_root
from harness.record import Record, RunFolder, all_runs
from harness.resolve import differences


@dataclass(frozen=True)
class Plan:
    """The resolved config, what is there already, and what the run will cost as far as it can be told."""

    config: dict[str, Any]
    differences: list[tuple[str, Any, Any]]
    name: str | None
    state: str
    parameters: dict[str, int]
    train_pairs: int
    estimated_seconds: float | None
    estimate_from: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the plan as text."""
        counts = self.parameters
        share = 100 * counts["trainable"] / max(counts["total"], 1)
        time = (
            f"{self.estimated_seconds:.0f} s, from {self.estimate_from}"
            if self.estimated_seconds
            else "no earlier run to tell from"
        )
        changed = [f"  {key}: {value} (default {old})" for key, old, value in self.differences]
        return [
            yaml.safe_dump(self.config, sort_keys=False).rstrip(),
            "",
            "differs from the default:" if changed else "nothing differs from the default",
            *changed,
            f"run:        {self.name} ({self.state})",
            f"parameters: {counts['trainable']:,} of {counts['total']:,} trainable ({share:.2f} %)",
            f"pairs:      {self.train_pairs:,} per epoch, {self.config['train']['epochs']} epochs",
            f"time:       {time}",
        ]


def make_plan(config: RunConfig, runs: str | Path | None) -> Plan:
    """Return the plan of a run; reads annotations and weights, trains nothing."""
    from harness.clip import load_clip
    from harness.run import build_method, new_record

    reading = read_dataset(config.dataset, Listener())
    clip = load_clip(config.backbone, seed=config.seed)
    record = new_record(config, reading, clip)
    counts = count_parameters(build_method(config, clip)).as_dict()
    found = RunFolder(runs_root(runs).path / record.name).read()
    pairs = sum(len(s.captions) for s in reading.samples if s.split in reading.train_splits)
    seconds, source = _estimate(config, pairs, runs)
    return Plan(
        config=record.config,
        differences=differences(config),
        name=record.name,
        state=f"{found.status}: found" if found else "new",
        parameters=counts,
        train_pairs=pairs,
        estimated_seconds=seconds,
        estimate_from=source,
    )


def _estimate(config: RunConfig, pairs: int, runs: str | Path | None) -> tuple[float | None, str | None]:
    """Estimate the training time from the median time per pair of finished runs of the same method and backbone."""
    if not METHODS.get(config.method.name).trained:
        return None, None
    same = [record for record in _finished(runs) if _alike(record, config)]
    rates = [r.accounting["train_seconds"] / (r.data["train_pairs"] * r.selection["epochs"]) for r in same]
    if not rates:
        return None, None
    return statistics.median(rates) * pairs * config.train.epochs, f"{len(rates)} earlier runs"


def _finished(runs: str | Path | None) -> list[Record]:
    records = [folder.read() for folder in all_runs(runs_root(runs).path)]
    return [
        r for r in records if r is not None and r.status == "finished" and r.accounting.get("train_seconds")
    ]


def _alike(record: Record, config: RunConfig) -> bool:
    backbone = record.config["backbone"]
    same_backbone = (backbone["name"], tuple(backbone["image_size"])) == (
        config.backbone.name,
        config.backbone.image_size,
    )
    return bool(record.config["method"]["name"] == config.method.name and same_backbone)
