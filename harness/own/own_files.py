"""What tells the harness where data of one's own are and how to read them, as a command line or a YAML file says it."""

import re
from dataclasses import dataclass
from math import isclose, isfinite
from pathlib import Path

from harness.errors import UsageError, brief, nearest

ROLES = ("image", "caption", "person", "split", "camera")
SHARES = "80/10/10"
_SHARE = re.compile(r"\d{1,3}(?:\.\d{1,6})?")

# The columns of each role; () where the role is told to be nowhere.
Columns = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class OwnFiles:
    """An annotation file of one's own and how it is read.

    Attributes:
        file: JSONL, CSV or JSON, as an absolute path.
        images: the folder that its paths are relative to, as an absolute path.
        columns: which column is what, where its name does not say it: `image=photo,caption=says`.
        shares: percent of the persons that train, validate and test, where the file names no splits.
        seed: of the draw of these persons.
        content: the beginning of the fingerprint of what it held when it was given; "" where it may change.
    """

    file: Path
    images: Path
    columns: str = ""
    shares: str = SHARES
    seed: int = 0
    content: str = ""


def parse_columns(text: str) -> Columns:
    """Return which columns each role is read from; a role may be named again for several, or with nothing for none.

    >>> parse_columns("image=photo, caption=says, caption=also, split=")
    {'image': ('photo',), 'caption': ('says', 'also'), 'split': ()}
    """
    found: Columns = {}
    for part in (part for part in text.split(",") if part.strip()):
        role, sign, column = (word.strip() for word in part.partition("="))
        if not sign:
            raise UsageError(
                f"--columns takes what=column, as image=photo,person=who, but got {brief(part.strip())}."
            )
        if role not in ROLES:
            raise UsageError(
                f"--columns knows {', '.join(ROLES)}, but not {brief(role)}.{nearest(role, ROLES)}"
            )
        if role in found and not (role == "caption" and column):
            raise UsageError(f"--columns names {role} twice: only caption may have several columns.")
        found[role] = (*found.get(role, ()), column) if column else ()
    return found


def parse_shares(text: str) -> tuple[float, float, float]:
    """Return the shares of the persons that train, validate and test.

    >>> parse_shares("80/10/10")
    (0.8, 0.1, 0.1)
    """
    parts = [part.strip() for part in text.split("/")]
    wrong = UsageError(
        "The shares of train, val and test are percents that make 100, with some to test, as 80/10/10, but got "
        f"{brief(text)}."
    )
    if len(parts) != 3 or not all(_SHARE.fullmatch(part) for part in parts):
        raise wrong
    train, val, test = (float(part) for part in parts)
    if not isfinite(train + val + test) or not isclose(train + val + test, 100) or not test:
        raise wrong
    return train / 100, val / 100, test / 100
