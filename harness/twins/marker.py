"""The marker file that distinguishes a synthetic twin from real data."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.datasets import Counts
from harness.errors import DataError
from harness.file_kinds import read_text
from harness.strict_json import read_json_text

MARKER_FILE = "SYNTHETIC.json"
GENERATOR_VERSION = 1
_MOST_BYTES = 2**16


@dataclass(frozen=True)
class Marker:
    """What a twin was made from; equal version, dataset, seed, identities and share mean equal bytes."""

    version: int
    dataset: str
    seed: int
    identities: int
    counts: dict[str, Counts]
    share: float | None = None

    def same_twin(self, other: "Marker") -> bool:
        """Say whether both describe the same twin, whatever was counted in it."""
        mine = (self.version, self.dataset, self.seed, self.identities, self.share)
        return mine == (other.version, other.dataset, other.seed, other.identities, other.share)


def read_marker(folder: Path) -> Marker | None:
    """Return the marker of a dataset folder, or None where there is none: then the data are real."""
    file = folder / MARKER_FILE
    if not os.path.lexists(file):
        return None
    try:
        values = read_json_text(read_text(file, most=_MOST_BYTES))
        counts = {split: Counts(**numbers) for split, numbers in values.pop("counts").items()}
        marker = Marker(**values, counts=counts)
        numbers = (
            marker.version,
            marker.seed,
            marker.identities,
            *(n for one in counts.values() for n in one),
        )
        if not isinstance(marker.dataset, str) or not all(type(n) is int for n in numbers):
            raise ValueError("a name and whole numbers are expected")
        if marker.share is not None and type(marker.share) is not float:
            raise ValueError("a share is a number")
        return marker
    except (DataError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{file} is not a twin's marker ({error}): make the twin again with --force."
        ) from error


def write_marker(folder: Path, marker: Marker) -> None:
    """Write the marker file into a dataset folder."""
    values = asdict(marker) | {
        "counts": {split: numbers._asdict() for split, numbers in marker.counts.items()}
    }
    if marker.share is None:
        del values["share"]
    (folder / MARKER_FILE).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
