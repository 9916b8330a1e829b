"""Masked words: the shares as published, special tokens left alone, and the same draws from the same generator."""

import pytest
import torch

from harness.captions.masking import WordMask, word_mask
from harness.clip.tokens import build_tokenizer
from harness.errors import UsageError

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


def test_tokens_of_unknown_kind_are_refused():
    with pytest.raises(UsageError, match=r"mask_words needs .* set it to 0"):
        word_mask(0.15, torch.tensor([[3, 1, 9]]), False)


def guessed(tokens, share=0.15, seed=1):
    mask = WordMask(share, END)
    written, drawn = mask.draw_places(*tokens.shape, torch.Generator().manual_seed(seed))
    return mask.to_guess(tokens, written, drawn)


def long_captions(n=4000, length=50):
    tokens = torch.randint(1, END - 2, (n, length), generator=torch.Generator().manual_seed(7))
    tokens[:, 0], tokens[:, -3], tokens[:, -2:] = END - 1, END, 0
    return tokens


def test_what_is_written_does_not_depend_on_whether_the_places_are_asked_for():
    written, places = MASK.draw_places(30, 40, torch.Generator().manual_seed(1))
    assert torch.equal(written, drawn(30, 40))
    assert (places | (written == 0)).all(), "whatever is written stands at a drawn place"


def test_of_the_words_to_guess_eight_in_ten_are_masked_one_is_random_and_one_stays():
    tokens = long_captions()
    masked, labels = guessed(tokens)
    words, asked = (tokens > 0) & (tokens < END - 2), labels > 0
    assert asked.sum() / words.sum() == pytest.approx(0.15, abs=0.003)
    assert (masked == MASK.mask)[asked].float().mean() == pytest.approx(0.8, abs=0.005)
    assert (masked == tokens)[asked].float().mean() == pytest.approx(0.1, abs=0.005)


def test_labels_are_the_true_words_at_drawn_places_and_nothing_else_changes():
    tokens = long_captions(500)
    masked, labels = guessed(tokens)
    asked = labels > 0
    assert torch.equal(labels[asked], tokens[asked])
    assert torch.equal(masked[~asked], tokens[~asked])
    assert not asked[:, [0, -3, -2, -1]].any(), "neither start, end nor padding is guessed"


def test_a_caption_of_which_nothing_was_drawn_has_its_first_word_masked():
    tokens = torch.tensor([[END - 1, 320, 530, END, 0], [END - 1, END, 0, 0, 0]])
    no_words = (tokens == 0) | (tokens == END)
    masked, labels = MASK.to_guess(tokens, torch.where(no_words, 7, 0), no_words)
    assert labels.tolist() == [[0, 320, 0, 0, 0], [0] * 5], "a caption without words has nothing to guess"
    assert masked.tolist() == [[END - 1, END - 2, 530, END, 0], tokens[1].tolist()]


def test_a_caption_with_a_drawn_word_that_stays_needs_no_further_one():
    tokens = torch.tensor([[END - 1, 320, 530, END]])
    kept = torch.tensor([[False, False, True, False]])
    masked, labels = MASK.to_guess(tokens, torch.zeros_like(tokens), kept)
    assert torch.equal(masked, tokens)
    assert labels.tolist() == [[0, 0, 530, 0]]
