"""Draw records and their comparison on a terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

import click

from harness.cli.layout import paragraph, table
from harness.cli.options import plain
from harness.pages.tables import ends_text, no_interval_words
from harness.record import BUNDLE, EARLIER_INTERVALS, has_earlier_intervals, left_out_words, sets_name
from harness.registry.set_names import split_sets
from harness.relations import meetings

_COLUMNS = ("R1", "R5", "R10", "mAP", "mINP")
_WITH_INTERVAL = ("R1", "mAP")
_NOT_TOLD = "not told"


def cell(value: float | None, ends: Iterable[float] | None = None) -> str:
    """Return a metric with its interval, as `61.8 [60.4, 63.1]`; a dash where there is none."""
    if value is None:
        return "–"
    if ends is None:
        return f"{value:.1f}"
    return f"{value:.1f} {ends_text(ends)}"


def metric_table(title: str, *results: tuple[Mapping[str, float], Mapping[str, Sequence[float]]]) -> None:
    """Print a row for each dataset and direction of results.

    Args:
        title: above the table.
        results: metrics in percent and their intervals, by flat names: `split/dataset/direction/metric`.
    """
    rows = [row for metrics, intervals in results for row in _metric_rows(metrics, intervals)]
    header = ("dataset", "query", *_COLUMNS)
    table(title, header, rows, text=header[:2], leaving=("mINP", "R10", "R5", "mAP"))
    no_interval_lines([ends for _, intervals in results for ends in intervals.values()])


def no_interval_lines(intervals: Iterable[Iterable[float]]) -> None:
    """Print a line where one person gave a figure without an interval."""
    for line in no_interval_words(intervals):
        paragraph("", line, indent=2)


def _metric_rows(
    metrics: Mapping[str, float], intervals: Mapping[str, Sequence[float]]
) -> Iterator[tuple[str, ...]]:
    keys = dict.fromkeys(name.rpartition("/")[0] for name in metrics if name.count("/") == 3)
    for key in keys:
        cells = [
            cell(metrics.get(f"{key}/{c}"), intervals.get(f"{key}/{c}") if c in _WITH_INTERVAL else None)
            for c in _COLUMNS
        ]
        _, dataset, direction = key.split("/")
        yield dataset, direction, *cells


def record_table(record: Any) -> None:
    """Print a finished record: metrics with 95 % intervals and the header without which they mean little."""
    twin = " · SYNTHETIC TWIN" if record.synthetic else ""
    left_out = left_out_words(record.data)
    without = f" · {left_out}" if left_out else ""
    title = f"{record.name}{twin}{without} · {_rule(record)} · seed {record.config['seed']}"
    metric_table(title, (record.metrics, record.intervals))
    for line in _facts(record):
        paragraph("", line, indent=2)
    interval_line(record)
    fault_lines(record.data)
    for note in record.data.get("notes", ()):
        paragraph("", f"data: {note}", indent=2)
    for note in record.notes:
        paragraph("", f"{'scores' if record.scored else 'backbone'}: {note}", indent=2)
    if record.imported and not record.metrics:
        dataset = record.config["dataset"]["name"]
        click.echo(plain(f"not tested yet: harness evaluate {record.name} --dataset {dataset}"))
    if record.oracle:
        gap = record.oracle["optimism_gap"]
        epoch = record.oracle["epoch"]
        paragraph("", f"oracle: best epoch on test {epoch}, optimism gap {gap:+.1f} points of R@1", indent=2)


def fault_lines(data: Mapping[str, Any]) -> None:
    """Print a line for all that is wrong or odd with a run's data."""
    for fault in data.get("faults", ()):
        paragraph("", f"data: {fault}", indent=2)


def met_lines(trained: str, tested: str) -> None:
    """Print a line for each way in which a training set is known to meet a test set."""
    for name, one in meetings(split_sets(trained), tested):
        paragraph("", f"met in training: {one.words(name, tested)}", indent=2)


def interval_line(result: Any) -> None:
    """Print a line where the intervals of a record, another result or a group of seeds are not by today's method."""
    if has_earlier_intervals(result):
        paragraph("", EARLIER_INTERVALS, indent=2)


def _facts(record: Any) -> Iterator[str]:
    parameters = record.accounting.get("parameters", {})
    share = 100 * parameters.get("trainable", 0) / max(parameters.get("total", 1), 1)
    pairs = f"{record.data['train_pairs']:,}" if "train_pairs" in record.data else "unknown"
    epoch = f"epoch {record.selection.get('epoch', 0)} of {record.selection.get('epochs', 0)}"
    if record.imported:
        chosen = {"oracle": "on the test split, which flatters"}.get(record.selection["rule"], "otherwise")
        epoch = f"epoch chosen by the authors {chosen}"
    nothing = record.selection.get("rule") == "none"
    if nothing or not record.scored:
        yield "trained on nothing" if nothing else f"trained on {pairs} pairs · {epoch}"
    if record.imported:
        yield f"imported from {record.imported}"
    if BUNDLE in record.tags:
        yield "not made here: it came in a bundle, which was verified"
    if record.scored:
        yield from _scored_facts(record)
        return
    yield (
        f"{parameters.get('trainable', 0):,} of {parameters.get('total', 0):,} parameters trainable ({share:.2f} %) · "
        f"{record.seconds:.0f} s · intervals: 95 %, over identities"
    )


def _scored_facts(record: Any) -> Iterator[str]:
    """Yield what is known of a run that was scored: its file, and what was told of how it came about."""
    yield f"scored from {record.scored}, not trained here"
    config, tags = record.config, record.tags
    parts = {
        "paper": config["method"]["paper"],
        "trained on": config["dataset"]["trained_on"],
        "training pairs": f"{record.data['train_pairs']:,}" if "train_pairs" in record.data else None,
        "re-ranked": tags["harness.reranked"],
        "unlabelled test data used": tags["harness.unlabelled_test"],
        "backbone": config["backbone"]["name"],
        "image size": "×".join(map(str, config["backbone"]["image_size"] or ())),
    }
    known = {name: text for name, text in parts.items() if text not in (None, "", _NOT_TOLD)}
    yield f"told: {' · '.join(f'{name} {text}' for name, text in known.items()) or 'nothing of its protocol'}"
    if unknown := [name for name in parts if name not in known]:
        yield f"not told: {', '.join(unknown)}"
    yield "intervals: 95 %, over identities"


def comparison_table(records: Sequence[Any], dataset: str) -> None:
    """Print several methods' results on one dataset, one line each."""
    twin = " · SYNTHETIC TWIN" if records[0].synthetic else ""
    header = ("method", "R@1 [95 %]", "R@5", "R@10", "mAP [95 %]", "trainable", "of all", "pairs", "time")
    rows = [_comparison_row(record, f"test/{dataset}/t2i/") for record in records]
    title = f"{_place(records[0], dataset)}{twin} · text to image · {_rules(records)}"
    left_out = {record.config["method"]["name"]: left_out_words(record.data) for record in records}
    without = [f"{name}: {words}" for name, words in left_out.items() if words]
    table(title, header, rows, leaving=("time", "of all", "R@10", "R@5", "mAP [95 %]", "trainable", "pairs"))
    paragraph("", "intervals: 95 %, over identities; pairs: (caption, image) pairs trained on", indent=2)
    no_interval_lines([ends for record in records for ends in ends_of(record)])
    for line in without:
        paragraph("", line, indent=2)
    fault_lines(
        {"faults": dict.fromkeys(line for record in records for line in record.data.get("faults", ()))}
    )


def seeds_table(results: Sequence[Any], dataset: str) -> None:
    """Print several methods' results on one dataset, one line each: groups of seeds, and runs that no seed changes."""
    first = results[0]
    synthetic = first["synthetic"] if isinstance(first, Mapping) else first.synthetic
    rows = [_seeds_row(result, f"test/{dataset}/t2i/") for result in results]
    header = ("method", "seeds", "R@1 [95 %]", "sd", "R@5", "R@10", "mAP [95 %]")
    title = f"{_place(first, dataset)}{' · SYNTHETIC TWIN' if synthetic else ''} · text to image · means over seeds"
    table(title, header, rows, leaving=("R@10", "R@5", "sd", "mAP [95 %]"))
    paragraph(
        "",
        "intervals: 95 %, over seeds and identities; of one run over identities; sd: of R@1 over seeds",
        indent=2,
    )
    no_interval_lines([ends for result in results for ends in ends_of(result)])
    faults = [
        result["faults"] if isinstance(result, Mapping) else result.data.get("faults", ())
        for result in results
    ]
    fault_lines({"faults": dict.fromkeys(line for lines in faults for line in lines)})


def _seeds_row(result: Any, key: str) -> list[str]:
    if not isinstance(result, Mapping):
        cells = _cells(result, key)
        return [result.config["method"]["name"], "one run", cells[0], "–", *cells[1:]]
    found = {name: result["metrics"][key + name] for name in _COLUMNS[:4]}
    cells = [
        cell(one["mean"], (one["low"], one["high"]) if name in _WITH_INTERVAL else None)
        for name, one in found.items()
    ]
    return [result["method"], str(len(result["seeds"])), cells[0], f"{found['R1']['sd']:.2f}", *cells[1:]]


def ends_of(result: Any) -> list[Iterable[float]]:
    """Return the ends of all intervals of a record or of a group of seeds."""
    if isinstance(result, Mapping):
        return [(one["low"], one["high"]) for one in result["metrics"].values()]
    return list(result.intervals.values())


def dataset_of(result: Any) -> str:
    """Return the dataset of a record or of a group of seeds, of a joint training all of them."""
    if isinstance(result, Mapping):
        return str(result.get("trained_on", result["dataset"]))
    return sets_name(result.config)


def _place(result: Any, tested: str) -> str:
    """Return what the title of a table of results says they are of."""
    trained = dataset_of(result)
    return trained if trained == tested else f"{trained} · tested on {tested}"


def r1_of(result: Any) -> float:
    """Return R@1 from text to image of a record, or its mean of a group of seeds, over a joint training's tests."""
    keys = [f"test/{name}/t2i/R1" for name in split_sets(dataset_of(result))]
    if isinstance(result, Mapping):
        return fmean(result["metrics"][key]["mean"] for key in keys)
    return fmean(result.metrics[key] for key in keys if key in result.metrics)


def _rules(records: Sequence[Any]) -> str:
    """Return how the epochs of several methods were selected, and whose if not all in one way."""
    methods: dict[str, list[str]] = {}
    for record in records:
        methods.setdefault(_rule(record), []).append(record.config["method"]["name"])
    if len(methods) == 1:
        return next(iter(methods))
    return ", ".join(f"{' and '.join(names)} {rule}" for rule, names in methods.items())


def _rule(record: Any) -> str:
    rule = record.selection.get("rule")
    return "untrained" if rule == "none" else f"rule {rule}"


def _cells(record: Any, key: str) -> list[str]:
    """Return R@1, R@5, R@10 and mAP of a record, dashes where it has no result."""
    return [
        cell(
            record.metrics.get(key + name),
            record.intervals.get(key + name) if name in _WITH_INTERVAL else None,
        )
        for name in _COLUMNS[:4]
    ]


def _comparison_row(record: Any, key: str) -> list[str]:
    counts = record.accounting["parameters"]
    return [
        record.config["method"]["name"],
        *_cells(record, key),
        f"{counts['trainable']:,}",
        f"{100 * counts['trainable'] / counts['total']:.1f} %",
        f"{record.data['train_pairs'] if counts['trainable'] else 0:,}",
        f"{record.seconds:.0f} s",
    ]
