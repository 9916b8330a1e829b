"""What `harness suite` does with its options: expand, plan, run."""

import os
from dataclasses import replace
from functools import partial
from typing import Any

import click

from harness.cli.actions.report import check_report, show_made
from harness.cli.actions.worker import setup_from
from harness.cli.layout import paragraph, size, table
from harness.cli.listings.studies import keep_studies
from harness.cli.options import plain, print_json, printed_command
from harness.cli.progress import watching
from harness.cli.slurm import asks_slurm, command_on_study, show_jobs, submit_study
from harness.errors import UsageError, many, unknown
from harness.files import write_text
from harness.listener import Listener
from harness.paths import runs_root
from harness.presets.resolve import check_agreement
from harness.queue.slurm import jobs_of
from harness.record import RunFolder, readable
from harness.reporting.make import make_report
from harness.results.run_source import Source
from harness.results.seeds.seed_lines import suite_lines
from harness.suites.cell_jobs import queue_name, shard_of
from harness.suites.cells import Expansion, expand
from harness.suites.plan import PlannedCell, SuitePlan, make_suite_plan
from harness.suites.run_suite import run_suite
from harness.suites.schema import Row, Suite
from harness.suites.suite_files import load_suite
from harness.sweep.show_study import best_preset, find_summary

FAILED = 1
# Options that say which cells a suite has, which `status` and `retry` must be told as `run` was.
CELLS = ("synthetic", "overrides", "datasets", "seeds", "from_studies", "shard", "data_root")


def execute(options: dict[str, Any], quiet: bool, retry: bool) -> int:
    """Run what is missing of a suite, write its report, and return the exit code."""
    check_report(options["report"], {})
    expansion = _expanded(options)
    quiet = quiet or options["as_json"]
    shard_of(expansion.cells, options["shard"])
    if asks_slurm(options):
        return _submit(expansion, options, retry)
    with watching(quiet) as listener:
        _show_skipped(expansion, quiet)
        # A job that Slurm starts again has tried the failed cells already.
        retry = retry and os.environ.get("SLURM_RESTART_COUNT", "0") == "0"
        asked = {"shard": options["shard"], "timeout": options["timeout"], "retry": retry}
        setup = setup_from(options, listener)
        run_suite(expansion, setup, budgets=_budgets(expansion, options), **asked)
    keep_studies(options["runs"], options["storage"])
    plan = _plan(expansion, options)
    if not options["as_json"]:
        _show_counts(plan, options)
    _show_unsent(plan, options)
    report = _report(expansion.suite, plan, options, quiet)
    if options["as_json"]:
        print_json(plan.as_dict() | {"report": report})
    return FAILED if plan.counts["failed"] else 0


def _submit(expansion: Expansion, options: dict[str, Any], retry: bool) -> int:
    """Submit the missing cells to Slurm; return the exit code."""
    plan, setup = _plan(expansion, options), setup_from(options, Listener())
    left = len(plan.cells) - plan.counts["done"] - (0 if retry else plan.counts["failed"])
    look = _command("status", options)
    return submit_study(queue_name(plan.suite, plan.synthetic), setup, options, left, look)


def show_plan(options: dict[str, Any]) -> None:
    """Print the state of each cell, and what the rest takes."""
    expansion = _expanded(options)
    plan = _plan(expansion, options)
    detectable = _detectable(expansion, options)
    if options["as_json"]:
        print_json(plan.as_dict() | {"detectable": detectable})
        return
    _show_cells(plan)
    _show_skipped(expansion, False)
    _show_counts(plan, options)
    paragraph("", _needs(plan), indent=2)
    faults = (f"{dataset}: {line}" for dataset, lines in plan.faults.items() for line in lines)
    for line in (*detectable, *faults):
        paragraph("", line, indent=2)


def show_status(options: dict[str, Any]) -> int:
    """Print the state of a suite, with the first words of each failure."""
    plan = _plan(_expanded(options), options)
    queue = queue_name(plan.suite, plan.synthetic)
    jobs = jobs_of(queue, runs_root(options["runs"]).path, options["storage"])
    if options["as_json"]:
        print_json(plan.as_dict() | {"slurm": jobs})
    else:
        _show_cells(plan)
        _show_counts(plan, options)
        show_jobs(jobs)
    return FAILED if plan.counts["failed"] else 0


def _expanded(options: dict[str, Any]) -> Expansion:
    """Return the suite and its cells, with rows taken from studies as `--from-study` says."""
    check_agreement([(f"--set {text}", text) for text in options["overrides"]])
    return expand(
        _on_studies(load_suite(options["suite"]), options["from_studies"]),
        synthetic=options["synthetic"],
        overrides=options["overrides"],
        datasets=options["datasets"],
        seeds=options["seeds"],
        data_root=options["data_root"],
        study_preset=partial(_study_preset, options),
    )


def _on_studies(suite: Suite, given: tuple[str, ...]) -> Suite:
    """Return the suite with rows taken from studies."""
    rows = {row.name: row for row in suite.rows}
    chosen: dict[str, str] = {}
    for text in given:
        name, sign, study = text.partition("=")
        if not sign or not study:
            raise UsageError(f"--from-study takes ROW=STUDY, but got {text!r}.")
        if name not in rows:
            raise unknown("row", name, rows)
        if chosen.setdefault(name, study) != study:
            raise UsageError(
                f"--from-study takes one study for a row, but {name} got {chosen[name]} and {study}."
            )
        rows[name] = rows[name].model_copy(update={"from_study": study})
    return suite.model_copy(update={"rows": tuple(rows.values())})


def _study_preset(options: dict[str, Any], row: Row, dataset: str) -> str:
    """Write the best configuration of a row's study as a preset file and return the file's name."""
    study = str(row.from_study)
    text = best_preset(study, options["runs"], options["storage"], row.method, options["synthetic"])
    file = runs_root(options["runs"]).path / "studies" / study / "suite-preset.yaml"
    write_text(file, text)
    return str(file)


def _budgets(expansion: Expansion, options: dict[str, Any]) -> dict[str, int]:
    """Return how many trials each study had that a row builds on."""
    studies = {cell.study for cell in expansion.cells if cell.study is not None}
    found = (find_summary(study, options["runs"], options["storage"], importance=False) for study in studies)
    return {summary.study: summary.budget for summary in found}


def _plan(expansion: Expansion, options: dict[str, Any]) -> SuitePlan:
    part = replace(expansion, cells=tuple(shard_of(expansion.cells, options["shard"])))
    return make_suite_plan(part, options["runs"], options["storage"])


def _detectable(expansion: Expansion, options: dict[str, Any]) -> list[str]:
    """Return for each dataset what the suite's seeds would often miss, as results tracked so far tell it."""
    seeds: dict[str, set[int]] = {}
    for cell in expansion.cells:
        seeds.setdefault(cell.dataset, set()).add(cell.seed)
    source = Source(options["runs"], datasets=list(seeds))
    backbones = {cell.config.backbone.name for cell in expansion.cells}
    n_seeds = {name: len(found) for name, found in seeds.items()}
    try:
        return suite_lines(source, n_seeds, backbones, synthetic=expansion.synthetic)
    except UsageError as error:
        return [f"What its seeds would miss is unknown: {error}"]


def _report(suite: Suite, plan: SuitePlan, options: dict[str, Any], quiet: bool) -> str | None:
    """Write the suite's report once all of its cells ended; return its page."""
    name = options["report"] or suite.report
    if name is None or plan.counts["done"] == 0:
        return None
    if plan.counts["done"] + plan.counts["failed"] < len(plan.cells):
        return None
    with watching(quiet) as listener:
        made = make_report(name, runs=options["runs"], suite=suite.name, listener=listener)
    if not quiet:
        show_made(made)
    return str(made.page)


def _show_skipped(expansion: Expansion, quiet: bool) -> None:
    for skipped in expansion.skipped:
        if not quiet:
            click.echo(plain(f"left out: {skipped.row} on {skipped.dataset}: {skipped.reason}"), err=True)


def _show_cells(plan: SuitePlan) -> None:
    twin = " · SYNTHETIC TWINS" if plan.synthetic else ""
    header = ("cell", "state", "run", "tests", "time")
    rows = [_cell_row(cell) for cell in plan.cells]
    table(f"{plan.suite}{twin}", header, rows, text=header[:4], leaving=("time", "tests", "run"))


def _cell_row(cell: PlannedCell) -> list[str]:
    waits = cell.source is not None and cell.state in ("waiting", "missing")
    state = f"{cell.state}, starts from {cell.source}" if waits else cell.state
    if cell.error is not None:
        first = (cell.error["message"].splitlines() or [""])[0]
        state = f"failed: {cell.error['type']}: {first}"
    time = (
        "no estimate yet"
        if cell.seconds is None
        else f"{'' if cell.state == 'done' else '~'}{cell.seconds:.0f} s"
    )
    return [cell.name, state, cell.run or "–", ", ".join(cell.tests) or "–", time]


def _show_counts(plan: SuitePlan, options: dict[str, Any]) -> None:
    counts = ", ".join(f"{number} {state}" for state, number in plan.counts.items() if number)
    click.echo(f"{many(len(plan.cells), 'cell')}: {counts}")
    if plan.counts["failed"]:
        click.echo(plain(f"retry the failed cells by: {_command('retry', options)}"))


def _show_unsent(plan: SuitePlan, options: dict[str, Any]) -> None:
    """Say on standard error which runs a report cannot see."""
    root = runs_root(options["runs"]).path
    done = (RunFolder(root / cell.run) for cell in plan.cells if cell.state == "done" and cell.run)
    unsent = [record.name for _, record in readable(done) if not record.tracking.get("synced")]
    if unsent:
        sync = printed_command("runs", "sync", runs=options["runs"])
        runs = many(len(unsent), "run")
        click.echo(
            plain(f"MLflow has not got {runs} of these cells, which reports leave out: {sync}"), err=True
        )


def _command(name: str, options: dict[str, Any]) -> str:
    """Return another command on the cells of this call."""
    return command_on_study("suite", name, options["suite"], taken=CELLS)


def _needs(plan: SuitePlan) -> str:
    left = len(plan.cells) - plan.counts["done"]
    if not left:
        return "nothing left to do"
    unknown = f", no estimate yet for {plan.unknown} of them" if plan.unknown else ""
    time = f"{plan.seconds / 60:.1f} min in sequence{unknown}"
    disk = f"weights {size(plan.weights)}, image stores {size(plan.stores)}"
    return f"left: {many(left, 'cell')}; time: {time}; disk: {disk}"
