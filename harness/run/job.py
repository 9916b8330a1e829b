"""What the steps of a run share, and how a run is prepared."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.clip.model import Clip, load_clip
from harness.compute.devices import Accelerator, accelerator
from harness.compute.precision import store_half
from harness.config.faults import check_trial
from harness.config.identity import identity_values, recorded_values
from harness.config.sections import RunConfig
from harness.config.values import content_hash
from harness.data.protocols.joint import JointReading, read_joint
from harness.datasets import PersonDataset
from harness.listener import Listener
from harness.methods import METHODS, Method
from harness.metric_names import PROTOCOL_VERSION
from harness.paths import runs_root
from harness.record import Record, RunFolder, trials_folder
from harness.run.backbone import load_backbone
from harness.train.switches import check_switches


@dataclass
class Job:
    """What the steps of a run share."""

    config: RunConfig
    engine: Accelerator
    reading: JointReading
    clip: Clip
    record: Record
    folder: RunFolder
    listener: Listener
    root: Path

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes."""
        return bool(self.engine.is_main_process)

    @property
    def datasets(self) -> list[type[PersonDataset]]:
        """The classes of the datasets that the run works on."""
        return [one.dataset for one in self.reading.all]


def prepare(
    config: RunConfig,
    runs: str | Path | None,
    device: str,
    listener: Listener,
    tags: dict[str, str],
    study: str | None = None,
) -> Job:
    """Read data and weights as far as the run's identity needs them."""
    if study:
        check_trial(config)
    outline(config.fitted(1))
    engine = accelerator(config.train.precision, device)
    with engine.main_process_first():
        reading = read_joint(
            config.dataset,
            listener if engine.is_main_process else Listener(),
            needed_splits(config),
        )
    for one in reading.all:
        one.check_pictures(config.dataset.on_bad_image)
    config = config.fitted(reading.counts.identities)
    root = runs_root(runs).path
    clip = load_backbone(config.backbone, seed=config.seed, runs=root)
    for note in clip.notes if engine.is_main_process else ():
        listener.on_note(note)
    record = new_record(config, reading, clip, study)
    record.tags = tags
    folder = RunFolder((trials_folder(root, study) if study else root) / record.name)
    own = listener if engine.is_main_process else Listener()
    return Job(config, engine, reading, clip, record, folder, own, root)


def needed_splits(config: RunConfig) -> list[str]:
    """Return the splits that a run cannot do without; what trains nothing needs the test split alone."""
    return ["train", "test"] if METHODS.get(config.method.name).trained else ["test"]


def new_record(config: RunConfig, reading: JointReading, clip: Clip, study: str | None = None) -> Record:
    """Return the record of a run that has not begun, with its identity.

    A study's trial is never an ordinary run's; it is not tested, so the test pictures are no part of it.
    """
    method = METHODS.get(config.method.name)
    own, further = reading.own, reading.parts
    versions = {"method": method.version, "dataset": own.dataset.version, "protocol": PROTOCOL_VERSION}
    backbone = clip.identity.as_dict()
    pictures = {split: sha256 for split, sha256 in own.pictures.items() if split != "test" or not study}
    parts: dict[str, Any] = {
        "config": identity_values(config),
        "data": own.fingerprint,
        "pictures": pictures,
        "backbone": backbone,
        "versions": versions,
    }
    if further:
        parts["further"] = further
    if study:
        parts["tested"] = False
    return Record(
        identity=content_hash(parts),
        config=recorded_values(config),
        versions=versions,
        fingerprint=own.fingerprint,
        pictures=pictures,
        further=further,
        backbone=backbone,
        notes=clip.notes,
        synthetic=own.synthetic,
        study=study,
    )


def outline(config: RunConfig) -> Method:
    """Return the method on its backbone without any values, for counting and for what both refuse.

    Raises `UsageError` where the method cannot act in the backbone, before weights or images are opened.
    """
    backbone = config.backbone.model_copy(update={"pretrained": None, "weights": None, "init_from": None})
    with torch.device("meta"):
        clip = load_clip(backbone, device="meta")
        method = METHODS.get(config.method.name)(clip, config.method)
    check_switches(method, config.train)
    return method


def build_method(config: RunConfig, clip: Clip) -> Method:
    """Return the method on its backbone, initialised from the run's seed."""
    torch.manual_seed(config.seed)
    method = METHODS.get(config.method.name)(clip, config.method)
    return store_half(method) if config.train.precision == "pure-fp16" else method
