"""Print what a check of a dataset found."""

from collections.abc import Mapping, Sequence

import click

from harness.cli.layout import paragraph, table
from harness.cli.options import plain
from harness.data.verify.fault import Fault
from harness.data.verify.verify import VerifyReport
from harness.datasets import SPLITS, Counts
from harness.errors import many

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def show_report(report: VerifyReport) -> None:
    """Print a check's count table, its faults with their fixes, and the verdict."""
    paragraph("", f"{report.title} in {report.folder}", indent=2)
    for note in report.notes:
        paragraph("  ", note)
    rows = [_count_cells(split, report.expected, report.found.get(split)) for split in SPLITS]
    title = "counts: found / expected" + (" of this synthetic twin" if report.synthetic else "")
    title = title if report.expected else "counts: found" + (" (none are published)" * (not report.notes))
    n = 4 if report.notes and not report.expected else 5
    header = ("split", "identities", "images", "captions", "state")[:n]
    table(title, header, [row[:n] for row in rows if row], text=("split", "state"))
    for fault in report.faults:
        if fault.severity != "note":
            _show_fault(fault)
    _show_notes([fault for fault in report.faults if fault.severity == "note"])
    _show_verdict(report)


def _count_cells(split: str, published: Mapping[str, Counts], found: Counts | None) -> list[str]:
    expected, empty = published.get(split), Counts(0, 0, 0)
    if expected is None and found is None:
        return []
    if not published:
        return [split, *(f"{got:,}" for got in found or empty), "not published"]
    pairs = zip(found or empty, expected or empty, strict=True)
    mark = "ok" if expected == found else "differs"
    return [split, *(f"{got:,} / {want:,}" for got, want in pairs), mark]


def _show_fault(fault: Fault) -> None:
    head = click.style(f"{fault.severity}: ", fg=_COLOURS[fault.severity], bold=True)
    paragraph(head, plain(fault.what), indent=2, width_of_head=len(fault.severity) + 2)
    for example in fault.examples:
        click.echo(f"    {plain(example)}")
    paragraph("  fix: ", plain(fault.mend))


def _show_notes(notes: Sequence[Fault]) -> None:
    """Print one line per oddity with its first example, and a fix once for all that share it."""
    for fix in dict.fromkeys(note.mend for note in notes):
        click.secho("note:", fg=_COLOURS["note"], bold=True)
        for note in notes:
            if note.mend == fix:
                paragraph("  ", note.what)
                click.echo(f"    {plain(note.examples[0])}")
        paragraph("  fix: ", fix)


def _show_verdict(report: VerifyReport) -> None:
    errors, warnings = (
        sum(fault.severity == severity for fault in report.faults) for severity in ("error", "warning")
    )
    found = f"{many(errors, 'error')}, {many(warnings, 'warning')}"
    done = "decoded" if report.images == "decode" else "found, none decoded"
    checked = f"{report.whole:,} of {many(report.looked_for, 'image')} {done}"
    verdict, colour = ("usable", "green") if report.usable else ("not usable", "red")
    click.secho(f"{verdict}: {found} ({checked})", fg=colour, bold=True)
