"""The Python face: `harness.load(run)`, `harness.runs()` and `harness.rerank(function, ...)`."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.config.values import flatten
from harness.inference.model import Trained, load
from harness.inference.transfer import results_of
from harness.record import BOOTSTRAP, all_runs, readable
from harness.scoring.rerank import rerank
from harness.track.tags import with_ends

if TYPE_CHECKING:
    import pandas

__all__ = ["Trained", "load", "rerank", "runs"]


def runs(root: str | Path | None = None) -> "pandas.DataFrame":
    """Return all recorded runs, one row each; one whose record cannot be read is named in a warning.

    Columns: `run`, `status`, what the result stands on (`identity`, `fingerprint` of the annotation, hashes of the
    backbone's weights and of those trained), the config by dotted key, `data.` with counts and faults, `accounting.`,
    `selection.`, `progress.` of what did not finish, and the metrics of each test as `test/dataset/direction/name`, the
    ends of their intervals as `…/low` and `…/high`; tests on other datasets (`harness evaluate`) included.
    `interval_method` says which method made the ends, `interval_method.DATASET` those of a test elsewhere.
    """
    import pandas

    rows = []
    for folder, record in readable(all_runs(Path(root) if root else None)):
        head = {
            "run": record.name,
            "status": record.status,
            "synthetic": record.synthetic,
            "started": record.started,
            "seconds": record.seconds,
            "identity": record.identity,
            "fingerprint": record.fingerprint,
            "backbone_sha256": record.backbone.get("sha256"),
            "weights_sha256": record.weights_sha256,
            "command": record.command,
            "interval_method": record.interval_method,
        }
        names = ("data", "accounting", "selection", "progress")
        row = {**head, **flatten(record.config), **flatten({name: getattr(record, name) for name in names})}
        row |= with_ends(record.metrics, record.intervals)
        for result in results_of(folder):
            row |= with_ends(result["metrics"], result["intervals"])
            row[f"interval_method.{result['dataset']}"] = result.get("interval_method", BOOTSTRAP)
        rows.append(row)
    return pandas.DataFrame(rows)
