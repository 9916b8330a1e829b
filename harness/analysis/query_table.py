"""The results of a run query by query, with captions and files in place of indices."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.pictures import Pictures
from harness.data.protocols.galleries import parse_test
from harness.errors import DataError, UsageError
from harness.metric_names import DIRECTIONS
from harness.record import QUERIES, RunFolder, queries_elsewhere, result_elsewhere

if TYPE_CHECKING:
    from pandas import DataFrame

# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def query_table(
    folder: RunFolder, *, direction: str = "t2i", dataset: str | None = None, root: str | Path | None = None
) -> "DataFrame":
    """Return one row for each query of a test, in the order of the test split.

    Columns: `query` (its number, from 0), `caption` and `image` (of `i2t` only `image`), `person`, `rank` of the first
    right item (from 1), `AP` and `INP` in percent, `n_right` items, and for each of the ten best-scored items
    `top1`, `right1` and so on: the image file (of `i2t` the caption), and whether it shows that person.

    Args:
        folder: of a finished run.
        direction: `t2i` or `i2t`.
        dataset: one that the run was tested on besides its own.
        root: folder of the datasets; else as `harness.paths.data_root` says.

    Raises `UsageError` where there is no such result, `DataError` where the captions and files that it is about are not
    on this machine.
    """
    from pandas import DataFrame

    if direction not in DIRECTIONS:
        raise UsageError(f"A direction is {' or '.join(DIRECTIONS)}, but got {direction!r}.")
    name, fingerprint, synthetic, file, data = _tested(folder, dataset)
    queries = folder.queries(file)
    pictures = Pictures(name, fingerprint, synthetic=synthetic, root=root, queries=queries, data=data)
    if pictures.missing is not None:
        raise DataError(pictures.missing)
    return DataFrame(list(_rows(queries, pictures, direction)))


def csv_text(table: "DataFrame") -> str:
    """Return a table as CSV that a spreadsheet takes for text: an apostrophe goes before what would be a formula."""
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    safe = table.assign(**{name: table[name].map(_inert) for name in texts})
    return str(safe.to_csv(index=False, float_format="%.4f", lineterminator="\n"))


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _tested(folder: RunFolder, dataset: str | None) -> tuple[str, str, bool, str, dict[str, Any]]:
    """Return what was tested on: the dataset's name, its fingerprint, whether it is a twin, and the results' file.

    Last what says where data of one's own are.
    """
    record = folder.read()
    assert record is not None
    own = record.config["dataset"]["name"]
    if dataset in (None, own):
        if not record.metrics or record.study is not None:
            raise UsageError(f"{record.name} was not tested: it is {record.status}.")
        return own, record.fingerprint, record.synthetic, QUERIES, record.config["dataset"]
    result = folder.file(result_elsewhere(dataset))
    if not result.is_file():
        raise UsageError(
            f"{record.name} was not tested on {dataset}: harness evaluate {record.name} --dataset {dataset}"
        )
    found = next((one for one in folder.results() if one["dataset"] == dataset), None)
    if found is None:
        raise DataError(
            f"{result} cannot be read: harness evaluate {record.name} --dataset {dataset} --force makes it anew."
        )
    data = found.get("data", {})
    name, _ = parse_test(str(dataset))
    return name, found["fingerprint"], found["synthetic"], queries_elsewhere(dataset), data


def _rows(queries: Mapping[str, Any], pictures: Pictures, direction: str) -> Iterator[dict[str, Any]]:
    asked = queries[f"{direction}/identity"]
    items = queries[f"{'i2t' if direction == 't2i' else 't2i'}/identity"]
    top = queries.get(f"{direction}/top")
    shown = pictures.file if direction == "t2i" else pictures.caption
    for place, person in enumerate(asked.tolist()):
        row: dict[str, Any] = {"query": place}
        row |= (
            {"caption": pictures.caption(place), "image": pictures.file(pictures.owner(place))}
            if direction == "t2i"
            else {"image": pictures.file(place)}
        )
        row |= {"person": person, "rank": int(queries[f"{direction}/rank"][place])}
        row |= {name: 100 * float(queries[f"{direction}/{name}"][place]) for name in ("AP", "INP")}
        row["n_right"] = int(queries[f"{direction}/n_right"][place])
        for number, item in enumerate([] if top is None else top[place].tolist(), start=1):
            row |= {f"top{number}": shown(item), f"right{number}": bool(items[item] == person)}
        yield row
