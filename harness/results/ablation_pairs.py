"""Runs that differ in few settings, each against its reference."""

from collections.abc import Sequence
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Any

from harness.config.fields import is_free
from harness.config.values import flatten
from harness.errors import HarnessError
from harness.evaluate.paired_difference import holm
from harness.presets.keys import config_keys
from harness.results.labels import settings as settings_of
from harness.results.labels import tuned
from harness.results.panels import Panel
from harness.results.to_reference import differences
from harness.track.run_row import as_number

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[str, Any]
_DEFAULTS, _NEAREST, _ONLY = "reference: defaults", "reference: nearest to the others", "only configuration"
_FIRST = "reference: first row of the suite"
_SEVERAL, SAME, _UNSET = "several settings", "same settings", "unset"
METRICS, ENDS = ("R1", "R10", "mAP"), ("", "_low", "_high")
SCORES = [name + end for name in METRICS for end in ENDS]
COMMAND = "harness suite run cskt_ablation"


def compared(panel: Panel) -> "DataFrame":
    """Return every configuration with what it changes, and its differences, against its method's reference.

    Of a suite that varies several rows of a method, each has a reference of its own.

    The reference comes first, then changes of one key, the key of the largest difference in R@1 leading, then others.
    Where a suite's order is known (`suite_place`) that is the order, and its first row of a method the reference.
    What has the reference's results (`alike`), as what it changes does nothing on these data, is no comparison: it has
    no `p`.
    """
    from pandas import DataFrame

    rows = panel.rows.astype(dict.fromkeys(SCORES, float))
    alike = rows.groupby([rows["method"], _bases(rows)])
    parts = sorted((part.to_dict("records") for _, part in alike), key=_order_of_parts)
    found = DataFrame([row for part in parts for row in _ordered(_against_reference(part, panel))])
    found["suite_row"] = found["suite_row"].astype(str) if "suite_row" in found else ""
    found.loc[found["alike"], "p"] = nan
    known = found["p"].notna()
    found.loc[known, "p_holm"] = holm(found.loc[known, "p"])
    return found


def _bases(rows: "DataFrame") -> list[str]:
    """Return the suite's row that each row varies, or is varied as; nothing where a suite has no such rows."""
    names = [str(name) for name in rows.get("suite_row", [""] * len(rows))]
    firsts = [name.partition(": ")[0] for name in names]
    varied = {first for first, name in zip(firsts, names, strict=True) if first != name and first in names}
    return [first if first in varied else "" for first in firsts]


def _against_reference(rows: Sequence[Any], panel: Panel) -> list[Row]:
    free, defaults = _installed(rows[0])
    settings = [{key: value for key, value in _all_settings(row).items() if key not in free} for row in rows]
    place, role = _reference(rows, settings, defaults)
    found = [
        row
        | _changes(own, settings[place])
        | {"p_holm": nan}
        | differences(row, None if row is rows[place] else rows[place], panel, METRICS)
        for row, own in zip(rows, settings, strict=True)
    ]
    found[place] |= {"role": role, "group": ""}
    return found


def _all_settings(row: Row) -> Row:
    """Return what may tell two configurations apart: settings, versions and how they were tuned, where they were."""
    how = tuned(row)
    return settings_of(row) | ({"tuned": how.removeprefix("tuned, ")} if how else {})


def _installed(row: Row) -> tuple[set[str], Row]:
    """Return a method's keys that cannot change a result, and its defaults; nothing of one that is not installed."""
    from harness.methods import METHODS
    from harness.presets.resolve import resolve

    try:
        fields = config_keys(METHODS.get(row["method"])).items()
        config = resolve(row["method"], row["trained_on"], synthetic=bool(row["synthetic"]))
    except HarnessError:
        return set(), {}
    free = {key for key, field in fields if is_free(field)}
    return free, {key: str(value) for key, value in flatten(config.model_dump(mode="json")).items()}


def _reference(rows: Sequence[Row], settings: Sequence[Row], defaults: Row) -> tuple[int, str]:
    """Return the place of the reference and how it was chosen; a suite has a row for it, near to the others."""
    keys = {key for one in settings for key in _differing(one, settings[0])}
    places = range(len(rows))
    fits = [i for i in places if defaults and all(settings[i].get(key) == defaults.get(key) for key in keys)]
    far = [sum(len(_differing(one, other)) for other in settings) for one in settings]
    among = places if rows[0].get("suite_row") else fits or places
    chosen = min(
        among,
        key=lambda place: (_place(rows[place]), far[place], place not in fits, -rows[place]["n_seeds"]),
    )
    why = _FIRST if _in_order(rows) else _NEAREST
    return chosen, _ONLY if len(rows) == 1 else _DEFAULTS if chosen in fits else why


def _in_order(rows: Sequence[Row]) -> bool:
    return "suite_place" in rows[0]


def _place(row: Row) -> int:
    """Return a result's place in its suite; all have the same where a suite's order is not known."""
    return int(row.get("suite_place", 0))


def _order_of_parts(rows: Sequence[Any]) -> tuple[int, int]:
    return min(map(_place, rows)), -len(rows)


def have_names(rows: "DataFrame") -> bool:
    """Whether most rows have a name in their suite that says more than what they change."""
    names = zip(rows["suite_row"], rows["method"], rows["change"], strict=True)
    return 2 * sum(name not in ("", method, change) for name, method, change in names) > len(rows)


def _differing(one: Row, other: Row) -> list[str]:
    """Return the keys in which two configurations differ, in alphabetical order."""
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key))


def _changes(own: Row, reference: Row) -> Row:
    """Return the keys that differ from the reference, with what they are here and what they are there."""
    changes = {key: (own.get(key, _UNSET), reference.get(key, _UNSET)) for key in _differing(own, reference)}
    return {
        "role": "",
        "group": SAME if not changes else _SEVERAL if len(changes) > 1 else next(iter(changes)),
        "n_keys": len(changes),
        "changes": changes,
        "change": ", ".join(f"{key}={value}" for key, (value, _) in changes.items()),
        "instead_of": ", ".join(value for _, value in changes.values()),
    }


def _ordered(rows: list[Row]) -> list[Row]:
    sizes: dict[str, float] = {}
    for row in rows:
        known = row["n_keys"] == 1 and isfinite(row["R1_difference"])
        sizes[row["group"]] = max(sizes.get(row["group"], 0.0), abs(row["R1_difference"]) if known else 0.0)
    return sorted(
        rows,
        key=lambda row: (
            not row["role"],
            _place(row),
            row["n_keys"] or inf,
            -sizes[row["group"]],
            row["group"],
            [_value_order(value) for value, _ in row["changes"].values()],
        ),
    )


def _value_order(text: str) -> tuple[bool, float, str]:
    """Order numbers by size, before words."""
    number = as_number(text)
    return (True, 0.0, text) if number is None or not isfinite(number) else (False, number, text)
