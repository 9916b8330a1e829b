"""Published results, as printed in papers: every table with its source and how its epochs were chosen.

A file of `harness/suites/published/` is one table. A cell that was not found is null, never an estimate.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.config.faults import explain
from harness.config.strict_yaml import read_yaml
from harness.errors import UsageError, unknown

TABLES = Path(__file__).resolve().parent / "published"
_NO_DATASET = "none"
Metric = Literal["t2i/R1", "t2i/R5", "t2i/R10", "t2i/mAP", "t2i/mINP"]
Cost = Literal[
    "trainable_millions",
    "trainable_percent",
    "parameters_millions",
    "train_memory_mb",
    "epochs",
    "train_seconds",
    "test_seconds",
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """Where figures come from.

    Attributes:
        paper: authors, title and venue, as far as known.
        table: which table or page of it.
        link: where it is read.
        quoted_in: the later texts that the figures were read in, when the paper itself could not be.
    """

    paper: str
    table: str | None = None
    link: str | None = None
    quoted_in: str | None = None


class PublishedRow(_Part):
    """What one method reaches on one test set, as published; None where nothing is known.

    Attributes:
        method: the method's name in its table.
        condition: the line's setting, where a table compares several.
        trained_on: registry name of the training dataset; None for a method that was trained on none of them.
        tested_on: registry name of the test dataset.
        metrics: text-to-image results in percent.
        costs: parameters in millions, share in percent, memory in MB, times in seconds.
        backbone, image_size: the CLIP and its input, height and width.
        counterpart: the harness's method that does the same.
        presets, set: the counterpart's presets and config overrides, where the method alone does not say the row.
        selection: how the epoch was chosen, and over how many seeds, or that this is unknown.
    """

    method: str
    condition: str | None = None
    trained_on: str | None
    tested_on: str
    metrics: dict[Metric, float | None]
    costs: dict[Cost, float] = {}
    backbone: str | None = None
    image_size: tuple[int, int] | None = None
    counterpart: str | None = None
    presets: tuple[str, ...] = ()
    set: dict[str, Any] = {}
    source: Source
    selection: str
    note: str | None = None


class PublishedTable(_Part):
    """A published table: its title, source, protocol and rows, one for each result."""

    name: str
    title: str
    selection: str
    note: str | None = None
    rows: tuple[PublishedRow, ...]


class _Line(_Part):
    """A line of a file: a method with results by `TRAINED to TESTED`, or one name for both."""

    method: str
    condition: str | None = None
    costs: dict[Cost, float] = {}
    backbone: str | None = None
    image_size: tuple[int, int] | None = None
    counterpart: str | None = None
    presets: tuple[str, ...] = ()
    set: dict[str, Any] = {}
    source: Source | None = None
    selection: str | None = None
    note: str | None = None
    results: dict[str, tuple[float | None, ...]] = Field(min_length=1)


class _File(_Part):
    """A file: what holds for all lines, the names of the columns, and the lines."""

    title: str
    source: Source | None = None
    selection: str
    note: str | None = None
    backbone: str | None = None
    image_size: tuple[int, int] | None = None
    columns: tuple[Metric, ...]
    rows: tuple[_Line, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> "_File":
        for line in self.rows:
            if self.source is None and line.source is None:
                raise ValueError(f"{line.method} has no source")
            for key, values in line.results.items():
                if len(values) != len(self.columns):
                    raise ValueError(
                        f"{line.method}, {key}: {len(values)} values for {len(self.columns)} columns"
                    )
        return self


def published_names() -> list[str]:
    """Return the names of all published tables in alphabetical order."""
    return sorted(file.stem for file in TABLES.glob("*.yaml"))


def load_published(name: str) -> PublishedTable:
    """Return a published table; raise `UsageError` with the nearest match for an unknown name."""
    name = name.replace("-", "_")
    if name not in published_names():
        raise unknown("published table", name, published_names())
    return read_published(TABLES / f"{name}.yaml")


def read_published(path: Path) -> PublishedTable:
    """Return the table that a file holds; raise `UsageError` that names the file."""
    values = read_yaml(path, what="published table", holds=f"the keys {', '.join(_File.model_fields)}")
    try:
        file = _File.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"The published table {path}: {explain(error)}") from error
    rows = tuple(_row(file, line, key) for line in file.rows for key in line.results)
    return PublishedTable(
        name=path.stem, title=file.title, selection=file.selection, note=file.note, rows=rows
    )


def _row(file: _File, line: _Line, key: str) -> PublishedRow:
    """Return one result of a line, with what the file says for all lines."""
    trained_on, tested_on = _trained_and_tested(key)
    source = line.source or file.source
    assert source is not None, "checked when the file was read"
    own: dict[str, Any] = {
        name: getattr(line, name) for name in ("method", "condition", "counterpart", "presets", "set", "note")
    }
    return PublishedRow(
        **own,
        trained_on=trained_on,
        tested_on=tested_on,
        metrics=dict(zip(file.columns, line.results[key], strict=True)),
        costs=line.costs,
        backbone=line.backbone or file.backbone,
        image_size=line.image_size or file.image_size,
        source=source,
        selection=line.selection or file.selection,
    )


def _trained_and_tested(key: str) -> tuple[str | None, str]:
    """Return training and test dataset of a result's key.

    >>> _trained_and_tested("cuhk"), _trained_and_tested("cuhk to icfg"), _trained_and_tested("none to rstp")
    (('cuhk', 'cuhk'), ('cuhk', 'icfg'), (None, 'rstp'))
    """
    first, _, second = key.partition(" to ")
    return None if first == _NO_DATASET else first, second or first
