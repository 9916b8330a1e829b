"""What results of a board must share to stand in one table."""

from collections.abc import Mapping
from typing import Any

from harness.results.panels import Facts, dataset_facts
from harness.results.run_table import UNTRAINED


def board_facts(row: Mapping[str, Any]) -> Facts:
    """Return what a result fixes: that of a report on one dataset, and what it was trained on.

    Reports choose results in their own domain first; a board holds transfers too and keeps them apart.
    """
    trained = {} if row["rule"] == UNTRAINED else {"trained on": str(row["trained_on"])}
    return dataset_facts(row) | trained
