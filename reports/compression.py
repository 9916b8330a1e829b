"""Which layers does a trained run need, and which text layers could be frozen or left out?

About one run that `harness probe compression RUN` has probed, from its result in MLflow; beside it are the heat maps
of TBPS-CLIP (Cao et al., AAAI 2024), the source of the two measures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.analysis.compression.measures import notes
from harness.analysis.compression.published import published
from harness.analysis.compression.tables import (
    LOOKS,
    MEASURES,
    NOT_TRAINED,
    PARTS,
    TOWERS,
    Found,
    agreement_table,
    choice_table,
    module_value,
    number_text,
    order_table,
)
from harness.files import read_json, write_json
from harness.pages.theme import FAINT, INK, WIDTH, drawn
from harness.record import COMPRESSION, REAL, TWIN
from harness.reporting.verdicts.one_subject import layers_verdict
from harness.reporting.verdicts.titles import layers_title, place_name
from harness.reports import Contents, Gap, Report, Source, Step, Table, register

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def facts_table(found: Found) -> Table:
    """Tabulate what was probed, where and how."""
    from pandas import DataFrame

    cut = "none" if found["clip"] is None else f"at {found['clip']:g} points (unpublished)"
    cost = found["cost"]
    rows = {
        "run": found["run"],
        "data": TWIN if found["synthetic"] else REAL,
        "method": found["method"],
        "dataset": found["dataset"],
        "backbone": found["backbone"],
        "measured on": LOOKS if found["split"] == "test" else "the validation split",
        "captions and images": f"{found['n_queries']:,} and {found['n_images']:,}",
        "R@1, text to image": f"{found['R1']:.1f}",
        "epsilon, the drop that C² tolerates": f"{found['epsilon']:g} points",
        "cut of drops before C¹": cut,
        "passes of a layer": f"{cost['layer_forwards']:,.0f}; without sharing {cost['layer_forwards_naive']:,.0f}",
    }
    cells = DataFrame({"what": list(rows), "value": list(rows.values())})
    return Table("compression-facts", "What was probed", cells, cells, tuple(notes(found)), n_left=2)


def modules_table(found: Found, tower: str) -> Table:
    """Tabulate both measures of a tower's modules, and the points of R@1 lost without each, last layer on top."""
    from pandas import DataFrame

    rows = [row for row in found["modules"] if row["tower"] == tower]
    by = {(row["layer"], row["part"]): row for row in rows}
    layers = sorted({row["layer"] for row in rows}, reverse=True)
    cells = [
        {"layer": str(layer)}
        | {f"drop without {part}": f"{by[layer, part]['drop']:.1f}" for part in PARTS}
        | {
            f"{sign} {part}": _cell(by[layer, part], name)
            for name, sign in MEASURES.items()
            for part in PARTS
        }
        for layer in layers
    ]
    said = [
        "Drop: points of R@1; below zero R@1 rises.",
        *[NOT_TRAINED] * (not all(row["trained"] for row in rows)),
    ]
    return Table(
        f"compression-{tower}", f"{tower.capitalize()} tower", DataFrame(rows), DataFrame(cells), tuple(said)
    )


def draw_heat_maps(found: Found, paper: Found) -> "Figure":
    """Draw both measures of both towers, the run above and the paper below, last layer on top."""
    from matplotlib import pyplot

    world = f" · {TWIN}" if found["synthetic"] else ""
    looks = " · test split" if found["split"] == "test" else ""
    ours, theirs = drawn(f"{found['run']}{world}{looks}", 100), drawn(f"Published: {paper['title']}", 100)
    lines = {ours: found["modules"], theirs: paper["modules"]}
    heights = [max(row["layer"] for row in modules) + 1.5 for modules in lines.values()]
    figure = pyplot.figure(figsize=(WIDTH, 0.8 + 0.27 * sum(heights)))
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    for part, (title, modules) in zip(parts, lines.items(), strict=True):
        part.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10.5)
        kinds = [(tower, name) for tower in TOWERS for name in MEASURES]
        for axes, (tower, name) in zip(list(part.subplots(1, len(kinds))), kinds, strict=True):
            _draw_one(axes, [row for row in modules if row["tower"] == tower], name)
            axes.set_title(f"{tower}, {MEASURES[name]}", fontweight="normal", fontsize=9.5)
    return figure


def _draw_one(axes: "Axes", rows: Sequence[Found], name: str) -> None:
    """Draw one heat map; seaborn's would draw the whole figure anew for each, to see whether labels overlap."""
    layers = sorted({row["layer"] for row in rows}, reverse=True)
    by = {(row["layer"], row["part"]): row for row in rows}
    values = np.array([[module_value(by[layer, part], name) for part in PARTS] for layer in layers])
    axes.set_facecolor(FAINT)
    axes.pcolormesh(values, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.6)
    for (line, column), value in np.ndenumerate(values):
        text = _cell(by[layers[line], PARTS[column]], name)
        colour = "white" if value > 0.5 else INK
        axes.text(column + 0.5, line + 0.5, text, ha="center", va="center", fontsize=7.5, color=colour)
    axes.set_xticks(np.arange(len(PARTS)) + 0.5, list(PARTS))
    axes.set_yticks(np.arange(len(layers)) + 0.5, [str(layer) for layer in layers])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=8, colors=INK)
    axes.spines[:].set_visible(False)


def _cell(row: Found, name: str) -> str:
    return number_text(module_value(row, name))


READ = Step(
    "",
    "from harness.files import read_json\nfrom pathlib import Path\n\n"
    'found = read_json(Path("data/compression.json"))\npaper = read_json(Path("data/published.json"))\n'
    "found['run']",
)
FACTS = Step("## What was probed", 'report.facts_table(found).save("tables")')
MAPS = Step(
    "**C¹** is how much R@1 drops without a module, relative to the largest drop: 0 is not needed, 1 "
    "is needed most. **C²** is the smallest share of a module's training with which R@1 drops by less than epsilon: 0 "
    "could have stayed as before training, 1 needs all of it. SA is the attention of a layer, FF its MLP, Whole both; "
    "the top row is the last layer. Grey: not trained, so C² is 0 by definition. Above: this run; below: the paper.",
    'save_figure(report.draw_heat_maps(found, paper), "figures/heat_maps");',
)
TEXT = Step("## Numbers", 'report.modules_table(found, "text").save("tables")')
IMAGE = Step("", 'report.modules_table(found, "image").save("tables")')
ORDER = Step(
    "## Which text layers first\n\nFreezing them saves trained parameters and training memory, and changes nothing at "
    "inference; leaving them out saves time too.",
    'report.order_table(found).save("tables")',
)
CHOICE = Step("", 'report.choice_table(found, paper).save("tables")')
AGREE = Step("", 'report.agreement_table(found, paper).save("tables")')


UNPROBED = "Nothing can be said yet: no layer of this run was taken out and measured."


@register
class Compression(Report):
    """One probed run: C¹ and C² of every module, and which text layers matter least."""

    title = "Compression probe"
    question = "Which layers does a trained run need, and which text layers could be frozen or left out?"
    takes: ClassVar = ("run",)
    how_to_read = (
        "Each value removes one module of one trained run without retraining: it says what this run relies on, not "
        "what a model trained without the module would reach. Differences between modules have no interval; another "
        "seed moves them, most with few captions. C² interpolates towards the backbone as the run loaded it, in "
        "hundredths, by bisection, which assumes that R@1 does not fall where more of the training is kept; where the "
        "neighbour of the share found contradicts that, every smaller share is tried. A LayerNorm counts with the "
        "attention or MLP after it, an adapter beside an MLP with that MLP; prompts stay. The paper does not say which "
        "start its C² uses, where it cut drops, nor on what grid."
    )
    standards = ""

    @classmethod
    def gather(cls, source: Source, data: Path) -> Contents:
        """Fetch what the probe found of the run; without it, say how to make it."""
        row = source.run_named(source.subjects[0])
        if not source.fetch(row["run_id"], COMPRESSION, data / "compression.json"):
            what = f"The run {row['run']} was not probed, or its result has not reached MLflow."
            command = f"harness probe compression {row['run']}"
            title = f"Layers of {row['run']} on {place_name(row['trained_on'], bool(row['synthetic']))}"
            return Contents(
                0,
                f"the run {row['run']} was not probed",
                gaps=[Gap(what, (command,))],
                title=title,
                verdicts=[UNPROBED],
            )
        write_json(data / "published.json", published())
        write_json(data / "subject.json", {"run": row["run"], "run_id": row["run_id"]})
        found, paper = read_json(data / "compression.json"), read_json(data / "published.json")
        tables = [facts_table(found), *(modules_table(found, tower) for tower in TOWERS), order_table(found)]
        tables += [choice_table(found, paper), agreement_table(found, paper)]
        steps = [FACTS, TEXT, IMAGE, ORDER, CHOICE, AGREE]
        said: dict[str, Any] = {
            "title": layers_title(found),
            "verdicts": [layers_verdict(found)],
            "about": [f"Run {row['run']}"],
        }
        return Contents(1, f"the run {row['run']}", steps, tables, answer=[READ, MAPS], **said)
