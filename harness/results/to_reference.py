"""The differences of a result to a reference, as columns of a table."""

from collections.abc import Iterable, Mapping
from math import nan
from typing import Any

from harness.results.panels import Panel

Row = dict[Any, Any]


def differences(
    row: Mapping[Any, Any], reference: Mapping[Any, Any] | None, panel: Panel, metrics: Iterable[str]
) -> Row:
    """Return a result minus its reference, paired per identity, in points: `METRIC_difference` with `_low` and `_high`.

    `p` is that of R@1, `persons_only` says so of all differences; `alike` says that each identity has the same result
    in all these metrics. NaN are the ends where results per identity are missing, and all numbers where the reference
    is None.
    """
    found: Row = {"p": nan, "persons_only": False, "alike": reference is not None}
    for name in metrics:
        key = f"{name}_difference"
        found |= dict.fromkeys((key, f"{key}_low", f"{key}_high"), nan)
        if reference is None:
            continue
        found[key] = row[name] - reference[name]
        paired = panel.difference(row, reference, name)
        found["alike"] &= paired is not None and paired.nowhere
        if paired is not None:
            found |= {key: paired.estimate, f"{key}_low": paired.low, f"{key}_high": paired.high}
            found |= {"p": paired.p_value} if name == "R1" else {}
            found["persons_only"] |= paired.persons_only
    return found
