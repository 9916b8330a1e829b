"""One thing that is wrong or odd with a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.errors import and_more

_SHOWN = 3

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong or odd: an error makes results wrong or not comparable, a warning or a note does not.

    What has lines of a file that someone wrote is a `PlacedFault`.
    """

    severity: Severity
    what: str
    mend: str
    count: int = 1
    examples: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return the fault as the clause that a run says and records, with its first example."""
        shown = f" ({self.examples[0]})" if self.examples else ""
        return f"{self.what.removesuffix('.')}{shown}"


class PlacedFault(Fault):
    """A fault whose examples name lines, which a run says, too."""

    def line(self) -> str:
        """Return the fault with its first few examples, and how many more there are."""
        more = and_more(self.count, len(self.examples))
        shown = f" ({'; '.join(self.examples)}{more})" if self.examples else ""
        return f"{self.what.removesuffix('.')}{shown}"


def first(values: Sequence[object]) -> list[str]:
    """Return the first few of many values, as examples."""
    return [str(value) for value in values[:_SHOWN]]
