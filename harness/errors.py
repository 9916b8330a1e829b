"""What can go wrong, with messages that say how to fix it."""

import reprlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

MOST_NAMED = 20
_LONGEST_NAME = 200
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxother, _BRIEF.maxlong = 3, 100, 100, 60


class HarnessError(Exception):
    """Something failed while the harness worked; the command line exits with 1."""

    exit_code = 1


class UsageError(HarnessError):
    """The user asked for something that cannot be done: the message says how to fix it; exit code 2."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that is not known; the message has the nearest match and what is known."""


class DataError(UsageError):
    """Data are missing, unreadable or not what they claim to be; the message names the file and a fix."""


class TrainingError(HarnessError):
    """Training broke (not-a-number loss, dead parameter); the run is recorded as failed."""


class Interrupted(HarnessError):
    """A person or the system asked the work to stop; what is needed to resume is written."""

    exit_code = 130


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the known name most like `name`, or an empty string.

    >>> nearest("cskd", ["cskt", "zero_shot"])
    " Did you mean 'cskt'?"
    >>> nearest("R1", ["val/t2i/R5", "val/t2i/R1"])
    " Did you mean 'val/t2i/R1'?"
    """
    names = list(known)
    if len(name) > _LONGEST_NAME:
        return ""
    found = get_close_matches(name, names, n=1) or [one for one in names if one.endswith(f"/{name}")]
    return f" Did you mean {found[0]!r}?" if found else ""


def brief(value: Any) -> str:
    """Return a value as it is written, in few words where it is long or deep.

    >>> brief([1, "two"]), brief("x" * 1_000)[-6:], len(brief("x" * 1_000))
    ("[1, 'two']", "xxxxx'", 100)
    """
    return _BRIEF.repr(value)


def listed(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """Return names separated by commas: the first `most` of them, and how many more there are.

    >>> listed(["a", "b", "c"], 2), listed(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    return ", ".join(names[:most]) + and_more(len(names), most)


def and_more(n: int, most: int) -> str:
    """Return ` and 3 more` when only `most` of `n` things are named, or an empty string."""
    return f" and {n - most:,} more" if n > most else ""


def many(n: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun in the right form; `several` is needed where that is not `one` and an s.

    >>> many(1, "caption"), many(1_200, "caption"), many(0, "identity", "identities")
    ('1 caption', '1,200 captions', '0 identities')
    """
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """Build the one error for an unknown name: what was given, the nearest match, what is allowed."""
    names = sorted(set(known))
    return UnknownName(
        f"Unknown {kind} {brief(name)}.{nearest(name, names)} Known: {listed(names) or 'none'}."
    )
