"""What is known of a run, and in which words its record is told."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from harness.errors import many
from harness.registry.set_names import join_sets

Status = Literal["running", "finished", "failed", "pruned", "interrupted"]
TWIN_ENDING = "-twin"
RECORD = "record.json"
HISTORY = "history.json"
PROGRESS = "progress.json"
# In a running run's progress: seconds of training that are left.
LEFT = "left"
WEIGHTS = "weights.safetensors"
QUERIES = "queries.npz"
TRANSFER = "transfer"
EMBEDDINGS = "embeddings.npz"
# What a few captions rank first, as a picture, and the words beside it.
GALLERY = "gallery.jpg"
GALLERY_WORDS = "gallery.json"
HOLDOUT = "holdout.json"
FEW_SHOT = "few_shot.json"
# Which caption each training pair has, where some were moved: indices as numpy.save writes them.
NOISE = "noise.npy"
COMPRESSION = "compression.json"
BACKBONE = "backbone.safetensors"
# The files of values, whose checksum is in them, and those whose checksum the record notes.
VALUES = (HOLDOUT, FEW_SHOT, COMPRESSION, GALLERY_WORDS)
KEPT = (WEIGHTS, BACKBONE, QUERIES, EMBEDDINGS, HISTORY, NOISE)
IMPORTED = "harness.imported"
# The tag of a run that came in a bundle: the SHA-256 of the bundle's list of contents.
BUNDLE = "harness.bundle"
SCORED = "harness.scored"
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
    part of it, `further` what the other datasets of a joint training hold, by name.
    `command` is the command line of the process that did the work, `weights_sha256` the content of
    `weights.safetensors`, `progress` how far a run came that did not finish: `epoch`, `step`, `epochs`.
    `key` is one execution's own, drawn when it began, kept when it is resumed or moved: MLflow's run is found by it.
    `files` holds the SHA-256 of what else is kept in the folder, by name; an earlier version noted none.
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
    further: dict[str, dict[str, Any]] = {}
    backbone: dict[str, Any]
    notes: list[str] = []
    synthetic: bool
    started: str = ""
    finished: str | None = None
    seconds: float = 0.0
    command: str | None = None
    weights_sha256: str | None = None
    files: dict[str, str] = {}
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
        return run_name(self.config["method"]["name"], sets_name(self.config), self.synthetic, self.identity)

    @property
    def checksums(self) -> dict[str, str]:
        """The SHA-256 of each file of the folder that is known."""
        return self.files | ({WEIGHTS: self.weights_sha256} if self.weights_sha256 else {})

    @property
    def imported(self) -> str | None:
        """The authors' checkpoint that the run was made of, None for a run that was trained here."""
        return self.tags.get(IMPORTED)

    @property
    def scored(self) -> str | None:
        """The file of scores that were computed elsewhere and that the run was made of; None for any other run."""
        return self.tags.get(SCORED)

    @property
    def learned_from(self) -> str:
        """The sets that it learned from, joined by +: of a run that was scored those that were told, else its own."""
        return str(self.config["dataset"].get("trained_on") or sets_name(self.config))


def sets_name(config: Mapping[str, Any]) -> str:
    """Return what a run's config learned from: its dataset, of a joint training all joined by +.

    >>> sets_name({"dataset": {"name": "cuhk", "joined": "icfg+rstp"}}), sets_name({"dataset": {"name": "cuhk"}})
    ('cuhk+icfg+rstp', 'cuhk')
    """
    return join_sets((str(config["dataset"]["name"]), config["dataset"].get("joined")))


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


def result_elsewhere(dataset: str) -> str:
    """Return the file of a run's result on another test set than its own, by that one's name."""
    return f"{TRANSFER}/{dataset}.json"


def queries_elsewhere(dataset: str) -> str:
    """Return the file of the per-query results of the same."""
    return f"{TRANSFER}/{dataset}.npz"


def now() -> str:
    """Return the present time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
