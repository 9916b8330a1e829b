"""What a report is. `reports/NAME.py` defines one and imports as `harness.reports.NAME`.

To add one, write that file: a docstring with the question it answers, functions that compute its tables and
functions that draw its figures from them (separate, so that numbers need no picture), and a class
with `@register` that names them. A report of many results is a
`harness.reporting.panel_report.PanelReport`, which reads, combines and keeps apart by itself; one about a single
thing (a run, a study, a dataset) gathers what it needs.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from harness.pages.tables import Table
from harness.registry import Registry
from harness.registry.plug_ins import plugin_path
from harness.results.run_source import Source
from harness.results.seeds.seed_notes import MARK_NOTE

__path__ = plugin_path("reports")

_STANDARDS = (
    "Intervals are 95 %. That of a figure is Wilson's, with a t quantile, for as many independent queries as its "
    "variance is worth: captions of one identity are correlated, and seeds differ. It covers identities and, where it "
    "is known what another seed would change, seeds; results of the same data and backbone tell it of one another. "
    "Differences of two results are paired per identity, with a t quantile. Where nothing tells what another seed "
    f"would change, what is claimed of a difference carries the mark {MARK_NOTE} The gallery is fixed. The rule says "
    "which epoch was tested: `val` the best on validation, `last` the last, `oracle` the best on the test set itself, "
    "which is biased upwards; `untrained` has no epochs."
)


@dataclass(frozen=True)
class Step:
    """One stop of the notebook: words in Markdown, then one short cell of code.

    The code finds the report's own file as `report`, the figures' `save_figure`, what earlier cells named, and the
    files that `gather` wrote under `data/`. Write no value into it: values come from those files, which hold
    hostile text.
    """

    words: str
    code: str = ""


@dataclass(frozen=True)
class Gap:
    """Something that is missing in a report, and the commands that make it."""

    what: str
    commands: tuple[str, ...] = ()


@dataclass
class Contents:
    """What a report found.

    Attributes:
        n_results: how many results it is based on; 0 makes a page that says how to make some.
        summary: that, in words for the terminal.
        steps: the notebook's cells, those of `answer` apart.
        tables: what the steps show, for machines.
        gaps: what is missing in it.
        title: the name of its subject, which is the page's title; else the report's own.
        verdicts: what may be claimed, in a plain sentence each, which the page begins with
            (`harness.reporting.verdicts`); where results may not be mixed, one for each of their kinds.
        answer: the cells that read the data and end with the table or figure that shows the verdict.
        about: what the results are of: days, versions, names of runs.
    """

    n_results: int
    summary: str
    steps: list[Step] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    title: str = ""
    verdicts: list[str] = field(default_factory=list)
    answer: list[Step] = field(default_factory=list)
    about: list[str] = field(default_factory=list)


class Report(ABC):
    """A question, answered from tracked runs by tables, figures and words.

    Attributes:
        title: the page's heading, where the report has no single subject.
        question: what the report answers, in one sentence.
        takes: what must be named on the command line after the report, a word each; nothing by default.
        takes_queries: whether single queries can be named, by `--query`.
        how_to_read: what a reader must know to not read too much into it, in Markdown.
        standards: what holds for every figure in it, in Markdown.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    takes: ClassVar[tuple[str, ...]] = ()
    takes_queries: ClassVar[bool] = False
    how_to_read: ClassVar[str] = ""
    standards: ClassVar[str] = _STANDARDS

    @classmethod
    def paper_steps(cls) -> list[Step]:
        """Return the cells that write what a paper prints beside figures as PDF (`--style paper`)."""
        return []

    @classmethod
    @abstractmethod
    def gather(cls, source: Source, data: Path) -> Contents:
        """Read what the report needs, write what its notebook reads into the folder `data`, and return the rest.

        Raises `UsageError` for a subject that is not there. An empty experiment is no error: return no result, and
        gaps that say how to begin.
        """


REPORTS: Registry[Report] = Registry("report", __name__, __path__, Report)
register = REPORTS.register

__all__ = ["REPORTS", "Contents", "Gap", "Report", "Source", "Step", "Table", "register"]
