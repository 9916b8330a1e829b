"""The results of runs as plain tables: one row a result, one row a query; as CSV or Parquet."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.files import replaced
from harness.metric_names import ALL_METRICS, DIRECTIONS
from harness.places import writing
from harness.record import QUERIES, Record, RunFolder, queries_elsewhere, twin_name

if TYPE_CHECKING:
    from pandas import DataFrame

Kind = Literal["csv", "parquet"]
RESULTS_TABLE, QUERIES_TABLE = "results", "queries"
_PER_QUERY = {"identity": "person", "rank": "rank", "AP": "AP", "INP": "INP", "n_right": "n_right"}


def write_tables(runs: Sequence[tuple[RunFolder, Record]], out: Path, kind: Kind) -> list[Path]:
    """Write `results` and `queries` of runs into a folder; return the files.

    A result is of one run, test set and direction: who, on what, metrics in percent with the ends of their 95 %
    intervals, costs. A query is one caption or image: its place in the split, the person it asks for, the rank of the
    first right item, AP and INP between 0 and 1, the number of right items.

    Raises `DataError` for per-query results that are damaged, `UsageError` for a folder that cannot be written to.
    """
    from pandas import DataFrame, concat

    tables = {
        RESULTS_TABLE: DataFrame([row for run in runs for row in _results(*run)]),
        QUERIES_TABLE: concat([table for run in runs for table in _queries(*run)], ignore_index=True),
    }
    files = []
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            files.append(out / f"{name}.{kind}")
            with replaced(files[-1]) as draft:
                _write(table, draft, kind)
    return files


def _write(table: "DataFrame", draft: Path, kind: Kind) -> None:
    if kind == "csv":
        table.to_csv(draft, index=False)
    else:
        table.to_parquet(draft, index=False)


def tests_of(folder: RunFolder, record: Record) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each test of a run: its dataset, the file of its queries, and its metrics and intervals."""
    own = {"metrics": record.metrics, "intervals": record.intervals}
    yield record.config["dataset"]["name"], QUERIES, own
    for result in folder.results():
        yield str(result["dataset"]), queries_elsewhere(result["dataset"]), result


def _results(folder: RunFolder, record: Record) -> Iterator[dict[str, Any]]:
    """Yield one row for each test set and direction."""
    parameters = record.accounting.get("parameters", {})
    who = {
        "run": record.name,
        "method": record.config["method"]["name"],
        "trained_on": twin_name(record.learned_from, record.synthetic),
        "seed": record.config["seed"],
        "rule": record.selection.get("rule", record.config["eval"]["rule"]),
        "epoch": record.selection.get("epoch"),
    }
    costs = {
        "trainable": parameters.get("trainable"),
        "total": parameters.get("total"),
        "train_seconds": record.accounting.get("train_seconds"),
        "step_peak_bytes": record.accounting.get("step_peak_bytes"),
    }
    for dataset, _, result in tests_of(folder, record):
        for way in DIRECTIONS:
            row = who | {"tested_on": twin_name(dataset, record.synthetic), "direction": way}
            for name in ALL_METRICS:
                key = f"test/{dataset}/{way}/{name}"
                low, high = result["intervals"].get(key, (None, None))
                row |= {name: result["metrics"].get(key), f"{name}_low": low, f"{name}_high": high}
            yield row | costs


def _queries(folder: RunFolder, record: Record) -> Iterator["DataFrame"]:
    """Yield one table for each test set and direction."""
    from pandas import DataFrame

    for dataset, file, _ in tests_of(folder, record):
        arrays = folder.queries(file)
        for way in DIRECTIONS:
            columns = {name: arrays[f"{way}/{key}"] for key, name in _PER_QUERY.items()}
            n = len(columns["rank"])
            said = {"run": record.name, "tested_on": twin_name(dataset, record.synthetic), "direction": way}
            yield DataFrame(said | {"query": range(n)} | columns)
