"""What a report is. `reports/NAME.py` defines one and imports as `harness.reports.NAME`.

To add one, write that file: a docstring with the question it answers, functions that compute its tables and
functions that draw its figures from them (apart, so that a number can be had without a picture), and a class
with `@register` that names them.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from harness.gaps import Gap
from harness.panels import Facts, Panel, protocol_facts
from harness.registry import Registry, plugin_path
from harness.tables import Table

if TYPE_CHECKING:
    from pandas import DataFrame

__path__ = plugin_path("reports")


@dataclass(frozen=True)
class Step:
    """One stop of the notebook, made for each panel: words in Markdown, then one short cell of code.

    The code finds the report's own file as `report` and the results at hand as `panel`, and may call
    `save_figure`. Write no value into it: values come from the rows, which are hostile text.
    """

    words: str
    code: str


class Report(ABC):
    """A question, answered from tracked runs by tables, figures and words.

    The runner reads all results of an experiment (`harness.rows` says what a row holds), combines seeds, lets
    `select` choose, splits what `facts` forbids to mix into panels, and makes a notebook: the data, then for
    each panel the `steps`, then what `gaps` found missing. `tables` returns what the steps show, for machines.

    Attributes:
        title: the page's heading.
        question: what the report answers, in one sentence.
        steps: the notebook's cells for one panel.
        how_to_read: what a reader must know to not read too much into it, in Markdown.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    steps: ClassVar[tuple[Step, ...]]
    how_to_read: ClassVar[str] = ""

    @classmethod
    @abstractmethod
    def select(cls, results: "DataFrame") -> "DataFrame":
        """Return the results that the report stands on; `results` has at least one row."""

    @classmethod
    def facts(cls, row: dict[str, Any]) -> Facts:
        """Return what a row fixes in words: rows that fix one fact unlike never share a table."""
        return protocol_facts(row)

    @classmethod
    @abstractmethod
    def tables(cls, panel: Panel) -> list[Table]:
        """Return the tables of one panel."""

    @classmethod
    def gaps(cls, panels: Sequence[Panel]) -> list[Gap]:
        """Return what the report misses to be whole. With no panel: how to begin."""
        return []


REPORTS: Registry[Report] = Registry("report", __name__, __path__)
register = REPORTS.register

__all__ = ["REPORTS", "Facts", "Gap", "Panel", "Report", "Step", "Table", "register"]
