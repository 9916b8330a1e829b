"""Which of two results is better, by how much, how certain is that, and on which queries do they differ?

A report of two results, each a run with all its seeds, on the test sets that both have seen. Queries, slices and
pictures are those of the first seed of each.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.analysis.caption_slices import slice_queries
from harness.analysis.pictures import Pictures
from harness.analysis.ranked_drawing import draw_gallery
from harness.analysis.ranked_gallery import flip_entries, flips
from harness.analysis.run_figures import person_shares
from harness.errors import DataError, many
from harness.files import load_arrays, read_json, write_json
from harness.metric_names import METRIC_NAMES, METRICS
from harness.pages.tables import DASH, interval_text, p_text
from harness.pages.theme import COLOURS, FAINT, INK, WIDTH, log_axis
from harness.record import REAL, TWIN
from harness.reporting.run_files import FILES, Here, fetch_run
from harness.reporting.verdicts.one_subject import comparison_verdict
from harness.reporting.verdicts.titles import comparison_title, side_names
from harness.reports import Contents, Gap, Report, Source, Step, Table, register
from harness.results.compare import compare

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDES = ("A", "B")
SHOWN = 3


def verdict_table(found: dict[str, Any]) -> Table:
    """Tabulate the differences on every test set, and say the verdicts below."""
    from pandas import DataFrame

    values = [
        {"tested_on": test["tested_on"], "metric": name, "a": test["a"][name], "b": test["b"][name]}
        | test["differences"][name]
        | ({"p_holm": test["p_holm"]} if name == "R1" else {})
        for test in found["tests"]
        for name in METRICS
    ]
    cells = [
        {
            "tested on": row["tested_on"],
            "metric": METRIC_NAMES[row["metric"]],
            "A": f"{row['a']:.1f}",
            "B": f"{row['b']:.1f}",
            "A − B [95 %]": interval_text(row["estimate"], row["low"], row["high"]).replace("-", "−"),
            "SE, identities": f"±{row['identity_error']:.1f}",
            "SE, seeds": DASH if row["persons_only"] else f"±{row['seed_error']:.1f}",
            "p": p_text(row["p_value"], row["persons_only"]),
            "detectable": f"{row['detectable']:.1f}",
        }
        for row in values
    ]
    world = TWIN if found["synthetic"] else REAL
    notes = (
        *(test["verdict"] for test in found["tests"]),
        found["reach"],
        *(test["plan"] for test in found["tests"] if test["plan"]),
        "Text to image, in points, paired per identity. SE: the standard errors from identities and from seeds that "
        "make up the interval. p: of no difference; the verdicts adjust it for the number of test sets (Holm). "
        "Detectable: the true difference whose interval would exclude zero in 80 of 100 such comparisons.",
    )
    title = f"{world} · A is {found['a']}, B is {found['b']}"
    return Table("compare-verdict", title, DataFrame(values), DataFrame(cells), notes, n_left=2)


def settings_table(found: dict[str, Any]) -> Table:
    """Tabulate what differs in how the two results came about."""
    from pandas import DataFrame

    rows = [{"setting": key, "A": one, "B": other} for key, (one, other) in found["settings"].items()]
    cells = DataFrame(rows or [{"setting": "no shared setting", "A": "", "B": ""}])
    seeds = f"Seeds: {found['n_seeds'][0]} of A, {found['n_seeds'][1]} of B."
    notes = (seeds, *(f"Different: {line}." for line in found["unlike"]))
    return Table("compare-settings", "What differs", cells, cells, notes, n_left=3)


def draw_persons(a: dict[str, Any], b: dict[str, Any]) -> "Figure":
    """Draw the R@1 of each identity, A minus B, sorted; and the rank of every query in both."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(WIDTH, 3.4), width_ratios=(1.25, 1))
    differences = 100 * np.sort(person_shares(a) - person_shares(b))
    for kind, colour in ((differences > 0, COLOURS[0]), (differences < 0, COLOURS[1])):
        left.bar(np.flatnonzero(kind), differences[kind], width=1.0, color=colour, linewidth=0)
    left.axhline(0, color=INK, linewidth=1)
    left.set(xlabel="identities, sorted", ylabel="R@1 per identity, A − B", xticks=[])
    counts = [int(one.sum()) for one in (differences < 0, differences == 0, differences > 0)]
    left.set_title("{} identities better with B, {} equal, {} with A".format(*counts), fontsize=9)
    ranks = [np.asarray(one["t2i/rank"]) for one in (a, b)]
    right.plot(
        [1, max(map(np.max, ranks))] * 1, [1, max(map(np.max, ranks))], color=FAINT, linewidth=1, zorder=0
    )
    right.plot(ranks[0], ranks[1], ".", color=INK, alpha=0.35, markersize=4, markeredgewidth=0)
    for which in ("x", "y"):
        log_axis(right, which)
    right.set(xlabel="rank of the first right image, A", ylabel="the same, B", aspect="equal")
    return figure


def draw_flips(found: dict[str, Any], a: dict[str, Any], b: dict[str, Any], n: int = SHOWN) -> "Figure":
    """Draw queries that A alone answers at rank 1, then queries that B alone does, both rankings below one another."""
    side = found["side"]
    pictures = Pictures(
        side["dataset"],
        side["fingerprint"],
        synthetic=found["synthetic"],
        root=side["root"],
        queries=a,
        data=side.get("data"),
    )
    flipped = flips(a, b, n)
    rows = flip_entries(a, b, [*flipped.only_a, *flipped.only_b], SIDES)
    world = f" · {TWIN}" if found["synthetic"] else ""
    alone = many(flipped.n_only_a, "query", "queries")
    title = f"{side['dataset']}{world}: {alone} right with A alone, {flipped.n_only_b} with B alone"
    return draw_gallery(rows, pictures, title)


READ = Step(
    "",
    "from pathlib import Path\n\nfrom harness.files import read_json\n\n"
    'found = read_json(Path("data/comparison.json"))\nreport.verdict_table(found).save("tables")',
)
SETTINGS = Step("## What differs", 'report.settings_table(found).save("tables")')
PERSONS = Step(
    "## Identities and queries\n\nOn the test set of the data that both were trained on, with the first seed of each. "
    "Blue: better with A. Right: every query; below the line B ranks it higher.",
    "from harness.files import load_arrays\n\n"
    'a, b = (load_arrays(f"data/{side}-queries.npz") for side in "ab")\n'
    'save_figure(report.draw_persons(a, b), "figures/persons");',
)
RANKS = Step(
    "",
    "from harness.analysis.run_figures import draw_ranks\n\n"
    'save_figure(draw_ranks({"A": a, "B": b}), "figures/ranks");',
)
SLICES = Step(
    "R@1 by kind of query.",
    "from harness.analysis.caption_slices import slice_queries\n"
    "from harness.analysis.run_figures import draw_slices\n\n"
    'slices = {name: slice_queries(one).rows for name, one in (("A", a), ("B", b))}\n'
    'save_figure(draw_slices(slices), "figures/slices");',
)
FLIPS = Step(
    "## Flips\n\nQueries that one result answers at rank 1 and the other does not, where the other is farthest off.",
    'save_figure(report.draw_flips(found, a, b), "figures/flips")',
)


@register
class Compare(Report):
    """Two results: verdict, differences by identity and query, slices, flips."""

    title = "Comparison"
    question = "Which of two results is better, how certain is that, and on which queries do they differ?"
    takes: ClassVar = ("run", "run")
    how_to_read = (
        "Not significantly different does not mean equal: the column `detectable` says what could have been missed. "
        "Figures and flips show one seed of each side, and many flips are chance: two seeds of one method flip "
        "queries, too. The examples are chosen by how far off the other side is; they are no random sample."
    )

    @classmethod
    def gather(cls, source: Source, data: Path) -> Contents:
        """Compare, and fetch the per-query results of the first seed of each side."""
        found = compare(source, *source.subjects)
        rows = [source.run_named(name) for name in (found.a, found.b)]
        here = [
            fetch_run(source, row, data, f"{side.lower()}-") for row, side in zip(rows, SIDES, strict=True)
        ]
        run = read_json(data / "a-run.json")["config"]["dataset"]
        side = {
            "dataset": run["name"],
            "root": run["root"],
            "fingerprint": rows[0]["fingerprint"],
            "data": run,
        }
        values = found.as_dict() | {"side": side}
        write_json(data / "comparison.json", values)
        steps = [SETTINGS, *_query_steps(data, here)]
        gaps = [Gap(why, commands) for one in here for why, commands in one.missing]
        tables = [verdict_table(values), settings_table(values)]
        names = side_names([row["method"] for row in rows])
        tests = [test.tested_on for test in found.tests]
        said: dict[str, Any] = {
            "title": comparison_title(names, tests, found.synthetic),
            "verdicts": comparison_verdict(values, names),
            "about": [f"A is {found.a}", f"B is {found.b}"],
        }
        return Contents(2, f"{found.a} against {found.b}", steps, tables, gaps, answer=[READ], **said)


def _query_steps(data: Path, here: list[Here]) -> list[Step]:
    """Return the steps that need per-query results of the same queries on both sides."""
    if not all(one.queries for one in here):
        return []
    a, b = (load_arrays(data / f"{side.lower()}-{FILES['queries']}") for side in SIDES)
    try:
        flipped = flips(a, b, 1)
    except DataError:
        return []
    steps = [PERSONS, RANKS, *[SLICES] * (len(slice_queries(a).rows) > 0)]
    return (
        [*steps, FLIPS] if all(one.ranked for one in here) and (flipped.only_a or flipped.only_b) else steps
    )
