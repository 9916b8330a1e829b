"""A report of many results: read, seeds combined, one panel for each protocol, the same steps for each panel.

The page begins with the verdict on each panel and the first panel's first step.
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import many
from harness.evaluate.per_identity import load_persons, write_persons
from harness.pages.escaping import markdown_text
from harness.pages.tables import Table
from harness.reporting.missing import unfinished_gaps
from harness.reporting.paper import More
from harness.reporting.verdicts.titles import places_of, results_title
from harness.reporting.verdicts.words import flagged
from harness.reports import Contents, Gap, Report, Source, Step
from harness.results.panels import Facts, Panel, protocol_facts, split_panels
from harness.results.run_table import load_rows, write_rows

if TYPE_CHECKING:
    from pandas import DataFrame


class PanelReport(Report):
    """A question about many results.

    The runner reads the experiment's runs (`harness.results.run_table` says what a row holds), lets `select`
    choose, combines seeds, lets `extend` add columns, splits what `facts` forbids to mix into panels, and makes a
    notebook: the data, then for each panel the `steps`, whose code finds the results as `panel`, then what
    `gaps` found missing. `tables` returns what the steps show, for machines.

    Attributes:
        steps: the notebook's cells for one panel, of which the first shows what `verdict` says.
        subject_words: what stands in the page's title before the methods and what they were tested on.
        paper_columns: what a paper's table has beside the metrics: by heading the row's value, its unit and digits.
    """

    steps: ClassVar[tuple[Step, ...]]
    subject_words: ClassVar[str] = ""
    paper_columns: ClassVar[More] = {}

    @classmethod
    @abstractmethod
    def select(cls, rows: "DataFrame") -> "DataFrame":
        """Return the rows that the report is based on, one for each run and test set; there is at least one."""

    @classmethod
    def extend(cls, results: "DataFrame", source: Source) -> "DataFrame":
        """Return the results, seeds combined, with the report's own columns beside them; none by default."""
        return results

    @classmethod
    def facts(cls, row: dict[str, Any]) -> Facts:
        """Return what a row fixes in words: rows with different values of one fact never share a table."""
        return protocol_facts(row)

    @classmethod
    @abstractmethod
    def tables(cls, panel: Panel) -> list[Table]:
        """Return the tables of one panel."""

    @classmethod
    def verdict(cls, panel: Panel) -> str:
        """Return what may be claimed of one panel, in a plain sentence (`harness.reporting.verdicts`)."""
        return ""

    @classmethod
    def subject(cls, panels: Sequence[Panel]) -> str:
        """Return what the page is called: the methods and what they were tested on. There is at least one panel."""
        return results_title([row for panel in panels for row in panel.records], cls.subject_words)

    @classmethod
    def gaps(cls, panels: Sequence[Panel]) -> list[Gap]:
        """Return what is missing in the report. With no panel: how to begin."""
        return []

    @classmethod
    def gather(cls, source: Source, data: Path) -> Contents:
        """Read, choose, combine and split the experiment's results."""
        runs = source.single_runs
        results, persons = source.combined(cls.select(runs) if len(runs) else runs)
        results = cls.extend(results, source) if len(results) else results
        write_rows(data / "runs.json", runs)
        write_rows(data / "results.json", results)
        write_persons(data / "persons.npz", persons)
        panels = cls.panels(data)
        tables = [table for panel in panels for table in cls.tables(panel)]
        gaps = [*cls.gaps(panels), *unfinished_gaps(source.unfinished)]
        summary = f"{many(len(results), 'result')} in {many(len(panels), 'protocol')}"
        title = cls.subject(panels) if panels else ""
        answer, tour = cls._answer() if panels else [], cls._tour(panels)
        verdicts = _numbered([flagged(cls.verdict(panel), panel.facts) for panel in panels])
        return Contents(
            len(results), summary, tour, tables, gaps, title, verdicts, answer, _about(runs, panels)
        )

    @classmethod
    def paper_steps(cls) -> list[Step]:
        """Return the cell that writes each panel's table and figure for one column of a paper."""
        return [Step(_PAPER, _SAVE_PAPER.format(name=cls.name, cls=cls.__qualname__))]

    @classmethod
    def panels(cls, data: Path) -> list[Panel]:
        """Return the panels of what `gather` wrote; none without results."""
        rows = load_rows(data / "results.json")
        return split_panels(rows, cls.facts, load_persons(data / "persons.npz")) if len(rows) else []

    @classmethod
    def _answer(cls) -> list[Step]:
        """Return the cells that read the data and show what the first panel's verdict says."""
        return [Step("", _READ.format(cls=cls.__qualname__)), Step("", _PANEL.format(number=0)), cls.steps[0]]

    @classmethod
    def _tour(cls, panels: Sequence[Panel]) -> list[Step]:
        """Return each panel's steps, without the one that the page begins with, and what the data are."""
        if not panels:
            return []
        each = [
            step
            for number, panel in enumerate(panels)
            for step in (
                Step(_heading(panel), f"{_PANEL.format(number=number)}\npanel"),
                *cls.steps[number == 0 :],
            )
        ]
        return [*each, Step(_DATA, _ROWS)]


def _heading(panel: Panel) -> str:
    """Return the heading of a panel's part: its number and test sets, as text whatever they are called."""
    return f"## Protocol {panel.number}: {markdown_text(places_of(panel.records))}"


def _numbered(verdicts: Sequence[str]) -> list[str]:
    """Return the verdicts, each with its protocol where there are several, and the first few of many."""
    said = [(number, text) for number, text in enumerate(verdicts, start=1) if text]
    if len(verdicts) < 2:
        return [text for _, text in said]
    shown = [f"Protocol {number}: {text}" for number, text in said[:MOST_VERDICTS]]
    more = len(said) - MOST_VERDICTS
    return [*shown, *[f"{many(more, 'more protocol is', 'more protocols are')} below."] * (more > 0)]


def _about(runs: "DataFrame", panels: Sequence[Panel]) -> list[str]:
    """Return when the panels' results were made, and which version of the protocol measured them."""
    names = {run for panel in panels for row in panel.records for run in row["runs"]}
    used = runs[runs["run"].isin(names)] if len(runs) else runs
    days = sorted(day for day in used["day"] if day) if len(used) else []
    versions = sorted({panel.facts["protocol version"] for panel in panels})
    span = " to ".join(dict.fromkeys([days[0], days[-1]])) if days else ""
    made = [f"Results of {span}"] if days else []
    return [*made, f"metric protocol {', '.join(versions)}"] if panels else []


MOST_VERDICTS = 4
_PAPER = """## For a paper

The folder `paper/` holds a table for LaTeX (booktabs, siunitx) and a figure as PDF for each protocol, in the width of
one column. All other figures are there as PDF beside their PNG."""
_SAVE_PAPER = """from harness.reporting.paper import save_paper

save_paper(panels, "paper", "{name}", report.{cls}.paper_columns)"""
_DATA = """## Data

One row is one condition (all settings but the seed) on one test set. `data/runs.json` holds the single seeds,
`data/persons.npz` the results per identity. Results of different protocols are in separate panels; what they share
and why they are separate is above each. Intervals are made per panel, whose results tell of one another's seeds."""
_READ = """from harness.results.panels import split_panels
from harness.evaluate.per_identity import load_persons
from harness.results.run_table import load_rows

rows = load_rows("data/results.json")
panels = split_panels(rows, report.{cls}.facts, load_persons("data/persons.npz"))"""
_PANEL = "panel = panels[{number}]"
_ROWS = 'rows[["method", "trained_on", "tested_on", "R1", "mAP", "n_seeds"]].round(1)'
