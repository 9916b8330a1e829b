"""Tokenising: any string round-trips, end-of-text is the largest id and never lost, cutting is exact."""

from functools import cache
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer

from harness.clip.tokens import build_tokenizer, cut, lengths
from harness.errors import UsageError

TOKENIZER = build_tokenizer("tiny", 77)
WHOLE = SimpleTokenizer()
CAPTION = (
    "The man is wearing a light blue short-sleeved shirt with white vertical stripes, dark grey knee-length"
    " shorts and white sneakers. He carries a black backpack over both shoulders and is holding a plastic"
    " bottle in his right hand."
)


def without_space(text):
    return "".join(text.split())


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_string_comes_back_as_the_cleaned_caption(text):
    back = TOKENIZER.decode(TOKENIZER.encode(text))
    assert without_space(back) == without_space(TOKENIZER.clean_fn(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "👩🏽‍🦰 red",
        "一个穿红衣服的人",
        "\x00\x07\x1b[31m",
        "a\ud800b",
        "e\u0301 ﬁ",
        "<end_of_text>",
        "naïve — “q”",
    ],
)
def test_hard_strings_come_back(text):
    back = TOKENIZER.decode(TOKENIZER.encode(text))
    assert without_space(back) == without_space(TOKENIZER.clean_fn(text))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=400), min_size=1, max_size=4), st.integers(4, 90))
def test_rows_start_and_end_as_they_must_whatever_is_written(captions, length):
    tokens = TOKENIZER(captions, context_length=length)
    end = TOKENIZER.eot_token_id
    assert tokens.shape == (len(captions), length)
    assert (tokens[:, 0] == TOKENIZER.sot_token_id).all()
    assert (tokens.max(dim=1).values == end).all()
    assert (tokens[torch.arange(len(tokens)), lengths(tokens) - 1] == end).all()


def test_a_caption_too_long_is_cut_with_end_of_text_last():
    tokens = TOKENIZER(["red " * 200])
    assert tokens[0, -1] == TOKENIZER.eot_token_id
    assert torch.equal(tokens[0, :-1], TOKENIZER(["red " * 200], context_length=100)[0, :76])


def test_end_of_text_is_the_largest_id_and_all_byte_tokens_are_kept():
    assert TOKENIZER.eot_token_id == TOKENIZER.vocab_size - 1 == 512 + 6_000 + 1
    for byte in TOKENIZER.byte_encoder.values():
        assert byte in TOKENIZER.encoder
        assert f"{byte}</w>" in TOKENIZER.encoder


def test_a_forty_word_caption_fits_and_costs_little_more_than_with_the_whole_vocabulary():
    tiny_cost, whole_cost = len(TOKENIZER.encode(CAPTION)), len(WHOLE.encode(CAPTION))
    assert tiny_cost + 2 <= 77
    assert whole_cost <= tiny_cost < 1.5 * whole_cost


def test_cutting_keeps_each_caption_whole_and_no_column_more():
    tokens = TOKENIZER(["a red circle", "", "a small striped blue square"])
    short = cut(tokens)
    assert short.shape[1] == int(lengths(tokens).max())
    assert torch.equal(short, tokens[:, : short.shape[1]])
    assert (tokens[:, short.shape[1] :] == 0).all()
    assert cut(tokens[:0]).shape == (0, 77)


def test_lengths_count_the_first_end_of_text():
    assert lengths(torch.tensor([[5, 9, 9, 0], [5, 3, 2, 9]])).tolist() == [2, 4]


def test_a_tokeniser_that_cannot_be_made_is_one_message(monkeypatch):
    import open_clip

    def fail(*args, **options):
        raise ModuleNotFoundError("No module named 'transformers'")

    monkeypatch.setattr(open_clip, "get_tokenizer", fail)
    with pytest.raises(UsageError, match=r"tokeniser of ViT-B-16-SigLIP.*transformers"):
        build_tokenizer("ViT-B-16-SigLIP", 64)


SPECIAL = (
    "<end_of_text>",
    "<start_of_text>",
    "<END_of_Text>",
    "&lt;end_of_text&gt;",
    "&amp;lt;end_of_text&amp;gt;",
)


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("name", ["tiny", "ViT-B-16"])
def test_special_tokens_that_are_written_in_a_caption_are_words(name, special):
    tokenizer = build_tokenizer(name, 77)
    ids = tokenizer([f"a man {special} in red"])[0].tolist()
    assert ids[0] == tokenizer.sot_token_id
    assert ids.count(tokenizer.sot_token_id) == ids.count(tokenizer.eot_token_id) == 1
    assert [i for i, word in enumerate(ids) if word][-1] == ids.index(tokenizer.eot_token_id)
    assert "of _ text > in red" in tokenizer.decode(ids[1 : ids.index(tokenizer.eot_token_id)])


@given(st.text(alphabet="ab <>_'|&;1é", max_size=30))
def test_captions_without_special_tokens_have_the_ids_of_open_clips_own_tokeniser(text):
    assert build_tokenizer_once()([text]).tolist() == WHOLE([text]).tolist()


@cache
def build_tokenizer_once():
    return build_tokenizer("ViT-B-16", 77)


def test_tokenisers_of_transformers_find_no_special_tokens_either(monkeypatch):
    class Fake:
        """What open_clip wraps a tokeniser of Transformers in."""

        def __init__(self):
            self.tokenizer = SimpleNamespace(all_special_tokens=["</s>", "[SEP]", "<pad>"])
            self.clean_fn = str.strip

    monkeypatch.setattr("open_clip.get_tokenizer", lambda name, context_length: Fake())
    assert build_tokenizer("any", 64).clean_fn(" a </s> b [SEP] ") == "a < /s> b [ SEP]"
