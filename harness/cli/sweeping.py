"""What `harness sweep` does with its options: resolve config and space, search, show."""

from textwrap import fill
from typing import Any

import click

from harness.cli.common import INTERRUPTED, plain, print_json
from harness.cli.running import config_from, say_differences
from harness.cli.show import metric_rows, table, watching
from harness.errors import UsageError
from harness.space import Axis, search_space
from harness.study_results import Summary, TrialRow
from harness.sweep import sweep
from harness.sweep_settings import Search
from harness.train import Interrupted
from harness.trial import told

COLUMNS = ("R1", "R5", "R10", "mAP", "mINP")
VALUES_WIDTH = 40


def execute(options: dict[str, Any], quiet: bool) -> int:
    """Sweep as the options say and return the exit code."""
    axes = axes_from(options)
    config = config_from(
        options["method"], {**options, "overrides": [*options["overrides"], *options["fix"]]}
    )
    search = Search(**{name: options[name] for name in ("trials", "objective", "timeout", "test")})
    quiet = quiet or options["as_json"]
    if not quiet:
        say_differences(config)
        click.echo("searches " + plain("; ".join(str(axis) for axis in axes)), err=True)
    common = {name: options[name] for name in ("study", "runs", "storage", "device")}
    with watching(quiet) as listener:
        try:
            summary = sweep(config, axes, search, listener=listener, **common)
        except Interrupted as stop:
            listener.close()
            click.echo(f"Interrupted: {stop}. The same command goes on from there.", err=True)
            return INTERRUPTED
    show(summary, options["as_json"])
    return 0


def axes_from(options: dict[str, Any]) -> list[Axis]:
    """Return the space, and refuse a key that is both set and searched."""
    axes = search_space(options["method"], options["space"], options["fix"])
    held = {text.partition("=")[0].strip() for text in options["overrides"]}
    for axis in axes:
        if axis.key in held:
            raise UsageError(
                f"{axis.key} is set and searched: give the value to --fix instead of --set to hold it."
            )
    return axes


def show(summary: Summary, as_json: bool) -> None:
    """Print the trials, the best configuration, its test and the command that reuses it."""
    if as_json:
        print_json(summary.model_dump(mode="json"))
        return
    best = summary.best
    header = ("trial", "state", "values", summary.objective, "time")
    rows = [_row(trial, trial == best) for trial in summary.trials]
    table(f"{summary.study}{_twin(summary)} · validation", header, rows, left=3)
    counts = ", ".join(f"{number} {state}" for state, number in summary.counts.items())
    click.echo(f"{len(summary.trials)} trials: {counts}; mean of the finished {_number(summary.mean)}")
    if best is not None:
        click.echo(
            plain(
                f"best: trial {best.number}, {summary.objective} {_number(best.value)}: {told(best.params)}"
            )
        )
    _show_test(summary)
    if summary.command:
        click.echo(plain(f"preset: {summary.preset}\nreuse:  {summary.command}"))


def _show_test(summary: Summary) -> None:
    record = summary.test
    if record is None:
        return
    title = (
        f"{record.name}{_twin(summary)} · best of {len(summary.trials)} trials, seed {record.config['seed']}"
    )
    table(title, ("dataset", "query", *COLUMNS), metric_rows(record.metrics, record.intervals), left=2)


def _row(trial: TrialRow, best: bool) -> list[str]:
    state = trial.state if trial.error is None else f"{trial.state}: {trial.error['type']}"
    values = told({key.rpartition(".")[2]: value for key, value in trial.params.items()})
    number = f"{trial.number}{' *' if best else ''}"
    return [number, state, fill(values, VALUES_WIDTH), _number(trial.value), f"{trial.seconds:.1f} s"]


def _twin(summary: Summary) -> str:
    return " · SYNTHETIC TWIN" if summary.synthetic else ""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
