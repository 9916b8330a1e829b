"""Settings that are gone: what was stored before is read without them, and nobody sets them any more."""

from collections.abc import Mapping
from typing import Any

# What a stored config may hold and no section has any longer, by dotted key, with the reason.
REMOVED = {"eval.replicates": "intervals are computed, not drawn"}


def without_removed(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return stored values, nested or by dotted key, without the settings that are gone.

    >>> without_removed({"eval": {"every": 1, "replicates": 200}}), without_removed({"eval.replicates": 200})
    ({'eval': {'every': 1}}, {})
    """
    return {
        key: without_removed(value, f"{prefix}{key}.") if isinstance(value, Mapping) else value
        for key, value in values.items()
        if prefix + key not in REMOVED
    }


def why_removed(key: str) -> str | None:
    """Say that a setting is gone, why, and what to do; None of any other.

    >>> why_removed("eval.replicates")
    'eval.replicates is gone: intervals are computed, not drawn; leave it out.'
    """
    return f"{key} is gone: {REMOVED[key]}; leave it out." if key in REMOVED else None
