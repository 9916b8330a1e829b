"""Which run or result of the same settings is there already, and what makes it another one all the same."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.config.identity import free_keys
from harness.config.removed import REMOVED, without_removed
from harness.config.sections import RunConfig
from harness.config.values import flatten
from harness.data.reading import Reading
from harness.errors import listed
from harness.record import BEFORE_PICTURES, Record, RunFolder, readable


def difference_from_earlier(record: Record, root: Path) -> str | None:
    """Say what differs from the run of the same config that is most like it; None where there is none.

    Finished ones go first; of several alike the latest counts.

    Args:
        record: of the run that is to begin.
        root: folder of the runs among which to look.
    """
    alike = [found for found in _of_same_name(record, root) if _settings(found) == _settings(record)]
    if not alike:
        return None
    nearest = max(alike, key=lambda one: (one.status == "finished", -_n_unlike(one, record), one.started))
    return f"another run than {nearest.name}, which has the same config: {differences(nearest, record)}."


def differences(old: Record, new: Record) -> str:
    """Say in words what two runs of one config do not share, of all that is part of a run's identity.

    >>> from harness.record import Record
    >>> shared = dict(identity="", config={}, versions={}, backbone={}, synthetic=False)
    >>> one = Record(fingerprint="a", pictures={"train": "x", "test": "y"}, **shared)
    >>> differences(one, one.model_copy(update={"pictures": {"train": "x", "test": "z"}}))
    'other pictures in test'
    """
    found = [unlike] if (unlike := differences_in_data(old, new.fingerprint, new.pictures)) else []
    if sets := _unlike(old.further, new.further):
        found.append(f"other data in {listed(sets)}")
    if old.backbone != new.backbone:
        found.append("other backbone weights")
    if parts := _unlike(old.versions, new.versions):
        found.append(f"another version of {listed(parts)}")
    gone = [key for key in flatten(old.config) if key in REMOVED]
    return "; ".join(found) or (f"made when {listed(gone)} was a setting" if gone else "other settings")


def differences_in_data(old: Record, fingerprint: str, pictures: Mapping[str, str]) -> str:
    """Say in words how the data of a run differ from an annotation and pictures; nothing where they do not."""
    found = []
    if not old.pictures:
        found.append(BEFORE_PICTURES)
    elif splits := _unlike(old.pictures, pictures):
        found.append(f"other pictures in {listed(splits)}")
    if old.fingerprint != fingerprint:
        found.append("another annotation")
    return "; ".join(found)


def further_differs(record: Record, name: str, reading: Reading) -> bool:
    """Say whether a further dataset of a joint training holds something else now than a run learned from."""
    noted = record.further.get(name, {})
    return noted.get("fingerprint") != reading.fingerprint or noted.get("pictures") != reading.pictures


def differences_in_test(fingerprint: str, pictures: str | None, reading: Reading) -> str:
    """Say in words how the data that a result is of differ from those that are there; nothing where they do not.

    Args:
        fingerprint: of the annotation that the result is of.
        pictures: SHA-256 of the test pictures that it is of, None where that is not known.
        reading: what is there now.
    """
    found = []
    if pictures is None:
        found.append(BEFORE_PICTURES)
    elif pictures != reading.pictures["test"]:
        found.append("other pictures in test")
    if fingerprint != reading.fingerprint:
        found.append("another annotation")
    return "; ".join(found)


def _unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


def _n_unlike(one: Record, other: Record) -> int:
    parts = ("fingerprint", "backbone", "versions")
    n_parts = len([part for part in parts if getattr(one, part) != getattr(other, part)])
    return n_parts + len(_unlike(one.pictures, other.pictures))


def _settings(record: Record) -> dict[str, Any]:
    free = free_keys(RunConfig)
    found = {key: value for key, value in flatten(without_removed(record.config)).items() if key not in free}
    return found | {"dataset.name": _data_name(record)}


def _data_name(record: Record) -> str:
    """Return the name of the dataset, of one's own data without the mark of what they hold."""
    name = str(record.config["dataset"]["name"])
    return name.rpartition("_")[0] if record.config["dataset"].get("file") else name


def _of_same_name(record: Record, root: Path) -> Iterator[Record]:
    """Yield the runs whose name differs in the identity alone, or in what data of one's own hold."""
    start = record.name.removesuffix(record.identity[:12])
    if record.config["dataset"].get("file"):
        start = f"{start.partition(_data_name(record))[0]}{_data_name(record)}_"
    folders = [RunFolder(folder) for folder in root.glob(f"{start}*") if "~" not in folder.name]
    for _, found in readable(folders):
        if found.identity != record.identity and not found.scored:
            yield found
