"""Make a report: read MLflow, write the data, run the notebook, print the page, attach it all to an MLflow run."""

import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import UsageError, many
from harness.files import read_json, write_json
from harness.listener import Listener
from harness.pages.escaping import markdown_text, safe_stem, visible
from harness.pages.html import ABOUT, VERDICT, write_page
from harness.pages.notebook import code_cell, execute, make_notebook, markdown_cell
from harness.pages.theme import PAGE, PAPER, STYLES
from harness.paths import runs_root
from harness.places import writable
from harness.record import now
from harness.reporting.missing import placed, write_gaps
from harness.reporting.verdicts.words import NOTHING
from harness.reports import REPORTS, Contents, Gap, Report, Source, Step
from harness.secrets import without_secrets
from harness.track.mlflow_store import Store

_MANIFEST = "report.json"
_LONGEST = 180
log = logging.getLogger(__name__)


@dataclass
class Made:
    """A report that was written: its folder, its tables as numbers, what is missing, and its MLflow run."""

    name: str
    folder: Path
    n_results: int
    summary: str
    verdicts: list[str]
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
        place = {
            "folder": str(self.folder),
            "page": str(self.page),
            "files": self.files,
            "run_id": self.run_id,
        }
        counts = {"results": self.n_results, "summary": self.summary, "verdicts": self.verdicts}
        return {"report": self.name, **counts, "tables": self.tables, "missing": missing, **place}


def make_report(
    name: str,
    *,
    subjects: Sequence[str] = (),
    out: str | Path | None = None,
    runs: str | None = None,
    experiment: str | None = None,
    datasets: Sequence[str] = (),
    suite: str | None = None,
    queries: Sequence[int] = (),
    style: str = PAGE,
    listener: Listener | None = None,
) -> Made:
    """Write a report of an experiment's runs to a folder and attach it to an MLflow run.

    Args:
        name: of the report.
        subjects: what it is about, for a report that is about one thing: names of runs, a study, a dataset.
        out: the folder; else `reports-out/NAME` with what the report is about, as `reports-out/run-RUN`, and a number
            where another report has that name. What the same report left there is replaced, once this one has what it
            needs.
        runs: folder of the records and of the default store; else `HARNESS_RUNS`, else `./runs`.
        experiment: of MLflow; else `MLFLOW_EXPERIMENT_NAME`, else the harness's own.
        datasets: only results trained and tested on these; none means all.
        suite: only runs that are cells of this suite; none means all.
        queries: numbers of the queries that a report of one run looks at closely; none lets it choose.
        style: `page`, or `paper`, which writes figures as PDF, too, and tables and figures for one column of a paper.
        listener: receives the stages.

    An experiment without results gives a page that says how to make some.
    """
    report, listener = REPORTS.get(name), listener or Listener()
    _check_subjects(report, subjects)
    if style not in STYLES:
        raise UsageError(f"Unknown style {style!r}: {' or '.join(STYLES)}.")
    if queries and not report.takes_queries:
        raise UsageError(f"The report {report.name} looks at no single queries: leave --query out.")
    source = Source(runs, experiment, datasets, suite, subjects, queries)
    about = {
        "subjects": list(subjects),
        "suite": suite,
        "datasets": list(datasets),
        "experiment": experiment,
        "runs": str(runs_root(runs).path.resolve()),
    }
    folder = Path(out) if out else _own_folder(report.name, about)
    writable(folder)
    listener.on_stage("reading runs")
    with tempfile.TemporaryDirectory(prefix="harness-report-") as private:
        data = Path(private) / "data"
        data.mkdir()
        contents = _opened(report, report.gather(source, data))
        _clear(folder)
        shutil.copytree(data, folder / "data", dirs_exist_ok=True)
    gaps = placed(contents.gaps, runs, experiment)
    write_gaps(folder / "data" / "missing.json", gaps)
    listener.on_stage(f"running the notebook {folder / report.name}.ipynb")
    _write_notebook(report, contents, bool(gaps), folder, style)
    tables = [table.as_dict() for table in contents.tables]
    counts = (contents.n_results, contents.summary, contents.verdicts)
    return _finish(Made(report.name, folder, *counts, tables, gaps), source.store, about)


def _opened(report: type[Report], contents: Contents) -> Contents:
    """Return contents whose page has a title, and a verdict where nothing can be said."""
    verdicts = contents.verdicts or [NOTHING] * (not contents.n_results)
    return replace(
        contents, title=visible(contents.title or report.title), verdicts=list(map(visible, verdicts))
    )


def _write_notebook(report: type[Report], contents: Contents, gaps: bool, folder: Path, style: str) -> None:
    """Write the notebook, executed, and its page."""
    if style == PAPER and contents.steps:
        contents.steps += report.paper_steps()
    notebook = make_notebook(notebook_cells(report, contents, gaps, style), report.title)
    execute(notebook, folder / f"{report.name}.ipynb")
    made = f"{now()[:16].replace('T', ' ')} UTC, harness {__version__}"
    write_page(notebook, folder / f"{report.name}.html", contents.title, made)


def notebook_cells(report: type[Report], contents: Contents, gaps: bool, style: str = PAGE) -> list[Any]:
    """Return a report's cells: title and verdict, what shows it, what it is about, then the rest.

    No code holds a value, so no name or caption can become code.
    """
    verdicts = "\n\n".join(markdown_text(line) for line in contents.verdicts)
    cells = [
        markdown_cell(f"# {markdown_text(contents.title)}"),
        *[markdown_cell(verdicts, VERDICT)] * bool(verdicts),
    ]
    shown = bool(contents.answer or contents.steps)
    cells.append(
        code_cell(_IMPORTS.format(module=report.__module__, style=style)) if shown else markdown_cell(EMPTY)
    )
    cells += [*_step_cells(contents.answer), markdown_cell(_about(report, contents), ABOUT)]
    cells += _step_cells(contents.steps)
    if gaps:
        cells += [markdown_cell("## What is missing"), code_cell(_GAPS)]
    words = "\n\n".join(text for text in (report.how_to_read, report.standards) if text)
    return [*cells, markdown_cell(f"## How to read this\n\n{words}")]


def _step_cells(steps: Sequence[Step]) -> list[Any]:
    return [
        cell
        for step in steps
        for cell in [markdown_cell(step.words)] * bool(step.words) + [code_cell(step.code)] * bool(step.code)
    ]


def _about(report: type[Report], contents: Contents) -> str:
    """Return the question that the report answers, what the results are of, and the command."""
    facts = "; ".join(markdown_text(line) for line in contents.about)
    made = f"Made by `harness report {report.name}`."
    return "\n\n".join([f"**{report.question}**", f"{facts}. {made}" if facts else made])


def _check_subjects(report: type[Report], subjects: Sequence[str]) -> None:
    if len(subjects) != len(report.takes):
        usage = " ".join(["harness report", report.name, *(word.upper() for word in report.takes)])
        raise UsageError(
            f"The report {report.name} is called as `{usage}`; got {many(len(subjects), 'name')} after it."
        )


def _own_folder(name: str, about: Mapping[str, Any]) -> Path:
    """Return a folder below `reports-out` that no report on anything else is in."""
    given = [*about["subjects"], about["suite"], *about["datasets"], about["experiment"]]
    stem = "-".join([name, *(safe_stem(word) for word in given if word)])[:_LONGEST]
    for number in count(1):
        folder = Path("reports-out") / (stem if number == 1 else f"{stem}-{number}")
        if not (folder / _MANIFEST).is_file() or _noted(folder).get("about") == about:
            return folder
    raise AssertionError("unreachable")


def _finish(made: Made, store: Store | None, about: Mapping[str, Any]) -> Made:
    """List the files, note them for the next time, and attach them to an MLflow run."""
    files = [path for path in made.folder.rglob("*") if path.is_file() and path.name != _MANIFEST]
    made.files = sorted(path.relative_to(made.folder).as_posix() for path in files)
    write_json(made.folder / _MANIFEST, made.as_dict() | {"about": about})
    if store is not None and made.n_results:
        marks = {"harness.kind": "report", "harness.report": made.name}
        try:
            made.run_id = store.publish_folder(f"report-{made.name}", marks, made.folder)
        except Exception as error:
            log.warning("MLflow did not take the report: %s", without_secrets(error))
    return made


def _noted(folder: Path) -> dict[str, Any]:
    """Return what the report in a folder noted of itself."""
    noted = read_json(folder / _MANIFEST) if (folder / _MANIFEST).is_file() else {}
    return noted if isinstance(noted, dict) else {}


def _clear(folder: Path) -> None:
    """Remove the files that an earlier report noted as its own, and nothing else."""
    for name in _noted(folder).get("files", []):
        file = (folder / name).resolve()
        if file.is_relative_to(folder.resolve()) and file.is_file():
            file.unlink()


_IMPORTS = """import {module} as report
from harness.pages.theme import save_figure, use_theme

use_theme("{style}")"""
_GAPS = """from harness.reporting.missing import gaps_table, load_gaps

gaps_table(load_gaps("data/missing.json"))"""
EMPTY = "**There is nothing to show yet.** What is missing, and how to make it, is below."
