"""The parts of the board's pages as HTML: the frame, tables that sort, lists; every text is hostile and escaped."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from harness.config.values import content_hash
from harness.pages.escaping import html_text, safe_stem
from harness.pages.tables import DASH

# `data:` is no part of it: nothing on a page is fetched but the two files beside it.
POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'"
# A left cell of more characters is folded, and kept wide enough to be read.
_LONG = 14
_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<link rel="stylesheet" href="{up}site.css">
<script src="{up}site.js" defer></script>
</head>
<body>
<header><nav aria-label="Board"><a class="home" href="{up}index.html">{board}</a>
<a href="{up}runs.html">Runs</a> <a href="{up}about.html">What it stands on</a></nav></header>
<main>
<h1>{heading}</h1>
{body}
</main>
<footer><p>{contact}</p></footer>
</body>
</html>
"""


@dataclass(frozen=True)
class Cell:
    """One cell of a table: safe HTML, and by what it sorts (else its text)."""

    html: str
    sort: float | str | None = None


@dataclass(frozen=True)
class Frame:
    """What all pages of a board share: its title and who answers for it."""

    board: str
    contact: str

    def page(self, heading: str, body: str, *, deep: bool = True) -> str:
        """Return a whole page; a `deep` one lies in a folder of the site."""
        return _FRAME.format(
            policy=html_text(POLICY),
            title=html_text(heading if heading == self.board else f"{heading} · {self.board}"),
            up="../" if deep else "",
            board=html_text(self.board),
            heading=html_text(heading),
            body=body,
            contact=f"Contact: {html_text(self.contact)}",
        )


def text(value: object, sort: float | str | None = None) -> Cell:
    """Return a cell that shows a value as it is; a dash where there is none."""
    shown = "" if value is None else str(value)
    return Cell(html_text(shown) if shown else DASH, sort)


def link(words: str, *address: str, up: str = "../") -> str:
    """Return a link to a page of the site.

    >>> link("a <b>", "run", "a.html")
    '<a href="../run/a.html">a &lt;b&gt;</a>'
    """
    return f'<a href="{up}{"/".join(map(quote, address))}">{html_text(words)}</a>'


def page_name(name: str) -> str:
    """Return the file of a page of this name, the same for no two names.

    >>> page_name("cskt"), page_name("../x")
    ('cskt.html', 'x-db8f7bad.html')
    """
    stem = safe_stem(name)[:60]
    same = stem == name and stem == stem.lower()
    return f"{stem}{'' if same else f'-{content_hash(name)[:8]}'}.html"


def table(header: Sequence[str], rows: Iterable[Sequence[Cell]], *, n_left: int = 1, kind: str = "") -> str:
    """Return a table that sorts and is searched where scripts run, and is read where none do.

    Args:
        header: the heading of each column.
        rows: the cells of each row.
        n_left: columns set flush left; the others are numbers.
        kind: a further class of the table.
    """
    sides = ["left" if place < n_left else "right" for place in range(len(header))]
    head = "".join(
        f'<th scope="col" class="{side}">{html_text(name)}</th>'
        for name, side in zip(header, sides, strict=True)
    )
    body = "\n".join(
        f"<tr>{''.join(_cell(cell, side) for cell, side in zip(row, sides, strict=True))}</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table class="sorted {kind}"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _cell(cell: Cell, side: str) -> str:
    long = " wide" if side == "left" and len(re.sub("<[^>]*>", "", cell.html)) > _LONG else ""
    missing = cell.sort is None or cell.sort != cell.sort
    sort = "" if missing else f' data-sort="{html_text(str(cell.sort))}"'
    return f'<td class="{side}{long}"{sort}>{cell.html}</td>'


def facts(values: Mapping[str, object]) -> str:
    """Return names and values as a list; a name without a value is left out."""
    lines = "".join(
        f"<dt>{html_text(name)}</dt><dd>{value.html if isinstance(value, Cell) else html_text(str(value))}</dd>"
        for name, value in values.items()
        if value not in (None, "")
    )
    return f"<dl>{lines}</dl>"


def notes(lines: Iterable[str]) -> str:
    """Return sentences below a table."""
    return "".join(f'<p class="note">{html_text(line)}</p>' for line in lines)


def section(heading: str, *parts: str, kind: str = "", name: str = "") -> str:
    """Return a part of a page under its heading."""
    shown = f' id="{html_text(name)}"' if name else ""
    return f'<section class="{kind}"{shown}><h2>{html_text(heading)}</h2>{"".join(parts)}</section>'


def paragraph(words: str, kind: str = "") -> str:
    """Return a paragraph of plain words."""
    return f'<p class="{kind}">{html_text(words)}</p>'
