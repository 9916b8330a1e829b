"""What `harness run` does with its options: resolve, say what is unusual, run, show."""

from typing import Any

import click

from harness.cli.common import INTERRUPTED, plain, print_json
from harness.cli.show import record_table, watching
from harness.config import RunConfig
from harness.group import group_table_rows, run_seeds
from harness.plan import Plan, make_plan
from harness.resolve import differences, resolve
from harness.run import run
from harness.train import Interrupted

SHORTHANDS = {
    "seed": "seed",
    "val": "dataset.val",
    "train_on": "dataset.train_on",
    "store": "dataset.store",
    "on_bad_image": "dataset.on_bad_image",
    "data_root": "dataset.root",
}


def config_from(options: dict[str, Any]) -> RunConfig:
    """Resolve the command's options to a config; a shorthand counts as the override it stands for."""
    short = [f"{key}={options[name]}" for name, key in SHORTHANDS.items() if options.get(name) is not None]
    return resolve(
        options["method"],
        options["dataset"],
        synthetic=options["synthetic"],
        presets=options["presets"],
        overrides=[*options["overrides"], *short],
    )


def execute(options: dict[str, Any], quiet: bool) -> int:
    """Run what the options say and return the exit code."""
    config = config_from(options)
    if options["dry_run"]:
        show_plan(make_plan(config, options["runs"]), options["as_json"])
        return 0
    if not quiet:
        say_differences(config)
    common = {"runs": options["runs"], "force": options["force"], "device": options["device"]}
    with watching(quiet or options["as_json"]) as listener:
        try:
            if options["seeds"] > 1:
                show_group(
                    run_seeds(config, options["seeds"], listener=listener, **common), options["as_json"]
                )
                return 0
            record = run(config, listener=listener, **common)
        except Interrupted as stop:
            listener.close()
            click.echo(f"Interrupted: {stop}. The same command goes on from there.", err=True)
            return INTERRUPTED
    show_record(record, options["as_json"])
    return 0


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
    from harness.cli.show import table

    if as_json:
        print_json(group)
        return
    header, rows = group_table_rows(group)
    table(group["title"], header, rows, left=2)
    click.echo(group["note"])


def show_plan(plan: Plan, as_json: bool) -> None:
    """Print what a run would do."""
    if as_json:
        print_json(plan.as_dict())
        return
    for line in plan.lines():
        click.echo(plain(line))


def say_differences(config: RunConfig) -> None:
    """Say every value that differs from the real default."""
    changed = [f"{key}={value} (default {old})" for key, old, value in differences(config)]
    if changed:
        click.echo("differs from the default: " + plain(", ".join(changed)), err=True)
