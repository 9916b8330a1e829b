"""Results and their published counterparts: which belong together, and how their protocols differ.

A published figure is taken as exact. All known differences between two protocols are named, so that a difference in
results there is not read as a failed reproduction. Results on synthetic twins are never compared with published ones.
"""

import re
from collections.abc import Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING, Any

from harness.metric_names import METRICS
from harness.reporting.published.settings import nearest, plain_model
from harness.results.flags import flags
from harness.results.panels import Panel, person_facts
from harness.results.row_faults import NOT_THE_TEST_SET
from harness.results.run_table import UNTRAINED
from harness.suites.published_tables import PublishedRow, load_published, published_names

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[Any, Any]
SAME, OTHER, PARTLY = "same", "other protocol", "partly unknown"
CHOSEN = {
    "oracle": "best on test",
    "val": "best on validation",
    "last": "last",
    UNTRAINED: "no training",
    None: "not published",
}
WORDS = (
    ("test split", "oracle"),
    ("validation", "val"),
    ("last epoch", "last"),
    ("nothing is trained", UNTRAINED),
)
SCORES = [name + end for name in METRICS for end in ("", "_low", "_high")]
OWN = (
    "label",
    "method",
    "trained_on",
    "tested_on",
    "interval",
    "n_seeds",
    "rule",
    "budget",
    "backbone",
    "image_size",
)
_TAKEN = ("condition", "selection", "paper", "table", "quoted_in", "link", "note")
# Words of the faults that leave nothing to compare: another test set, or one that was trained on.
_INCOMPARABLE = (NOT_THE_TEST_SET, "Known wrong file", "in more than one split")
_SIDES = ("rule", "backbone", "image_size")


def published_tables(suite: str | None) -> list[str]:
    """Return the names of the published tables that a shipped suite names; all for no suite or one of the user's."""
    # Importing the suites imports what they run, which a notebook has no need of.
    from harness.suites.suite_files import shipped_suite

    known = shipped_suite(suite)
    return published_names() if known is None else list(known.published)


def counterparts(tables: Sequence[str]) -> list[Row]:
    """Return the published rows that name a method of the harness, each once, however many tables quote it."""
    found: dict[Any, Row] = {}
    for name in tables:
        for row in load_published(name).rows:
            if row.counterpart is not None:
                own = published_row(row)
                key = str([own[part] for part in own if part not in ("table", "quoted_in", "note", "method")])
                found.setdefault(key, own | {"tables": []})["tables"].append(name)
    return list(found.values())


def published_row(row: PublishedRow) -> Row:
    """Return a published row as values that JSON knows."""
    size = "×".join(map(str, row.image_size)) if row.image_size else None
    own = ("method", "condition", "trained_on", "tested_on", "backbone", "counterpart", "selection", "note")
    return {
        **{name: getattr(row, name) for name in own},
        "presets": list(row.presets),
        "set": row.set,
        **{name: row.metrics.get(f"t2i/{name}") for name in METRICS},  # type: ignore[call-overload]
        **row.source.model_dump(),
        "image_size": size,
        "rule": published_rule(row.selection),
    }


def published_rule(selection: str) -> str | None:
    """Return how a published epoch was chosen, in the harness's words; None where it is not known.

    >>> published_rule("best epoch by R@1 on the test split, one seed"), published_rule("unknown for this table")
    ('oracle', None)
    """
    if selection.startswith("unknown"):
        return None
    return next((rule for words, rule in WORDS if words in selection), None)


def _stand_beside(row: Mapping[Any, Any], published: Sequence[Row]) -> list[Row]:
    """Return the published rows of a result's method, training and test set, those nearest in their settings.

    Each says what the result has `changed` of its settings.
    """
    trained_on = None if row["rule"] == UNTRAINED else row["trained_on"]
    cell = (row["method"], trained_on, row["tested_on"])
    own = [one for one in published if (one["counterpart"], one["trained_on"], one["tested_on"]) == cell]
    return nearest(row, own)


def with_published(results: "DataFrame", published: Sequence[Row]) -> "DataFrame":
    """Return results with the published rows of each (`published`)."""
    from pandas import Series

    records = results.to_dict("records")
    beside = Series([_stand_beside(row, published) for row in records], index=results.index, dtype=object)
    return results.assign(published=beside)


def compared(panel: Panel) -> list[Row]:
    """Return one row for each result and published counterpart: the differences in results and in protocol.

    No row for a synthetic panel, whatever is published.
    """
    rows = [] if is_twin(panel) else ordered(panel)
    return [against(row, published) for row in rows for published in row["published"]]


def is_twin(panel: Panel) -> bool:
    """Say whether a panel holds results on synthetic twins."""
    return any(row["synthetic"] for row in panel.records)


def ordered(panel: Panel) -> list[Row]:
    """Return a panel's results by method, training and test set."""
    rows = panel.rows.astype(dict.fromkeys(SCORES, float))
    return rows.sort_values(["label", "trained_on", "tested_on"], kind="stable").to_dict("records")


def against(row: Row, published: Row) -> Row:
    """Return a result with one published counterpart."""
    unlike, unknown = _protocols(row, published)
    figures = {name: _figure(row, published, name) for name in METRICS}
    if "data" in unlike:
        figures = {name: found | {"lies": ""} for name, found in figures.items()}
    return {
        **{name: row[name] for name in (*OWN, *SCORES)},
        "published_as": published["method"],
        **{f"{name}_{part}": value for name, found in figures.items() for part, value in found.items()},
        **{f"published_{name}": published[name] for name in _SIDES},
        **{name: published[name] for name in _TAKEN},
        "tables": ", ".join(published["tables"]),
        "protocol": OTHER if unlike else PARTLY if unknown else SAME,
        "differing": ", ".join(unlike or unknown),
        "unlike": "; ".join(unlike.values()),
    }


def _figure(row: Row, published: Row, name: str) -> Row:
    """Return a published figure, the result minus it, and where it is; NaN where a figure is missing."""
    value, low, high = (nan if row[name + end] is None else row[name + end] for end in ("", "_low", "_high"))
    there = nan if published[name] is None else float(published[name])
    lies = "below" if there < low else "above" if there > high else "within" if low <= there <= high else ""
    less = {"less": value - there, "less_low": low - there, "less_high": high - there}
    return {"published": there, **less, "lies": lies}


def _protocols(row: Row, published: Row) -> tuple[dict[str, str], list[str]]:
    """Return the known differences, in a word and in words, and what is not published."""
    pairs = {
        "epoch": (CHOSEN[row["rule"]], CHOSEN[published["rule"]] if published["rule"] else None),
        "backbone": (row["backbone"], published["backbone"]),
        "image size": (row["image_size"], published["image_size"]),
    }
    unlike = {
        name: f"{name}: {ours} here, {there} there"
        for name, (ours, there) in pairs.items()
        if there is not None and plain_model(ours) != plain_model(there)
    }
    if row["rule"] != UNTRAINED and (row["val"] == "holdout" or row["train_on"] != "train"):
        unlike["training data"] = f"training data: {row['train_on']}, validation {row['val']}"
    own = person_facts(row["config"], "training persons") | flags(row)
    unlike |= {name: f"{name}: {value}" for name, value in own.items()}
    if faults := [line for line in row.get("faults") or () if any(part in line for part in _INCOMPARABLE)]:
        unlike["data"] = "; ".join(f"{line[:1].lower()}{line[1:]}" for line in faults)
    if published["changed"]:
        settings = ", ".join(f"{key}={value}" for key, value in published["changed"].items())
        unlike["settings"] = f"settings: {settings}"
    return unlike, [name for name, (_, there) in pairs.items() if there is None]


class Sources:
    """The sources of a table's rows, numbered as they are met."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}

    def mark(self, row: Row) -> str:
        """Return the number of a row's source."""
        return f"[{self._texts.setdefault(_source_text(row), len(self._texts) + 1)}]"

    @property
    def notes(self) -> list[str]:
        """The sources, as notes below the table."""
        return [f"[{number}] {text}" for text, number in self._texts.items()]


def _source_text(row: Mapping[Any, Any]) -> str:
    """Return the source of a published row, how its epoch was chosen, and the note of its table."""
    parts = [short_paper(row["paper"]), row["table"], row["quoted_in"] and f"as quoted in {row['quoted_in']}"]
    parts = [", ".join(part for part in parts if part), f"Epoch: {row['selection']}", row["note"]]
    return "".join(f"{part.rstrip('.')}. " for part in parts if part).strip()


def short_paper(paper: str) -> str:
    """Return a paper without its title in quotation marks.

    >>> short_paper('Liu et al., "A Title, of Words", ICASSP 2024')
    'Liu et al., ICASSP 2024'
    """
    return re.sub(r'\s*"[^"]*",?', "", paper)
