"""Which records are of older methods, data or metrics than those that are here now, and what repeats them."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from harness.config.removed import without_removed
from harness.config.sections import DatasetConfig
from harness.data.protocols.galleries import parse_test
from harness.data.protocols.joint_names import part_configs
from harness.errors import HarnessError
from harness.inference.transfer import transfer_data
from harness.presets.repeat import repeating_command
from harness.record import BEFORE_PICTURES, Record, RunFolder, has_earlier_intervals
from harness.results.versions import older_of, older_protocol
from harness.run.earlier_runs import differences_in_data, differences_in_test, further_differs
from harness.upkeep.data_now import DataNow, older_drawing


@dataclass
class Older:
    """What of a record is older than what is here.

    Attributes:
        why: in words, one for each thing.
        repeat: command lines that make it anew; empty where none is known.
        unknown: what could not be compared, in words.
    """

    why: list[str]
    repeat: list[str]
    unknown: list[str]


def older(folder: RunFolder, record: Record, data: DataNow) -> Older:
    """Return what of a finished run is older than what is here now; its data are read where they are here."""
    found = Older(older_of(record), [], [])
    for words, known in _data(record, data):
        (found.why if known else found.unknown).append(words)
    if found.why and (command := repeating_command(record)):
        found.repeat.append(command)
    if has_earlier_intervals(record):
        found.why.append("intervals by the earlier method")
        found.repeat.append(f"harness runs reread {record.name}")
    for result in folder.results(lambda file, why: None):
        dataset = str(result["dataset"])
        parts = [older_protocol(result), _elsewhere(record, dataset, result, data)]
        if any(parts):
            found.why += [f"its test on {dataset}: {part}" for part in parts if part]
            found.repeat.append(f"harness evaluate {record.name} {_test_options(dataset)}")
    return found


def _test_options(test: str) -> str:
    """Return the options that make a test again.

    >>> _test_options("icfg"), _test_options("icfg-mixed1_4-seed2")
    ('--dataset icfg', '--dataset icfg --gallery 1,4 --gallery-seed 2')
    """
    dataset, gallery = parse_test(test)
    reduced = f" --gallery {','.join(map(str, gallery.factors))}" if gallery else ""
    return f"--dataset {dataset}{reduced}" + (
        f" --gallery-seed {gallery.seed}" if gallery and gallery.seed else ""
    )


def _data(record: Record, data: DataNow) -> Iterator[tuple[str, bool]]:
    """Yield in words how the data of a run differ from those here, with whether that is known."""
    if not record.pictures and record.fingerprint:
        yield BEFORE_PICTURES, True
        return
    config = _dataset_of(record)
    reading = None if config is None else data.of(config)
    if reading is None:
        yield f"{record.config['dataset']['name']} is not here", False
        return
    for one in part_configs(config)[1:] if config else ():
        there = data.of(one)
        if there is not None and further_differs(record, one.name, there):
            yield f"not of the data that are here: other data in {one.name}", True
    own = {split: reading.pictures.get(split, "") for split in record.pictures}
    if unlike := differences_in_data(record, reading.fingerprint, own):
        yield f"not of the data that are here: {unlike}", True
    elif drawing := older_drawing(reading):
        yield drawing, True


def _dataset_of(record: Record) -> DatasetConfig | None:
    """Return how a record's dataset is read; that of scores with nothing but its test."""
    values = dict(without_removed(record.config)["dataset"])
    if record.scored:
        values = {key: value for key, value in values.items() if key not in ("val", "train_on", "trained_on")}
        values["val"] = "none"
    try:
        return DatasetConfig.model_validate(values)
    except ValidationError:
        return None


def _elsewhere(record: Record, dataset: str, result: dict[str, object], data: DataNow) -> str:
    """Return in words how the data of a test elsewhere differ from those here; nothing where they do not."""
    own = _dataset_of(record)
    try:
        reading = None if own is None else data.of(transfer_data(own, dataset))
    except HarnessError:
        return ""
    if reading is None:
        return ""
    pictures = result.get("pictures")
    return differences_in_test(
        str(result["fingerprint"]), None if pictures is None else str(pictures), reading
    )
