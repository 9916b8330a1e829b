"""Names that tell results apart: the method, and the settings in which one stands apart from the others."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

Row = Mapping[str, Any]
UNSET = "–"
# How a result is called that was not trained here.
SCORED = "scored"
_NOT_OF_A_METHOD = ("dataset.", "method.name")
_FILES = ("backbone.weights", "imported", "scored")
_INIT_FROM = "backbone.init_from"
_PRESET = "preset"
_NOT_TUNED = ("", "none")


def labels(rows: Sequence[Row], untrained: str) -> list[str]:
    """Return each row's label: the method, and where one training set knows it in several settings, what differs.

    The best of a search is called by its budget. No hash is part of a label, and no label is cut.

    Args:
        rows: results with their seeds combined, with `apart` where a report says what else tells them apart.
        untrained: the rule of methods that train nothing, which are the same whatever they were called on.
    """
    sources = ["" if row["rule"] == untrained else str(row["trained_on"]) for row in rows]
    methods = [(row["method"], SCORED if row.get("scored") else tuned(row)) for row in rows]
    found = told_apart([settings(row) for row in rows], list(zip(methods, sources, strict=True)), methods)
    words = [
        [word for word in (how, *more, row.get("apart")) if word]
        for (_, how), more, row in zip(methods, found, rows, strict=True)
    ]
    names = [
        (_label(row["method"], said), source) for row, said, source in zip(rows, words, sources, strict=True)
    ]
    return numbered(
        names, [row["condition"] if source else "" for row, source in zip(rows, sources, strict=True)]
    )


def line_names(rows: Sequence[Row], more: Callable[[Any], str] = lambda row: "") -> list[str]:
    """Return each result's line: its method, the preset, and settings in which results of these two differ.

    Args:
        rows: with `preset`, its `departures` from that, and the `setting` that is the same for all results of a line.
        more: what else a row's line is called by; nothing where it is empty.
    """
    names = [f"{row['method']} {row['preset']}".strip() for row in rows]
    keys, lines = dict.fromkeys(key for row in rows for key in row["departures"]), []
    values = [{key: row["departures"].get(key, _PRESET) for key in keys} for row in rows]
    for name, row, said in zip(names, rows, told_apart(values, names, names, _PRESET), strict=True):
        words = [word for word in (tuned(row), *said, more(row)) if word]
        lines.append((f"{name} ({', '.join(words)})" if words else name, ""))
    return numbered(lines, [row["setting"] for row in rows])


def tuned(row: Row) -> str:
    """Return how a row's settings were searched, as `tuned, 30 trials`; empty where they were not."""
    budget = str(row.get("budget") or "")
    return "" if budget in _NOT_TUNED else f"tuned, {budget}"


def settings(row: Row) -> dict[str, Any]:
    """Return all that may tell two results of a method apart: its settings, its versions, the file it came from."""
    kept = {key: value for key, value in row["config"].items() if not key.startswith(_NOT_OF_A_METHOD)}
    versions = {f"{part} version": number for part, number in (row.get("versions") or {}).items()}
    files = {name: str(row.get(name) or "").partition(" (sha256")[0] for name in ("imported", SCORED)}
    return kept | versions | {name: file for name, file in files.items() if file}


def told_apart(
    rows: Sequence[Row], groups: Sequence[Hashable], families: Sequence[Hashable], usual: str | None = None
) -> list[list[str]]:
    """Return for each row the settings, as `key=value`, in which it stands apart.

    A setting counts where rows of one group differ in it. In a family of groups, what most of the different
    configurations have, or else the value `usual`, is not said: so of many variations of one thing each is called by
    what it varies.

    >>> told_apart([{"lr": 1, "k": 2}, {"lr": 3, "k": 2}], "aa", "aa")
    [['lr=1'], ['lr=3']]
    """
    found: list[list[str]] = [[] for _ in rows]
    for family in dict.fromkeys(families):
        own = [place for place, one in enumerate(families) if one == family]
        keys = _differing(
            [[rows[i] for i in own if groups[i] == g] for g in dict.fromkeys(groups[i] for i in own)]
        )
        for key in keys:
            different = {tuple(str(rows[i].get(name, UNSET)) for name in keys): rows[i] for i in own}
            counts = Counter(str(one.get(key, UNSET)) for one in different.values())
            most = next((value for value, n in counts.items() if 2 * n > len(different)), None)
            shown = _shown(key, counts)
            for i in own:
                if (value := str(rows[i].get(key, UNSET))) != (usual or most):
                    found[i].append(f"{key}={shown[value]}")
    return found


def _differing(groups: Iterable[Sequence[Row]]) -> list[str]:
    """Return the keys in which rows of any one group differ."""
    keys: dict[str, None] = {}
    for rows in groups:
        for key in dict.fromkeys(key for row in rows for key in row):
            if len({str(row.get(key, UNSET)) for row in rows}) > 1:
                keys[key] = None
    return list(keys)


def _shown(key: str, values: Iterable[str]) -> dict[str, str]:
    """Return how each value of a key is written: files by as much of their path as differs, runs without their hash."""
    texts = list(values)
    if key in _FILES:
        return {text: _tail(text, texts) for text in texts}
    if key != _INIT_FROM:
        return {text: text for text in texts}
    short = [_source(text) for text in texts]
    return dict(zip(texts, numbered([(name, "") for name in short], texts), strict=True))


def _tail(path: str, others: Sequence[str]) -> str:
    parts = PurePath(path).parts
    for n in range(1, len(parts)):
        tail = "/".join(parts[-n:])
        if not any(other != path and "/".join(PurePath(other).parts[-n:]) == tail for other in others):
            return tail
    return path


def _source(text: str) -> str:
    """Return the method of a run that another starts from, out of `method mark` or the name of its run."""
    return text.split(" ")[0] if " " in text else text.rpartition("-")[0] or text


def _label(method: str, said: Sequence[str]) -> str:
    return f"{method} ({', '.join(said)})" if said else str(method)


def numbered(names: Sequence[tuple[str, str]], of: Sequence[Hashable]) -> list[str]:
    """Return names, numbered where nothing else tells different things of one name apart.

    Args:
        names: each with the group within which it must be the only one of its name.
        of: what each is the name of.

    >>> numbered([("a", ""), ("a", ""), ("b", ""), ("a", "")], [1, 2, 3, 1])
    ['a, no. 1', 'a, no. 2', 'b', 'a, no. 1']
    """
    seen: dict[tuple[str, str], list[Hashable]] = {}
    for name, one in zip(names, of, strict=True):
        if one not in seen.setdefault(name, []):
            seen[name].append(one)
    return [
        name[0] if len(seen[name]) == 1 else f"{name[0]}, no. {seen[name].index(one) + 1}"
        for name, one in zip(names, of, strict=True)
    ]
