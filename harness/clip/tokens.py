"""Captions as token ids: the tokeniser of a backbone, and batches without padding that nothing reads."""

import re
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
    if tiny.is_tiny(name):
        return _taking_all_for_words(tiny.tokenizer(text_length))
    try:
        with quiet_open_clip():
            return _taking_all_for_words(open_clip.get_tokenizer(name, context_length=text_length))
    except Exception as error:
        raise UsageError(f"The tokeniser of {name} cannot be made: {error}") from error


def _taking_all_for_words(tokenizer: Any) -> Any:
    """Return a tokeniser to which a special token that is written in a caption, as `<end_of_text>`, is words.

    A blank after its first character lets no tokeniser find it; CLIP's has the same words for it then as without.
    """
    clean, special = tokenizer.clean_fn, re.compile(_special_tokens(tokenizer), re.IGNORECASE)
    tokenizer.clean_fn = lambda text: special.sub(lambda found: f"{found[0][:1]} {found[0][1:]}", clean(text))
    return tokenizer


def _special_tokens(tokenizer: Any) -> str:
    """Return a pattern of the special tokens of one of open_clip's tokenisers."""
    if isinstance(tokenizer, open_clip.SimpleTokenizer):
        names = [tokenizer.decoder[token] for token in tokenizer.all_special_ids]
    else:
        names = list(tokenizer.tokenizer.all_special_tokens)
    return (
        "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if len(name) > 1) or r"(?!)"
    )


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
