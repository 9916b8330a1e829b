"""The record of a run: one folder, written atomically, complete before anything is sent anywhere."""

import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from harness.config.sections import BackboneConfig
from harness.errors import UsageError, many, nearest
from harness.files import is_free, load_arrays, read_json, write_arrays, write_json
from harness.paths import runs_root
from harness.secrets import cleared

Status = Literal["running", "finished", "failed", "pruned", "interrupted"]
TWIN_ENDING = "-twin"
RECORD = "record.json"
HISTORY = "history.json"
PROGRESS = "progress.json"
WEIGHTS = "weights.safetensors"
QUERIES = "queries.npz"
EMBEDDINGS = "embeddings.npz"
HOLDOUT = "holdout.json"
FEW_SHOT = "few_shot.json"
COMPRESSION = "compression.json"
BACKBONE = "backbone.safetensors"
IMPORTED = "harness.imported"
BEFORE_PICTURES = "made before pictures were part of it"
# The method of all intervals that were made before their method was recorded, and what is said of them.
BOOTSTRAP = 1
EARLIER_INTERVALS = (
    "intervals by the earlier method, a bootstrap: `harness runs reread` computes them by today's"
)
TWIN, REAL = "SYNTHETIC TWIN", "real data"


class Record(BaseModel):
    """What is known of a run; the same fields whether it finished, failed or was interrupted.

    Metric names are `split/dataset/direction/name`, in percent; `intervals` holds (low, high) of the same names,
    made by `interval_method` (`harness.evaluate.intervals.METHOD`), which is no part of a run's identity.
    `study` names the study that a run is a trial of: such a run validates and is never tested. `pictures` holds the
    SHA-256 of the pictures of each split that the run used; it is empty where the run was made before pictures were
    part of it. `command` is the command line of the process that did the work, `weights_sha256` the content of
    `weights.safetensors`, `progress` how far a run came that did not finish: `epoch`, `step`, `epochs`.
    `key` is one execution's own, drawn when it began, kept when it is resumed or moved: MLflow's run is found by it.
    `notes` says what was assumed of the backbone's weights, or done to their positions.
    """

    model_config = ConfigDict(extra="forbid")

    identity: str
    key: str = ""
    status: Status = "running"
    config: dict[str, Any]
    versions: dict[str, int]
    fingerprint: str
    pictures: dict[str, str] = {}
    backbone: dict[str, Any]
    notes: list[str] = []
    synthetic: bool
    started: str = ""
    finished: str | None = None
    seconds: float = 0.0
    command: str | None = None
    weights_sha256: str | None = None
    progress: dict[str, int] = {}
    environment: dict[str, Any] = {}
    sources: dict[str, str] = {}
    data: dict[str, Any] = {}
    accounting: dict[str, Any] = {}
    selection: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    interval_method: int = BOOTSTRAP
    statistics: dict[str, float] = {}
    oracle: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    parent: str | None = None
    study: str | None = None
    tags: dict[str, str] = {}
    tracking: dict[str, Any] = {"synced": False}

    @property
    def name(self) -> str:
        """The run's readable name, also the name of its folder."""
        return run_name(
            self.config["method"]["name"], self.config["dataset"]["name"], self.synthetic, self.identity
        )

    @property
    def imported(self) -> str | None:
        """The authors' checkpoint that the run was made of, None for a run that was trained here."""
        return self.tags.get(IMPORTED)


def has_earlier_intervals(result: Record | Mapping[str, Any]) -> bool:
    """Whether the intervals of a run, of its test on another dataset or of a group of seeds are a bootstrap's.

    >>> has_earlier_intervals({"metrics": {"R1": 50.0}, "intervals": {"R1": [45.0, 55.0]}})
    True
    """
    values = vars(result) if isinstance(result, Record) else result
    has_some = bool(values.get("intervals", values.get("metrics")))
    return has_some and values.get("interval_method", BOOTSTRAP) == BOOTSTRAP


def left_out_words(data: Mapping[str, Any]) -> str:
    """Return in words how many images a run left out because they cannot be read, of its record's `data`.

    >>> left_out_words({"left_out": {"train": 0, "val": 0, "test": 48}, "test_images": 47})
    'without 48 of 95 test images'
    >>> left_out_words({"left_out": {"train": 0, "test": 0}})
    ''
    """
    if "left_out" not in data:
        n = data.get("bad_images", 0)
        return f"without {n:,} image{'s' * (n != 1)} of unknown splits" if n else ""
    totals = {
        name: n + data[f"{name}_images"] for name, n in data["left_out"].items() if f"{name}_images" in data
    }
    parts = [
        f"{n:,} of {totals[name]:,} {name} images" if name in totals else f"{n:,} {name} images"
        for name, n in data["left_out"].items()
        if n
    ]
    return f"without {', '.join(parts)}" if parts else ""


def reached(progress: Mapping[str, int]) -> str:
    """Return in words how far a run came that did not finish; empty where that is not known.

    >>> reached({"epoch": 3, "step": 0, "epochs": 9}), reached({"epoch": 3, "step": 40, "epochs": 9}), reached({})
    ('3 of 9 epochs done', '3 of 9 epochs and 40 steps done', '')
    """
    if not progress.get("epochs"):
        return ""
    steps = f" and {many(progress['step'], 'step')}" if progress["step"] else ""
    return f"{progress['epoch']} of {progress['epochs']} epochs{steps} done"


def run_name(method: str, dataset: str, synthetic: bool, identity: str) -> str:
    """Return `method-dataset-identity`, the dataset marked as a twin when it is one."""
    return f"{method}-{twin_name(dataset, synthetic)}-{identity[:12]}"


def twin_name(name: str, synthetic: bool) -> str:
    """Return what a dataset, or a suite, is called where it must not be confused with its synthetic twin.

    >>> twin_name("icfg", True), twin_name("icfg", False)
    ('icfg-twin', 'icfg')
    """
    return f"{name}{TWIN_ENDING}" if synthetic else name


class RunFolder:
    """The folder of one run and the files in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str) -> Path:
        """Return the path of a file in the folder."""
        return self.path / name

    def read(self) -> Record | None:
        """Return the record, or None when there is none yet; that of a run whose process is gone is `interrupted`."""
        if not self.file(RECORD).is_file():
            return None
        record = Record.model_validate(read_json(self.file(RECORD)))
        if record.status == "running":
            noted = self._progress()
            record.seconds = float(noted.pop("seconds", 0.0))
            record.progress = {name: int(value) for name, value in noted.items()}
            if self._is_abandoned(record):
                record.status, record.finished = "interrupted", self._last_sign()
        return record

    def _last_sign(self) -> str:
        """Return when a run that has not ended was last seen alive."""
        files = [file for name in (RECORD, PROGRESS) if (file := self.file(name)).is_file()]
        return datetime.fromtimestamp(max(file.stat().st_mtime for file in files), UTC).isoformat(
            timespec="seconds"
        )

    def _progress(self) -> dict[str, float]:
        """Return how far a run that has not ended came, and in how many seconds."""
        file = self.file(PROGRESS)
        return dict(read_json(file)) if file.is_file() else {}

    def _is_abandoned(self, record: Record) -> bool:
        """Whether nobody works on a run that has not ended; of another machine's run that is not known."""
        return record.environment.get("host") == socket.gethostname() and is_free(self.path)

    def write(self, record: Record) -> None:
        """Write the record atomically, without what an error, a command or an address may repeat of secrets."""
        values = record.model_dump(mode="json")
        said = {name: cleared(values[name]) for name in ("error", "command", "tracking")}
        write_json(self.file(RECORD), values | said)

    def backbone(self, config: BackboneConfig) -> BackboneConfig:
        """Return a run's backbone with the run's own activation, and its weights where it was imported with them."""
        own, record = self.file(BACKBONE), self.read()
        known = {} if record is None else {"quick_gelu": record.backbone.get("quick_gelu")}
        return config.model_copy(update=known | ({"weights": str(own)} if own.is_file() else {}))

    def history(self) -> list[dict[str, float]]:
        """Return the metrics of each finished epoch."""
        file = self.file(HISTORY)
        return list(read_json(file)) if file.is_file() else []

    def write_queries(self, arrays: dict[str, Any], name: str = QUERIES) -> None:
        """Write per-query results as a compressed, pickle-free NumPy archive."""
        write_arrays(self.file(name), arrays)

    def queries(self, name: str = QUERIES) -> dict[str, Any]:
        """Return the per-query results by name."""
        return load_arrays(self.file(name))

    def set_aside(self) -> None:
        """Rename the folder to `name~n`, so that a repeated run loses nothing."""
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}~{number}")).exists():
            number += 1
        self.path.rename(aside)


def now() -> str:
    """Return the present time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def trials_folder(root: Path, study: str) -> Path:
    """Return where the trials of a study are: separate from the runs, which are tested."""
    return root / "studies" / study / "trials"


def all_trials(root: Path, study: str = "*") -> list[RunFolder]:
    """Return the folders of a study's trials, or of all studies'."""
    return [RunFolder(file.parent) for file in sorted(root.glob(f"studies/{study}/trials/*/{RECORD}"))]


def all_runs(root: Path | None = None) -> list[RunFolder]:
    """Return the folders of all recorded runs, oldest first; runs set aside are left out."""
    base = root or runs_root().path
    files = [file for file in base.glob(f"*/{RECORD}") if "~" not in file.parent.name]
    return [
        RunFolder(file.parent) for file in sorted(files, key=lambda file: (file.stat().st_ctime_ns, file))
    ]


def find_run(text: str, root: Path | None = None) -> RunFolder:
    """Return the run meant by a folder, a name, or the beginning of a name or identity.

    Raises `UsageError` when none or several fit.
    """
    if (Path(text) / RECORD).is_file():
        return RunFolder(Path(text))
    folders = {folder.path.name: folder for folder in all_runs(root)}
    if text in folders:
        return folders[text]
    fits = [name for name in folders if name.startswith(text) or name.rpartition("-")[2].startswith(text)]
    if len(fits) == 1:
        return folders[fits[0]]
    place = root or runs_root()
    if fits:
        raise UsageError(
            f"{text!r} fits {len(fits)} runs in {place}: {', '.join(fits)}. Give more of the name."
        )
    raise UsageError(f"No run {text!r} in {place}.{nearest(text, folders)} `harness runs list` shows all.")
