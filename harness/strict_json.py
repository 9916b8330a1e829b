"""JSON read strictly, whoever wrote it: nothing in a text can end in another error than one line of `ValueError`."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

# A text of brackets would else break whoever walks through its value.
MOST_LEVELS = 64
_DEEP = f"more than {MOST_LEVELS} lists and objects are inside one another"
_CONTAINERS = frozenset((dict, list))


def read_json_text(text: str, *, finite: bool = True) -> Any:
    """Return the value of a JSON text; raise `ValueError` in one line where it is none.

    A name that is given twice in one object, more than `MOST_LEVELS` lists and objects inside one another, and a number
    of more digits than Python reads are errors.

    Args:
        text: the text.
        finite: whether NaN and the infinities, which are no JSON but which Python writes, are errors.

    >>> read_json_text('{"a": [1, 2]}')
    {'a': [1, 2]}
    """
    try:
        value = json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse if finite else None)
    except RecursionError as error:
        raise ValueError(_DEEP) from error
    _check_levels(value)
    return value


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        double = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the name {double[:60]!a} is given twice in one object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _check_levels(value: Any) -> None:
    """Raise `ValueError` for a value that is too deep, without going down by calls."""
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        inside: list[Any] = []
        for one in level:
            items = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
            # Most lists are of words alone.
            if not _CONTAINERS.isdisjoint(map(type, items)):
                inside += [item for item in items if type(item) in _CONTAINERS]
        if not inside:
            return
        level = inside
    raise ValueError(_DEEP)
