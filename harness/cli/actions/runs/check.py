"""Hold results to what is expected of them and show it, or fill in what is expected."""

from pathlib import Path

import click

from harness.cli.given import set_by_hand
from harness.cli.layout import paragraph, table
from harness.cli.options import plain, print_json, printed_command
from harness.cli.progress import watching
from harness.errors import UsageError, listed, many
from harness.files import write_text
from harness.listener import Listener
from harness.places import writable
from harness.upkeep.check import Absent, Checked, Checks, How, check, chosen_results, results_found
from harness.upkeep.expected import Expected, Figure
from harness.upkeep.expected_file import read_expected
from harness.upkeep.fill import filled, with_figures


def execute(
    file: str,
    *,
    only: tuple[str, ...],
    rerun: bool,
    write: bool,
    within: float,
    force: bool,
    runs: str | None,
    data_root: str | None,
    device: str,
    as_json: bool,
    quiet: bool,
) -> int:
    """Check or fill in the figures of a file, and return the exit code."""
    for option in ("--force", "--within"):
        if option in set_by_hand() and not write:
            raise UsageError(f"{option} is about what --write fills in: give it with --write.")
    path, how = Path(file), How(only, rerun, runs, data_root, device)
    expected = read_expected(path)
    with watching(quiet or as_json) as listener:
        if write:
            done = _fill(path, expected, how, listener, within=within, anew=force)
        else:
            checks = check(path, expected, how, listener)
    if write:
        _show_filled(path, done, runs, as_json=as_json)
        return 0
    if as_json:
        print_json(checks.as_dict())
    else:
        _show(file, checks, runs)
    return 0 if checks.hold else 1


def _fill(
    path: Path, expected: Expected, how: How, listener: Listener, *, within: float, anew: bool
) -> dict[str, dict[str, Figure]]:
    """Write the figures of finished runs into the file, all or none; return them by the name of their result."""
    writable(path.absolute().parent, "copy the file to another folder")
    chosen = chosen_results(expected, how.only)
    asked = [one for one in chosen if anew or None in one.figures.values()]
    done = {}
    for result, found in results_found(path, asked, how, listener):
        if isinstance(found, Absent):
            error = UsageError(f"{path} is left as it is: {result.name}: {found.why}.")
            if found.command:
                error.add_note(f"next: {printed_command(*found.command, runs=how.runs)}")
            raise error
        done[result.name] = filled(result.figures, found.figures, within, anew=anew)
    if done:
        write_text(path, with_figures(path, done))
    return done


def _show_filled(path: Path, done: dict[str, dict[str, Figure]], runs: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "file": str(path),
                "results": {
                    name: {key: figure.model_dump(exclude_none=True) for key, figure in figures.items()}
                    for name, figures in done.items()
                },
            }
        )
        return
    if not done:
        click.echo(plain(f"{path} has all its figures: --force replaces their values by today's"))
        return
    n = sum(map(len, done.values()))
    click.echo(plain(f"wrote {many(n, 'figure')} of {many(len(done), 'result')} into {path}"))
    click.echo(plain(f"next: {printed_command('check', str(path), runs=runs)}"))


def _show(file: str, checks: Checks, runs: str | None) -> None:
    """Print a line for each figure, and what makes those that are not there."""
    rows = [
        (one.result, one.figure, "–" if one.found is None else f"{one.found:.2f}", _ends(one), one.verdict)
        for one in checks.figures
    ]
    table(
        file, ("result", "figure", "found", "expected", "verdict"), rows, text=("result", "figure", "verdict")
    )
    for absent in checks.absent:
        paragraph("", f"{absent.result}: {absent.why}", indent=2)
        if absent.command:
            click.echo(plain(f"next: {printed_command(*absent.command, runs=runs)}"))
    for note in checks.notes:
        paragraph("", note, indent=2)
    open_ = list(dict.fromkeys(one.result for one in checks.figures if one.low is None))
    if open_:
        paragraph("", f"not filled in yet: {listed(open_)}; `harness check {file} --write` does it", indent=2)
    n = sum(one.holds for one in checks.figures)
    paragraph("", f"{n:,} of {many(len(checks.figures), 'figure')} as expected", indent=2)


def _ends(one: Checked) -> str:
    return "–" if one.low is None or one.high is None else f"{one.low:.2f} to {one.high:.2f}"
