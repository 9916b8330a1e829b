"""Export, verify and import bundles of runs, and show what came of it."""

from collections.abc import Sequence
from pathlib import Path

import click

from harness.bundle import export_runs, import_bundle, verify_bundle
from harness.bundle.put_beside import in_words
from harness.bundle.verify import SEALED, Check, Verified
from harness.cli.layout import paragraph, size, table
from harness.cli.options import plain, print_json, printed_command
from harness.errors import UsageError, listed, many

_STATES = {True: "agrees", False: "DIFFERS", None: "not known"}


def export(names: Sequence[str], out: str, root: str | None, *, force: bool, as_json: bool) -> None:
    """Write a bundle and say how to check it."""
    if Path(out).exists() and not force:
        raise UsageError(f"{out} is there already: choose another name, or replace it with --force.")
    done = export_runs(names, out, root)
    if as_json:
        print_json(vars(done))
        return
    click.echo(plain(f"{many(len(done.runs), 'run')} in {done.file}, {size(done.bytes)}"))
    click.echo(plain(f"next: {printed_command('runs', 'verify', done.file)}"))


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
    what = f"imported {listed(done.put)}" if done.put else "nothing new"
    click.echo(plain(what))
    if done.unsent:
        click.echo(
            plain(f"MLflow does not have them yet ({done.unsent}): `harness runs sync` sends them"), err=True
        )
    elif done.put:
        click.echo(plain(f"next: {printed_command('runs', 'list', runs=root)}"))


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
    click.echo(plain(f"{file}: {verdict}"))


def _subjects(found: Verified) -> list[str]:
    return list(dict.fromkeys(check.of for check in found.checks))


def _counts(checks: list[Check]) -> tuple[str, ...]:
    return tuple(str(sum(check.agrees is state for check in checks)) for state in _STATES)
