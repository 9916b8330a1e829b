"""A table as a paper prints it: short names, few columns, numbers that siunitx aligns, in the width of one column."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.pages.escaping import latex_text, safe_stem

Number = tuple[float | None, float | None]
_LONG_NAME = 22
_LATEX = r"""%% needs \usepackage{booktabs,siunitx}
\begin{table}[t]
\centering
\caption{%s}
\label{tab:%s}
\footnotesize
\setlength{\tabcolsep}{2pt}
\sisetup{separate-uncertainty=true,table-align-uncertainty=false}
\begin{tabular}{@{}%s@{}}
\toprule
%s \\
\midrule
%s
\bottomrule
\end{tabular}
\end{table}
"""


@dataclass(frozen=True)
class PaperTable:
    """A table of names and numbers for LaTeX, with the packages booktabs and siunitx.

    Attributes:
        label: what `\\ref{tab:LABEL}` calls it.
        caption: one or two sentences above it.
        words: the headings of the columns of words, which come first.
        numbers: the headings of the columns of numbers, and how many digits each has after the point.
        rows: for each result its words and its numbers, a value and what stands behind ± (None for neither).
    """

    label: str
    caption: str
    words: tuple[str, ...]
    numbers: tuple[tuple[str, int], ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Number, ...]], ...]

    def latex(self) -> str:
        """Return the table; every text is escaped, whatever it is."""
        kinds = [self._word_column(place) for place in range(len(self.words))]
        kinds += [self._number_column(place) for place in range(len(self.numbers))]
        heads = [*map(latex_text, self.words), *(f"{{{latex_text(name)}}}" for name, _ in self.numbers)]
        lines = [self._line(*row) for row in self.rows]
        given = (latex_text(self.caption), safe_stem(self.label), " ".join(kinds), " & ".join(heads))
        return _LATEX % (*given, "\n".join(lines))

    def _word_column(self, place: int) -> str:
        """Return a column of names, which is folded where one is long."""
        longest = max((len(words[place]) for words, _ in self.rows), default=0)
        return "l" if longest <= _LONG_NAME else r"p{.3\linewidth}"

    def _number_column(self, place: int) -> str:
        """Return a column that is as wide as its longest number and uncertainty."""
        digits = self.numbers[place][1]
        known = [numbers[place] for _, numbers in self.rows]
        whole = max((len(f"{abs(value):.{digits}f}") for value, _ in known if value is not None), default=1)
        errors = [_error(error, digits) for value, error in known if value is not None and error is not None]
        spread = f"({max(map(len, errors))})" if errors else ""
        return f"S[table-format={max(whole - digits - bool(digits), 1)}.{digits}{spread}]"

    def _line(self, words: Sequence[str], numbers: Sequence[Number]) -> str:
        cells = [f"{{}}{text}" if text.startswith(("[", "*")) else text for text in map(latex_text, words)]
        shown = [
            number_text(*number, digits) for number, (_, digits) in zip(numbers, self.numbers, strict=True)
        ]
        return " & ".join([*cells, *shown]) + r" \\"


def number_text(value: float | None, error: float | None, digits: int) -> str:
    """Return a number as siunitx reads it: the uncertainty in units of the last digit.

    >>> number_text(61.84, 1.32, 1), number_text(61.84, None, 1), number_text(None, None, 1)
    ('61.8(13)', '61.8', '{--}')
    """
    if value is None or value != value:
        return "{--}"
    spread = "" if error is None or error != error else f"({_error(error, digits)})"
    return f"{value:.{digits}f}{spread}"


def _error(error: float, digits: int) -> str:
    return str(round(abs(error) * 10**digits))
