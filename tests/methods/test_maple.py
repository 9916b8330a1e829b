"""MaPLe beside CSKT's prompts that go one way, its start, counts and limits."""

import pytest
import torch

from harness.errors import UsageError
from harness.train.cost import count_parameters


@pytest.mark.parametrize("depth", [1, 9])
def test_equals_cskt_s_prompts_that_go_from_text_to_image(build, batch, captions, depth):
    maple = build("maple", prompt_depth=depth)
    cskt = build("prompt_only", directions="t2i", prompt_length=2, prompt_depth=depth)
    cskt.prompts.load_state_dict(maple.prompts.state_dict())
    tokens = captions(5, 70, 76)
    with torch.no_grad():
        assert torch.equal(maple.encode_image(batch.images), cskt.encode_image(batch.images))
        assert torch.equal(maple.encode_text(tokens), cskt.encode_text(tokens))


def test_prompts_and_maps_start_as_released(build, monkeypatch):
    words = torch.randn(4, 24)
    monkeypatch.setattr("harness.clip.injection.words.word_vectors", lambda *_: words)
    prompts = build("maple").prompts
    assert prompts.depth == 9
    assert torch.equal(prompts.text_own[0], words[:2])
    assert 0.01 < float(prompts.text_own[1:].detach().std()) < 0.03
    first, second, *others = prompts.text_to_image
    assert all(torch.equal(second.weight, other.weight) for other in others)
    assert all(torch.equal(second.bias, other.bias) for other in others)
    assert second.weight is not others[0].weight
    for linear in (first, second):
        assert 0.9 * 24**-0.5 < float(linear.weight.detach().abs().max()) <= 24**-0.5
        assert linear.bias.any()
    assert not torch.equal(first.weight, second.weight)


@pytest.mark.parametrize(
    ("fields", "n_parameters", "n_folded"),
    [
        ({}, 3_555_072, 9 * 2 * (768 + 512)),
        ({"prompt_depth": 1}, 2 * 512 + 393_984, 2 * (768 + 512)),
        ({"prompt_depth": "all", "prompt_length": 4}, 12 * (4 * 512 + 393_984), 12 * 4 * (768 + 512)),
    ],
)
def test_counts_on_vit_b_16_are_those_of_the_references_and_maps_fold(
    blueprint, fields, n_parameters, n_folded
):
    method = blueprint("maple", **fields)
    counts = count_parameters(method)
    assert (counts.trainable, counts.inference_extra) == (n_parameters, n_folded)
    method.fold()
    assert count_parameters(method).total == 149_617_664 + n_folded


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt_length": 75}, r"75 prompts leave no room .* method\.prompt_length"),
        ({"prompt_depth": 3}, r"method\.prompt_depth=3 is more than the 2 layers"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(build, fields, message):
    with pytest.raises(UsageError, match=message):
        build("maple", backbone="shallow", **fields)
