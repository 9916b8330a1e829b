"""What did one run do: how it trained, what it retrieves and what not, and what its embeddings encode?

A report of one run, from its artifacts in MLflow. Pictures and captions are those of the dataset on this machine; where
it is missing, the gallery says so and the rest of the report is complete.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.analysis.attribute_probe import MIN_PERSONS, probe
from harness.analysis.caption_slices import slice_queries
from harness.analysis.pictures import Pictures
from harness.analysis.ranked_drawing import draw_gallery
from harness.analysis.ranked_gallery import entries
from harness.analysis.relevance_maps import maps_for_report, maps_table
from harness.config.values import flatten
from harness.evaluate.top_items import choose
from harness.files import load_arrays, read_json, write_json
from harness.metric_names import DIRECTIONS, METRIC_NAMES
from harness.pages.tables import DASH, count_text, interval_text, row_interval
from harness.record import (
    BEFORE_PICTURES,
    EARLIER_INTERVALS,
    REAL,
    TWIN,
    has_earlier_intervals,
    left_out_words,
    run_name,
)
from harness.reporting.run_files import FILES, fetch_run
from harness.reporting.verdicts.one_subject import run_opening
from harness.reports import Contents, Gap, Report, Source, Step, Table, register

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

METRICS = tuple(METRIC_NAMES)
SHOWN = 3
COSTS = {
    "parameters.trainable": ("trainable parameters", 1.0, ""),
    "parameters.total": ("parameters in total", 1.0, ""),
    "parameters.inference_extra": ("extra inference parameters after folding", 1.0, ""),
    "checkpoint_bytes": ("checkpoint", 1e6, " MB"),
    "flops.image_forward": ("FLOPs per image", 1e6, " M"),
    "flops.text_forward": ("FLOPs per caption", 1e6, " M"),
    "flops.image_training": ("FLOPs per image, forward + backward", 1e6, " M"),
    "flops.text_training": ("FLOPs per caption, forward + backward", 1e6, " M"),
    "flops.pair_training": ("FLOPs of a training step, a pair", 1e6, " M"),
    "step_peak_bytes": ("peak memory of a step", 1e6, " MB"),
    "train_peak_bytes": ("peak training memory, all included", 1e6, " MB"),
    "test_peak_bytes": ("peak test memory", 1e6, " MB"),
    "step_seconds": ("step time, median", 1e-3, " ms"),
    "train_seconds": ("training time", 1.0, " s"),
    "seconds_to_best": ("time to the selected epoch", 1.0, " s"),
    "images_per_second": ("images/s", 1.0, ""),
    "captions_per_second": ("captions/s", 1.0, ""),
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
    } | {
        name.replace("_", " "): f"{count:,}" for name, count in run["data"].items() if isinstance(count, int)
    }
    rows |= {"left out": left_out_words(run["data"]) or "no image"}
    rows |= {f"pictures of {split}": sha256[:12] for split, sha256 in run.get("pictures", {}).items()} or {
        "pictures": f"unknown: {BEFORE_PICTURES}"
    }
    rows |= {"faults of the data": ". ".join(faults)} if (faults := run["data"].get("faults")) else {}
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
    notes = (
        "In percent with 95 % intervals over identities: they cover other identities, not another seed.",
        *([f"{EARLIER_INTERVALS.capitalize()}."] if has_earlier_intervals(run) else ()),
    )
    return Table("run-results", f"{world} · test on {dataset}", DataFrame(values), DataFrame(cells), notes)


def costs_table(run: dict[str, Any]) -> Table:
    """Tabulate what the run cost."""
    from pandas import DataFrame

    costs = flatten(run["accounting"])
    rows = [(key, *COSTS[key], costs[key]) for key in COSTS if costs.get(key) is not None]
    cells = [{"cost": words, "value": _amount(value / unit, sign)} for _, words, unit, sign, value in rows]
    values = DataFrame([{"cost": key, "value": value} for key, *_, value in rows], columns=["cost", "value"])
    return Table("run-costs", "Cost", values, DataFrame(cells, columns=["cost", "value"]))


def slices_table(queries: dict[str, Any]) -> Table:
    """Tabulate the slices of the text queries."""
    from pandas import DataFrame

    found = slice_queries(queries)
    cells = [
        {
            "queries by": row["by"],
            "slice": row["slice"],
            "queries": count_text(row["n_queries"]),
            "identities": count_text(row["n_identities"]),
            "R@1 [95 %]": row_interval(row, "R1"),
            "vs. all other queries": interval_text(
                row["R1_less_rest"], row["R1_less_rest_low"], row["R1_less_rest_high"]
            ),
        }
        for row in found.rows.to_dict("records")
    ]
    notes = (
        "Vs. all other queries: R@1 of the slice minus that of all other queries, in points. There are many slices: "
        "about one in 20 of these intervals excludes zero by chance.",
        *found.notes,
    )
    columns = ["queries by", "slice", "queries", "identities", "R@1 [95 %]", "vs. all other queries"]
    return Table(
        "run-slices", "R@1 by kind of query", found.rows, DataFrame(cells, columns=columns), notes, n_left=2
    )


def probe_table(read_off: "DataFrame") -> Table:
    """Tabulate what a linear probe predicts (`harness.analysis.attribute_probe.probe`)."""
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
        f"In percent; 50 is chance. Attributes that a first caption names for at least {MIN_PERSONS} identities, and "
        "does not name for as many; intervals over identities.",
    )
    columns = ["attribute", "share of images", "balanced accuracy [95 %]"]
    return Table("run-probe", "What a linear probe predicts", rows, DataFrame(cells, columns=columns), notes)


def pictures_of(run: dict[str, Any], queries: dict[str, Any]) -> Pictures:
    """Return the pictures and captions that the run was tested on."""
    config = run["config"]["dataset"]
    return Pictures(
        config["name"],
        run["fingerprint"],
        synthetic=run["synthetic"],
        root=config["root"],
        queries=queries,
        data=config,
    )


def draw_examples(run: dict[str, Any], queries: dict[str, Any], n: int = SHOWN) -> "Figure":
    """Draw the best, median and worst queries with the images put first."""
    config, pictures = run["config"]["dataset"], pictures_of(run, queries)
    world = f" · {TWIN}" if run["synthetic"] else ""
    title = f"{run['config']['method']['name']} on {config['name']}{world}: best, median and worst queries"
    return draw_gallery(entries(queries, choose(queries, n)), pictures, title)


def _amount(value: float, sign: str) -> str:
    return f"{value:,.0f}{sign}" if value >= 10 else f"{value:.2g}{sign}"


RESULTS = Step(
    "",
    "from pathlib import Path\n\nfrom harness.files import load_arrays, read_json\n\n"
    'run = read_json(Path("data/run.json"))\nreport.results_table(run).save("tables")',
)
FACTS = Step("## The run", 'report.facts_table(run).save("tables")')
COST = Step("", 'report.costs_table(run).save("tables")')
CURVES = Step(
    "## Training\n\nThe dotted line marks the epoch that was tested.",
    'from harness.analysis.run_figures import draw_curves\n\nhistory = read_json(Path("data/history.json"))\n'
    'save_figure(draw_curves(history, run["selection"].get("epoch")), "figures/curves");',
)
RANKS = Step(
    "## Queries\n\nLeft: recall at every cutoff. Right: R@1 per identity, sorted; a flat line would mean equal shares.",
    'from harness.analysis.run_figures import draw_ranks\n\nqueries = load_arrays("data/queries.npz")\n'
    'save_figure(draw_ranks({"this run": queries}), "figures/ranks");',
)
SLICES = Step("R@1 by kind of query.", 'report.slices_table(queries).save("tables")')
SLICE_FIGURE = Step(
    "",
    "from harness.analysis.caption_slices import slice_queries\n"
    "from harness.analysis.run_figures import draw_slices\n\n"
    'save_figure(draw_slices({"this run": slice_queries(queries).rows}), "figures/slices");',
)
GALLERY = Step("## Gallery", 'save_figure(report.draw_examples(run, queries), "figures/gallery")')
RELEVANCE = Step(
    "## What carries a match\n\nThe image put first, and the one described where that is another. Blue patches and "
    "words speak for the match; orange ones, striped and dotted, against it.",
    "from harness.analysis.relevance_maps import draw_maps, maps_table\n\n"
    'maps = read_json(Path("data/relevance.json"))\npictures = report.pictures_of(run, queries)\n'
    'save_figure(draw_maps(maps, pictures), "figures/relevance")',
)
RELEVANCE_TABLE = Step("", 'maps_table(maps, pictures).save("tables")')
MAP = Step(
    "## Embeddings\n\nA map of a fixed sample of test identities. Neighbours on a t-SNE map are similar; its "
    "distances mean nothing.",
    "from harness.analysis.attribute_probe import lay_out, probe\n"
    "from harness.analysis.run_figures import draw_map, draw_probe\n\n"
    'sample = load_arrays("data/embeddings.npz")\nplaces = lay_out(sample, "tsne")\n'
    'save_figure(draw_map(places, sample["identity"], "test identities, t-SNE"), "figures/map");',
)
PROBE = Step(
    "What a linear probe predicts from image embeddings of identities that it was not trained on.",
    'read_off = probe(sample, queries)\nreport.probe_table(read_off).save("tables")',
)
PROBE_FIGURE = Step("", 'save_figure(draw_probe(read_off), "figures/probe");')


@register
class Run(Report):
    """One run: training, results, costs, queries, gallery, embeddings."""

    title = "Run"
    question = (
        "What did this run learn, what does it retrieve and what not, and what do its embeddings encode?"
    )
    takes: ClassVar = ("run",)
    takes_queries: ClassVar = True
    how_to_read = (
        "What patches carry is told by integrated gradients, which add up; what words carry by leaving each out. On "
        "twins with the shipped tiny CLIP such maps were checked against where a garment is drawn (`python -m "
        "benchmarks relevance`); elsewhere nothing tells how good a map is. "
        "The gallery's examples are chosen by rank, not by hand, and are no random sample: best and worst are "
        "extremes. The probe's attributes are what captions name, not what the images show. One run says little about "
        "a method: another seed moves results too."
    )

    @classmethod
    def gather(cls, source: Source, data: Path) -> Contents:
        """Fetch the run's record, epochs, per-query results and sample of embeddings."""
        row = source.run_named(source.subjects[0])
        here = fetch_run(source, row, data)
        run = read_json(data / "run.json")
        tables = [facts_table(run), results_table(run), costs_table(run)]
        steps, gaps = [FACTS, COST], [Gap(why, commands) for why, commands in here.missing]
        if read_json(data / "history.json"):
            steps.append(CURVES)
        if here.queries:
            queries = load_arrays(data / FILES["queries"])
            slices = slices_table(queries)
            tables.append(slices)
            steps += [RANKS, SLICES, *[SLICE_FIGURE] * (len(slices.values) > 0), *[GALLERY] * here.ranked]
            if here.ranked:
                pictures = pictures_of(run, queries)
                maps, why = maps_for_report(source, row["run"], queries, pictures, data)
                gaps += [Gap(why)] * bool(why)
                tables += [maps_table(maps, pictures)] if maps else []
                steps += [RELEVANCE, RELEVANCE_TABLE] * bool(maps)
            steps += [MAP] * here.embeddings
        if here.embeddings and here.words:
            tables.append(probe_table(probe(load_arrays(data / FILES["embeddings"]), queries)))
            steps += [PROBE, PROBE_FIGURE]
        write_json(data / "subject.json", {"run": row["run"], "run_id": row["run_id"]})
        return Contents(
            1, f"the run {row['run']}", steps, tables, gaps, answer=[RESULTS], **run_opening(row["run"], run)
        )
