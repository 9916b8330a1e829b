"""Embeddings that no ranking can be made from: not finite, or all alike. They are an error, never a score of zero."""

from torch import Tensor

from harness.data.loading import Split
from harness.errors import HarnessError, many

# Rows of length 1 in float32 that differ by less are one row with its rounding.
_ALIKE = 1e-5
_LOOKED_AT = 8
_CAUSE = "the weights are damaged, or the training that made them diverged"


def check_finite(rows: Tensor, of: str, where: str = "") -> Tensor:
    """Return embeddings [n, dim]; raise `HarnessError` where some are not finite.

    Args:
        rows: the embeddings.
        of: what they are of, in the singular: `image` or `caption`.
        where: which split they belong to, put after it.
    """
    bad = int((~rows.isfinite().all(dim=1)).sum())
    if bad:
        raise HarnessError(
            f"The embeddings of {bad:,} of {many(len(rows), of)}{where} are not finite, so nothing can be ranked by "
            f"them: {_CAUSE}."
        )
    return rows


def check_embeddings(image: Tensor, text: Tensor, split: Split) -> None:
    """Raise `HarnessError` where embeddings of a split are not finite, or all one though what they are of differs.

    Args:
        image: L2-normalised embeddings [n_image, dim].
        text: L2-normalised embeddings [n_caption, dim].
        split: what they are of.
    """
    where = f" of the {split.name} split of {split.dataset}"
    check_finite(image, "image", where)
    check_finite(text, "caption", where)
    if _alike(image) and not _same(split.images.read(range(min(_LOOKED_AT, len(split.images))))):
        raise _collapsed(len(image), "image", split)
    if _alike(text) and not _same(split.tokens):
        raise _collapsed(len(text), "caption", split)


def _alike(rows: Tensor) -> bool:
    return len(rows) > 1 and float((rows - rows[0]).abs().max()) < _ALIKE


def _same(inputs: Tensor) -> bool:
    """Whether all inputs [n, ...] are equal, so that their embeddings have to be."""
    return bool((inputs == inputs[:1]).all())


def _collapsed(n: int, of: str, split: Split) -> HarnessError:
    return HarnessError(
        f"All {many(n, of)} of the {split.name} split of {split.dataset} have the same embedding, so every ranking is "
        f"chance: the model has collapsed ({_CAUSE})."
    )
