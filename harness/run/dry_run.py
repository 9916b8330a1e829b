"""What a run would do: `--dry-run` says it without training."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.config.sections import DatasetConfig, RunConfig
from harness.data.annotations import found_at, locate
from harness.data.protocols.joint import JointReading, read_joint
from harness.data.protocols.joint_names import part_configs
from harness.datasets import DATASETS
from harness.errors import many
from harness.images.file_hashes import forgetting
from harness.listener import Listener
from harness.methods import METHODS
from harness.paths import data_root, runs_root
from harness.presets.resolve import differences
from harness.record import RunFolder
from harness.run.estimate import expected_seconds, finished_runs
from harness.run.several_seeds import with_seeds
from harness.train.cost import count_parameters


@dataclass(frozen=True)
class Plan:
    """The resolved config, what is there already, and what the run will cost as far as it is known."""

    config: dict[str, Any]
    differences: list[tuple[str, Any, Any]]
    name: str | None
    state: str
    parameters: dict[str, int]
    train_pairs: int
    estimated_seconds: float | None
    estimate_from: str | None
    differs: str | None = None
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

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
            else f"no estimate yet: {'the data are missing' if self.missing else 'there is no earlier run'}"
        )
        changed = [f"  {key}: {value} (default {old})" for key, old, value in self.differences]
        return [
            yaml.safe_dump(self.config, sort_keys=False).rstrip(),
            "",
            "differs from the default:" if changed else "nothing differs from the default",
            *changed,
            f"run:        {self.name} ({self.state})" if self.name else f"run:        {self.state}",
            *([f"            {self.differs}"] if self.differs else []),
            f"parameters: {counts['trainable']:,} of {counts['total']:,} trainable ({share:.2f} %)",
            f"pairs:      {self._pairs()}",
            f"time:       {time}",
            *(f"warning:    {fault}" for fault in self.faults),
            *(f"note:       {note}" for note in self.notes),
            *(f"missing:    {what}" for what in self.missing),
        ]

    def _pairs(self) -> str:
        if not self.parameters["trainable"]:
            return "none: the method trains nothing"
        if self.missing:
            return "unknown until the data are there"
        return f"{self.train_pairs:,} per epoch, {many(self.config['train']['epochs'], 'epoch')}"


def make_plans(config: RunConfig, runs: str | Path | None, n_seeds: int = 1) -> list[Plan]:
    """Return the plans of a config's runs, one for each seed; reads data and weights, and writes nothing.

    Where the data are not there a plan has the config, the parameters and what is `missing`.
    """
    from harness.run.job import needed_splits, outline

    outline(config.fitted(1))
    if missing := _missing(config):
        return [_plan_without_data(one, missing) for one in with_seeds(config, n_seeds)]
    with forgetting(), _on_data_that_are_there(config) as there:
        reading = read_joint(there.dataset, Listener(), needed_splits(config))
        for one in reading.all:
            one.check_pictures(config.dataset.on_bad_image)
            _ = one.pictures
    return [
        _plan(one.fitted(reading.counts.identities), reading, runs) for one in with_seeds(config, n_seeds)
    ]


@contextmanager
def _on_data_that_are_there(config: RunConfig) -> Iterator[RunConfig]:
    """Yield the config; a twin that is missing is made in a folder that is gone afterwards."""
    place = data_root(config.dataset.root).path
    folders = [DATASETS.get(one.name).folder for one in part_configs(config.dataset)]
    if not config.dataset.synthetic or all((place / "synthetic" / folder).is_dir() for folder in folders):
        yield config
        return
    with tempfile.TemporaryDirectory(prefix="harness-plan-") as folder:
        yield config.on_data(folder)


def _missing(config: RunConfig) -> list[str]:
    """Return a line for each file that the run needs of real data and that is not there: which, where, what to do."""
    return [line for one in part_configs(config.dataset) for line in _missing_of(one)]


def _missing_of(config: DatasetConfig) -> list[str]:
    dataset, place = DATASETS.get(config.name), data_root(config.root)
    if config.synthetic or locate(dataset, place.path) is not None:
        return []
    folder, found = place.path / dataset.folder, found_at(dataset, place.path)
    ways = f"`harness data info {dataset.name}` says how to get it"
    if dataset.twin is not None:
        ways += ", --synthetic needs none"
    return [
        f"{folder / dataset.annotation_files[0]}, from {place.chosen_by}: {ways}. {found}",
        f"{folder / dataset.image_folder}/, the images: {ways}",
    ]


def _plan_without_data(config: RunConfig, missing: list[str]) -> Plan:
    from harness.run.job import outline

    published = [DATASETS.get(one.name).expected.get("train") for one in part_configs(config.dataset)]
    fitted = config.fitted(sum(train.identities for train in published if train) or 1)
    return Plan(
        config=config.model_dump(mode="json"),
        differences=differences(config),
        name=None,
        state="unknown until the data are there",
        parameters=count_parameters(outline(fitted)).as_dict(),
        train_pairs=0,
        estimated_seconds=None,
        estimate_from=None,
        missing=missing,
    )


def _plan(config: RunConfig, reading: JointReading, runs: str | Path | None) -> Plan:
    from harness.run.backbone import load_backbone
    from harness.run.earlier_runs import difference_from_earlier
    from harness.run.job import build_method, new_record

    clip = load_backbone(config.backbone, seed=config.seed, runs=runs_root(runs).path)
    record = new_record(config, reading, clip)
    counts = count_parameters(build_method(config, clip)).as_dict()
    root = runs_root(runs).path
    found = RunFolder(root / record.name).read()
    pairs = reading.counts.captions if METHODS.get(config.method.name).trained else 0
    seconds, n = expected_seconds(config, finished_runs(runs), pairs)
    return Plan(
        config=config.model_dump(mode="json"),
        differences=differences(config),
        name=record.name,
        state=f"{found.status}: found" if found else "new",
        parameters=counts,
        train_pairs=pairs,
        estimated_seconds=seconds,
        estimate_from=many(n, "earlier run") if n else None,
        differs=None if found else difference_from_earlier(record, root),
        faults=[
            *reading.lines("faults"),
            *(line for one in reading.all for line in one.cut_faults(clip.tokenize)),
        ],
        notes=[*clip.notes, *reading.lines("notes")],
    )
