"""What did one run do: how it trained, what it finds and what not, and what its embeddings know?

A report of one run, from its artifacts in MLflow. Pictures and captions are those of the dataset on this machine; where
it is not here, the gallery says so and all else stands.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.analysis.attribute_probe import MIN_PERSONS, probe
from harness.analysis.caption_slices import slice_queries
from harness.analysis.pictures import Pictures
from harness.analysis.ranked_drawing import draw_gallery
from harness.analysis.ranked_gallery import choose, entries
from harness.config.values import flatten
from harness.files import load_arrays, read_json, write_json
from harness.metric_names import DIRECTIONS, METRIC_NAMES
from harness.pages.tables import DASH, count_text, interval_text, row_interval
from harness.record import REAL, TWIN, run_name
from harness.reporting.run_files import FILES, fetch_run
from harness.reports import Contents, Gap, Report, Source, Step, Table, register

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

METRICS = tuple(METRIC_NAMES)
SHOWN = 3
COSTS = {
    "parameters.trainable": ("trainable parameters", 1.0, ""),
    "parameters.total": ("parameters in all", 1.0, ""),
    "parameters.inference_extra": ("parameters beside CLIP's after folding", 1.0, ""),
    "checkpoint_bytes": ("checkpoint", 1e6, " MB"),
    "flops.image_forward": ("operations for one image", 1e6, " M"),
    "flops.text_forward": ("operations for one caption", 1e6, " M"),
    "flops.image_training": ("operations for one image, with the way back", 1e6, " M"),
    "flops.text_training": ("operations for one caption, with the way back", 1e6, " M"),
    "train_peak_bytes": ("most memory while training", 1e6, " MB"),
    "test_peak_bytes": ("most memory while testing", 1e6, " MB"),
    "step_seconds": ("one step, median", 1e-3, " ms"),
    "train_seconds": ("training", 1.0, " s"),
    "seconds_to_best": ("until the chosen epoch", 1.0, " s"),
    "images_per_second": ("images encoded a second", 1.0, ""),
    "captions_per_second": ("captions encoded a second", 1.0, ""),
}


def facts_table(run: dict[str, Any]) -> Table:
    """Tabulate what the run is and how its epoch was chosen."""
    from pandas import DataFrame

    config = flatten(run["config"])
    chosen = run["selection"].get("epoch")
    rows = {
        "run": run_name(config["method.name"], config["dataset.name"], run["synthetic"], run["identity"]),
        "data": TWIN if run["synthetic"] else REAL,
        "method": config["method.name"],
        "dataset": config["dataset.name"],
        "backbone": f"{run['backbone'].get('name')}, {config.get('backbone.pretrained', DASH)}",
        "selection rule": run["selection"].get("rule") or DASH,
        "epoch tested": DASH if chosen is None else f"{chosen} of {config['train.epochs']}",
        "seed": str(config["seed"]),
        "device": run["environment"].get("device_name") or "unknown",
        "tuning budget": run["tags"].get("harness.budget", "none"),
    } | {name.replace("_", " "): f"{count:,}" for name, count in run["data"].items()}
    cells = DataFrame({"what": list(rows), "value": [str(value) for value in rows.values()]})
    return Table("run-facts", "The run", cells, cells, n_left=2)


def results_table(run: dict[str, Any]) -> Table:
    """Tabulate what the run reached on its own test set, in both directions."""
    from pandas import DataFrame

    dataset = run["config"]["dataset"]["name"]
    values, cells = [], []
    for direction in DIRECTIONS:
        keys = {name: f"test/{dataset}/{direction}/{name}" for name in METRICS}
        ends = {name: run["intervals"].get(key, (np.nan, np.nan)) for name, key in keys.items()}
        score = {name: run["metrics"][key] for name, key in keys.items() if key in run["metrics"]}
        words = {"t2i": "text to image", "i2t": "image to text"}[direction]
        values += [
            {"direction": words, "metric": n, "value": v, "low": ends[n][0], "high": ends[n][1]}
            for n, v in score.items()
        ]
        cells.append(
            {"query": words}
            | {f"{METRIC_NAMES[n]} [95 %]": interval_text(v, *ends[n]) for n, v in score.items()}
        )
    world = TWIN if run["synthetic"] else REAL
    notes = ("Percent with 95 % intervals over persons: they speak of other persons, not of another seed.",)
    return Table("run-results", f"{world} · test on {dataset}", DataFrame(values), DataFrame(cells), notes)


def costs_table(run: dict[str, Any]) -> Table:
    """Tabulate what the run cost."""
    from pandas import DataFrame

    costs = flatten(run["accounting"])
    rows = [(key, *COSTS[key], costs[key]) for key in COSTS if costs.get(key) is not None]
    cells = [{"cost": words, "value": _amount(value / unit, sign)} for _, words, unit, sign, value in rows]
    values = DataFrame([{"cost": key, "value": value} for key, *_, value in rows], columns=["cost", "value"])
    return Table("run-costs", "What it cost", values, DataFrame(cells, columns=["cost", "value"]))


def slices_table(queries: dict[str, Any]) -> Table:
    """Tabulate the slices of the text queries."""
    from pandas import DataFrame

    found = slice_queries(queries)
    cells = [
        {
            "queries by": row["by"],
            "slice": row["slice"],
            "queries": count_text(row["n_queries"]),
            "persons": count_text(row["n_identities"]),
            "R@1 [95 %]": row_interval(row, "R1"),
            "less the rest": interval_text(
                row["R1_less_rest"], row["R1_less_rest_low"], row["R1_less_rest_high"]
            ),
        }
        for row in found.rows.to_dict("records")
    ]
    notes = (
        "Less the rest: R@1 of the slice less that of all other queries, in points. Many slices are looked at: about "
        "one in 20 of these intervals misses zero by chance.",
        *found.notes,
    )
    columns = ["queries by", "slice", "queries", "persons", "R@1 [95 %]", "less the rest"]
    return Table(
        "run-slices", "R@1 by what is asked", found.rows, DataFrame(cells, columns=columns), notes, n_left=2
    )


def probe_table(read_off: "DataFrame") -> Table:
    """Tabulate what a linear probe reads off (`harness.analysis.attribute_probe.probe`)."""
    from pandas import DataFrame

    rows = read_off.sort_values("accuracy", ascending=False, ignore_index=True)
    cells = [
        {
            "attribute": row["attribute"],
            "share of images": f"{row['share']:.0f} %",
            "balanced accuracy [95 %]": row_interval(row, "accuracy"),
        }
        for row in rows.to_dict("records")
    ]
    notes = (
        f"In percent; 50 is chance. Attributes that a first caption names, for at least {MIN_PERSONS} persons and not "
        "for as many; intervals over persons.",
    )
    columns = ["attribute", "share of images", "balanced accuracy [95 %]"]
    return Table("run-probe", "What a linear probe reads off", rows, DataFrame(cells, columns=columns), notes)


def draw_examples(run: dict[str, Any], queries: dict[str, Any], n: int = SHOWN) -> "Figure":
    """Draw the best, median and worst queries with the images put first."""
    config = run["config"]["dataset"]
    pictures = Pictures(
        config["name"], run["fingerprint"], synthetic=run["synthetic"], root=config["root"], queries=queries
    )
    world = f" · {TWIN}" if run["synthetic"] else ""
    title = f"{run['config']['method']['name']} on {config['name']}{world}: best, median and worst queries"
    return draw_gallery(entries(queries, choose(queries, n)), pictures, title)


def _amount(value: float, sign: str) -> str:
    return f"{value:,.0f}{sign}" if value >= 10 else f"{value:.2g}{sign}"


READ = Step(
    "## The run",
    "from pathlib import Path\n\nfrom harness.files import load_arrays, read_json\n\n"
    'run = read_json(Path("data/run.json"))\nreport.facts_table(run).save("tables")',
)
RESULTS = Step("What it reached on the test set.", 'report.results_table(run).save("tables")')
COST = Step("", 'report.costs_table(run).save("tables")')
CURVES = Step(
    "## Training\n\nThe dotted line marks the epoch that was tested.",
    'from harness.analysis.run_figures import draw_curves\n\nhistory = read_json(Path("data/history.json"))\n'
    'save_figure(draw_curves(history, run["selection"].get("epoch")), "figures/curves");',
)
RANKS = Step(
    "## Queries\n\nLeft: recall at every cutoff. Right: how unequal persons are; an even share would be a flat line.",
    'from harness.analysis.run_figures import draw_ranks\n\nqueries = load_arrays("data/queries.npz")\n'
    'save_figure(draw_ranks({"this run": queries}), "figures/ranks");',
)
SLICES = Step("What is asked, and how well it is answered.", 'report.slices_table(queries).save("tables")')
SLICE_FIGURE = Step(
    "",
    "from harness.analysis.caption_slices import slice_queries\n"
    "from harness.analysis.run_figures import draw_slices\n\n"
    'save_figure(draw_slices({"this run": slice_queries(queries).rows}), "figures/slices");',
)
GALLERY = Step("## Gallery", 'save_figure(report.draw_examples(run, queries), "figures/gallery")')
MAP = Step(
    "## Embeddings\n\nA map of a fixed sample of test persons. Neighbours on a t-SNE map are alike; distances on it "
    "mean nothing.",
    "from harness.analysis.attribute_probe import lay_out, probe\n"
    "from harness.analysis.run_figures import draw_map, draw_probe\n\n"
    'sample = load_arrays("data/embeddings.npz")\nplaces = lay_out(sample, "tsne")\n'
    'save_figure(draw_map(places, sample["identity"], "test persons, t-SNE"), "figures/map");',
)
PROBE = Step(
    "What a linear probe reads off the image embeddings of persons that it was not trained on.",
    'read_off = probe(sample, queries)\nreport.probe_table(read_off).save("tables")',
)
PROBE_FIGURE = Step("", 'save_figure(draw_probe(read_off), "figures/probe");')


@register
class Run(Report):
    """One run: training, results, costs, queries, gallery, embeddings."""

    title = "A run"
    question = "What did this run learn, whom does it find and whom not, and what do its embeddings know?"
    takes: ClassVar = ("run",)
    how_to_read = (
        "The gallery's examples are chosen by rank, not by hand, and are no sample: best and worst are extremes. A "
        "caption speaks of what its writer saw; the probe's attributes are what captions name, not what is there. "
        "With one run nothing can be said about a method: another seed moves results too."
    )

    @classmethod
    def gather(cls, source: Source, data: Path) -> Contents:
        """Fetch the run's record, epochs, per-query results and sample of embeddings."""
        row = source.run_named(source.subjects[0])
        here = fetch_run(source, row, data)
        run = read_json(data / "run.json")
        tables = [facts_table(run), results_table(run), costs_table(run)]
        steps, gaps = [READ, RESULTS, COST], [Gap(why, commands) for why, commands in here.missing]
        if read_json(data / "history.json"):
            steps.append(CURVES)
        if here.queries:
            queries = load_arrays(data / FILES["queries"])
            slices = slices_table(queries)
            tables.append(slices)
            steps += [RANKS, SLICES, *[SLICE_FIGURE] * (len(slices.values) > 0), *[GALLERY] * here.ranked]
            steps += [MAP] * here.embeddings
        if here.embeddings and here.words:
            tables.append(probe_table(probe(load_arrays(data / FILES["embeddings"]), queries)))
            steps += [PROBE, PROBE_FIGURE]
        write_json(data / "subject.json", {"run": row["run"], "run_id": row["run_id"]})
        return Contents(1, f"the run {row['run']}", steps, tables, gaps)
