"""What `harness compare` and `harness plan-seeds` do with their options: compare or count, then say it."""

from collections.abc import Sequence
from typing import Any

import click

from harness.cli.layout import paragraph, table
from harness.cli.options import plain, print_json, printed_command
from harness.errors import and_more, many
from harness.metric_names import METRIC_NAMES, METRICS
from harness.pages.tables import DASH, interval_text, p_text
from harness.results.compare import Compared, Comparison, compare
from harness.results.run_source import Source
from harness.results.seeds.seed_plan import POINTS, TIMES, Measured, plan_seeds

_SHOWN_SETTINGS = 8


def execute(a: str, b: str, as_json: bool, options: dict[str, Any]) -> int:
    """Compare two results and print the verdict."""
    found = compare(Source(**options), a, b)
    if as_json:
        print_json(found.as_dict())
        return 0
    _show_sides(found)
    for test in found.tests:
        _show_test(test, found.synthetic)
    for test in found.tests:
        paragraph("", test.verdict, indent=2)
    for line in (found.reach, *(test.plan for test in found.tests if test.plan)):
        paragraph("", line, indent=2)
    more = printed_command("report", "compare", found.a, found.b, runs=options.get("runs"))
    click.echo(plain(f"more: {more}"))
    return 0


def _show_sides(found: Comparison) -> None:
    for name, run, n_seeds in zip("AB", (found.a, found.b), found.n_seeds, strict=True):
        paragraph(f"{name}  ", run + (f" and its other seeds, {n_seeds} in all" if n_seeds > 1 else ""))
    for key, (one, other) in list(found.settings.items())[:_SHOWN_SETTINGS]:
        paragraph("   ", f"{key}: {one} for A, {other} for B", indent=5)
    if more := and_more(len(found.settings), _SHOWN_SETTINGS):
        click.echo(f"  {more} settings: --json")
    for line in found.unlike:
        paragraph("   differs: ", line)


def _show_test(test: Compared, synthetic: bool) -> None:
    twin = " · SYNTHETIC TWIN" if synthetic else ""
    header = ["metric", "A [95 %]", "B [95 %]", "A − B [95 %]", "p", "detectable"]
    rows = []
    for name in METRICS:
        gap = test.differences[name]
        ends = [
            interval_text(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for row in (test.a, test.b)
        ]
        between = interval_text(gap.estimate, gap.low, gap.high)
        p_value = p_text(gap.p_value, gap.persons_only)
        rows.append([METRIC_NAMES[name], *ends, between, p_value, f"{gap.detectable:.1f}"])
    table(
        f"{test.tested_on}{twin} · {many(test.a['n_identities'], 'identity', 'identities')} · text to image, percent",
        header,
        rows,
        leaving=("detectable", "B [95 %]", "A [95 %]", "p"),
    )


def show_seed_plan(points: tuple[float, ...], n_seed: int, as_json: bool, options: dict[str, Any]) -> None:
    """Print how many seeds and identities differences of so many points take, for each dataset and protocol."""
    asked = sorted(set(points)) or POINTS
    found, untold = plan_seeds(Source(**options))
    if as_json:
        print_json({"measured": [one.as_dict(asked, n_seed) for one in found], "untold": untold})
        return
    for place, measured in enumerate(found):
        click.echo("\n" * (place > 0), nl=False)
        _show_needs(measured, asked, n_seed, numbered=len(found) > 1)
    for name in untold:
        paragraph(
            "", f"{name}: no result has several seeds, so that nothing is known of another seed.", indent=2
        )


def _show_needs(measured: Measured, points: Sequence[float], n_seed: int, *, numbered: bool) -> None:
    needs = measured.needs(points, n_seed)
    rows = [
        [f"{one['points']:g}", *(cell["text"] for cell in one["seeds"]), one["identities"]["text"]]
        for one in needs
    ]
    own, more = measured.spread.n_identity, [f"×{times}" for times in TIMES[1:]]
    header = ["points", f"{own:,} identities", *more, f"identities, {many(n_seed, 'seed')}"]
    twin = " · SYNTHETIC TWIN" if measured.synthetic else ""
    number = f" · protocol {measured.protocol}" if numbered else ""
    title = f"{measured.dataset}{twin}{number} · seeds per method to see a difference in R@1"
    table(title, header, rows, leaving=more[::-1])
    for line in measured.words:
        paragraph("", line, indent=2)
    if any(DASH in row for row in rows):
        why = "because identities alone vary by more; in the last column, because seeds do"
        paragraph("", f"{DASH}: no number is enough, {why}.", indent=2)
