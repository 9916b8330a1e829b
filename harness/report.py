"""Make a report: read MLflow, write the data, run the notebook, print the page, attach it all to an MLflow run."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.combine import Queries, combine_seeds
from harness.datasets import DATASETS
from harness.errors import unknown
from harness.experiments import Store
from harness.files import read_json, write_json
from harness.gaps import Gap, placed, unfinished_gaps, write_gaps
from harness.listener import Listener
from harness.notebook import code_cell, execute, make_notebook, markdown_cell
from harness.page import write_page
from harness.panels import Panel, split_panels
from harness.reports import REPORTS, Report
from harness.rows import UNTRAINED, load_rows, read_runs, read_unfinished, write_rows

if TYPE_CHECKING:
    from pandas import DataFrame

MANIFEST = "report.json"
log = logging.getLogger(__name__)


@dataclass
class Found:
    """What an experiment holds: single runs, results with their seeds combined, and runs that did not finish."""

    store: Store | None
    runs: "DataFrame"
    results: "DataFrame"
    unfinished: "DataFrame"


@dataclass
class Made:
    """A report that was written: its folder, its tables as numbers, what it misses, and its MLflow run."""

    name: str
    folder: Path
    n_results: int
    n_panels: int
    tables: list[dict[str, Any]]
    gaps: list[Gap]
    files: list[str] = field(default_factory=list)
    run_id: str | None = None

    @property
    def page(self) -> Path:
        """The page to open in a browser."""
        return self.folder / f"{self.name}.html"

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        missing = [{"what": gap.what, "commands": list(gap.commands)} for gap in self.gaps]
        counts = {"results": self.n_results, "protocols": self.n_panels}
        place = {
            "folder": str(self.folder),
            "page": str(self.page),
            "files": self.files,
            "run_id": self.run_id,
        }
        return {"report": self.name, **counts, "tables": self.tables, "missing": missing, **place}


def make_report(
    name: str,
    *,
    out: str | Path | None = None,
    runs: str | None = None,
    experiment: str | None = None,
    datasets: Sequence[str] = (),
    suite: str | None = None,
    listener: Listener | None = None,
) -> Made:
    """Write a report of an experiment's runs to a folder and attach it to an MLflow run.

    Args:
        name: of the report.
        out: the folder; else `reports-out/NAME`. What an earlier report left there is replaced.
        runs: folder of the records and of the default store; else `HARNESS_RUNS`, else `./runs`.
        experiment: of MLflow; else `MLFLOW_EXPERIMENT_NAME`, else the harness's own.
        datasets: only results trained and tested on these; none means all.
        suite: only runs that are cells of this suite; none means all.

    An experiment without results gives a page that says how to make some.
    """
    report, listener = REPORTS.get(name), listener or Listener()
    folder = Path(out or Path("reports-out") / report.name)
    listener.on_stage("reading runs")
    found = collect(Path(runs) if runs else None, experiment, suite)
    chosen = _chosen(report, found.results, datasets)
    _clear(folder)
    write_rows(folder / "data" / "runs.json", found.runs)
    write_rows(folder / "data" / "results.json", chosen)
    panels = panels_of(report, load_rows(folder / "data" / "results.json"))
    gaps = placed([*report.gaps(panels), *unfinished_gaps(found.unfinished)], runs, experiment)
    write_gaps(folder / "data" / "missing.json", gaps)
    listener.on_stage(f"running the notebook {folder / report.name}.ipynb")
    write_notebook(report, len(panels), bool(gaps), folder)
    tables = [table.as_dict() for panel in panels for table in report.tables(panel)]
    made = Made(report.name, folder, len(chosen), len(panels), tables, gaps)
    return _finish(made, found.store)


def collect(runs: Path | None, experiment: str | None, suite: str | None = None) -> Found:
    """Read an experiment's runs, or those of one suite, and combine their seeds; empty while there is no store."""
    from pandas import DataFrame

    store = Store.existing(runs, experiment)
    if store is None:
        empty = DataFrame(columns=["run", "status"])
        return Found(None, DataFrame(), DataFrame(), empty)
    single = read_runs(store, suite)
    groups = {str(group.info.run_id): dict(group.data.metrics) for group in store.finished_runs("group")}
    with tempfile.TemporaryDirectory(prefix="harness-report-") as folder:
        results = combine_seeds(single, query_reader(store, Path(folder)), groups)
    return Found(store, single, results, read_unfinished(store))


def query_reader(store: Store, folder: Path) -> Queries:
    """Return a function that fetches a run's per-query results from MLflow; None for what is not there or broken."""

    def read(run_id: str, name: str) -> Mapping[str, Any] | None:
        file = store.artifact(run_id, name, folder)
        if file is None:
            return None
        try:
            with np.load(file, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files if key.startswith("t2i/")}
        except (OSError, ValueError, EOFError) as error:
            log.warning("the per-query results %s of run %s cannot be read: %s", name, run_id, error)
            return None

    return read


def panels_of(report: type[Report], rows: "DataFrame") -> list[Panel]:
    """Return the panels of a report's rows; none without rows."""
    return split_panels(rows, report.facts) if len(rows) else []


def write_notebook(report: type[Report], n_panels: int, gaps: bool, folder: Path) -> None:
    """Write the notebook, executed, and its page."""
    notebook = make_notebook(notebook_cells(report, n_panels, gaps), report.title)
    execute(notebook, folder / f"{report.name}.ipynb")
    write_page(notebook, folder / f"{report.name}.html")


def notebook_cells(report: type[Report], n_panels: int, gaps: bool) -> list[Any]:
    """Return a report's cells; none holds a value, so no name or caption can become code."""
    cells = [
        markdown_cell(f"# {report.title}\n\n{report.question}\n\nMade by `harness report {report.name}`.")
    ]
    if n_panels:
        imports = IMPORTS.format(module=report.__module__)
        cells += [
            markdown_cell(DATA),
            code_cell(imports + ROWS),
            code_cell(PANELS.format(cls=report.__qualname__)),
        ]
    else:
        cells.append(markdown_cell(EMPTY))
    for number in range(n_panels):
        cells.append(code_cell(f"panel = panels[{number}]\npanel"))
        for step in report.steps:
            cells += [markdown_cell(step.words), code_cell(step.code)]
    if gaps:
        cells += [markdown_cell("## What is missing"), code_cell(GAPS)]
    return [*cells, markdown_cell(f"## How to read this\n\n{report.how_to_read}\n\n{STANDARDS}")]


def _chosen(report: type[Report], results: "DataFrame", datasets: Sequence[str]) -> "DataFrame":
    """Return what the report stands on, narrowed to the datasets."""
    names = [name.replace("-", "_") for name in datasets]
    known = {*DATASETS.names(), *(results["tested_on"] if len(results) else ())}
    for name in names:
        if name not in known:
            raise unknown("dataset", name, known)
    if not len(results):
        return results
    chosen = report.select(results)
    if not names:
        return chosen
    trained = chosen["trained_on"].isin(names) | (chosen["rule"] == UNTRAINED)
    return chosen[trained & chosen["tested_on"].isin(names)]


def _finish(made: Made, store: Store | None) -> Made:
    """List the files, note them for the next time, and attach them to an MLflow run."""
    files = [path for path in made.folder.rglob("*") if path.is_file() and path.name != MANIFEST]
    made.files = sorted(path.relative_to(made.folder).as_posix() for path in files)
    write_json(made.folder / MANIFEST, made.as_dict())
    if store is not None and made.n_results:
        marks = {"harness.kind": "report", "harness.report": made.name}
        try:
            made.run_id = store.publish_folder(f"report-{made.name}", marks, made.folder)
        except Exception as error:
            log.warning("MLflow did not take the report: %s", error)
    return made


def _clear(folder: Path) -> None:
    """Remove the files that an earlier report noted as its own, and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / MANIFEST).is_file():
        return
    for name in read_json(folder / MANIFEST).get("files", []):
        file = (folder / name).resolve()
        if file.is_relative_to(folder.resolve()) and file.is_file():
            file.unlink()


DATA = """## Data

One row is one condition (everything but the seed alike) on one test set. `data/runs.json` holds the single seeds.
Results of unlike protocol stand in separate panels; what they share and why they are apart stands above each."""
IMPORTS = """import {module} as report
from harness.panels import split_panels
from harness.rows import load_rows
from harness.theme import save_figure, use_theme

use_theme()
"""
ROWS = """rows = load_rows("data/results.json")
rows[["method", "trained_on", "tested_on", "R1", "R1_low", "R1_high", "n_seeds", "interval"]].head().round(1)"""
PANELS = """panels = split_panels(rows, report.{cls}.facts)
f"results: {{len(rows)}}, protocols: {{len(panels)}}"
"""
GAPS = """from harness.gaps import gaps_table, load_gaps

gaps_table(load_gaps("data/missing.json"))"""
EMPTY = "**There is nothing to show yet.** What is missing, and how to make it, stands below."
STANDARDS = (
    "Intervals are 95 %: of one seed a bootstrap over identities, because captions of one person are alike; of "
    "several seeds the variance of persons and of seeds together, with a t quantile. The gallery is held fixed. "
    "The rule says which epoch was tested: `val` the best on validation, `last` the last, `oracle` the best on the "
    "test set itself, which flatters; `untrained` has no epochs."
)
