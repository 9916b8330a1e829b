"""The marker file that distinguishes a synthetic twin from real data."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.datasets import Counts
from harness.errors import DataError

MARKER_FILE = "SYNTHETIC.json"
GENERATOR_VERSION = 1


@dataclass(frozen=True)
class Marker:
    """What a twin was made from; equal version, dataset, seed and identities mean equal bytes."""

    version: int
    dataset: str
    seed: int
    identities: int
    counts: dict[str, Counts]

    def same_twin(self, other: "Marker") -> bool:
        """Say whether both describe the same twin, whatever was counted in it."""
        mine = (self.version, self.dataset, self.seed, self.identities)
        return mine == (other.version, other.dataset, other.seed, other.identities)


def read_marker(folder: Path) -> Marker | None:
    """Return the marker of a dataset folder, or None where there is none: then the data are real."""
    file = folder / MARKER_FILE
    if not file.is_file():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        counts = {split: Counts(**numbers) for split, numbers in values.pop("counts").items()}
        return Marker(**values, counts=counts)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{file} is not a twin's marker ({error}): make the twin again with --force."
        ) from error


def write_marker(folder: Path, marker: Marker) -> None:
    """Write the marker file into a dataset folder."""
    values = asdict(marker) | {
        "counts": {split: numbers._asdict() for split, numbers in marker.counts.items()}
    }
    (folder / MARKER_FILE).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
