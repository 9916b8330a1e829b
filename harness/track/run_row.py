"""A tracked run as a typed row, and what the text of a tag or parameter means as a value."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.errors import many

PARENT = "mlflow.parentRunId"
_NO_BUDGET = "none"


@dataclass(frozen=True)
class RunRow:
    """One run as the store knows it.

    Attributes:
        status: MLflow's own: `RUNNING`, `FINISHED`, `FAILED` or `KILLED`.
        started, ended: in milliseconds since 1970; None where that is not known, and for a run that still runs.
        tags, params: text by name, the tags of the harness with their `harness.`.
        metrics: the last value of each.
    """

    id: str
    name: str
    status: str
    started: int | None
    ended: int | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]

    @classmethod
    def from_mlflow(cls, run: Any) -> "RunRow":
        """Read MLflow's `Run`; the only place that knows how it is laid out."""
        info, data = run.info, run.data
        return cls(
            str(info.run_id),
            str(info.run_name),
            str(info.status),
            info.start_time,
            info.end_time or None,
            dict(data.tags),
            dict(data.params),
            dict(data.metrics),
        )

    @property
    def parent(self) -> str | None:
        """The id of the run that this one is nested under."""
        return self.tags.get(PARENT)

    @property
    def running(self) -> bool:
        """Whether the run has not ended, as far as the store knows."""
        return self.status == "RUNNING"

    @property
    def synthetic(self) -> bool:
        """Whether it ran on a synthetic twin."""
        return as_flag(self.tag("synthetic"))

    @property
    def seconds(self) -> float:
        """How long it took; 0 while that is not known."""
        return 0.0 if self.ended is None or self.started is None else (self.ended - self.started) / 1000

    @property
    def day(self) -> str | None:
        """The day on which it ended, or else began, in UTC; None where neither is known."""
        last = self.ended or self.started
        return None if last is None else datetime.fromtimestamp(last / 1000, UTC).date().isoformat()

    def tag(self, name: str) -> str:
        """Return a tag of the harness by its name without `harness.`; empty where there is none."""
        return self.tags.get(f"harness.{name}", "")

    def metric(self, name: str) -> float | None:
        """Return a metric; None for one that is missing or not finite."""
        value = self.metrics.get(name)
        return float(value) if value is not None and math.isfinite(value) else None


def as_flag(text: str | None) -> bool:
    """Return a yes or no.

    >>> as_flag("true"), as_flag("false"), as_flag(None)
    (True, False, False)
    """
    return text == "true"


def as_whole(text: str | None) -> int | None:
    """Return a whole number; None for any other text.

    >>> as_whole("-3"), as_whole("3.5"), as_whole("")
    (-3, None, None)
    """
    return int(text) if text and re.fullmatch(r"-?\d+", text) else None


def as_number(text: str | None) -> float | None:
    """Return a number; None for any other text.

    >>> as_number("1e-05"), as_number("cosine")
    (1e-05, None)
    """
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def as_sizes(text: str | None) -> tuple[int, ...]:
    """Return the whole numbers of a list.

    >>> as_sizes("[384, 128]")
    (384, 128)
    """
    return tuple(int(part) for part in re.findall(r"\d+", text or ""))


def as_budget(text: str | None) -> str:
    """Return how a method's settings were tuned, in words.

    >>> as_budget("30"), as_budget(""), as_budget("by hand")
    ('30 trials', 'none', 'by hand')
    """
    return many(int(text), "trial") if text and text.isdigit() else text or _NO_BUDGET
