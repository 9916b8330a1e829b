"""`harness demo`: the way from nothing to a table, a figure and a search, on a synthetic twin."""

from pathlib import Path
from typing import Any

import click

from harness.cli.options import data_root_option, option, plain, printed_command, runs_option

STEPS = Path(__file__).with_name("demo.yaml")
BEFORE = (
    "Nothing is downloaded: the pictures are drawn here and the weights ship with the harness. It takes some minutes "
    "of one processor core and 0.1 GB of disk; Ctrl-C stops it, and the same command resumes."
)
WORLD = (
    "drawn people with captions from a grammar, and a tiny CLIP that has never seen either. It shows how the harness "
    "works; its figures say nothing about CLIP on photographs. With the real datasets, leave out --synthetic."
)


@click.command()
@option(
    "--out",
    type=click.Path(file_okay=False),
    default="demo-out",
    show_default=True,
    help="Folder of the pages.",
)
@data_root_option
@runs_option
@click.pass_obj
def demo(obj: dict[str, bool], out: str, data_root: str | None, runs: str | None) -> int:
    """Compare four methods on a synthetic twin, draw what they cost, and search with one of them.

    \b
    harness demo
    harness demo --runs demo-runs --data-root demo-data

    Needs no data, no weights and no network. Each step is a command, printed as it can be given by itself; what is
    finished is shown and not repeated.
    """
    from harness.cli.layout import paragraph
    from harness.config.strict_yaml import read_yaml

    shown = read_yaml(STEPS)
    paragraph("", BEFORE)
    place = ["--data-root", data_root] if data_root else []
    methods = [word for name in shown["methods"] for word in ("--method", name)]
    for step, words in (
        (
            f"1 of 3: a twin of the dataset is drawn, {len(shown['methods'])} methods are trained and tested",
            ["run", *methods, "--dataset", shown["dataset"], "--synthetic", *place],
        ),
        (
            "2 of 3: what they reach and what they cost",
            [
                "report",
                shown["report"],
                "--dataset",
                shown["dataset"],
                "--out",
                str(Path(out, shown["report"])),
            ],
        ),
    ):
        if code := _give(step, words, runs, obj["quiet"]):
            return code
    run = _searched(shown, data_root, runs)
    words = [
        "search",
        shown["search"]["description"],
        "--run",
        run,
        "--out",
        str(Path(out, "search.html")),
        *place,
    ]
    if code := _give("3 of 3: a search with one of them", words, runs, obj["quiet"]):
        return code
    click.echo()
    paragraph("this world: ", WORLD)
    click.echo(plain(f"pages: {out}"))
    click.echo(plain(f"next: {printed_command('runs', 'show', run, runs=runs)}"))
    return 0


def _give(step: str, words: list[str], runs: str | None, quiet: bool) -> int:
    """Print which step it is and its command, and run that; return its exit code."""
    from harness.cli.main import cli

    click.echo(plain(f"\n{step}\n$ {printed_command(*words, runs=runs)}"))
    every = [*(["--quiet"] if quiet else []), *words, *(["--runs", runs] if runs else [])]
    main: Any = cli.main
    return int(main(every, prog_name="harness", standalone_mode=False) or 0)


def _searched(shown: dict[str, Any], data_root: str | None, runs: str | None) -> str:
    """Return the name of the run that is searched with."""
    from harness.presets.resolve import resolve
    from harness.run.dry_run import make_plans

    root = [f"dataset.root={data_root}"] if data_root else []
    config = resolve(shown["search"]["method"], shown["dataset"], synthetic=True, overrides=root)
    name = make_plans(config, runs)[0].name
    assert name is not None, "its data are there by now"
    return name
