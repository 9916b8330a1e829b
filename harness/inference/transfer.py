"""Test a trained run on other datasets, with the run's own preprocessing, once each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.config.sections import DatasetConfig, RunConfig
from harness.data.loading import Split, open_test
from harness.data.own_data import own_settings
from harness.data.protocols.galleries import Gallery, check_fits, name_of_test, parse_test
from harness.data.reading import Reading, read_dataset
from harness.datasets import DATASETS
from harness.errors import DataError
from harness.evaluate.encoder import evaluate
from harness.images.reduced import reduced
from harness.inference.model import Trained, finished
from harness.listener import Listener
from harness.metric_names import PROTOCOL_VERSION
from harness.paths import runs_root
from harness.presets.resolve import build_stored
from harness.record import Record, RunFolder, find_run, queries_elsewhere, result_elsewhere
from harness.run.earlier_runs import differences_in_test
from harness.run.final_test import take_own_test, write_result
from harness.run.import_checkpoint import tracked
from harness.track.publish import log_transfer

Result = dict[str, Any]
# What a run's dataset says of its training alone.
_OF_TRAINING = ("joined", "mixture", "few_shot", "few_shot_persons", "noise", "noise_file", "noise_index")


def evaluate_run(
    run: str,
    datasets: list[str],
    *,
    galleries: Sequence[Gallery] = (),
    data_root: str | None = None,
    runs: str | Path | None = None,
    device: str = "auto",
    force: bool = False,
    listener: Listener | None = None,
) -> list[Result]:
    """Test a finished run on each dataset's test split; a result that is there already is returned as it is.

    It is there where annotation, test pictures and protocol are those that it is of; else it is made anew. The model
    is loaded for a result that is missing only, so that a run imported without its weights shows what it has.

    A run trained on a synthetic twin is tested on synthetic twins, and one trained on real data on real data.

    Args:
        run: its name, how that begins, or its folder.
        datasets: their names, or those of tests with a reduced gallery such as `icfg-low4`; none for the run's own.
        galleries: test each dataset with these galleries in place of its own.
        data_root: folder of the datasets; else where the run found them.
        runs: folder of the records.
        device: `auto`, `cpu` or `cuda`.
        force: test again what was tested.
        listener: hears what is done.
    """
    listener = listener or Listener()
    asked = [(DATASETS.get(name).name, gallery) for name, gallery in map(parse_test, datasets)]
    folder = find_run(run, runs_root(runs).path)
    tested = _Tested(folder, device)
    asked = asked or [(tested.config.dataset.name, None)]
    tests = [(name, gallery) for name, own in asked for gallery in (galleries or (own,))]
    for gallery in (gallery for _, gallery in tests if gallery):
        check_fits(gallery, tested.config.backbone.image_size)
    return [_evaluate_one(tested, test, data_root, force, listener) for test in tests]


def results_of(folder: RunFolder) -> list[Result]:
    """Return all results on other datasets that a run's folder holds; one that cannot be read is named in a line."""
    return list(folder.results())


def transfer_data(own: DatasetConfig, dataset: str) -> DatasetConfig:
    """Return how a run on its own dataset reads that of a test."""
    dataset, _ = parse_test(dataset)
    where = own_settings(DATASETS.get(dataset))
    plain = DatasetConfig(name=dataset)
    training = {name: getattr(plain, name) for name in _OF_TRAINING}
    return own.model_copy(update={"name": dataset, "val": "none", "train_on": "train", **training, **where})


@dataclass
class _Tested:
    """A finished run; its model is loaded when it is first asked for."""

    folder: RunFolder
    device: str
    record: Record = field(init=False)
    config: RunConfig = field(init=False)

    def __post_init__(self) -> None:
        self.record = finished(self.folder)
        self.config = build_stored(self.record.config)

    @cached_property
    def model(self) -> Trained:
        return Trained(self.folder, device=self.device)


def _evaluate_one(
    tested: _Tested, test: tuple[str, Gallery | None], data_root: str | None, force: bool, listener: Listener
) -> Result:
    dataset, gallery = test
    name = name_of_test(dataset, gallery)
    config = transfer_data(tested.config.dataset, dataset)
    config = config.model_copy(update={"root": data_root or config.root})
    reading = read_dataset(config, listener, needed=["test"])
    reading.of("test").check_pictures(config.on_bad_image)
    if gallery is None and tested.record.imported and dataset == tested.record.config["dataset"]["name"]:
        return _own(tested, reading, force, listener)
    file = tested.folder.file(result_elsewhere(name))
    found = _found(tested.folder, file, listener) if os.path.lexists(file) and not force else None
    if found is not None:
        if unlike := _differences(found, reading):
            listener.on_note(f"the result on {name} of {found['finished']} is made anew: {unlike}.")
        else:
            listener.on_note(
                f"found the result on {name} of {found['finished']}: shown, not repeated (--force repeats)."
            )
            return found
    split, opened = open_test(
        reading, config, tested.config.backbone, tested.model.method.clip.tokenize, listener
    )
    if gallery is not None:
        split = _with_gallery(split, gallery, tested)
    listener.on_stage(f"testing on {name}")
    evaluation, _ = evaluate(tested.model.encoder, split, detail=True)
    result = write_result(tested.record, tested.folder, reading, evaluation, opened, gallery)
    log_transfer(tested.record, tested.folder, result)
    return result


def _with_gallery(split: Split, gallery: Gallery, tested: _Tested) -> Split:
    """Return a test whose pictures are reduced."""
    backbone = tested.config.backbone
    assert backbone.interpolation is not None
    factors = [gallery.factor_of(image) for image in split.pairs.images]
    return replace(split, images=reduced(split.images, factors, backbone.interpolation))


def _found(folder: RunFolder, file: Path, listener: Listener) -> Result | None:
    """Return a result that is there; None, with a note, for one that is damaged or has lost its queries."""
    told: dict[Path, str] = {}
    found = next((one for one in folder.results(told.__setitem__) if one["dataset"] == file.stem), None)
    try:
        if found is not None:
            folder.whole(queries_elsewhere(file.stem))
    except DataError as error:
        told, found = {file: str(error)}, None
    if found is None:
        why = told.get(file, f"{file} cannot be read: {file} is no file").rpartition(": ")[0]
        listener.on_note(f"the result on {file.stem} is made anew: {why}.")
    return found


def _differences(found: Result, reading: Reading) -> str:
    """Say in words what a result and a test that would be made now do not share; nothing where they are alike."""
    unlike = differences_in_test(found["fingerprint"], found.get("pictures"), reading)
    parts = [unlike] * bool(unlike) + ["another version of protocol"] * (
        found["protocol"] != PROTOCOL_VERSION
    )
    return "; ".join(parts)


def _own(tested: _Tested, reading: Reading, force: bool, listener: Listener) -> Result:
    """Test an imported run on the dataset it was trained on, where that was not done when it was imported."""
    record, folder = tested.record, tested.folder
    unlike = differences_in_test(record.fingerprint, record.pictures.get("test"), reading)
    if force or not record.metrics or unlike:
        if record.metrics and unlike:
            listener.on_note(f"the test of {record.name} is made anew: {unlike}.")
        take_own_test(record, folder, tested.model.encoder, reading, tested.config, listener)
        folder.write(record)
        record.tracking = tracked(record, folder, folder.path.parent)
        folder.write(record)
    else:
        listener.on_note(f"found the result of the import of {record.finished}: shown (--force repeats).")
    return {
        "run": record.name,
        "dataset": tested.config.dataset.name,
        "synthetic": record.synthetic,
        "fingerprint": record.fingerprint,
        "pictures": record.pictures["test"],
        "protocol": PROTOCOL_VERSION,
        "finished": record.finished,
        "bad_images": record.data["bad_images"],
        "left_out": record.data["left_out"]["test"],
        "faults": record.data["faults"],
        "metrics": record.metrics,
        "intervals": record.intervals,
        "interval_method": record.interval_method,
    }
