"""A table once, as CSV, Markdown, LaTeX and HTML; every cell is hostile text and escaped for where it goes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.files import write_text
from harness.pages.escaping import csv_cell, html_text, latex_text, markdown_text, safe_stem, visible

if TYPE_CHECKING:
    from pandas import DataFrame

DASH = "–"
# Stands beside each claim that another seed may overturn, for all that is known.
MARK = "†"
# Of so many characters a cell of a page is folded.
_LONG = 48


@dataclass(frozen=True)
class Table:
    """One table: numbers for machines, cells for people.

    Attributes:
        name: the stem of its files.
        title: what it shows, in one line.
        values: unrounded numbers, for CSV and JSON.
        cells: what a person reads, as text, for Markdown, LaTeX and HTML.
        notes: sentences below the table.
        n_left: columns set flush left; the others are numbers.
        faint: places of rows that are greyed.
        faint_cells: places (row, column) of single cells that are greyed.
    """

    name: str
    title: str
    values: "DataFrame"
    cells: "DataFrame"
    notes: tuple[str, ...] = ()
    n_left: int = 1
    faint: frozenset[int] = frozenset()
    faint_cells: frozenset[tuple[int, int]] = frozenset()

    def save(self, folder: str | Path) -> "Table":
        """Write `NAME.csv`, `NAME.md` and `NAME.tex` and return the table, so that a notebook shows it."""
        stem = safe_stem(self.name)
        for ending, text in ((".csv", self.csv()), (".md", self.markdown()), (".tex", self.latex())):
            write_text(Path(folder) / f"{stem}{ending}", text)
        return self

    def csv(self) -> str:
        """Return the numbers as CSV that no spreadsheet takes for formulas."""
        safe = self.values.rename(columns=lambda name: csv_cell(str(name)))
        return str(safe.map(csv_cell).to_csv(index=False, lineterminator="\n"))

    def markdown(self) -> str:
        """Return the cells as a Markdown table with title and notes."""
        header, *rows = self._grid(markdown_text)
        rule = ["---" if place < self.n_left else "---:" for place in range(len(header))]
        lines = [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]
        notes = [markdown_text(note) for note in self.notes]
        return "\n\n".join([f"**{markdown_text(self.title)}**", "\n".join(lines), *notes]) + "\n"

    def latex(self) -> str:
        """Return the cells as a LaTeX table; needs the packages booktabs, graphicx and xcolor."""
        header, *rows = self._grid(latex_text)
        shaded = [self._latex_row(row, place) for place, row in enumerate(rows)]
        columns = "l" * self.n_left + "r" * (len(header) - self.n_left)
        body = "\n".join([_latex_line(header), r"\midrule", *shaded])
        notes = "".join(f"\n{latex_text(note)}\\par" for note in self.notes)
        small = f"\n\n\\smallskip\\footnotesize{notes}" if notes else ""
        return _LATEX % (latex_text(self.title), columns, body, small)

    def as_dict(self) -> dict[str, Any]:
        """Return title, notes and unrounded rows as JSON-able values."""
        records = self.values.astype(object).where(self.values.notna(), None).to_dict("records")
        return {"name": self.name, "title": self.title, "notes": list(self.notes), "rows": records}

    def _repr_html_(self) -> str:
        header, *rows = self._grid(html_text)
        head = "".join(f"<th{self._side(place)}>{cell}</th>" for place, cell in enumerate(header))
        body = "".join(self._html_row(row, place) for place, row in enumerate(rows))
        notes = "".join(f"<p class='note'>{html_text(note)}</p>" for note in self.notes)
        table = f"<table class='report'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        box = f"<div class='scroll' tabindex='0'>{table}</div>"
        return f"<div class='table'><p class='title'>{html_text(self.title)}</p>{box}{notes}</div>"

    def _html_row(self, row: Sequence[str], line: int) -> str:
        sides = [self._side(place, (line, place) in self.faint_cells) for place in range(len(row))]
        long = [" class='long'" if len(cell) > _LONG else "" for cell in row]
        cells = "".join(
            f"<td{kind}{side}>{cell}</td>" for kind, side, cell in zip(long, sides, row, strict=True)
        )
        return f"<tr style='color:#8a8a8a'>{cells}</tr>" if line in self.faint else f"<tr>{cells}</tr>"

    def _side(self, place: int, faint: bool = False) -> str:
        side = "left" if place < self.n_left else "right"
        return f" style='text-align:{side}{';color:#8a8a8a' if faint else ''}'"

    def _latex_row(self, row: Sequence[str], line: int) -> str:
        grey = [line in self.faint or (line, place) in self.faint_cells for place in range(len(row))]
        return _latex_line(
            [
                rf"\textcolor{{gray}}{{{cell}}}" if faint else cell
                for cell, faint in zip(row, grey, strict=True)
            ]
        )

    def _grid(self, escaped: Callable[[str], str]) -> list[list[str]]:
        """Return header and rows as escaped text."""
        rows: Iterable[Iterable[Any]] = [self.cells.columns, *self.cells.itertuples(index=False)]
        return [[escaped(str(cell)) for cell in row] for row in rows]


_LATEX = r"""%% needs \usepackage{booktabs,graphicx,xcolor}
\begin{table}
\centering
\caption{%s}
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%%
\begin{tabular}{%s}
\toprule
%s
\bottomrule
\end{tabular}}%s
\end{table}
"""


def interval_text(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Return a percentage with its interval; a dash where there is none.

    >>> interval_text(61.84, 60.4, 63.1), interval_text(None)
    ('61.8 [60.4, 63.1]', '–')
    """
    if _missing(value):
        return DASH
    if _missing(low) or _missing(high):
        return f"{value:.1f}"
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def ends_text(ends: Iterable[float | None], digits: int = 1) -> str:
    """Return the ends of an interval as they stand beside a value; a dash where one person gives none.

    >>> ends_text((60.44, 63.1)), ends_text((float("nan"), float("nan")))
    ('[60.4, 63.1]', '[–]')
    """
    low, high = ends
    if _missing(low) or _missing(high):
        return f"[{DASH}]"
    return f"[{low:.{digits}f}, {high:.{digits}f}]"


def no_interval_words(intervals: Iterable[Iterable[float | None]]) -> list[str]:
    """Return what is said once below figures of which one has no interval, in a list; an empty one where all have.

    >>> no_interval_words([(60.4, 63.1), (float("nan"), float("nan"))])
    ['[–]: no interval, one person in test']
    """
    lacking = any(_missing(end) for ends in intervals for end in ends)
    return [f"[{DASH}]: no interval, one person in test"] * lacking


def row_interval(row: Mapping[Any, Any], name: str) -> str:
    """Return the interval that a row keeps as `name`, `name_low` and `name_high`, with the sign of a minus.

    >>> row_interval({"drop": -2.5, "drop_low": -4.0, "drop_high": -1.0}, "drop")
    '−2.5 [−4.0, −1.0]'
    """
    return interval_text(row[name], row[f"{name}_low"], row[f"{name}_high"]).replace("-", "−")


def cut_text(text: str, length: int) -> str:
    """Return the beginning of a long text, as a caption or an error; a name is never cut.

    >>> cut_text("a man in red", 6)
    'a man…'
    """
    shown = visible(text)
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"


def marked(text: str, persons_only: bool) -> str:
    """Return what is claimed of results, marked where it stands on persons only; an empty cell claims nothing.

    >>> marked("1–2", True), marked("1–2", False), marked("", True)
    ('1–2†', '1–2', '')
    """
    return f"{text}{MARK}" if persons_only and text else text


def p_text(value: float | None, persons_only: bool = False) -> str:
    """Return a p-value with two digits, marked where it stands on persons only; a dash where there is none.

    >>> p_text(0.0312), p_text(0.00001, persons_only=True), p_text(None)
    ('0.031', '<0.001†', '–')
    """
    if value is None or value != value:
        return DASH
    return marked("<0.001" if value < 0.001 else f"{value:.2g}", persons_only)


def count_text(value: float | None) -> str:
    """Return a count with thousands apart; a dash where there is none.

    >>> count_text(12117888.0)
    '12,117,888'
    """
    return DASH if _missing(value) else f"{value:,.0f}"


def _latex_line(cells: Sequence[str]) -> str:
    guarded = [f"{{}}{cell}" if cell.startswith(("[", "*")) else cell for cell in cells]
    return " & ".join(guarded) + r" \\"


def _missing(value: float | None) -> bool:
    return value is None or value != value
