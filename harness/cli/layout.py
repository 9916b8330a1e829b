"""How wide things are on a terminal: tables of which no cell is ever cut, and folded paragraphs.

A table that is too wide folds its texts between words; then columns leave in the order that the table states; then
each row becomes a block. Numbers are never folded. Elsewhere than on a terminal a table takes the width it needs,
unless `COLUMNS` says otherwise.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence

import click

from harness.cli.options import plain

_GAP = "  "
# Where a text may be folded: not inside an interval such as [60.4, 63.1] or [95 %].
_SPACE = re.compile(r" (?![-+\d.%]+\])")
_PROSE_WIDTH = 100
_NARROWEST_SCREEN, _NARROWEST_TEXT, _LONGEST_WORD = 20, 20, 40


def table(
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    text: Sequence[str] | None = None,
    leaving: Sequence[str] = (),
) -> None:
    """Print a table.

    Args:
        title: above the table; empty for none.
        header: names of the columns.
        rows: their cells.
        text: columns that are set flush left and may be folded (default: the first); all others are numbers.
        leaving: columns that leave when the terminal is too narrow, the least important first; the others stay. The
            last line names those that left.
    """
    names = [_printable(name) for name in header]
    body = [[_printable(str(cell)) for cell in row] for row in rows]
    texts = set(names[:1] if text is None else map(_printable, text))
    for line in _table(title, names, body, texts, [_printable(name) for name in leaving]):
        click.echo(line)


def paragraph(head: str, text: str, *, indent: int | None = None, width_of_head: int | None = None) -> None:
    """Print a head and a text folded to the terminal, further lines indented under the text; words stay whole."""
    width_of_head = _cells(head) if width_of_head is None else width_of_head
    space = " " * (width_of_head if indent is None else indent)
    width = screen_width() or _PROSE_WIDTH
    first, *others = _fold(_printable(text), width - width_of_head, width - len(space), whole=True)
    click.echo("\n".join([f"{head}{first}", *(f"{space}{line}" for line in others)]))


def folded(text: str, *, indent: int, error: bool = False) -> list[str]:
    """Return a text as lines of at most the terminal's width, the further ones indented; words stay whole.

    Args:
        text: what is folded; its own line ends stay.
        indent: spaces before each line that was not one before.
        error: whether the lines go to standard error.
    """
    width, space = screen_width(error=error), " " * indent
    lines: list[str] = []
    for line in map(_printable, text.split("\n")):
        if width is None or _cells(line) <= width:
            lines.append(line)
            continue
        first, *others = _fold(line, width, width - indent, whole=True)
        lines += [first, *(f"{space}{other}" for other in others)]
    return lines


def size(n: int) -> str:
    """Return bytes in words.

    >>> size(1_234_567), size(2_500_000_000)
    ('1.2 MB', '2.5 GB')
    """
    return f"{n / 1e9:.1f} GB" if n >= 1e8 else f"{n / 1e6:.1f} MB"


def joined(parts: Iterable[str], *, indent: int, error: bool = False) -> list[str]:
    """Return parts joined by dots as lines of at most the terminal's width, the further ones indented.

    Args:
        parts: what is joined; none is cut.
        indent: spaces before each line but the first.
        error: whether the lines go to standard error.
    """
    width, lines = screen_width(error=error), [""]
    for part in map(_printable, parts):
        longer = f"{lines[-1]} · {part}" if lines[-1].strip() else f"{lines[-1]}{part}"
        if width is None or _cells(longer) <= width or not lines[-1].strip():
            lines[-1] = longer
        else:
            lines.append(" " * indent + part)
    return lines


def screen_width(*, error: bool = False) -> int | None:
    """Return the columns that there are: `COLUMNS`, else the terminal's; None where output is no terminal.

    Args:
        error: whether standard error is meant, instead of standard output.
    """
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return max(int(asked), _NARROWEST_SCREEN)
    stream = sys.stderr if error else sys.stdout
    if not stream.isatty():
        return None
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max(columns or 80, _NARROWEST_SCREEN)


def _table(
    title: str, names: list[str], body: list[list[str]], texts: set[str], leaving: list[str]
) -> Iterable[str]:
    width = screen_width()
    if title:
        yield from (click.style(line, bold=True) for line in _fold(_printable(title), width))
    for n_gone in range(len(leaving) + 1):
        shown = [place for place, name in enumerate(names) if name not in leaving[:n_gone]]
        columns = [[row[place] for row in (names, *body)] for place in shown]
        foldable = [names[place] in texts for place in shown]
        widths = _widths(columns, foldable, width)
        if widths is not None:
            yield from _grid(columns, widths, foldable)
            if n_gone:
                gone = ", ".join(names[place] for place in range(len(names)) if place not in shown)
                note = f"not shown at {width} columns: {gone}; widen the terminal or use --json"
                yield from _fold(note, width)
            return
    yield from _blocks(names, body, width)


def _widths(columns: list[list[str]], foldable: list[bool], width: int | None) -> list[int] | None:
    """Return how wide each column is, texts folded as far as needed; None where they do not fit side by side."""
    natural = [max(map(_cells, column)) for column in columns]
    if width is None:
        return natural
    room = width - len(_GAP) * (len(columns) - 1)
    least = [
        _least(column, wide) if folds else wide
        for column, wide, folds in zip(columns, natural, foldable, strict=True)
    ]
    if sum(least) > room:
        return None
    widths = [min(wide, room) for wide in natural]
    while sum(widths) > room:
        _, place = max((wide, place) for place, wide in enumerate(widths) if wide > least[place])
        widths[place] -= 1
    return widths


def _least(column: list[str], natural: int) -> int:
    """Return how narrow a column of text may become: only very long words are folded."""
    words = (_cells(word) for text in column for word in _SPACE.split(text))
    return min(natural, max(_NARROWEST_TEXT, *(word for word in words if word <= _LONGEST_WORD)))


def _grid(columns: list[list[str]], widths: list[int], foldable: list[bool]) -> Iterable[str]:
    """Yield the lines of a header, a rule and the rows."""
    for number, row in enumerate(zip(*columns, strict=True)):
        cells = [
            _fold(cell, width) if folds else [cell]
            for cell, width, folds in zip(row, widths, foldable, strict=True)
        ]
        for depth in range(max(map(len, cells))):
            parts = (
                _aligned(cell[depth] if depth < len(cell) else "", width, folds)
                for cell, width, folds in zip(cells, widths, foldable, strict=True)
            )
            line = _GAP.join(parts).rstrip()
            yield line if number else click.style(line, bold=True)
        if not number:
            yield "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))


def _blocks(names: list[str], body: list[list[str]], width: int | None) -> Iterable[str]:
    """Yield the rows one below the other, a line for each cell with its column's name."""
    label = max(map(_cells, names))
    space = " " * (label + len(_GAP))
    room = width and max(width - len(space), _NARROWEST_SCREEN)
    for number, row in enumerate(body):
        if number:
            yield ""
        for name, cell in zip(names, row, strict=True):
            first, *others = _fold(cell, room)
            yield f"{_aligned(name, label, True)}{_GAP}{first}".rstrip()
            yield from (space + line for line in others)


def _aligned(text: str, width: int, left: bool) -> str:
    space = " " * (width - _cells(text))
    return text + space if left else space + text


def _fold(text: str, width: int | None, further: int | None = None, whole: bool = False) -> list[str]:
    """Return a text as lines of at most `width` cells, those after the first of `further`; a longer word is cut.

    With `whole` it stays whole where it is, and its line is longer.
    """
    if width is None:
        return [text]
    from rich.cells import chop_cells

    lines: list[str] = []
    line = ""
    for word in _SPACE.split(text):
        room = width if not lines or further is None else further
        longer = f"{line} {word}" if line else word
        if _cells(longer) <= room or (whole and _cells(word) > (further or width)):
            line = longer
            continue
        if line:
            lines.append(line)
        parts = [word] if whole or _cells(word) <= room else chop_cells(word, room)
        lines.extend(parts[:-1])
        line = parts[-1]
    return [*lines, line]


def _printable(text: str) -> str:
    """Return text for one line: without control sequences, every white space a plain one."""
    return "".join(" " if sign.isspace() else sign for sign in plain(text))


def _cells(text: str) -> int:
    """Return how many columns a text takes; wide letters take two."""
    from rich.cells import cell_len

    return cell_len(text)
