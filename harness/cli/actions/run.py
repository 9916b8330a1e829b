"""What `harness run` does with its options: resolve, say what is unusual, run, show."""

import json
from typing import Any

import click

from harness.cli.actions.report import check_report, data_name, report_after
from harness.cli.layout import paragraph, table
from harness.cli.options import plain, print_json
from harness.cli.terminal import TerminalListener, comparison_table, record_table, watching
from harness.compute.devices import is_main_process
from harness.config.sections import RunConfig
from harness.paths import runs_root
from harness.presets.resolve import differences, resolve
from harness.record import find_run
from harness.run.dry_run import Plan, make_plan
from harness.run.run import run
from harness.run.several_seeds import group_table_rows, run_seeds

_SHORTHANDS = {
    "seed": "seed",
    "val": "dataset.val",
    "train_on": "dataset.train_on",
    "few_shot": "dataset.few_shot",
    "store": "dataset.store",
    "on_bad_image": "dataset.on_bad_image",
    "data_root": "dataset.root",
}


def config_from(method: str, options: dict[str, Any]) -> RunConfig:
    """Resolve the command's options to a config; a shorthand counts as its override."""
    short = [f"{key}={options[name]}" for name, key in _SHORTHANDS.items() if options.get(name) is not None]
    quoted = {"train.augment.text.synonyms": options.get("synonyms")}
    if options.get("init_from"):
        quoted["backbone.init_from"] = _full_name(options["init_from"], options["runs"])
    # Names and paths are quoted, so that none is read as a number or worse.
    short += [f"{key}={json.dumps(text)}" for key, text in quoted.items() if text is not None]
    return resolve(
        method,
        options["dataset"],
        synthetic=options["synthetic"],
        presets=options["presets"],
        overrides=[*options["overrides"], *short],
    )


def _full_name(run: str, runs: str | None) -> str:
    """Return the whole name of a run, or its folder where it is elsewhere: each start has one identity."""
    root = runs_root(runs).path
    folder = find_run(run, root).path
    return folder.name if folder.parent.resolve() == root.resolve() else str(folder.resolve())


def execute(options: dict[str, Any], quiet: bool) -> int:
    """Run what the options say and return the exit code."""
    check_report(options["report"], {"run": len(options["methods"]), "dataset": 1})
    configs = [config_from(method, options) for method in options["methods"]]
    if options["dry_run"]:
        _show_plans([make_plan(config, options["runs"]) for config in configs], options["as_json"])
        return 0
    quiet = quiet or options["as_json"]
    with watching(quiet) as listener:
        results = [_run_one(config, options, listener, quiet) for config in configs]
    if is_main_process():
        _show_results(results, options)
        subjects = {"run": [_name(result) for result in results], "dataset": [data_name(configs[0])]}
        report_after(options["report"], options["runs"], quiet, subjects)
    return 0


def _name(result: Any) -> str:
    """Return the name of a run; of several seeds that of the first, which represents all."""
    return str(result["runs"][0] if isinstance(result, dict) else result.name)


def _run_one(config: RunConfig, options: dict[str, Any], listener: TerminalListener, quiet: bool) -> Any:
    common = {"runs": options["runs"], "force": options["force"], "device": options["device"]}
    if not quiet and is_main_process():
        say_differences(config)
    if options["seeds"] > 1:
        return run_seeds(config, options["seeds"], listener=listener, **common)
    return run(config, listener=listener, **common)


def _show_results(results: list[Any], options: dict[str, Any]) -> None:
    """Print what came out: one record, one group of seeds, or several methods side by side."""
    if options["as_json"]:
        plain_results = [
            result if isinstance(result, dict) else result.model_dump(mode="json") for result in results
        ]
        print_json(plain_results if len(results) > 1 else plain_results[0])
    elif options["seeds"] > 1:
        for group in results:
            show_group(group, False)
    elif len(results) > 1:
        comparison_table(results)
        click.echo(
            f"next: harness runs show {results[-1].name} · harness runs list · README, part `What to do next`"
        )
    else:
        show_record(results[0], False)


def show_record(record: Any, as_json: bool) -> None:
    """Print a record as JSON or as a table with where to look next."""
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    record_table(record)
    if record.tracking.get("synced"):
        click.echo(f"next: harness runs show {record.name}")
    else:
        click.echo(
            f"MLflow did not take this run ({record.tracking.get('error')}): harness runs sync", err=True
        )


def show_group(group: dict[str, Any], as_json: bool) -> None:
    """Print several seeds' mean, interval and single values."""
    if as_json:
        print_json(group)
        return
    header, rows = group_table_rows(group)
    table(group["title"], header, rows, text=header[:2], leaving=[*header[:3:-1], "sd"])
    paragraph("", group["note"])


def _show_plans(plans: list[Plan], as_json: bool) -> None:
    """Print what runs would do."""
    if as_json:
        values = [plan.as_dict() for plan in plans]
        print_json(values if len(values) > 1 else values[0])
        return
    for plan in plans:
        click.echo(plain("\n".join(plan.lines())))


def say_differences(config: RunConfig) -> None:
    """Say every value that differs from the real default."""
    changed = [f"{key}={value} (default {old})" for key, old, value in differences(config)]
    if changed:
        click.echo("differs from the default: " + plain(", ".join(changed)), err=True)
