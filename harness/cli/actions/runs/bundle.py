"""Export, verify and import bundles of runs, and show what came of it."""

import re
from collections.abc import Sequence
from pathlib import Path

import click

from harness.bundle import export_runs, import_bundle, verify_bundle
from harness.bundle.card import write_card
from harness.bundle.every_eval import UNKNOWN, write_records
from harness.bundle.export import exportable
from harness.bundle.put_beside import in_words
from harness.bundle.tables import write_tables
from harness.bundle.verify import SEALED, Check, Verified
from harness.cli.layout import folded, paragraph, size, table
from harness.cli.options import plain, print_json, printed_command
from harness.errors import UsageError, listed, many

BUNDLE, EVERY_EVAL = "bundle", "every-eval-ever"
_NAMED = 3
_STATES = {True: "agrees", False: "DIFFERS", None: "not known"}


def export(
    names: Sequence[str],
    out: str,
    kind: str,
    by: str | None,
    root: str | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Write runs for others and say how to check them."""
    if by is not None and kind != EVERY_EVAL:
        raise UsageError(
            f"--by says who evaluated in records of Every Eval Ever: give it with --format {EVERY_EVAL}."
        )
    if kind != BUNDLE:
        _export_tables(names, Path(out), kind, by, root, force=force, as_json=as_json)
        return
    if Path(out).is_dir():
        raise UsageError(f"{out} is a folder: name the zip file to write.")
    if Path(out).exists() and not force:
        raise UsageError(f"{out} is there already: choose another name, or replace it with --force.")
    done = export_runs(names, out, root)
    if as_json:
        print_json(vars(done))
        return
    click.echo(plain(f"{many(len(done.runs), 'run')} in {done.file}, {size(done.bytes)}"))
    click.echo(plain(f"next: {printed_command('runs', 'verify', done.file)}"))


def _export_tables(
    names: Sequence[str],
    out: Path,
    kind: str,
    by: str | None,
    root: str | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Write tables or records into a folder."""
    if out.is_file():
        raise UsageError(f"{out} is a file: name the folder to write to.")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise UsageError(f"{out} is not empty: choose another folder, or write into it with --force.")
    runs = exportable(names, root)
    if kind == EVERY_EVAL:
        files = write_records(runs, out, by or UNKNOWN)
    else:
        files = write_tables(runs, out, "csv" if kind == "csv" else "parquet")
    if as_json:
        print_json({"runs": [record.name for _, record in runs], "files": [str(file) for file in files]})
        return
    for file in files:
        click.echo(plain(f"wrote {file}"))


def verify(file: str, *, as_json: bool) -> int:
    """Check a bundle; return 1 when something does not agree."""
    found = verify_bundle(file)
    if as_json:
        print_json(found.as_dict())
    else:
        _show(file, found)
    return 0 if found.agrees else 1


def import_(file: str, root: str | None, *, as_json: bool) -> None:
    """Put the runs of a bundle into the folder of the runs."""
    done = import_bundle(file, root)
    if as_json:
        print_json(done.as_dict())
        return
    for twice in done.twice:
        paragraph("", in_words(twice), indent=2)
    what = f"imported {many(len(done.put), 'run')}: {listed(done.put, _NAMED)}" if done.put else "nothing new"
    paragraph("", what, indent=2)
    if done.unsent:
        sync = printed_command("runs", "sync", runs=root)
        lines = folded(
            f"MLflow does not have them yet: {sync} sends them. {done.unsent}", indent=2, error=True
        )
        click.echo("\n".join(lines), err=True)
    elif done.put:
        click.echo(plain(f"next: {printed_command('runs', 'list', runs=root)}"))


def card(name: str, out: str, hub: Sequence[str], root: str | None, *, as_json: bool) -> None:
    """Write the folder of a run for the Hub, and say what is not in it."""
    places = dict(map(_hub_place, hub))
    done = write_card(name, out, root, places)
    if as_json:
        print_json(vars(done))
        return
    for file in done.files:
        click.echo(plain(f"wrote {Path(done.folder, file)}"))
    if done.without:
        paragraph(
            "",
            f"no file of evaluation results for {listed(done.without)}: give --hub DATASET=OWNER/NAME",
            indent=2,
        )


def _hub_place(text: str) -> tuple[str, str]:
    dataset, sign, place = text.partition("=")
    if not (sign and dataset and re.fullmatch(r"[\w.-]+/[\w.-]+", place)):
        raise UsageError(f"--hub {text}: give DATASET=OWNER/NAME, as icfg=me/ICFG-PEDES.")
    return dataset, place


def _show(file: str, found: Verified) -> None:
    """Print one line a run with what agrees, then what does not."""
    rows = [
        (name, *_counts([check for check in found.checks if check.of == name])) for name in _subjects(found)
    ]
    title = f"{file} · {many(len(found.runs), 'run')} · harness {found.harness} · {found.created}"
    table(title, ("what", "agrees", "differs", "not known"), rows)
    for check in found.checks:
        if check.agrees is not True:
            paragraph(f"{_STATES[check.agrees]}: ", check.line, indent=2)
    paragraph("", SEALED, indent=2)
    verdict = "everything that can be computed anew agrees" if found.agrees else "not as it says"
    paragraph("", f"{file}: {verdict}", indent=2)


def _subjects(found: Verified) -> list[str]:
    return list(dict.fromkeys(check.of for check in found.checks))


def _counts(checks: list[Check]) -> tuple[str, ...]:
    return tuple(str(sum(check.agrees is state for check in checks)) for state in _STATES)
