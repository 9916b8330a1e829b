"""Captions that the tokeniser of a run cuts are counted, with those that it makes equal to others."""

import pytest
import torch

from harness.clip import tiny
from harness.clip.tokens import CLIP, build_tokenizer
from harness.data.cut_captions import Cut, count_cut, cut_faults
from harness.data.verify.faults import caption_faults
from harness.datasets import Sample

LENGTH = 8


@pytest.fixture(params=[tiny.NAME, CLIP])
def tokenize(request):
    tokenizer = build_tokenizer(request.param, LENGTH)
    return lambda captions, length=None: tokenizer(captions, context_length=length or LENGTH)


def counted(captions, tokenize):
    return count_cut(captions, tokenize(captions), tokenize)


def test_only_what_is_longer_than_its_row_is_cut(tokenize):
    fits, too_long = "a a a a a a", "a a a a a a a"
    assert tokenize([fits], 20).count_nonzero() == LENGTH
    assert counted([fits, "a man", too_long, ""], tokenize) == Cut(1, 1, 4, LENGTH)
    assert counted([fits, "a man"], tokenize) == Cut(0, 0, 2, LENGTH)
    assert counted([], tokenize) == Cut(0, 0, 0, 0)


def test_different_texts_that_the_cut_makes_equal_are_counted_and_equal_texts_are_not(tokenize):
    start = "a a a a a a"
    assert (
        counted([f"{start} and boots", f"{start} and shoes", f"the {start} and boots"], tokenize).alike == 2
    )
    assert counted([f"{start} and boots", f"{start}  and BOOTS"], tokenize).alike == 0


def test_the_line_names_each_split_and_none_is_said_where_none_is_cut():
    cuts = {"train": Cut(3, 2, 1_000, 77), "val": Cut(0, 0, 5, 77), "test": Cut(1, 0, 2, 77)}
    assert list(cut_faults(cuts)) == [
        "captions cut at 77 tokens: 3 of 1,000 in train, 1 of 2 in test; "
        "this makes captions equal to others: 2 in train"
    ]
    assert list(cut_faults({"test": Cut(1, 0, 2, 77)})) == ["captions cut at 77 tokens: 1 of 2 in test"]
    assert list(cut_faults({"test": Cut(0, 0, 2, 77)})) == []


def test_a_tokeniser_that_sets_no_end_is_read_by_its_padding():
    def bare(captions, length=None):
        rows = [[ord(letter) for letter in text][: length or 4] for text in captions]
        return torch.tensor([row + [1] * ((length or 4) - len(row)) for row in rows])

    assert counted(["abcd", "abcde", "abcdf", "a"], bare) == Cut(2, 2, 4, 4)


def test_the_verifier_counts_with_clips_tokeniser():
    samples = [Sample("a.jpg", 1, ("word " * 76, "word " * 75), "test")]
    (fault,) = [fault for fault in caption_faults(samples, 77) if "cut" in fault.what]
    assert (fault.severity, fault.count) == ("warning", 1)
    assert fault.what.startswith("Captions cut at 77 tokens: 1 of 2 in test; this makes captions equal")
    assert "backbone.text_length" in fault.mend
