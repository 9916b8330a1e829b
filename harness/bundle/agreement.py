"""Compare what a bundle says with what is computed anew."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_CLOSE = 1e-6
_MOST_NAMED = 3


def unlike(said: Any, found: Any, where: str = "") -> Iterator[str]:
    """Yield a line for each value that is not said as it is found; numbers may differ by rounding.

    >>> list(unlike({"R1": 50.0, "n": [1, 2]}, {"R1": 50.00000000001, "n": [1, 3]}))
    ['n[1]: 2 is said, 3 follows']
    """
    if isinstance(said, Mapping) and isinstance(found, Mapping):
        for key in [*said, *(key for key in found if key not in said)]:
            place = f"{where}{'.' * bool(where)}{key}"
            if key not in said or key not in found:
                yield f"{place}: {'not said' if key not in said else 'said, and nothing gives it'}"
            else:
                yield from unlike(said[key], found[key], place)
    elif _is_list(said) and _is_list(found):
        if len(said) != len(found):
            yield f"{where}: {len(said)} values are said, {len(found)} follow"
        for number, (one, other) in enumerate(zip(said, found, strict=False)):
            yield from unlike(one, other, f"{where}[{number}]")
    elif not _same(said, found):
        yield f"{where}: {_short(said)} is said, {_short(found)} follows"


def told(lines: Sequence[str]) -> str:
    """Return the first lines as one text, and how many more there are."""
    more = len(lines) - _MOST_NAMED
    return "; ".join(lines[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _same(said: Any, found: Any) -> bool:
    numbers = [isinstance(one, int | float) and not isinstance(one, bool) for one in (said, found)]
    if all(numbers):
        return math.isclose(said, found, rel_tol=_CLOSE, abs_tol=_CLOSE)
    return type(said) is type(found) and bool(said == found)


def _short(value: Any) -> str:
    text = f"{value:.6f}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
