"""Words as the start of what is learned in a text tower's input."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from harness.clip.model import Clip

PHOTO = "a photo of a"


def word_vectors(clip: "Clip", words: str) -> Tensor:
    """Return the embeddings of the pieces of some words [n_piece, text_width], as far as the backbone knows them.

    Tokens of an empty text, as start and end, are left out; the embeddings are copies, and no gradient flows into the
    backbone's.
    """
    table = clip.token_embedding.weight.detach()
    with torch.device("cpu"):
        tokens, empty = clip.tokenize([words, ""])
        known = tokens[~torch.isin(tokens, empty) & (tokens < len(table))]
    return table[known.to(table.device)]


@torch.no_grad()
def start_as_words(prompts: Tensor, clip: "Clip", words: str) -> None:
    """Overwrite the first of some prompts [n, text_width] by the first pieces of some words, in place."""
    vectors = word_vectors(clip, words)[: len(prompts)]
    prompts[: len(vectors)] = vectors
