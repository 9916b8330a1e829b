"""Losses against loops written from their definitions."""

import math

import pytest
import torch

from harness.losses import itc, sdm

IDENTITIES = {
    "all different": [0, 1, 2, 3, 4],
    "a person twice": [7, 3, 7, 1, 0],
    "one person": [2, 2, 2, 2, 2],
    "a person three times": [5, 5, 1, 5, 9],
}


def naive_sdm(image, text, identities, temperature):
    """KL of predicted from true match distribution, one query at a time, both directions."""
    n, total = len(identities), 0.0
    for queries, gallery in ((image, text), (text, image)):
        for i in range(n):
            scores = [math.fsum(a * b for a, b in zip(queries[i], row, strict=True)) for row in gallery]
            top = max(scores)
            exponentials = [math.exp((score - top) / temperature) for score in scores]
            matches = [float(identities[i] == identities[j]) for j in range(n)]
            for j in range(n):
                p = exponentials[j] / math.fsum(exponentials)
                q = matches[j] / sum(matches)
                log_p = (scores[j] - top) / temperature - math.log(math.fsum(exponentials))
                total += p * (log_p - math.log(q + 1e-8)) / n
    return total


def naive_itc(image, text, temperature):
    n, total = len(image), 0.0
    for queries, gallery in ((image, text), (text, image)):
        for i in range(n):
            scores = [math.fsum(a * b for a, b in zip(queries[i], row, strict=True)) for row in gallery]
            top = max(scores)
            log_sum = math.log(math.fsum(math.exp((s - top) / temperature) for s in scores))
            total -= ((scores[i] - top) / temperature - log_sum) / n / 2
    return total


def pairs(n=5, dim=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(2, n, dim, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=-1)


@pytest.mark.parametrize("identities", IDENTITIES.values(), ids=IDENTITIES)
@pytest.mark.parametrize("temperature", [0.02, 0.5])
def test_sdm_equals_a_loop(identities, temperature):
    image, text = pairs()
    expected = naive_sdm(image.tolist(), text.tolist(), identities, temperature)
    value = sdm(image.float(), text.float(), torch.tensor(identities), temperature)
    assert float(value) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("temperature", [0.02, 0.5])
def test_itc_equals_a_loop_and_ignores_identities(temperature):
    image, text = pairs()
    expected = naive_itc(image.tolist(), text.tolist(), temperature)
    for identities in IDENTITIES.values():
        value = itc(image.float(), text.float(), torch.tensor(identities), temperature)
        assert float(value) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", [sdm, itc])
def test_bfloat16_embeddings_are_computed_in_float32(loss):
    image, text = pairs().to(torch.bfloat16)
    identities = torch.tensor([0, 1, 1, 2, 0])
    value = loss(image, text, identities)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(loss(image.float(), text.float(), identities)), rel=1e-6)


@pytest.mark.parametrize("loss", [sdm, itc])
def test_autocast_does_not_round_the_similarities(loss):
    image, text = pairs(n=16, dim=64).float()
    identities = torch.arange(16) // 2
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(image, text, identities)
    assert float(inside) == float(loss(image, text, identities))


@pytest.mark.parametrize("loss", [sdm, itc])
def test_the_gradient_is_that_of_finite_differences(loss):
    image, text = pairs(n=3, dim=4).float()
    identities = torch.tensor([0, 0, 1])
    image.requires_grad_()
    loss(image, text, identities, 0.3).backward()
    step = torch.zeros_like(image)
    step[1, 2] = 1e-2
    with torch.no_grad():
        rise = loss(image + step, text, identities, 0.3) - loss(image - step, text, identities, 0.3)
    assert float(image.grad[1, 2]) == pytest.approx(float(rise) / 2e-2, rel=0.02)


def test_a_perfect_match_has_nearly_no_sdm_loss():
    eye = torch.eye(4)
    assert float(sdm(eye, eye, torch.arange(4))) == pytest.approx(0, abs=1e-4)
