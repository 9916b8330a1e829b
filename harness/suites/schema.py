"""What a suite's YAML says: which methods, datasets and seeds it runs, and what its report is set against."""

import json
import math
import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    field_validator,
    model_validator,
)

from harness.data.protocols.galleries import parse_gallery
from harness.errors import UsageError
from harness.limits import MOST_SEEDS

# What a queue that a suite made notes as its kind, and the suite's other datasets.
KIND, OTHERS = "suite", "others"
GIVEN = {
    "seed": "seeds",
    "method.name": "method",
    "dataset.name": "datasets",
    "dataset.synthetic": "--synthetic",
}


def _row_name(text: str) -> str:
    if not 0 < len(text) <= 100 or not text.isprintable() or re.search(r"[/\\]|^[\s.-]|\s$", text):
        raise ValueError(
            "a name has 1 to 100 printable characters, no slash, and begins with neither space, dot nor hyphen"
        )
    return text


def _suite_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise ValueError("a suite's name has letters, digits, dots, hyphens and underscores, at most 100")
    return text


def _words(text: Any) -> Any:
    """Return text on one line, as a title or a sentence is shown in a table."""
    if not isinstance(text, str):
        return text
    text = " ".join(text.split())
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


def _plain(value: Any) -> Any:
    """Return a value that a config field can have; raise ValueError for what YAML has beyond that."""
    if isinstance(value, list):
        return [_scalar(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    fine = value is None or isinstance(value, bool | int | float | str)
    if isinstance(value, str) and not value.isprintable():
        fine = False
    if isinstance(value, float) and not math.isfinite(value):
        fine = False
    if not fine:
        raise ValueError(
            "a value is a number, text, true, false, null or a list of these; a field inside a section is written "
            "with dots, as method.lr"
        )
    return value


def _config_key(text: str) -> str:
    if not re.fullmatch(r"\w+(\.\w+)*", text):
        raise ValueError("a config key is written with dots, as method.lr")
    if text in GIVEN:
        raise ValueError(f"{text} is given by `{GIVEN[text]}`")
    return text


def _plug_in(name: str) -> str:
    """Return a registry name as its file is called."""
    return name.replace("-", "_")


PlugIn = Annotated[str, AfterValidator(_plug_in)]
RowName = Annotated[str, AfterValidator(_row_name)]
ConfigKey = Annotated[str, AfterValidator(_config_key)]
Value = Annotated[Any, BeforeValidator(_plain)]
Words = Annotated[str, BeforeValidator(_words)]
Settings = dict[ConfigKey, Value]
Variations = dict[ConfigKey, Annotated[tuple[Value, ...], Field(min_length=1)]]


def _factors(value: Any) -> Any:
    """Return a gallery in one spelling: a single factor may be a number."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        return text
    try:
        return ",".join(map(str, parse_gallery(text).factors))
    except UsageError as error:
        raise ValueError(str(error)) from error


Factors = Annotated[str, BeforeValidator(_factors)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Part):
    """One line of a suite's table: a method with its settings, run on every dataset of the suite.

    Attributes:
        name: what the line is called; the method's name when nothing is said.
        method: registry name.
        presets: presets on top of the suite's.
        set: config overrides by dotted key, on top of the suite's.
        synthetic_set: in place of `set`, key by key, when the suite runs on synthetic twins.
        synthetic: false for a row that says nothing on synthetic twins and is left out there.
        init_from: name of a row above; each run starts from the towers that this row's run of the same dataset and
            seed trained, once that is there (`backbone.init_from`).
        from_study: name of a study whose best configuration comes on top of the presets; such rows run with
            seeds that no study uses.
        vary: values by dotted key; each makes one more row, `key=value`, that differs from this one in that key.
        synthetic_vary: in place of `vary`, key by key, when the suite runs on synthetic twins.
    """

    name: RowName
    method: PlugIn
    presets: tuple[str, ...] = ()
    set: Settings = {}
    synthetic_set: Settings = {}
    synthetic: StrictBool = True
    init_from: RowName | None = None
    from_study: str | None = None
    vary: Variations = {}
    synthetic_vary: Variations = {}

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        method = values.get("method")
        # A row without a method is refused for that, and needs no second complaint about its name.
        return {"name": _plug_in(method) if isinstance(method, str) else "row"} | values

    @model_validator(mode="after")
    def _varied(self) -> "Row":
        alone = next((key for key in self.synthetic_vary if key not in self.vary), None)
        if alone:
            raise ValueError(f"synthetic_vary names {alone}, which vary does not")
        for key, value in (*self.variations(False), *self.variations(True)):
            try:
                _row_name(variation_name(key, value))
            except ValueError as error:
                raise ValueError(
                    f"vary {key}: write this value as a row with its own name: {error}"
                ) from error
        return self

    def settings(self, synthetic: bool) -> Settings:
        """Return the row's own overrides by dotted key."""
        return self.set | self.synthetic_set if synthetic else self.set

    def variations(self, synthetic: bool) -> list[tuple[str, Any]]:
        """Return the (key, value) pairs that make a row each."""
        lists = self.vary | self.synthetic_vary if synthetic else self.vary
        return [(key, value) for key, values in lists.items() for value in values]


class Suite(_Part):
    """A table to be run: the grid of rows, datasets and seeds.

    Attributes:
        name: names the suite's folder and its runs; the file's name when nothing is said.
        title, question: what the table shows, in words.
        report: registry name of the report that is written at the end; None writes none.
        datasets: registry names, or several joined by + that are learned from together; each row runs on each.
        synthetic_datasets: in place of `datasets`, on synthetic twins; none means the same.
        seeds: how many seeds each row runs with: 1 to this number.
        synthetic_seeds: how many on synthetic twins; None means `seeds`.
        rows: the table's lines.
        presets: presets of all rows.
        set: config overrides of all rows, by dotted key.
        synthetic_set: in place of `set`, key by key, on synthetic twins: the tiny CLIP in place of a real one.
        evaluate: datasets that each run is also tested on; `others` means the suite's other datasets.
        gallery: each run is also tested on its own dataset with these galleries: a factor by which pictures are
            reduced, or several with commas, of which each picture has one.
        published: names of published tables that the report sets the results against.
    """

    name: Annotated[str, AfterValidator(_suite_name)]
    title: Words = ""
    question: Words = ""
    report: PlugIn | None = None
    datasets: tuple[PlugIn, ...] = Field(min_length=1)
    synthetic_datasets: tuple[PlugIn, ...] = ()
    seeds: int = Field(1, ge=1, le=MOST_SEEDS, strict=True)
    synthetic_seeds: int | None = Field(None, ge=1, le=MOST_SEEDS, strict=True)
    rows: tuple[Row, ...] = Field(min_length=1)
    presets: tuple[str, ...] = ()
    set: Settings = {}
    synthetic_set: Settings = {}
    evaluate: tuple[PlugIn, ...] = ()
    gallery: tuple[Factors, ...] = ()
    published: tuple[PlugIn, ...] = ()

    @field_validator("evaluate", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("datasets", "synthetic_datasets", "evaluate", "gallery", "published")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"{double!r} is given twice")
        return names

    @model_validator(mode="after")
    def _distinct_rows(self) -> "Suite":
        names = [row.name for row in self.rows]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"two rows are called {double!r}: give each its own `name`")
        return self

    @model_validator(mode="after")
    def _sources_above(self) -> "Suite":
        above: set[str] = set()
        for row in self.rows:
            if row.init_from is not None and row.init_from not in above:
                raise ValueError(
                    f"row {row.name!r} starts from {row.init_from!r}, which must be the name of a row above it"
                )
            above.add(row.name)
        return self

    def datasets_run(self, synthetic: bool) -> tuple[str, ...]:
        """Return the datasets that each row runs on."""
        return (self.synthetic_datasets if synthetic else ()) or self.datasets

    def seeds_run(self, synthetic: bool) -> int:
        """Return with how many seeds each row runs."""
        return (self.synthetic_seeds if synthetic else None) or self.seeds

    def settings(self, synthetic: bool) -> Settings:
        """Return the overrides of all rows by dotted key."""
        return self.set | self.synthetic_set if synthetic else self.set


def variation_name(key: str, value: Any) -> str:
    """Return what a variation is called.

    >>> variation_name("method.prompt_length", 8)
    'method.prompt_length=8'
    """
    return f"{key}={_value_text(value)}"


def _value_text(value: Any) -> str:
    """Return a setting's value as short text, which YAML reads back.

    >>> _value_text("both"), _value_text(None), _value_text([96, 32]), _value_text(1e-05)
    ('both', 'null', '[96,32]', '1e-05')
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
