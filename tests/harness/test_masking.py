"""Masked words: the shares as published, special tokens left alone, and the same draws from the same generator."""

import pytest
import torch

from harness.errors import UsageError
from harness.masking import WordMask, word_mask
from harness.tokens import build_tokenizer

END = 49407
MASK = WordMask(0.15, END)


def drawn(n=4000, length=50, seed=1, mask=MASK):
    return mask.draw(n, length, torch.Generator().manual_seed(seed))


def test_of_the_drawn_pieces_eight_in_ten_become_the_mask_and_one_a_random_piece():
    written = drawn()
    shares = [(written == MASK.mask).float().mean(), ((written > 0) & (written != MASK.mask)).float().mean()]
    assert shares == pytest.approx([0.12, 0.015], abs=0.002)


def test_random_pieces_come_from_the_whole_vocabulary_but_its_special_ids():
    written = drawn(mask=WordMask(1.0, end=9))
    assert set(written.unique().tolist()) == {0, *range(1, 7), 7}
    random = written[(written > 0) & (written < 7)]
    counts = torch.bincount(random)[1:]
    assert counts.min() > 0.9 * counts.max()


def test_equal_generators_draw_alike_and_others_differ():
    assert torch.equal(drawn(20, 30), drawn(20, 30))
    assert not torch.equal(drawn(20, 30), drawn(20, 30, seed=2))


def test_start_end_padding_and_masks_are_never_replaced():
    start, end, mask = END - 1, END, END - 2
    tokens = torch.tensor([[start, 320, 1, mask, 786, end, 0, 0], [start, end, 0, 0, 0, 0, 0, 0]])
    written = torch.full_like(tokens, 7)
    masked = MASK.apply(tokens, written)
    assert masked.tolist() == [[start, 7, 7, mask, 7, end, 0, 0], [start, end, 0, 0, 0, 0, 0, 0]]
    assert torch.equal(tokens[0, :3], torch.tensor([start, 320, 1])), (
        "the captions themselves stay as they are"
    )
    assert torch.equal(MASK.apply(tokens, torch.zeros_like(tokens)), tokens)


def test_a_share_of_one_touches_nine_pieces_in_ten_and_of_zero_none():
    everything = drawn(mask=WordMask(1.0, END))
    assert (everything == 0).float().mean() == pytest.approx(0.1, abs=0.005)
    assert not drawn(mask=WordMask(0.0, END)).any()


@pytest.mark.parametrize("name", ["tiny", "ViT-B-16-quickgelu"])
def test_the_special_ids_are_those_of_clips_tokenisers(name):
    tokenizer = build_tokenizer(name, 77)
    mask = word_mask(0.15, tokenizer(["a person", "two persons in red"]), True)
    assert mask.end == tokenizer.eot_token_id
    assert mask.mask == tokenizer.sot_token_id - 1 == tokenizer.vocab_size - 3


def test_nothing_is_masked_by_default_or_without_tokens():
    assert word_mask(0.0, torch.tensor([[8, 1, 9]]), True) is None
    assert word_mask(0.0, torch.tensor([[8, 1, 9]]), False) is None
    assert word_mask(0.5, None, True) is None


def test_tokens_of_unknown_kind_are_refused():
    with pytest.raises(UsageError, match=r"mask_words needs .* set it to 0"):
        word_mask(0.15, torch.tensor([[3, 1, 9]]), False)
