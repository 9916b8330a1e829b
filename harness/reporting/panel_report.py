"""A report of many results: read, seeds combined, one panel for each protocol, the same steps for each panel."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import many
from harness.evaluate.per_identity import load_persons, write_persons
from harness.pages.tables import Table
from harness.reporting.missing import unfinished_gaps
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
        steps: the notebook's cells for one panel.
    """

    steps: ClassVar[tuple[Step, ...]]

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
        return Contents(len(results), summary, cls._tour(len(panels)), tables, gaps)

    @classmethod
    def panels(cls, data: Path) -> list[Panel]:
        """Return the panels of what `gather` wrote; none without results."""
        rows = load_rows(data / "results.json")
        return split_panels(rows, cls.facts, load_persons(data / "persons.npz")) if len(rows) else []

    @classmethod
    def _tour(cls, n_panels: int) -> list[Step]:
        begin = (
            [Step(_DATA, _IMPORTS + _ROWS), Step("", _PANELS.format(cls=cls.__qualname__))]
            if n_panels
            else []
        )
        each = [
            step
            for number in range(n_panels)
            for step in (Step("", f"panel = panels[{number}]\npanel"), *cls.steps)
        ]
        return begin + each


_DATA = """## Data

One row is one condition (all settings but the seed) on one test set. `data/runs.json` holds the single seeds,
`data/persons.npz` the results per identity. Results of different protocols are in separate panels; what they share
and why they are separate is above each. Intervals are made per panel, whose results tell of one another's seeds."""
_IMPORTS = """from harness.results.panels import split_panels
from harness.evaluate.per_identity import load_persons
from harness.results.run_table import load_rows

"""
_ROWS = """rows = load_rows("data/results.json")
rows[["method", "trained_on", "tested_on", "R1", "mAP", "n_seeds"]].head().round(1)"""
_PANELS = """panels = split_panels(rows, report.{cls}.facts, load_persons("data/persons.npz"))
f"results: {{len(rows)}}, protocols: {{len(panels)}}"
"""
