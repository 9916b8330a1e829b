"""Pieces of Markdown: text that stays text, code that stays code, and tables."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

_SPECIAL = re.compile(r"([\\*_<>|\[\]#])")
_PARTS = re.compile(r"(`[^`]+`|https?://\S+)")


def text(words: str) -> str:
    """Return words as Markdown shows them; what stands in backticks stays code, an address stays a link.

    >>> text("a*b of `a*b`, see https://x.org/a_b")
    'a\\\\*b of `a*b`, see https://x.org/a_b'
    """
    parts = _PARTS.split(" ".join(words.split()))
    return "".join(part if _PARTS.fullmatch(part) else _SPECIAL.sub(r"\\\1", part) for part in parts)


def code(value: Any) -> str:
    """Return a value as code, in a cell of a table too.

    >>> code("a|b"), code("")
    ('<code>a&#124;b</code>', '–')
    """
    shown = str(value)
    if "|" in shown:
        return f"<code>{shown.replace('<', '&lt;').replace('|', '&#124;')}</code>"
    return f"`{shown}`" if shown else "–"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()) -> str:
    """Return a table; the columns in `numbers` are set flush right."""
    rule = ["--:" if name in numbers else "---" for name in header]
    cells = [header, rule, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells) + "\n"


def page(title: str, *parts: str) -> str:
    """Return a page: its title and its parts, with a line that says where it is from."""
    note = "*Generated from the code of this version.*"
    return "\n\n".join([f"# {title}", *parts, note]) + "\n"
