"""What `harness sweep` does with its options: resolve config and space, search, show, export."""

from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from harness.cli.actions.report import check_report, data_name, report_after
from harness.cli.actions.run import config_from, say_differences
from harness.cli.actions.worker import setup_from
from harness.cli.layout import paragraph, table
from harness.cli.listings.studies import keep_studies, plain_cell
from harness.cli.options import plain, print_json
from harness.cli.own_data import one_dataset
from harness.cli.progress import watching
from harness.cli.slurm import asks_slurm, command_on_study, show_jobs, submit_study
from harness.cli.terminal import fault_lines, interval_line, metric_table
from harness.config.sections import RunConfig
from harness.errors import UsageError, many, unknown
from harness.files import write_text
from harness.listener import Listener
from harness.pages.tables import ends_text
from harness.paths import runs_root
from harness.queue.slurm import jobs_of
from harness.sweep.settings import PRUNERS, SAMPLERS, Search, parse_constraint
from harness.sweep.show_study import best_preset, find_summary
from harness.sweep.space import Axis, grid, search_space
from harness.sweep.summary import Summary
from harness.sweep.sweep import called, sweep
from harness.sweep.trial import Trial, best_of, params_text

TRIALS = 20


def execute(options: dict[str, Any], quiet: bool) -> int:
    """Sweep as the options say and return the exit code."""
    for name in ("method", "dataset"):
        if not options[name] and not (name == "dataset" and options.get("data")):
            raise UsageError(
                f"harness sweep needs --{name}; see `harness sweep --help`, or `harness sweep list` for the studies."
            )
    check_report(options["report"], {"study": 1, "dataset": 1})
    axes = _axes_from(options)
    config = config_from(options["method"], one_dataset(options["dataset"], options), options)
    search = _search_from(options, axes)
    quiet = quiet or options["as_json"]
    if not quiet:
        say_differences(config)
        click.echo("searching " + plain("; ".join(str(axis) for axis in axes)), err=True)
    if asks_slurm(options):
        return _submit(config, axes, search, options)
    with watching(quiet) as listener:
        summary = sweep(config, axes, search, setup_from(options, listener), options["study"])
    keep_studies(options["runs"], options["storage"])
    show(summary, options["as_json"])
    subjects = {"study": [summary.study], "dataset": [data_name(config)]}
    report_after(options["report"], options["runs"], quiet, subjects)
    return 0


def _submit(config: RunConfig, axes: list[Axis], search: Search, options: dict[str, Any]) -> int:
    """Submit the sweep to Slurm; return the exit code."""
    setup = setup_from(options, Listener())
    study = called(config, axes, search, setup, options["study"])
    return submit_study(study, setup, options, search.trials, command_on_study("sweep", "show", study))


def _search_from(options: dict[str, Any], axes: list[Axis]) -> Search:
    """Return how to search; defaults that depend on other options are filled in."""
    for kind, known in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        if options[kind] is not None and options[kind] not in known:
            raise unknown(kind, options[kind], known)
    several = len(options["objectives"]) > 1
    size = len(grid(axes)) if options["sampler"] == "grid" else TRIALS
    trials = options["trials"] or size
    if options["sampler"] == "grid" and trials > size:
        raise UsageError(
            f"The grid has {many(size, 'point')}, but --trials asks for {trials}: leave --trials out."
        )
    try:
        return Search(
            trials=trials,
            objectives=tuple(options["objectives"]),
            constraints=tuple(parse_constraint(text) for text in options["constraints"]),
            sampler=options["sampler"],
            pruner=options["pruner"] or ("none" if several else "median"),
            seeds=options["seeds"],
            timeout=options["timeout"],
            test_seeds=options["test_seeds"],
        )
    except ValidationError as error:
        raise UsageError(f"The search is not possible: {error.errors()[0]['msg']}.") from error


def _axes_from(options: dict[str, Any]) -> list[Axis]:
    """Return the space, and refuse a key that is both set and searched."""
    axes = search_space(options["method"], options["space"], options["fix"])
    held = {text.partition("=")[0].strip() for text in options["overrides"]}
    for axis in axes:
        if axis.key in held:
            raise UsageError(
                f"{axis.key} is set and searched: use --fix instead of --set to give it a value."
            )
    return axes


def show_study(study: str, runs: str | None, storage: str | None, as_json: bool) -> None:
    """Print what a study found so far, and its jobs in Slurm."""
    summary, jobs = find_summary(study, runs, storage), jobs_of(study, runs_root(runs).path, storage)
    if as_json:
        print_json(summary.model_dump(mode="json") | {"slurm": jobs})
    else:
        show(summary, False)
        show_jobs(jobs)


def export_study(study: str, out: str | None, runs: str | None, storage: str | None) -> None:
    """Write the best configuration of a study as a preset."""
    text = best_preset(study, runs, storage)
    if out is None:
        click.echo(text, nl=False)
        return
    write_text(Path(out), text)
    click.echo(f"wrote {out}: harness run --preset {out} ...", err=True)


def show(summary: Summary, as_json: bool) -> None:
    """Print the trials, the best configuration, its test and the command that reuses it."""
    if as_json:
        print_json(summary.model_dump(mode="json"))
        return
    best = summary.best
    header = ("trial", "state", "values", *summary.objectives, "best so far", "time")
    so_far = [best_of(summary.trials[: place + 1]) for place in range(len(summary.trials))]
    rows = [_row(trial, summary, trial == best, so_far[i]) for i, trial in enumerate(summary.trials)]
    leaving = ("time", "best so far", *summary.objectives[:0:-1])
    table(f"{summary.study}{_twin(summary)} · validation", header, rows, text=header[:3], leaving=leaving)
    counts = ", ".join(f"{number} {state}" for state, number in summary.counts.items())
    ends = "" if summary.interval is None else f" {ends_text(summary.interval, 2)}"
    mean = f"mean of the finished {_number(summary.mean)}{ends}"
    paragraph("", f"{many(len(summary.trials), 'trial')}: {counts}; {mean}", indent=2)
    if summary.counts["pruned"]:
        saved = (
            f"{100 * summary.pruned_share:.0f} % of the trials were pruned, which saved "
            f"{100 * summary.epochs_saved:.0f} % of the epochs, about {summary.seconds_saved:.0f} s"
        )
        paragraph("pruning: ", saved)
    if summary.importance:
        shares = ", ".join(f"{key} {100 * share:.0f} %" for key, share in summary.importance.items())
        paragraph("importance: ", shares)
    if best is not None:
        words = f"trial {best.number}, {summary.objective} {_number(best.value)}: {params_text(best.params)}"
        paragraph("best: ", words)
    if len(summary.objectives) > 1:
        paragraph(
            "Pareto front: ", f"trial{'s' * (len(summary.front) > 1)} {', '.join(map(str, summary.front))}"
        )
    _show_test(summary)
    if summary.command:
        click.echo(plain(f"preset: {summary.preset}\nreuse:  {summary.command}"))


def _show_test(summary: Summary) -> None:
    from harness.cli.actions.run import show_group

    if summary.test is not None:
        click.echo(
            f"\nbest of {many(len(summary.trials), 'trial')}{_twin(summary)}, tested with fresh seeds:"
        )
        show_group(summary.test, False)
        return
    for record in summary.tests:
        which = f"best of {many(len(summary.trials), 'trial')}, seed {record.config['seed']}"
        title = f"{record.name}{_twin(summary)} · {which}"
        metric_table(title, (record.metrics, record.intervals))
        interval_line(record)
        fault_lines(record.data)


def _row(trial: Trial, summary: Summary, best: bool, so_far: Trial | None) -> list[str]:
    state = trial.state if trial.error is None else f"{trial.state}: {trial.error['type']}"
    state = state if trial.feasible else f"{state}, over a limit"
    values = params_text({key.rpartition(".")[2]: value for key, value in trial.params.items()})
    number = f"{trial.number}{' *' if best else ''}"
    several = len(summary.objectives) > 1
    reached = [plain_cell(x) for x in trial.values] if several and trial.values else [_number(trial.value)]
    reached += [_number(None)] * (len(summary.objectives) - len(reached))
    leader = _number(so_far.value if so_far else None)
    return [number, state, values, *reached, leader, f"{trial.seconds:.1f} s"]


def _twin(summary: Summary) -> str:
    return " · SYNTHETIC TWIN" if summary.synthetic else ""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
