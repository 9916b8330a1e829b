"""Mask words of training captions, as masked language models do: most become a mask, some a random word, some stay.

The share and the proportions are BERT's (Devlin et al. 2019) as IRRA's released code applies them, whose contrastive
losses read the masked captions too; DM-Adapter and UP-Person kept that, CSKT as released does not mask. Unlike
there, a caption in which no word was drawn stays whole.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from harness.errors import UsageError

_MASKED, _MASKED_OR_RANDOM = 0.8, 0.9
_SPECIAL = 2


@dataclass(frozen=True)
class WordMask:
    """Masking of a share of the word pieces in CLIP's tokens.

    Attributes:
        share: how many of the word pieces are drawn; of those 80 % become the mask, 10 % a random word piece.
        end: id of end-of-text, the largest; the id before it starts a text, and the one before that, the rarest
            word piece of CLIP's vocabulary, is the mask.
    """

    share: float
    end: int

    @property
    def mask(self) -> int:
        """Id of the mask."""
        return self.end - _SPECIAL

    def draw(self, n: int, length: int, generator: Generator) -> Tensor:
        """Draw what is written at each place of `n` captions, 0 where nothing is [n, length]."""
        return self.draw_places(n, length, generator)[0]

    def draw_places(self, n: int, length: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return what `draw` does, and all places that were drawn, also those that keep their word [n, length]."""
        chance = torch.rand(n, length, generator=generator)
        written = torch.randint(1, self.mask, (n, length), generator=generator)
        written[chance < _MASKED * self.share] = self.mask
        written[chance >= _MASKED_OR_RANDOM * self.share] = 0
        return written, chance < self.share

    def apply(self, tokens: Tensor, written: Tensor) -> Tensor:
        """Return token ids [n, length] with the drawn ones in place of words; start, end and padding stay.

        >>> written = torch.tensor([[7, 7, 5, 7, 7, 7]])
        >>> WordMask(0.5, end=9).apply(torch.tensor([[8, 1, 2, 9, 0, 0]]), written)
        tensor([[8, 7, 5, 9, 0, 0]])
        """
        return torch.where(self._is_word(tokens) & (written > 0), written, tokens)

    def to_guess(self, tokens: Tensor, written: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Return masked token ids, and the true ones at drawn words, elsewhere 0, both [n, length].

        A caption in which no word was drawn has its first word masked, as IRRA released.

        >>> tokens, nothing = torch.tensor([[8, 1, 2, 9, 0]]), torch.tensor([[0, 0, 0, 0, 0]])
        >>> WordMask(0.5, end=9).to_guess(tokens, nothing, nothing > 0)
        (tensor([[8, 7, 2, 9, 0]]), tensor([[0, 1, 0, 0, 0]]))
        """
        drawn = drawn & self._is_word(tokens)
        first = torch.zeros_like(drawn)
        first[:, 1] = ~drawn.any(dim=1)
        labels = torch.where((drawn | first) & self._is_word(tokens), tokens, 0)
        return self.apply(tokens, torch.where(first, self.mask, written)), labels

    def _is_word(self, tokens: Tensor) -> Tensor:
        return (tokens > 0) & (tokens < self.mask)


def word_mask(share: float, tokens: Tensor, end_is_largest: bool) -> WordMask | None:
    """Return how the words of captions [n_caption, length] are masked, None where they are not.

    Raises `UsageError` for tokens that do not end with the largest id: their special ids are not known.
    """
    if not share:
        return None
    if not end_is_largest:
        raise UsageError(
            "train.augment.mask_words needs the tokens of a CLIP text tower, which end with the largest id: "
            "set it to 0, or choose a backbone such as ViT-B-16-quickgelu."
        )
    return WordMask(share, int(tokens.max()))
