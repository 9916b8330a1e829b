"""Captions that a tokeniser cuts because they are too long: how many, and how many it makes equal to others."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from harness.errors import many

RAISE = "Raise backbone.text_length where their ends matter."


class Tokenize(Protocol):
    """Turns captions into token ids [n, length], where no length is given at that of the backbone."""

    def __call__(self, captions: Sequence[str], length: int | None = None) -> Tensor:
        """Return token ids; a caption too long is cut."""
        ...


class Cut(NamedTuple):
    """How many of `of` captions are cut at `length` tokens, and how many of these another text then equals."""

    n: int = 0
    alike: int = 0
    of: int = 0
    length: int = 0


NONE = Cut()


def count_cut(captions: Sequence[str], tokens: Tensor, tokenize: Tokenize) -> Cut:
    """Count the captions that are cut; only those that fill their row are tokenised again.

    Args:
        captions: the texts.
        tokens: what `tokenize` makes of them [n_caption, length].
        tokenize: the tokeniser of the run.
    """
    length = tokens.shape[1] if len(captions) else 0
    if not length:
        return Cut(0, 0, len(captions), length)
    padding = int(tokenize([""])[0, -1])
    full = (tokens[:, -1] != padding).nonzero().flatten().tolist()
    if not full:
        return Cut(0, 0, len(captions), length)
    longer = tokenize([captions[place] for place in full], length + 1)
    too_long = [place for place, last in zip(full, longer[:, -1].tolist(), strict=True) if last != padding]
    rows = tokens[full].numpy()
    texts: dict[bytes, set[str]] = defaultdict(set)
    row_of = {place: row.tobytes() for place, row in zip(full, rows, strict=True)}
    for place, row in row_of.items():
        texts[row].add(" ".join(captions[place].lower().split()))
    alike = sum(len(texts[row_of[place]]) > 1 for place in too_long)
    return Cut(len(too_long), alike, len(captions), length)


def cut_faults(cuts: Mapping[str, Cut]) -> Iterator[str]:
    """Yield the line on the captions of each split that are cut; none where none is."""
    found = {name: cut for name, cut in cuts.items() if cut.n}
    if not found:
        return
    length = next(iter(found.values())).length
    counts = ", ".join(f"{cut.n:,} of {cut.of:,} in {name}" for name, cut in found.items())
    alike = {name: cut.alike for name, cut in found.items() if cut.alike}
    end = ", ".join(f"{n:,} in {name}" for name, n in alike.items())
    equal = f"; this makes captions equal to others: {end}" if alike else ""
    yield f"captions cut at {many(length, 'token')}: {counts}{equal}"
