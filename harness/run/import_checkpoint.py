"""Make a finished run of a checkpoint that a method's authors released: its towers, its weights and its record."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.clip.model import Clip, load_clip
from harness.clip.weight_files import state_hash
from harness.clip.weights import Weights
from harness.compute.devices import Accelerator, accelerator
from harness.config.identity import identity_values, recorded_values
from harness.config.sections import RunConfig
from harness.config.values import content_hash
from harness.data.annotations import MissingData
from harness.data.reading import Reading, read_dataset
from harness.datasets import DATASETS
from harness.errors import UsageError
from harness.evaluate.encoder import Encoder
from harness.files import file_hash, locked
from harness.listener import Listener
from harness.methods import METHODS
from harness.metric_names import PROTOCOL_VERSION
from harness.paths import runs_root
from harness.presets.resolve import resolve
from harness.record import BACKBONE, IMPORTED, WEIGHTS, Record, RunFolder, now
from harness.run.earlier_runs import differences_in_test
from harness.run.final_test import refuse_twin, take_own_test
from harness.run.job import build_method, outline
from harness.run.provenance import environment, source_files
from harness.run.released import Checkpoint, look_for, read_checkpoint
from harness.run.trained_persons import told_origin
from harness.secrets import without_secrets
from harness.track.mlflow_opening import tracking_uri
from harness.track.mlflow_store import Store
from harness.track.patience import noted, reason, warn
from harness.track.publish import publish
from harness.train import cost
from harness.train.checkpoint import save_weights
from harness.train.tensor_files import write_tensors

_AS_RELEASED = ("dataset.val=none", "eval.test_each_epoch=true", "eval.rule=oracle")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Import:
    """What the steps of an import share; `reading` is None where the run is not tested."""

    config: RunConfig
    checkpoint: Checkpoint
    reading: Reading | None
    clip: Clip
    engine: Accelerator
    listener: Listener


def released_config(
    method: str, dataset: str, *, presets: Sequence[str] = (), overrides: Iterable[str] = ()
) -> RunConfig:
    """Return a method's config as authors train and choose: no validation, the epoch that is best on test."""
    return resolve(method, dataset, presets=presets, overrides=[*_AS_RELEASED, *overrides])


def import_checkpoint(
    config: RunConfig,
    file: str | Path,
    *,
    runs: str | Path | None = None,
    test: bool | None = None,
    device: str = "auto",
    force: bool = False,
    listener: Listener | None = None,
) -> Record:
    """Make a finished run of a checkpoint, tested once where the data are there; a run that is there is returned.

    Args:
        config: what the checkpoint was trained with (`released_config`).
        file: the authors' file; nothing in it is executed.
        runs: folder of the records; else `HARNESS_RUNS`, else `./runs`.
        test: test it; None tests where the dataset is found.
        device: `auto`, `cpu` or `cuda`.
        force: import it again; the old folder is set aside.
        listener: shown the stages.

    Raises `UsageError` for a file that does not hold what the config describes, and `DataError` for one that cannot
    be read safely, or without data where `test` asks for them.
    """
    work = prepare(config, Path(file), test, device, listener or Listener())
    root, record = runs_root(runs).path, new_record(work)
    folder = RunFolder(root / record.name)
    with locked(folder.path):
        found = None if force else folder.read()
        if found is not None and not _is_wanting(found, work.reading):
            work.listener.on_note(f"found the run {found.name}, imported from {found.imported}: shown.")
            return found
        if folder.is_begun() and (found is None or found.metrics):
            if found and work.reading is not None and (unlike := _unlike(found, work.reading)):
                work.listener.on_note(f"the test of {found.name} is made anew: {unlike}.")
            folder.set_aside()
            folder.path.mkdir()
        elif found is not None:
            record.tracking = found.tracking
        return _write(work, record, folder, root)


def prepare(config: RunConfig, file: Path, test: bool | None, device: str, listener: Listener) -> Import:
    """Read data and checkpoint, and build the backbone from the checkpoint's towers; a wrong path is told first."""
    if config.backbone.weights or config.backbone.init_from:
        raise UsageError(f"The towers come from {file}: leave out backbone.weights and backbone.init_from.")
    look_for(file)
    reading = _read_own(config, test, listener)
    persons = _n_identities(config, reading)
    config = config.fitted(persons)
    listener.on_stage(f"reading {file}")
    checkpoint = read_checkpoint(config, file)
    if checkpoint.classified is not None:
        listener.on_note(told_origin(config, checkpoint.classified, persons, file))
    if checkpoint.absent:
        parts = ", ".join(sorted({name.split(".")[0] for name in checkpoint.absent}))
        listener.on_note(
            f"{parts}: not in the file as --preset and --set have it, and only training needs it."
        )
    towers = Weights(checkpoint.towers, file, state_hash(checkpoint.towers), quick_gelu=True)
    named = config.backbone.model_copy(update={"weights": str(file)})
    clip = load_clip(named, seed=config.seed, weights=towers)
    for note in clip.notes:
        listener.on_note(note)
    return Import(config, checkpoint, reading, clip, accelerator(config.train.precision, device), listener)


def _read_own(config: RunConfig, test: bool | None, listener: Listener) -> Reading | None:
    """Read the dataset that a checkpoint is tested on; None where it is not to be, or where it is not found."""
    if test is False:
        return None
    try:
        reading = read_dataset(config.dataset, listener, needed=["test"])
    except MissingData:
        if test:
            raise
        name = config.dataset.name
        listener.on_note(
            f"{name} is not on this machine: not tested. Once it is, `harness evaluate` tests the run."
        )
        return None
    refuse_twin(reading, config)
    reading.of("test").check_pictures(config.dataset.on_bad_image)
    return reading


def new_record(work: Import) -> Record:
    """Return the record of an import, whose identity is that of its settings and tensors, whatever the data."""
    config, method = work.config, METHODS.get(work.config.method.name)
    dataset = DATASETS.get(config.dataset.name)
    versions = {"method": method.version, "dataset": dataset.version, "protocol": PROTOCOL_VERSION}
    parts = {"config": identity_values(config), "imported": work.checkpoint.hash, "versions": versions}
    return Record(
        identity=content_hash(parts),
        config=recorded_values(config),
        versions=versions,
        fingerprint=work.reading.fingerprint if work.reading else "",
        backbone=work.clip.identity.as_dict(),
        notes=work.clip.notes,
        synthetic=config.dataset.synthetic,
        started=now(),
        environment=environment(str(work.engine.device)),
        sources=source_files(method, dataset),
        selection={"rule": config.eval.rule},
        tags={IMPORTED: work.checkpoint.said},
    )


def _n_identities(config: RunConfig, reading: Reading | None) -> int:
    """Return how many persons the checkpoint was trained on: those of the data, else as many as are expected."""
    if reading is not None:
        return reading.n_identities
    expected = DATASETS.get(config.dataset.name).expected.get("train")
    return expected.identities if expected else 0


def _is_wanting(found: Record, reading: Reading | None) -> bool:
    """Say whether a run that is there has not been tested on these data, which are there."""
    return reading is not None and (not found.metrics or bool(_unlike(found, reading)))


def _unlike(found: Record, reading: Reading) -> str:
    return differences_in_test(found.fingerprint, found.pictures.get("test"), reading)


def _write(work: Import, record: Record, folder: RunFolder, root: Path) -> Record:
    """Write towers and weights, test, and write the record last, so that a cut-off import leaves no run."""
    start = time.perf_counter()
    checkpoint = work.checkpoint
    method = build_method(work.config, work.clip)
    method.load_state_dict(checkpoint.rest, strict=False)
    method.to(work.engine.device)
    mark = {"identity": record.identity, "method": method.name}
    write_tensors(folder.file(BACKBONE), checkpoint.towers, mark)
    save_weights(method, folder.file(WEIGHTS), mark)
    folder.note(record, BACKBONE)
    record.weights_sha256 = file_hash(folder.file(WEIGHTS))
    pair = cost.pair_flops(outline(work.config), work.config.train.compared)
    record.accounting = {
        "parameters": cost.count_parameters(method).as_dict(),
        "checkpoint_bytes": folder.file(WEIGHTS).stat().st_size,
        "flops": cost.training_flops(method) | pair,
    }
    if work.reading is not None:
        encoder = Encoder(method, work.config, work.engine)
        take_own_test(record, folder, encoder, work.reading, work.config, work.listener)
    record.status, record.finished = "finished", now()
    record.seconds = time.perf_counter() - start
    folder.write(record)
    record.tracking = tracked(record, folder, root)
    folder.write(record)
    return record


def tracked(record: Record, folder: RunFolder, root: Path) -> dict[str, Any]:
    """Send the run to MLflow; a store that does not take it gets it later."""
    try:
        return publish(record, folder, Store(root))
    except Exception as error:
        place = without_secrets(tracking_uri(root))
        warn(log, error, "MLflow at %s: %s; `harness runs sync` sends the run later", place, reason(error))
        return {"synced": False, "run_id": None, "uri": place, "error": noted(error)}
