"""What `harness run` does with its options: resolve, say what is unusual, run, show."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import or_
from typing import Any

import click

from harness.cli.actions.report import check_report, data_name, report_after
from harness.cli.layout import folded, paragraph, table
from harness.cli.options import NEXT, plain, print_json, printed_command
from harness.cli.own_data import all_datasets
from harness.cli.progress import TerminalListener, watching
from harness.cli.terminal import (
    comparison_table,
    dataset_of,
    ends_of,
    fault_lines,
    interval_line,
    no_interval_lines,
    r1_of,
    record_table,
    seeds_table,
)
from harness.compute.devices import is_main_process
from harness.config.sections import RunConfig
from harness.data.annotations import locate, missing_data
from harness.data.protocols.joint_names import part_configs
from harness.datasets import DATASETS
from harness.paths import data_root, runs_root
from harness.presets.resolve import check_agreement, differences, resolve
from harness.record import RunFolder, find_run
from harness.registry.set_names import split_sets
from harness.run.dry_run import Plan, make_plans
from harness.run.estimate import expected_seconds, finished_runs
from harness.run.run import run
from harness.run.several_seeds import group_table_rows, run_seeds, seed_matters, with_seeds

# The exit code of what cannot run because data are missing.
MISSING = 2
_SHORTHANDS = {
    "seed": "seed",
    "val": "dataset.val",
    "train_on": "dataset.train_on",
    "few_shot": "dataset.few_shot",
    "store": "dataset.store",
    "on_bad_image": "dataset.on_bad_image",
    "data_root": "dataset.root",
    "synonyms": "train.augment.text.synonyms",
    "init_from": "backbone.init_from",
}


def config_from(method: str, dataset: str, options: Mapping[str, Any]) -> RunConfig:
    """Resolve the command's options to a config; a shorthand counts as its override.

    Raises `UsageError` for options that contradict one another.
    """
    short = _shorthands(options)
    given = [*overrides_given(options), *short]
    synthetic = [("--synthetic", "dataset.synthetic=true")] if options["synthetic"] else []
    check_agreement([*synthetic, *given])
    return resolve(
        method,
        dataset,
        synthetic=options["synthetic"],
        presets=options["presets"],
        overrides=[override for _, override in given],
    )


def overrides_given(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the overrides of a command, each with how it is written there."""
    given = {"--set": options["overrides"], "--fix": options.get("fix", ())}
    return [(f"{name} {text}", text) for name, texts in given.items() for text in texts]


def _shorthands(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the options that stand for an override, each as it is written, with that override."""
    given = []
    for name, key in _SHORTHANDS.items():
        if (value := options.get(name)) is None:
            continue
        if name == "init_from":
            value = _full_name(value, options["runs"])
        # Names and paths are quoted, so that none is read as a number or worse.
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else value
        given.append((f"--{name.replace('_', '-')} {options[name]}", f"{key}={text}"))
    return given


def _full_name(run: str, runs: str | None) -> str:
    """Return the whole name of a run, or its folder where it is elsewhere: each start has one identity."""
    root = runs_root(runs).path
    folder = find_run(run, root).path
    return folder.name if folder.parent.resolve() == root.resolve() else str(folder.resolve())


def execute(options: dict[str, Any], quiet: bool) -> int:
    """Run what the options say, each method on each dataset, and return the exit code."""
    methods, datasets = _each_once(options["methods"]), all_datasets(options["datasets"], options)
    check_report(options["report"], {"run": len(methods) * len(datasets), "dataset": len(datasets)})
    configs = [config_from(method, dataset, options) for dataset in datasets for method in methods]
    if options["dry_run"]:
        plans = [make_plans(config, options["runs"], options["seeds"]) for config in configs]
        _show_plans(plans, options["as_json"])
        return MISSING if any(plan.missing for seeds in plans for plan in seeds) else 0
    _check_found(configs)
    quiet = quiet or options["as_json"]
    with watching(quiet) as listener:
        _expect(listener, configs, options)
        with _told_how_to_resume(listener, options["runs"]):
            results = [_run_one(config, options, listener, quiet) for config in configs]
    if is_main_process():
        _show_results(results, options)
        names = list(dict.fromkeys(data_name(config) for config in configs))
        subjects = {"run": [_name(result) for result in results], "dataset": names}
        report_after(options["report"], options["runs"], quiet, subjects)
    return 0


def _expect(listener: TerminalListener, configs: Iterable[RunConfig], options: Mapping[str, Any]) -> None:
    """Tell the listener which runs come, and how it knows how long each takes: from those that finished so far."""

    def expected(config: RunConfig) -> float | None:
        return expected_seconds(config, finished_runs(options["runs"], tell=lambda file, why: None))[0]

    listener.expect([one for config in configs for one in with_seeds(config, options["seeds"])], expected)


def _check_found(configs: Iterable[RunConfig]) -> None:
    """Raise `DataError` for missing data before the first of several runs begins."""
    for one in (one for config in configs for one in part_configs(config.dataset)):
        dataset, place = DATASETS.get(one.name), data_root(one.root)
        if not one.synthetic and locate(dataset, place.path) is None:
            raise missing_data(dataset, place)


@contextmanager
def _told_how_to_resume(listener: TerminalListener, runs: str | None) -> Iterator[None]:
    """Add to an error that ends a run the commands to use next: look at it, then resume it."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        record = RunFolder(runs_root(runs).path / listener.name).glance() if listener.name else None
        if record is not None and record.status in ("failed", "interrupted"):
            words = ("show", "resume") if record.status == "failed" else ("resume",)
            commands = [printed_command("runs", word, record.name, runs=runs) for word in words]
            error.add_note("\n".join(f"{NEXT}{command}" for command in commands))
        raise


def _each_once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.replace("-", "_") for name in names))


def _name(result: Any) -> str:
    """Return the name of a run; of several seeds that of the first, which represents all."""
    return str(result["runs"][0] if isinstance(result, dict) else result.name)


def _run_one(config: RunConfig, options: dict[str, Any], listener: TerminalListener, quiet: bool) -> Any:
    common = {"runs": options["runs"], "force": options["force"], "device": options["device"]}
    if not quiet and is_main_process():
        say_differences(config)
    if options["seeds"] > 1 and seed_matters(config):
        return run_seeds(config, options["seeds"], listener=listener, **common)
    if options["seeds"] > 1:
        listener.on_note(f"{config.method.name} trains nothing: the {options['seeds']} seeds are one run.")
    return run(config, listener=listener, **common)


def _show_results(results: list[Any], options: dict[str, Any]) -> None:
    """Print what came out: one run, one group of seeds, or of each dataset all methods in one table."""
    if options["as_json"]:
        plain_results = [
            result if isinstance(result, dict) else result.model_dump(mode="json") for result in results
        ]
        print_json(plain_results if len(results) > 1 else plain_results[0])
    elif len(results) == 1 and isinstance(results[0], dict):
        show_group(results[0], False)
        _show_next(["plan-seeds", "--dataset", results[0]["dataset"]], runs=options["runs"])
    elif len(results) == 1:
        show_record(results[0], False, options["runs"])
    else:
        for number, part in enumerate(_by_dataset([_with_further(one, options["runs"]) for one in results])):
            if number:
                click.echo()
            _show_part(part)
        _show_next(*_after_several(results), runs=options["runs"])


def _with_further(result: Any, runs: str | None) -> Any:
    """Return a record of a joint training with its results on all datasets; anything else as it is."""
    if isinstance(result, dict) or not result.further:
        return result
    tests = [
        one
        for one in RunFolder(runs_root(runs).path / result.name).results()
        if one["dataset"] in result.further
    ]
    found = {
        name: reduce(or_, (one[name] for one in tests), getattr(result, name))
        for name in ("metrics", "intervals")
    }
    return result.model_copy(update=found)


def _show_part(results: list[Any]) -> None:
    """Print the results on one dataset, or of one joint training, in one table for each test."""
    if len(results) == 1 and isinstance(results[0], dict):
        show_group(results[0], False)
    elif len(results) == 1:
        record_table(results[0])
    else:
        draw = seeds_table if any(isinstance(result, dict) for result in results) else comparison_table
        for number, dataset in enumerate(split_sets(dataset_of(results[0]))):
            if number:
                click.echo()
            draw(results, dataset)


def _after_several(results: list[Any]) -> Iterator[list[str]]:
    """Yield the commands to use after several results: compare the two best of a dataset, list them, report on them."""
    part = next((part for part in _by_dataset(results) if len(part) > 1), None)
    if part is None:
        yield ["runs", "list"]
        return
    best = sorted(part, key=lambda result: -r1_of(result))[:2]
    yield ["compare", *map(_name, best)]
    yield ["runs", "list"]
    yield ["report"]


def _show_next(*commands: Sequence[str], runs: str | None) -> None:
    """Print commands that run as they are printed, one a line."""
    for words in commands:
        place = None if list(words) == ["report"] else runs
        click.echo(plain(f"{NEXT}{printed_command(*words, runs=place)}"))


def _by_dataset(results: list[Any]) -> list[list[Any]]:
    datasets: dict[str, list[Any]] = {}
    for result in results:
        datasets.setdefault(dataset_of(result), []).append(result)
    return list(datasets.values())


def show_record(record: Any, as_json: bool, runs: str | None = None) -> None:
    """Print a record as JSON or as a table with where to look next."""
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    record_table(_with_further(record, runs))
    if record.tracking.get("synced"):
        _show_next(["runs", "show", record.name], runs=runs)
    else:
        sync = printed_command("runs", "sync", runs=runs)
        why = record.tracking.get("error") or "its process ended before it was sent"
        click.echo(plain(f"MLflow did not take this run ({why}): {sync}"), err=True)


def show_group(group: dict[str, Any], as_json: bool) -> None:
    """Print several seeds' mean, interval and single values."""
    if as_json:
        print_json(group)
        return
    header, rows = group_table_rows(group)
    where = header.index("mean [95 %]")
    table(group["title"], header, rows, text=header[:where], leaving=[*header[: where + 1 : -1], "sd"])
    paragraph("", group["note"])
    no_interval_lines(ends_of(group))
    interval_line(group)
    fault_lines(group)


def _show_plans(plans: list[list[Plan]], as_json: bool) -> None:
    """Print what runs would do: of each config the plan, and the further seeds by their names."""
    if as_json:
        values = [plan.as_dict() for seeds in plans for plan in seeds]
        print_json(values if len(values) > 1 else values[0])
        return
    for first, *others in plans:
        lines = [f"and seed {plan.config['seed']}: {plan.name} ({plan.state})" for plan in others]
        click.echo(plain("\n".join([*first.lines(), *lines])))


def say_differences(config: RunConfig) -> None:
    """Say every value that differs from the real default."""
    changed = [f"{key}={value} (default {old})" for key, old, value in differences(config)]
    if changed:
        line = plain(f"differs from the default: {', '.join(changed)}")
        shown = folded(line, indent=2, error=True) if sys.stderr.isatty() else [line]
        click.echo("\n".join(shown), err=True)
