"""How a relevance map is shown: the picture with its patches tinted, the caption with its words shaded, and numbers.

Blue speaks for the match. Orange speaks against it, and is striped in pictures and dotted under words, so that nothing
hangs on colour alone.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.images.decoding import Pixels
from harness.inference.relevance import FLAT, Relevance, Word
from harness.pages.escaping import html_text, visible

FOR, AGAINST = (0, 114, 178), (213, 94, 0)
_DEEPEST, _PALE, _STRIPE = 0.8, 0.45, 4
_LONGEST_WORD = 40
# What a map is, where it is shown.
MAP_WORDS = (
    "Maps: blue patches and words speak for the match; orange ones, striped and dotted, against it. Patches are told "
    "by integrated gradients and add up; words by leaving each out. On twins with the shipped tiny CLIP, captions of "
    "one garment were checked against where it is drawn (python -m benchmarks relevance); elsewhere nothing tells how "
    "good a map is."
)
STYLE = """
.relevance { padding: .1rem .6rem .6rem; font-size: .8rem; }
.relevance img { height: 18rem; max-width: 100%; object-fit: contain; display: block; margin: .3rem auto; }
.relevance .words { line-height: 1.9; overflow-wrap: anywhere; }
.relevance .word { padding: .1rem .2rem; border-radius: 3px; border-bottom: 2px solid transparent; }
.relevance .against { border-bottom: 2px dotted #D55E00; }
.relevance summary { cursor: pointer; }
.relevance .scroll { overflow-x: auto; }
"""


def tinted(picture: Pixels, patches: Any) -> Pixels:
    """Return a picture, RGB uint8 [height, width, 3], pale and grey with its patches [n_row, n_column] tinted."""
    height, width = picture.shape[:2]
    values: NDArray[Any] = np.asarray(patches, dtype=np.float64)
    rows, columns = (
        np.arange(side) * n // side for side, n in zip((height, width), values.shape, strict=True)
    )
    strength = (values / max(float(np.abs(values).max(initial=0)), 1e-12))[rows[:, None], columns[None, :]]
    grey = picture.mean(axis=2, keepdims=True) * (1 - _PALE) + 255 * _PALE
    striped = ((np.arange(height)[:, None] + np.arange(width)[None, :]) // _STRIPE) % 2 == 0
    cover = _DEEPEST * np.abs(strength) * np.where((strength < 0) & striped, 0.35, 1)
    colour = np.where((strength >= 0)[..., None], FOR, AGAINST)
    mixed: Pixels = (grey * (1 - cover[..., None]) + colour * cover[..., None]).round().astype(np.uint8)
    return mixed


def summary(found: Relevance) -> list[str]:
    """Return in sentences what picture and caption carry, and whether the map says where."""
    picture, caption = found.picture, found.caption
    lines = [
        _carried(picture.similarity, picture.without, "patches", "an even grey picture"),
        _carried(caption.similarity, caption.without, "words", "a caption without words"),
    ]
    if picture.is_flat:
        lines.append(
            f"The map is flat: the tenth of patches that carry most has at most {100 * FLAT:.0f} % of what all carry, "
            "so it does not say where."
        )
    if caption.n_unread:
        lines.append(
            f"{caption.n_unread:,} more words are not read: the text tower takes no longer captions."
        )
    return lines


def _carried(similarity: float, without: float, what: str, even: str) -> str:
    """Say how much of a similarity something carries.

    >>> _carried(0.4, 0.1, "patches", "a grey picture")
    'The patches carry +0.300 (75 %) of the similarity 0.400; a grey picture has 0.100.'
    """
    carry = carried_text(similarity, without)
    return f"The {what} carry {carry} of the similarity {similarity:.3f}; {even} has {without:.3f}."


def carried_text(similarity: float, without: float) -> str:
    """Return what is carried of a similarity; as a share too where it is one.

    >>> carried_text(0.4, 0.1), carried_text(0.4, -0.1)
    ('+0.300 (75 %)', '+0.500')
    """
    carried = similarity - without
    is_share = similarity > 0 and 0 <= carried <= similarity
    return f"{carried:+.3f}" + (f" ({100 * carried / similarity:.0f} %)" if is_share else "")


def strengths(words: list[Word]) -> list[float]:
    """Return how strongly each word speaks for the match, from -1 to 1, relative to the word that carries most."""
    most = max((abs(word.carries) for word in words), default=0.0) or 1.0
    return [word.carries / most for word in words]


def word_text(word: Word) -> str:
    """Return a word that can be shown; a very long one is cut."""
    text = visible(word.text)
    return text if len(text) <= _LONGEST_WORD else f"{text[: _LONGEST_WORD - 1]}…"


def words_html(words: list[Word]) -> str:
    """Return a caption as HTML, its words shaded, what each carries as its title."""
    return " ".join(
        f'<span class="word{" against" if strength < 0 else ""}" title="{word.carries:+.3f}" '
        f'style="background:rgba({",".join(map(str, FOR if strength >= 0 else AGAINST))},{0.55 * abs(strength):.2f})">'
        f"{html_text(word_text(word))}</span>"
        for word, strength in zip(words, strengths(words), strict=True)
    )


def numbers_html(found: Relevance) -> str:
    """Return all numbers of a map as two tables to unfold."""
    rows = "".join(
        f'<tr><th scope="row">row {number}</th>{"".join(f"<td>{value:+.3f}</td>" for value in row)}</tr>'
        for number, row in enumerate(found.picture.patches.tolist(), 1)
    )
    columns = "".join(f'<th scope="col">{n}</th>' for n in range(1, found.picture.patches.shape[1] + 1))
    words = "".join(
        f"<tr><td>{html_text(word_text(word))}</td><td>{word.carries:+.3f}</td></tr>"
        for word in found.caption.words
    )
    return (
        '<details><summary>numbers</summary><div class="scroll"><table><caption>patches, by row and column</caption>'
        f'<tr><th scope="col">patch</th>{columns}</tr>{rows}</table>'
        '<table><caption>words</caption><tr><th scope="col">word</th><th scope="col">carries</th></tr>'
        f"{words}</table></div></details>"
    )


def as_dict(found: Relevance) -> dict[str, Any]:
    """Return a map as JSON can hold it."""
    picture, caption = found.picture, found.caption
    return {
        "similarity": picture.similarity,
        "grey_picture": picture.without,
        "patches": picture.patches.tolist(),
        "flat": picture.is_flat,
        "no_words": caption.without,
        "words": [word._asdict() for word in caption.words],
        "words_not_read": caption.n_unread,
    }
