"""Captions as token ids: the tokeniser of a backbone, and batches without padding that nothing reads."""

from typing import Any

import open_clip
from torch import Tensor

from harness.clip import tiny
from harness.clip.architecture import quiet_open_clip
from harness.errors import UsageError

# A model with the tokeniser that CLIP was published with.
CLIP = "ViT-B-16"


def build_tokenizer(name: str, text_length: int) -> Any:
    """Return the tokeniser of an open_clip model (or of `tiny`) at a text length."""
    if name == tiny.NAME:
        return tiny.tokenizer(text_length)
    try:
        with quiet_open_clip():
            return open_clip.get_tokenizer(name, context_length=text_length)
    except Exception as error:
        raise UsageError(f"The tokeniser of {name} cannot be made: {error}") from error


def lengths(tokens: Tensor) -> Tensor:
    """Return how many tokens each caption has, end-of-text included [n].

    Args:
        tokens: token ids [n, length]; end-of-text is the largest id.

    >>> import torch
    >>> lengths(torch.tensor([[7, 3, 9, 0], [7, 9, 0, 0]])).tolist()
    [3, 2]
    """
    return tokens.argmax(dim=-1) + 1


def cut(tokens: Tensor) -> Tensor:
    """Cut a batch to its longest caption [n, longest].

    Exact for towers with a causal mask that read the end-of-text token: what follows it is never seen.

    Args:
        tokens: token ids [n, length]; end-of-text is the largest id.

    >>> import torch
    >>> cut(torch.tensor([[7, 3, 9, 0], [7, 9, 0, 0]])).tolist()
    [[7, 3, 9], [7, 9, 0]]
    """
    return tokens[:, : int(lengths(tokens).max())] if len(tokens) else tokens
