"""Datasets as they are on this machine now, each read once; what is not here is not made."""

from harness.config.sections import DatasetConfig
from harness.data.annotations import twin_marker
from harness.data.protocols.joint_names import part_configs
from harness.data.reading import Reading, read_dataset
from harness.datasets import DATASETS
from harness.errors import UsageError
from harness.listener import Listener
from harness.paths import data_root
from harness.twins.marker import GENERATOR_VERSION


class DataNow:
    """Datasets as they are now, each read once.

    Attributes:
        root: folder of the datasets; else the one that a config names, else `HARNESS_DATA`.
    """

    def __init__(self, root: str | None = None) -> None:
        self.root = root
        self._known: dict[str, Reading | None] = {}

    def of(self, config: DatasetConfig) -> Reading | None:
        """Return a dataset, of a joint training the first; None where it is not here, or cannot be read."""
        config = part_configs(config)[0].model_copy(update={"root": self.root or config.root})
        key = config.model_dump_json()
        if key not in self._known:
            try:
                self._known[key] = read_dataset(config, Listener(), needed=()) if _is_here(config) else None
            except UsageError:
                self._known[key] = None
        return self._known[key]


def _is_here(config: DatasetConfig) -> bool:
    """Whether there is anything to read: a twin that is not here would be made."""
    folder = data_root(config.root).path / "synthetic" / DATASETS.get(config.name).folder
    return not config.synthetic or folder.is_dir()


def older_drawing(reading: Reading) -> str:
    """Return in words that a twin was drawn by an earlier version than today's; else nothing."""
    marker = twin_marker(reading.dataset, reading.root)
    if marker is None or marker.version == GENERATOR_VERSION:
        return ""
    return f"a twin of version {marker.version} of the drawing, today {GENERATOR_VERSION}"
