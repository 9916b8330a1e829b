"""How good is each method when it learns from few of the training images?

Rows: results on the dataset that a method was trained on, of each setting that was run with a share of the training
images (`dataset.few_shot`) below 1, and the same setting on all images where it was run. A setting is a method with its
preset. Methods that train nothing are the floor.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from harness.config.values import content_hash
from harness.pages.tables import DASH, count_text, p_text, row_interval
from harness.pages.theme import (
    INK,
    WIDTH,
    Looks,
    drawn,
    error_bar,
    interval_ends,
    label_lines,
    log_axis,
    marks,
)
from harness.reporting.missing import floor_gap
from harness.reporting.panel_report import PanelReport
from harness.reporting.published.matches import (
    Sources,
    counterparts,
    is_twin,
    published_tables,
    with_published,
)
from harness.reporting.published.settings import SHARE, preset_of, share_of
from harness.reporting.verdicts.settings import shares_verdict
from harness.reporting.verdicts.titles import where_of
from harness.reports import Gap, Source, Step, Table, register
from harness.results.labels import line_names
from harness.results.panels import Facts, Panel, dataset_facts, on_own_dataset
from harness.results.run_table import UNTRAINED
from harness.results.seeds.seed_notes import COVERED
from harness.results.to_reference import differences

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

Row = dict[Any, Any]
SUITE, REFERENCE = "harness suite run few_shot", "tbps_clip clip_baseline"
METRICS, ENDS = {"R1": "R@1", "mAP": "mAP"}, ("", "_low", "_high")
COLUMNS = [
    *("line", "tested_on", "share", "train_images", "train_pairs"),
    *(name + end for name in METRICS for end in ENDS),
    *(f"{name}_difference{end}" for name in METRICS for end in ENDS),
    *("p", "persons_only", "interval", "n_seeds", "rule", "budget", "condition"),
]
NOTES = (
    f"Text to image, in percent with {COVERED}. Differences in points to {REFERENCE} trained on the same images, "
    "paired per identity; their intervals cover the same. p: of no difference in R@1, not adjusted for the number of "
    "comparisons.",
    "All seeds use the same images, so no interval covers the choice of images. A smaller share is a subset of a "
    "larger one. The test set is always complete.",
)
# What a share of the images changes of the training data.
OF_A_SHARE = ("training pairs", "training pictures")
FLOOR_BESIDE = ["tested_on", "synthetic", "backbone"]
BESIDE = "Published: one seed, the best epoch on the test set; images of each share, backbone and epochs are unknown."


def curves(panel: Panel) -> "DataFrame":
    """Return one row for each setting and share, with its `line` and differences, the reference's line first."""
    from pandas import DataFrame

    trained = [row for row in panel.records if row["rule"] != UNTRAINED]
    names = line_names(trained, _images)
    rows = [row | {"line": name} for row, name in zip(trained, names, strict=True)]
    reference = {_learned_from(row): row for row in rows if _is_reference(row)}
    found = [
        row
        | differences(row, None if _is_reference(row) else reference.get(_learned_from(row)), panel, METRICS)
        for row in rows
    ]
    found.sort(key=lambda row: (not _is_reference(row), row["line"], row["share"]))
    return DataFrame(found) if found else DataFrame(columns=[*COLUMNS, "published"])


def _images(row: Row) -> str:
    """Return which images a result learned from, where they were drawn by another seed than usual."""
    return f"images {seed}" if (seed := row["config"].get(f"{SHARE}_seed", "0")) != "0" else ""


def _learned_from(row: Row) -> tuple[float, str]:
    """Return which images a result learned from; all are the same, whatever seed would have drawn fewer."""
    return row["share"], _images(row) if row["share"] < 1 else ""


def _is_reference(row: Row) -> bool:
    return bool(row["line"] == (f"{REFERENCE} ({images})" if (images := _images(row)) else REFERENCE))


def shares_table(panel: Panel) -> Table:
    """Tabulate every setting at every share, with its difference to the reference and what is published."""
    from pandas import DataFrame

    rows, sources = curves(panel), Sources()
    rows[[*COLUMNS[5:11]]] = rows[[*COLUMNS[5:11]]].astype(float)
    records = rows.to_dict("records")
    beside = any(row["published"] for row in records) and not is_twin(panel)
    cells = [_cells(row) | (_published_cells(row, sources) if beside else {}) for row in records]
    notes = (*NOTES, *panel.caveats(), *((BESIDE, *sources.notes) if beside else ()))
    return Table(
        name=f"few_shot-{panel.number}",
        title=f"{panel.facts['data']} · {panel.facts['dataset']}: few training images (protocol {panel.number})",
        values=rows[[name for name in COLUMNS if name in rows]],
        cells=DataFrame(cells),
        notes=notes,
        n_left=2,
    )


def _cells(row: Row) -> dict[str, str]:
    return {
        "method": row["line"],
        "share": share_text(row["share"]),
        "images": count_text(row.get("train_images")),
        "pairs": count_text(row["train_pairs"]),
        "R@1 [95 %]": row_interval(row, "R1"),
        "mAP [95 %]": row_interval(row, "mAP"),
        "difference in R@1": row_interval(row, "R1_difference"),
        "difference in mAP": row_interval(row, "mAP_difference"),
        "p": p_text(row["p"], row["persons_only"]),
        "seeds": str(row["n_seeds"]),
    }


def _published_cells(row: Row, sources: Sources) -> dict[str, str]:
    theirs = row["published"][0] if row["published"] else None
    figures = {word: theirs[name] if theirs else None for name, word in METRICS.items()}
    shown = {
        f"published {word}": DASH if value is None else f"{value:.2f}" for word, value in figures.items()
    }
    return shown | {"source": sources.mark(theirs) if theirs else DASH}


def share_text(share: float) -> str:
    """Return a share of the images in percent.

    >>> share_text(0.05), share_text(0.125), share_text(1.0)
    ('5 %', '12.5 %', 'all')
    """
    return "all" if share == 1 else f"{100 * share:g} %"


def draw_shares(panel: Panel) -> "Figure":
    """Draw R@1 and mAP over the share of training images, one line a setting, the published ones dashed."""
    from matplotlib import pyplot

    rows = curves(panel)
    look = marks(rows["line"])
    floors = [row for row in panel.records if row["rule"] == UNTRAINED]
    figure, grid = pyplot.subplots(1, 2, figsize=(WIDTH, 4.0), sharex=True)
    for axes, (name, word) in zip(grid, METRICS.items(), strict=True):
        lines = _draw_metric(axes, rows.to_dict("records"), name, look)
        if not is_twin(panel):
            _draw_published(axes, rows.to_dict("records"), name, look)
        for floor in floors:
            axes.axhline(floor[name], color=INK, linestyle=":", linewidth=1, zorder=1)
            axes.axhspan(*interval_ends(floor, name), color=INK, alpha=0.07, linewidth=0)
        axes.set_ylabel(f"text-to-image {word} (%)")
        axes.set_xlabel("training images (%)")
        log_axis(axes)
        axes.set_xticks(shares := sorted(set(100 * rows["share"])), [f"{share:g}" for share in shares])
    label_lines(grid[-1], lines)
    below = f" · dotted: {', '.join(row['label'] for row in floors)}" if floors else ""
    below += " · dashed: published" if any(rows["published"]) and not is_twin(panel) else ""
    title = f"{panel.facts['data']} · {panel.facts['dataset']} · protocol {panel.number}{below}"
    figure.suptitle(drawn(title, 110), x=0.01, ha="left", fontweight="bold")
    return figure


def _draw_metric(axes: "Axes", rows: Sequence[Row], name: str, look: Looks) -> dict[str, Any]:
    """Draw each line with its intervals, slightly shifted so that none overlap, and return the lines by name."""
    lines: dict[str, Any] = {}
    for place, (line, style) in enumerate(look.items()):
        own = [row for row in rows if row["line"] == line]
        shift = 1 + 0.03 * (place - (len(look) - 1) / 2)
        xs = [100 * row["share"] * shift for row in own]
        (lines[line],) = axes.plot(xs, [row[name] for row in own], lw=1.3, color=style["color"], zorder=2)
        for x, row in zip(xs, own, strict=True):
            axes.errorbar(x, row[name], yerr=error_bar(row, name), capsize=2, markersize=5.5, **style)
    return lines


def _draw_published(axes: "Axes", rows: Sequence[Row], name: str, look: Looks) -> None:
    for line, style in look.items():
        own = [row for row in rows if row["line"] == line and row["published"]]
        found = [(100 * row["share"], row["published"][0][name]) for row in own]
        points = [(share, value) for share, value in found if value is not None]
        hollow = {**style, "markerfacecolor": "none", "markersize": 5}
        axes.plot(*zip(*points, strict=True), linestyle="--", linewidth=1, **hollow) if points else None


@register
class FewShot(PanelReport):
    """Results over the share of training images, each setting a curve."""

    title = "Few training images"
    subject_words = "Few training images:"
    paper_columns: ClassVar = {"Images (%)": ("share", 0.01, 0)}
    question = "How good is each method when it learns from few of the training images?"
    steps = (
        Step(
            "### Shares\n\n"
            f"Every setting at every share of the training images, the reference `{REFERENCE}` first.",
            'report.shares_table(panel).save("tables")',
        ),
        Step(
            "### Curves\n\n"
            "One line per setting, with 95 % intervals; the axis of shares is logarithmic, and lines are slightly "
            "shifted. Dashed and hollow: published. Dotted: a method that trains nothing.",
            'figure = report.draw_shares(panel)\nsave_figure(figure, f"figures/few_shot-{panel.number}");',
        ),
    )
    how_to_read = (
        "The choice of images follows from `dataset.few_shot_seed` alone; the list is in the run's folder, in "
        "`few_shot.json`. A share counts images, with all their captions. With the same number of epochs a smaller "
        "share means fewer steps, so a curve reflects both less data and less training. Results on all images are "
        "included where the same setting was run on them; settings without any smaller share are left out."
    )

    @classmethod
    def select(cls, rows: "DataFrame") -> "DataFrame":
        """Take the settings that were run with a smaller share, those on all images too, and untrained methods."""
        own = on_own_dataset(rows)
        settings = own.apply(_setting, axis=1) if len(own) else own["run"]
        few = own["config"].map(share_of) < 1
        trained = own["rule"] != UNTRAINED
        kept = trained & settings.isin(set(settings[few & trained]))
        # A floor belongs beside a curve: a dataset or a backbone without one is no panel.
        places = own[FLOOR_BESIDE].astype(str).agg("|".join, axis=1) if len(own) else own["run"]
        return own[kept | (~trained & places.isin(set(places[kept])))]

    @classmethod
    def extend(cls, results: "DataFrame", source: Source) -> "DataFrame":
        """Add share, setting, preset and its departures, and the published rows beside each result."""
        records = results.to_dict("records")
        presets = [preset_of(row) for row in records]
        columns: dict[str, Any] = {
            "share": [share_of(row["config"]) for row in records],
            "setting": [_setting(row) for row in records],
            "preset": [name for name, _ in presets],
            "departures": [departures for _, departures in presets],
        }
        found = with_published(results, counterparts(published_tables(source.suite)))
        return found.assign(**columns)

    @classmethod
    def facts(cls, row: Row) -> Facts:
        """Fix the protocol, the dataset and its annotations, but not which of its pairs are learned from."""
        facts = dataset_facts(row).items()
        return {name: value for name, value in facts if not any(part in name for part in OF_A_SHARE)}

    @classmethod
    def tables(cls, panel: Panel) -> list[Table]:
        """Return the one table."""
        return [shares_table(panel)]

    @classmethod
    def verdict(cls, panel: Panel) -> str:
        """Say who is better with the fewest images."""
        return shares_verdict(curves(panel).to_dict("records"), REFERENCE, where_of(panel.records))

    @classmethod
    def gaps(cls, panels: Sequence[Panel]) -> list[Gap]:
        """Name shares that a line lacks, a missing reference and a missing floor."""
        if not panels:
            what = "No finished run that learned from a share of the training images. A whole comparison:"
            return [Gap(what, (f"{SUITE} --synthetic",))]
        return [gap for panel in panels for gap in _panel_gaps(panel)]


def _setting(row: Mapping[Any, Any]) -> str:
    """Return the hash of all settings but the share, the same for all points of a curve."""
    config = {key: value for key, value in row["config"].items() if key != SHARE}
    who = [row.get(key) for key in ("method", "trained_on", "synthetic", "weights", "budget", "versions")]
    return content_hash([who, config])[:16]


def _panel_gaps(panel: Panel) -> list[Gap]:
    rows = curves(panel)
    where = f"Protocol {panel.number}, {panel.facts['dataset']}"
    command = (f"{SUITE} --synthetic" if is_twin(panel) else SUITE,)
    shares, found = set(rows["share"]), []
    for line, part in rows.groupby("line", sort=False):
        missing = ", ".join(share_text(share) for share in sorted(shares - set(part["share"])))
        if missing:
            found.append(Gap(f"{where}: {line} has no result with {missing} of the images.", command))
    if REFERENCE not in set(rows["line"]):
        found.append(Gap(f"{where}: no {REFERENCE}, which differences are taken to.", command))
    return [*found, *floor_gap(panel, str(panel.facts["dataset"]))]
