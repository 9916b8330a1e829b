"""IVLP beside CSKT's prompts without maps, its start, counts and limits."""

import pytest
import torch

from harness.clip.injection.words import word_vectors
from harness.errors import UsageError
from harness.train.cost import count_parameters


@pytest.mark.parametrize("depth", [1, 2, 12])
def test_equals_cskt_s_prompts_without_the_maps(build, batch, captions, depth):
    ivlp = build("ivlp", image_depth=depth, text_depth=depth)
    cskt = build("prompt_only", directions="none", prompt_depth=depth)
    tokens = captions(5, 70, 76)
    with torch.no_grad():
        for own, other in ((ivlp.image_prompts, "image_own"), (ivlp.text_prompts, "text_own")):
            getattr(cskt.prompts, other).copy_(torch.nn.init.normal_(own.vectors))
        assert torch.equal(ivlp.encode_image(batch.images), cskt.encode_image(batch.images))
        assert torch.equal(ivlp.encode_text(tokens), cskt.encode_text(tokens))


def test_each_tower_has_a_number_and_a_depth_of_its_own(build, batch):
    method = build("ivlp", backbone="shallow", image_prompts=3, text_prompts=5, image_depth=4, text_depth=1)
    assert method.image_prompts.vectors.shape == (4, 3, 32)
    assert method.text_prompts.vectors.shape == (1, 5, 24)
    assert method.encode_image(batch.images).shape == method.encode_text(batch.tokens).shape


@pytest.mark.parametrize("n", [1, 3, 9])
def test_the_first_prompts_start_as_the_first_words_and_the_others_at_random(build, n, monkeypatch):
    words = torch.randn(4, 24)
    monkeypatch.setattr("harness.clip.injection.words.word_vectors", lambda *_: words)
    first, *others = build("ivlp", backbone="narrow", text_prompts=n).text_prompts.vectors.detach()
    assert torch.equal(first[:4], words[:n])
    drawn = torch.cat([first[4:].flatten(), *map(torch.flatten, others)])
    assert 0.01 < float(drawn.std()) < 0.03
    random = build("ivlp", backbone="narrow", text_prompts=n, init="random").text_prompts.vectors.detach()
    assert float(random.abs().max()) < 0.12


def test_the_words_are_four_vectors_of_clip_s_own(blueprint):
    assert word_vectors(blueprint("ivlp").clip, "a photo of a").shape == (4, 512)


@pytest.mark.parametrize(
    ("fields", "n_parameters"),
    [
        ({}, 61_440),
        ({"image_prompts": 2, "text_prompts": 2}, 30_720),
        ({"image_depth": "first", "text_depth": 9}, 4 * (768 + 9 * 512)),
    ],
)
def test_counts_on_vit_b_16_are_those_of_the_references(blueprint, fields, n_parameters):
    counts = count_parameters(blueprint("ivlp", **fields))
    assert counts.trainable == counts.inference_extra == n_parameters


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"text_prompts": 75},
            r"75 prompts leave no room .* 77 tokens: choose a smaller method\.text_prompts",
        ),
        ({"image_depth": 5}, r"method\.image_depth=5 is more than the 4 layers"),
        ({"text_depth": 3}, r"method\.text_depth=3 is more than the 2 layers"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(build, fields, message):
    with pytest.raises(UsageError, match=message):
        build("ivlp", backbone="shallow", **fields)
