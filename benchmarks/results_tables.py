"""The tables of RESULTS.md, from runs on the synthetic twins: one a twin, between its markers.

    python -m benchmarks.results_tables [--runs DIR] [--experiment NAME]
    python -m benchmarks.results_tables --reports [NAME ...] [--runs DIR]
    python -m benchmarks.results_tables --protocols [--runs DIR]
    python -m benchmarks.results_tables --static

A result that no finished run gives is no row, nor is one whose settings are not those of a preset, and a twin without
runs keeps the table that it has: nothing is typed by hand. `--reports` makes reports, all or those of the named tables,
and takes columns of their tables, `--protocols` that of other protocols, from runs of their suites alone;
`--static` counts all methods on two CLIPs without weights instead, says what the tiny CLIP learned, and what runs reach
that were made again. Ranks, intervals and costs are those of `harness report leaderboard` and `parameter_efficiency`.
"""

import argparse
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import made_again
from harness.cli.actions.methods import COUNTED, counted, describe_all
from harness.clip.tiny import weights
from harness.files import read_json
from harness.listener import Listener
from harness.pages.tables import DASH, count_text, row_interval
from harness.pretrain.held_out import NAMES
from harness.reporting.make import make_report
from harness.reporting.published.settings import preset_of
from harness.results.method_ranks import ranked, row_rank
from harness.results.panels import Panel, dataset_facts, on_own_dataset, split_panels
from harness.results.retention import with_retention
from harness.results.run_source import Source

if TYPE_CHECKING:
    from pandas import DataFrame

PAGE = Path(__file__).resolve().parent.parent / "RESULTS.md"
STATIC = {"ViT-B-16-quickgelu": "384x128", "ViT-L-14": "336x112"}
HEAD = (
    "method",
    "seeds",
    "rank",
    "R@1 [95 %]",
    "R@10",
    "mAP [95 %]",
    "trained",
    "of all",
    "MFLOPs",
    "MB a step",
    "step",
    "retention",
)
# Where a dataset's runs were not all tested on the same others: what retention is measured on.
RETAINED_ON = {"icfg": "cuhk"}
ABLATION = ("changed", "R@1 [95 %]", "R@10 [95 %]", "mAP [95 %]", "difference in R@1", "p (Holm)", "seeds")
NAMED = ("row", *ABLATION[1:])
PARTS = ("method", "changed", "R@1 [95 %]", "mAP [95 %]", "difference in R@1", "p (Holm)", "trainable")
REPORTS = {
    "transfers": (
        "cross_dataset",
        "cross_dataset",
        "cross_dataset",
        ("method", "trained on", "on cuhk", "on icfg", "on rstp", "seeds"),
    ),
    "order": (
        "published_order",
        "agreement",
        None,
        (
            "test set",
            "training pairs",
            "Kendall's tau [95 %]",
            "pairs",
            "same order",
            "opposite order",
            "significantly same",
            "significantly opposite",
        ),
    ),
    "irra-leak": ("ablation", "ablation", "irra_leak", ABLATION),
    "tricks": ("ablation", "ablation", "tbps_clip_tricks", NAMED),
    "losses": ("ablation", "ablation", "tbps_clip_losses", NAMED),
    "image-augmentation": ("ablation", "ablation", "tbps_clip_image_augmentation", NAMED),
    "text-augmentation": ("ablation", "ablation", "tbps_clip_text_augmentation", NAMED),
    "strength": ("ablation", "ablation", "tbps_clip_strength", NAMED),
    "irra-from": ("ablation", "ablation", "irra_from_tbps_clip", ("on", *NAMED)),
    "few-shot": (
        "few_shot",
        "few_shot",
        "few_shot",
        ("method", "share", "pairs", "R@1 [95 %]", "mAP [95 %]", "difference in R@1", "p"),
    ),
    "compression": ("ablation", "ablation", "compression", ("row", *PARTS[2:])),
    "cskt": ("ablation", "ablation", "cskt_ablation", PARTS),
}
# The figure of a report's first protocol that stands beside its table.
FIGURES = {"order": "published-order-1.png"}
PROTOCOLS = ("method", "protocol", "pairs", "R@1 [95 %]", "mAP [95 %]", "difference in R@1", "p")
# Of the captions that steps were measured with: longer ones take another share of a step.
MEASURED_LENGTH = "77"
STEPS = Path(__file__).resolve().parent / "results" / "method_steps.json"


def tables(source: Source) -> dict[str, str]:
    """Return the markdown table of each dataset whose twin was trained on: of its commonest protocol."""
    rows, persons = source.combined(with_retention(_retained(source.single_runs)))
    rows = on_own_dataset(rows[rows["synthetic"].astype(bool)])
    rows = rows[[not departures(row) for row in rows.to_dict("records")]]
    found: dict[str, str] = {}
    for panel in split_panels(rows, dataset_facts, persons):
        if not panel.rows["trainable"].any():
            continue
        found.setdefault(str(panel.records[0]["tested_on"]), table(panel))
    return found


def _retained(runs: "DataFrame") -> "DataFrame":
    """Return single runs without the tests elsewhere that only some of a table's runs had."""
    rows = runs.to_dict("records")
    kept = [
        row["in_domain"] or RETAINED_ON.get(row["trained_on"]) in (None, row["tested_on"]) for row in rows
    ]
    return runs[kept]


def table(panel: Panel) -> str:
    """Return one panel as a markdown table, best first."""
    return markdown(HEAD, [cells(row) for row in ranked(panel).to_dict("records")])


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a head and rows of cells as a table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows])


def cells(row: dict[Any, Any]) -> tuple[str, ...]:
    """Return one result's cells; what is unknown is a dash."""
    trained, memory = row["trainable"], row["step_peak_bytes"]
    flops = [row[f"{tower}_training_flops"] for tower in ("image", "text")]
    plain = not preset_of(row, plain=True)[0] and row["text_length"] == MEASURED_LENGTH
    step = steps().get(row["method"]) if plain else None
    kept = row["retention"]
    return (
        name_of(row),
        str(row["n_seeds"]) if trained else DASH,
        row_rank(row),
        row_interval(row, "R1"),
        f"{row['R10']:.1f}",
        row_interval(row, "mAP"),
        count_text(trained),
        f"{100 * trained / row['total']:.1f} %",
        f"{sum(flops) / 1e6:.0f}" if trained and all(flops) else DASH,
        f"{memory / 1e6:.0f}" if memory and memory == memory else DASH,
        f"{step:.3f}×" if step else DASH,
        f"{kept:+.1f}".replace("-", "−") if kept is not None and kept == kept else DASH,
    )


@cache
def steps() -> dict[str, float]:
    """Return the time of a step of each method relative to full fine-tuning's, as `method_steps` measured it."""
    claims = read_json(STEPS, of=dict)["claims"]
    return {
        one["name"].removesuffix(": step"): one["value"] for one in claims if one["name"].endswith(": step")
    }


def report_tables(
    runs: str | None, experiment: str | None, names: Sequence[str] = tuple(REPORTS)
) -> dict[str, str]:
    """Return the tables of reports: the columns that are named, of all protocols one after another."""
    found, wanted = {}, {name: REPORTS[name] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for report, suite in dict.fromkeys((report, suite) for report, _, suite, _ in wanted.values()):
            out = Path(folder, report, suite or "all")
            make_report(report, out=out, runs=runs, experiment=experiment, suite=suite)
        for name, (report, table_name, suite, columns) in wanted.items():
            out = Path(folder, report, suite or "all")
            files = sorted((out / "tables").glob(f"{table_name}-*.md"))
            rows = [row for file in files for row in _rows_on(file.read_text(encoding="utf-8"))]
            found[name] = markdown(columns, _columns(rows, columns))
            if name in FIGURES:
                shutil.copy(out / "figures" / FIGURES[name], STEPS.parent / f"{report}.png")
    return found


def _rows_on(text: str) -> list[dict[str, str]]:
    """Return the rows of a report's table with the test set that its title names, as `on`."""
    return [{"on": _tested_on(text)} | row for row in read_table(text)]


def _tested_on(text: str) -> str:
    """Return the test set in the title of a report's table; nothing where it names none."""
    named = re.search(r"· ([\w-]+):", text)
    return named[1] if named else ""


def protocol_tables(runs: str | None, experiment: str | None) -> dict[str, str]:
    """Return the table of each test set of the report on other protocols."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        make_report("protocols", out=folder, runs=runs, experiment=experiment)
        for file in sorted(Path(folder, "tables").glob("protocols-*.md")):
            text = file.read_text(encoding="utf-8")
            found[f"protocols-{_tested_on(text)}"] = markdown(
                PROTOCOLS, _columns(read_table(text), PROTOCOLS)
            )
    return found


def _columns(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the cells of some columns, of rows that have all of them."""
    return [tuple(row[column] for column in columns) for row in rows if all(map(row.get, columns))]


def read_table(text: str) -> list[dict[str, str]]:
    """Return the rows of the first Markdown table of a text by the names of its columns."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]] if len(rows) > 2 else []


def static_tables() -> dict[str, str]:
    """Return the markdown tables of what is counted of all methods, on each backbone of `STATIC`."""
    found = {}
    for name, size in STATIC.items():
        rows = [counted(row) for row in describe_all(name, size, Listener()) if "refused" not in row]
        found[name] = markdown(COUNTED, [(f"`{first}`", *rest) for first, *rest in rows])
    again = markdown(made_again.HEAD, made_again.made_again())
    return found | {"held-out": held_out_table(), "again": again}


def held_out_table() -> str:
    """Return what the tiny CLIP that `--synthetic` takes reaches on unseen pairs of its corpus, by kind of picture."""
    record = read_json(weights("web").with_suffix(".json"), of=dict)
    rows = [
        (kind.replace("_", " "), *(f"{figures[name]:.1f}" for name in NAMES))
        for kind, figures in record["held_out"].items()
    ]
    return markdown(("pictures", "R@1", "R@5", "mAP", "R@1, image to text"), rows)


def departures(row: dict[Any, Any]) -> dict[str, str]:
    """Return in what a result differs from its method's presets, and say so: such a result has no place here."""
    _, others = preset_of(row, plain=True)
    if others:
        print(
            f"left out: {row['runs'][0]}, with {', '.join(f'{key}={value}' for key, value in others.items())}"
        )
    return others


def name_of(row: dict[Any, Any]) -> str:
    """Return the method of a result and the preset that it was made with."""
    preset, _ = preset_of(row, plain=True)
    return f"`{row['method']}`" + (f", `{preset}`" if preset else "")


def put(text: str, found: dict[str, str]) -> str:
    """Return the page with the tables between their markers; refuse a table for which there is no place."""
    for name, new in found.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text, n = re.subn(f"{start}.*?{end}", lambda _: f"{start}\n\n{new}\n\n{end}", text, flags=re.DOTALL)  # noqa: B023
        assert n == 1, f"{PAGE.name} has no place for {name}: {start} … {end}"
    return text


def main() -> None:
    """Read the runs and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", help="folder of the records")
    parser.add_argument("--experiment", help="of MLflow")
    parser.add_argument("--static", action="store_true", help="write what is counted instead")
    parser.add_argument(
        "--reports", nargs="*", choices=REPORTS, metavar="NAME", help="write the tables of reports instead"
    )
    parser.add_argument(
        "--protocols", action="store_true", help="write the tables of other protocols instead"
    )
    options = parser.parse_args()
    if options.static:
        found = static_tables()
    elif options.protocols:
        found = protocol_tables(options.runs, options.experiment)
    elif options.reports is not None:
        found = report_tables(options.runs, options.experiment, options.reports or tuple(REPORTS))
    else:
        found = tables(Source(runs=options.runs, experiment=options.experiment))
    PAGE.write_text(put(PAGE.read_text(), found))


if __name__ == "__main__":
    main()
