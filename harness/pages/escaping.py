"""Hostile text made safe for where it goes: CSV, Markdown, LaTeX, HTML and file names."""

import re
from html import escape
from typing import Any
from unicodedata import decomposition

_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*(?:\x07|\x1b\\)|[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
_MARKDOWN = re.compile(r"([\\`*|$~#])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|\](?=[(\[:])|!(?=\[)")
_ACCENTS = ("0300", "0301", "0302", "0303", "0308", "030A", "030C", "0304", "0306", "0327")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "^": r"\textasciicircum{}",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "%": r"\%",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\texttt{\char34}",
    "`": r"\textasciigrave{}",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "→": r"$\rightarrow$",
    "¹": r"$^1$",
    "²": r"$^2$",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "§": r"\S{}",
    "·": r"\textperiodcentered{}",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "…": r"\ldots{}",
}


def csv_cell(value: Any) -> Any:
    """Return a value for CSV: text that a spreadsheet would run as a formula is quoted with an apostrophe.

    >>> csv_cell("=1+1"), csv_cell(-3.5)
    ("'=1+1", -3.5)
    """
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def markdown_text(text: str) -> str:
    r"""Return text that Markdown shows as it is, in a table cell too.

    >>> markdown_text("a|b *c* <i>")
    'a\\|b \\*c\\* &lt;i&gt;'
    """
    safe = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(lambda found: f"\\{found.group(0)}", safe)


def latex_text(text: str) -> str:
    r"""Return text that LaTeX sets as it is; characters that pdfLaTeX has no glyph for become `[U+...]`.

    >>> latex_text("50% of $x_1$")
    '50\\% of \\$x\\_1\\$'
    """
    return "".join(_latex_character(character) for character in visible(text))


def html_text(text: str) -> str:
    """Return text that HTML shows as it is.

    >>> html_text("<script>")
    '&lt;script&gt;'
    """
    return escape(visible(text))


def visible(text: str) -> str:
    r"""Return text without control characters and turns of reading direction; line ends become spaces.

    >>> visible("a\x1b[31mb\nc")
    'ab c'
    """
    return _CONTROL.sub("", re.sub(r"[\r\n\t\x0b\x0c\u2028\u2029]+", " ", text))


def safe_stem(name: str) -> str:
    """Return a file name's stem that no path can hide in.

    >>> safe_stem("../matrix 1")
    'matrix-1'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-") or "table"


def _latex_character(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    return character if character.isascii() or _accented(character) else f"[U+{ord(character):04X}]"


def _accented(character: str) -> bool:
    """Say whether a character is a letter with an accent that LaTeX's oldest fonts can make, or one that they have."""
    letter, _, accent = decomposition(character).partition(" ")
    return character in "ßæÆœŒøØłŁ" or (accent in _ACCENTS and chr(int(letter, 16)).isascii())
