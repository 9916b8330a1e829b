"""The cross-modal encoder and the head of words against naive formulas, and row-wise losses against the whole."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, layer_norm

from harness.method_parts.cross_modal import CrossModalEncoder, WordHead, guess_losses

DIM, LAYERS, WORDS = 128, 2, 30


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return lively(CrossModalEncoder(DIM, LAYERS))


@pytest.fixture
def head():
    torch.manual_seed(1)
    return lively(WordHead(DIM, WORDS, LAYERS))


@torch.no_grad()
def lively(module):
    for name, parameter in module.named_parameters():
        if parameter.dim() < 2:
            parameter.normal_(mean=float("weight" in name), std=0.3)
    return module


def norm(module, x):
    return layer_norm(x, (DIM,), module.weight, module.bias)


def quick_gelu(x):
    return x / (1 + torch.exp(-1.702 * x))


def attention(module, query, read):
    """One pair's attention, head by head and place by place: [places, DIM] reads [others, DIM]."""
    weights, biases = module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)
    q, k, v = (x @ w.T + b for x, w, b in zip((query, read, read), weights, biases, strict=True))
    out = torch.zeros_like(q)
    for head in range(DIM // 64):
        part = slice(64 * head, 64 * (head + 1))
        for place, row in enumerate(q[:, part]):
            shares = torch.exp(k[:, part] @ row / 8)
            out[place, part] = (shares / shares.sum()) @ v[:, part]
    return out @ module.out_proj.weight.T + module.out_proj.bias


def naive(encoder, text, image):
    x = attention(encoder.attention, norm(encoder.before_text, text), norm(encoder.before_image, image))
    for block in encoder.blocks:
        normed = norm(block.ln_1, x)
        x = x + attention(block.attn, normed, normed)
        x = x + block.mlp.c_proj(quick_gelu(block.mlp.c_fc(norm(block.ln_2, x))))
    return norm(encoder.after, x)


def test_the_encoder_equals_the_published_formula_pair_by_pair(encoder):
    text, image = torch.randn(3, 5, DIM), torch.randn(3, 7, DIM)
    with torch.no_grad():
        expected = torch.stack([naive(encoder, one, other) for one, other in zip(text, image, strict=True)])
        torch.testing.assert_close(encoder(text, image), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(encoder.eval()(text, image), expected, atol=1e-4, rtol=1e-4)


def test_the_head_equals_the_published_formula(head):
    x = torch.randn(4, 3, DIM)
    with torch.no_grad():
        expected = norm(head.norm, quick_gelu(head.dense(x))) @ head.words.weight.T + head.words.bias
        torch.testing.assert_close(head(x), expected)


def test_a_width_below_one_head_still_makes_one():
    encoder = CrossModalEncoder(24, 1)
    assert encoder.attention.num_heads == encoder.blocks[0].attn.num_heads == 1
    assert encoder(torch.randn(1, 2, 24), torch.randn(1, 3, 24)).shape == (1, 2, 24)
    assert CrossModalEncoder(512, 1).attention.num_heads == 8


def test_initial_weights_deviate_as_released():
    width, layers = 256, 4
    encoder, head = CrossModalEncoder(width, layers), WordHead(width, 500, layers)
    start, inward, outward = width**-0.5, (2 * width) ** -0.5, width**-0.5 * (2 * layers) ** -0.5
    blocks = encoder.blocks
    for weights, deviation in [
        ([a.in_proj_weight for a in (encoder.attention, *(block.attn for block in blocks))], start),
        ([a.out_proj.weight for a in (encoder.attention, *(block.attn for block in blocks))], outward),
        ([block.mlp.c_fc.weight for block in blocks] + [head.dense.weight], inward),
        ([block.mlp.c_proj.weight for block in blocks] + [head.words.weight], outward),
    ]:
        for weight in weights:
            assert float(weight.detach().std()) == pytest.approx(deviation, rel=0.02)
            assert float(weight.detach().mean()) == pytest.approx(0, abs=0.02 * deviation)
    assert not encoder.attention.in_proj_bias.any()


LABELS = torch.tensor([[0, 3, 0, 29], [0, 0, 0, 0], [0, 7, 7, 1]])


def test_row_losses_are_those_of_a_naive_loop(head):
    x = torch.randn(3, 4, DIM)
    with torch.no_grad():
        sums, counts = guess_losses(head, x, LABELS)
        for row in range(3):
            expected = 0.0
            for place in range(4):
                if label := int(LABELS[row, place]):
                    scores = head(x[row, place]).double()
                    expected += math.log(scores.exp().sum()) - float(scores[label])
            assert float(sums[row]) == pytest.approx(expected, rel=1e-5)
    assert counts.tolist() == [2, 0, 3]


def test_summed_over_rows_they_are_the_loss_of_the_whole_batch(head):
    x = torch.randn(3, 4, DIM, requires_grad=True)
    whole = cross_entropy(head(x).flatten(0, 1), LABELS.flatten(), ignore_index=0)
    sums, counts = guess_losses(head, x, LABELS)
    own = sums.sum() / counts.sum()
    torch.testing.assert_close(own, whole)
    pairs = zip(
        torch.autograd.grad(own, [x, *head.parameters()]),
        torch.autograd.grad(whole, [x, *head.parameters()]),
        strict=True,
    )
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-4)


def test_rows_without_masked_words_cost_nothing_and_leave_a_gradient_of_zero(head):
    sums, counts = guess_losses(head, torch.randn(2, 4, DIM), torch.zeros(2, 4, dtype=torch.long))
    assert sums.tolist() == [0, 0]
    assert counts.tolist() == [0, 0]
    sums.sum().backward()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in head.parameters())


def test_masked_places_alone_get_a_gradient():
    logits = torch.randn(3, 4, WORDS, requires_grad=True)
    sums, _ = guess_losses(torch.nn.Identity(), logits, LABELS)
    sums.sum().backward()
    assert torch.equal(logits.grad.abs().sum(dim=-1) > 0, LABELS > 0)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_scores_are_compared_in_float32(half):
    logits = (20 * torch.randn(3, 4, WORDS)).to(half)
    sums, _ = guess_losses(torch.nn.Identity(), logits, LABELS)
    expected, _ = guess_losses(torch.nn.Identity(), logits.float(), LABELS)
    assert sums.dtype == torch.float32
    torch.testing.assert_close(sums, expected, rtol=1e-6, atol=0)


def test_the_vocabulary_is_scored_at_masked_places_alone(head):
    seen = []
    head.words.register_forward_hook(lambda module, given, out: seen.append(out.shape))
    guess_losses(head, torch.randn(3, 4, DIM), LABELS)
    assert seen == [(5, WORDS)]


def test_in_half_precision_the_losses_are_computed_in_float32(head):
    x = torch.randn(3, 4, DIM)
    sums, _ = guess_losses(head.bfloat16(), x.bfloat16(), LABELS)
    expected, _ = guess_losses(head.float(), x, LABELS)
    assert sums.dtype == torch.float32
    torch.testing.assert_close(sums, expected, rtol=0.05, atol=0.05)
