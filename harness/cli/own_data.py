"""What `--data`, `--images`, `--columns` and `--shares` stand for: a dataset, beside those that are named."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from harness.cli.options import option
from harness.errors import UsageError

OWN_OPTIONS = ("data", "images", "columns", "shares")
_BESIDE = OWN_OPTIONS[1:]
_DECLARED = (
    option(
        "--data",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Data of your own, .jsonl, .csv or .json: a row for each picture, with caption and person.",
    ),
    option(
        "--images",
        type=click.Path(file_okay=False),
        metavar="DIR",
        help="Folder that the paths in FILE start from (default: that of FILE).",
    ),
    option(
        "--columns",
        metavar="image=NAME,...",
        help="Which column of FILE is image, caption, person, split, where its name does not say it.",
    ),
    option(
        "--shares",
        metavar="TRAIN/VAL/TEST",
        help="Percent of the persons in each split, where FILE names none (default: 80/10/10).",
    ),
)


def own_data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options for data of the user's own."""
    for one in reversed(_DECLARED):
        command = one(command)
    return command


def all_datasets(names: Iterable[str], options: Mapping[str, Any], *, beside: str = "") -> list[str]:
    """Return the names of the datasets that a command is about: those named and that of its `--data`.

    Args:
        names: as `--dataset` gives them.
        options: of the command.
        beside: what can be given in their place, for the message.

    Raises `UsageError` where there is none, or where an option has no `--data` that it is about.
    """
    found = [*dict.fromkeys(name.replace("-", "_") for name in names), *own_name(options)]
    if not found:
        raise UsageError(f"Missing option '--dataset' / '-d': name a dataset, or give --data FILE{beside}.")
    return list(dict.fromkeys(found))


def one_dataset(name: str | None, options: Mapping[str, Any]) -> str:
    """Return the name of the one dataset that a command is about."""
    own = own_name(options)
    if name and own:
        raise UsageError(f"Both {name} and --data {options['data']} are given: leave one out.")
    if not name and not own:
        raise UsageError("No dataset is named: give its name, see `harness data list`, or --data FILE.")
    return name or own[0]


def own_name(options: Mapping[str, Any]) -> list[str]:
    """Return the name of the dataset that `--data` makes, in a list; an empty one without `--data`."""
    if options.get("data") is None:
        for option in _BESIDE:
            if options.get(option) is not None:
                raise UsageError(f"--{option} is about data of your own: give them by --data FILE.")
        return []
    if options.get("synthetic"):
        raise UsageError(
            "--synthetic is about twins, and data of your own have none: leave it or --data out."
        )
    from harness.data.own_data import dataset_of_file

    told = {name: options[name] for name in _BESIDE if options.get(name) is not None}
    return [dataset_of_file(options["data"], **told).name]
