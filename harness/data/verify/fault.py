"""One thing that is wrong or odd with a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

_SHOWN = 3

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong or odd: an error makes results wrong or not comparable, a warning or a note does not."""

    severity: Severity
    what: str
    mend: str
    count: int = 1
    examples: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return the fault as the clause that a run says and records, with its first example."""
        shown = f" ({self.examples[0]})" if self.examples else ""
        return f"{self.what.removesuffix('.')}{shown}"


def first(values: Sequence[object]) -> list[str]:
    """Return the first few of many values, as examples."""
    return [str(value) for value in values[:_SHOWN]]
