"""The Python face: `harness.load(run)` and `harness.runs()`."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.config.values import flatten
from harness.inference.model import Trained, load
from harness.record import all_runs

if TYPE_CHECKING:
    import pandas

__all__ = ["Trained", "load", "runs"]


def runs(root: str | Path | None = None) -> "pandas.DataFrame":
    """Return all recorded runs, one row each: identity, status, config, counts, metrics and accounting."""
    import pandas

    rows = []
    for folder in all_runs(Path(root) if root else None):
        record = folder.read()
        if record is None:
            continue
        head = {
            "run": record.name,
            "status": record.status,
            "synthetic": record.synthetic,
            "started": record.started,
        }
        parts = {"data": record.data, "accounting": record.accounting, "selection": record.selection}
        rows.append(
            {**head, "seconds": record.seconds, **flatten(record.config), **flatten(parts), **record.metrics}
        )
    return pandas.DataFrame(rows)
