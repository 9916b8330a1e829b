"""Losses against loops written from their definitions, and against published golden values."""

import math
from functools import partial
from typing import get_args

import pytest
import torch

from harness.errors import UsageError
from harness.method_parts.auxiliary_losses import id_loss, multi_view, nt_xent
from harness.method_parts.losses import LOSSES, LossName, c_itc, cmpm, itc, n_itc, r_itc, sdm, soft_share
from harness.methods import TrainedConfig
from harness.presets.resolve import resolve

IDENTITIES = {
    "all different": [0, 1, 2, 3, 4],
    "a person twice": [7, 3, 7, 1, 0],
    "one person": [2, 2, 2, 2, 2],
    "a person three times": [5, 5, 1, 5, 9],
    "one pair": [4],
    "two pairs of one person": [4, 4],
}
ALL = [*LOSSES.values(), lambda image, text, _, temperature=0.1: nt_xent(image, text, temperature)]
NAMES = [*LOSSES, "nt_xent"]
GOLDEN_IDENTITIES = torch.tensor([7, 7, 3, 9])


def softmax(scores):
    top = max(scores)
    exponentials = [math.exp(score - top) for score in scores]
    return [value / math.fsum(exponentials) for value in exponentials]


def dot(one, other):
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def directions(image, text, temperature):
    """Scores of each query, images first, by the directions of the items: (query number, scores)."""
    for queries, gallery in ((image, text), (text, image)):
        for i, query in enumerate(queries):
            yield i, [dot(query, item) / math.hypot(*item) / temperature for item in gallery]


def naive_divergence(image, text, identities, temperature, epsilon, norm):
    """Prediction-first divergence, one query at a time, both directions added; `norm` divides the matches."""
    total = 0.0
    for i, scores in directions(image, text, temperature):
        matches = [float(identities[i] == other) for other in identities]
        for j, p in enumerate(softmax(scores)):
            if p > 0:
                total += p * (math.log(p) - math.log(matches[j] / norm(matches) + epsilon)) / len(identities)
    return total


def naive_sdm(image, text, identities, temperature):
    return naive_divergence(image, text, identities, temperature, 1e-8, sum)


def naive_r_itc(image, text, identities, temperature):
    return naive_divergence(image, text, identities, temperature, 1e-2, sum) / 2


def naive_cmpm(image, text, identities, temperature):
    return naive_divergence(
        image, text, identities, temperature, 1e-8, lambda matches: math.sqrt(sum(matches))
    )


def naive_n_itc(image, text, identities, temperature, soft=0.0, teacher=None):
    total = 0.0
    guesses = directions(*(teacher or (image, text)), temperature)
    for (i, scores), (_, guess) in zip(directions(image, text, temperature), guesses, strict=True):
        matches = [float(identities[i] == other) for other in identities]
        top = max(scores)
        log_sum = top + math.log(math.fsum(math.exp(score - top) for score in scores))
        for j, q in enumerate(softmax(guess)):
            target = soft * q + (1 - soft) * matches[j] / sum(matches)
            total -= target * (scores[j] - log_sum) / len(identities) / 2
    return total


def naive_itc(image, text, identities, temperature):
    return naive_n_itc(image, text, range(len(identities)), temperature)


def naive_c_itc(image, text, identities, temperature, within=0.25, across=0.25, power=2):
    n, total = len(image), 0.0
    for i in range(n):
        for j in range(n):
            total += within * (dot(image[i], image[j]) - dot(text[i], text[j])) ** 2
            total += across * (dot(image[i], text[j]) - dot(image[j], text[i])) ** 2
    return total / n**power


def naive_nt_xent(first, second, identities, temperature):
    """All 2 n embeddings in one list: an anchor's match lies n places further or before."""
    rows, n, total = [*first, *second], len(first), 0.0
    for i, anchor in enumerate(rows):
        others = [j for j in range(2 * n) if j != i]
        chances = softmax([dot(anchor, rows[j]) / temperature for j in others])
        total -= math.log(chances[others.index((i + n) % (2 * n))]) / (2 * n)
    return total


NAIVE = {
    "sdm": naive_sdm,
    "itc": naive_itc,
    "n_itc": naive_n_itc,
    "r_itc": naive_r_itc,
    "c_itc": naive_c_itc,
    "cmpm": naive_cmpm,
    "nt_xent": naive_nt_xent,
}


def pairs(n=5, dim=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(2, n, dim, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=-1)


def golden():
    """The inputs of the published values: 4 pairs of 4 dimensions, two pairs of one person."""
    place = torch.arange(4, dtype=torch.float64)
    image = torch.sin((place[:, None] + 1) * (place + 1))
    text = torch.cos(0.7 * (place[:, None] + 2) * (place + 1))
    return torch.nn.functional.normalize(torch.stack([image, text]), dim=-1)


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        (itc, 4.975546),
        (n_itc, 3.844101),
        (partial(n_itc, soft=0.25), 2.950516),
        (partial(n_itc, soft=0.5), 2.056930),
        (r_itc, 2.318703),
        (partial(r_itc, epsilon=1e-8), 9.508874),
        (sdm, 2 * 9.508874),
        (partial(cmpm, target="paper"), 2 * 9.508874),
        (c_itc, 0.257672),
        (partial(c_itc, within=1, across=1, per="row"), 4.122746),
        (partial(c_itc, within=1, across=0), 0.357468),
        (partial(c_itc, within=0, across=1), 0.673218),
    ],
)
def test_golden_values_of_four_pairs(loss, value):
    image, text = golden()
    for dtype in (torch.float64, torch.float32):
        found = loss(image.to(dtype), text.to(dtype), GOLDEN_IDENTITIES, 1 / 5)
        assert float(found) == pytest.approx(value, rel=3e-7, abs=1e-6)


def test_golden_value_of_two_views():
    assert float(nt_xent(*golden(), temperature=0.1)) == pytest.approx(10.482935, abs=1e-6)


@pytest.mark.parametrize("identities", IDENTITIES.values(), ids=IDENTITIES)
@pytest.mark.parametrize("temperature", [0.02, 0.5])
@pytest.mark.parametrize(("loss", "name"), list(zip(ALL, NAMES, strict=True)), ids=NAMES)
def test_a_loss_equals_a_loop(loss, name, identities, temperature):
    image, text = pairs(len(identities))
    expected = NAIVE[name](image.tolist(), text.tolist(), identities, temperature)
    value = loss(image.float(), text.float(), torch.tensor(identities), temperature)
    assert float(value) == pytest.approx(expected, rel=1e-4, abs=2e-6)
    exact = loss(image, text, torch.tensor(identities), temperature)
    assert float(exact) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("identities", IDENTITIES.values(), ids=IDENTITIES)
def test_soft_labels_of_another_pass_equal_a_loop_and_carry_no_gradient(identities):
    image, text = pairs(len(identities))
    teacher = pairs(len(identities), seed=1).requires_grad_()
    expected = naive_n_itc(image.tolist(), text.tolist(), identities, 0.3, 0.4, teacher.tolist())
    image.requires_grad_()
    value = n_itc(image, text, torch.tensor(identities), 0.3, soft=0.4, teacher=tuple(teacher))
    assert float(value.detach()) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    value.backward()
    assert image.grad is not None
    assert teacher.grad is None


def test_own_soft_labels_are_constants_to_the_gradient():
    image, text = pairs()
    identities = torch.tensor([7, 3, 7, 1, 0])
    gradients = []
    for teacher in (None, (image.clone(), text.clone())):
        learned = image.clone().requires_grad_()
        n_itc(learned, text, identities, 0.3, soft=0.5, teacher=teacher).backward()
        gradients.append(learned.grad)
    torch.testing.assert_close(*gradients)


def test_where_nobody_occurs_twice_n_itc_is_itc():
    image, text = pairs()
    assert float(n_itc(image, text, torch.arange(5))) == pytest.approx(
        float(itc(image, text, torch.arange(5)))
    )


def test_itc_ignores_identities():
    image, text = pairs()
    values = {float(itc(image, text, torch.tensor(ids))) for ids in IDENTITIES.values() if len(ids) == 5}
    assert len(values) == 1


def test_cmpm_takes_the_length_of_an_embedding_for_its_inverse_temperature():
    image, text = pairs() * torch.linspace(0.5, 6, 10, dtype=torch.float64).reshape(2, 5, 1)
    identities = torch.tensor([7, 3, 7, 1, 0])
    expected = naive_cmpm(image.tolist(), text.tolist(), identities.tolist(), 1)
    assert float(cmpm(image, text, identities)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("progress", [0, 0.1, 0.5, 1, 1.5, 5])
def test_the_share_of_soft_labels_rises_over_the_first_epoch_and_stays(progress):
    assert soft_share(progress) == pytest.approx(0.5 * progress if progress < 1 else 0.5)
    assert soft_share(progress, final=0.8, ramp=2) == pytest.approx(min(0.8, 0.4 * progress))


def test_views_are_paired_in_order_and_averaged():
    (image, text), (image2, text2) = pairs(), pairs(seed=1)
    loss = partial(n_itc, identities=torch.tensor([7, 3, 7, 1, 0]), temperature=0.3, soft=0.5)
    first = loss(image, text)
    for images, texts, second in (
        ([image, image2], [text], loss(image2, text)),
        ([image], [text, text2], loss(image, text2)),
        ([image, image2], [text, text2], loss(image2, text2)),
    ):
        assert float(multi_view(loss, images, texts)) == pytest.approx(float(first + second) / 2, rel=1e-12)
    assert float(multi_view(loss, [image], [text])) == pytest.approx(float(first), rel=1e-12)
    with pytest.raises(ValueError, match="zip"):
        multi_view(loss, [image, image2, image], [text, text2])


def test_the_identity_loss_equals_a_loop():
    image, text = 5 * pairs(n=3, dim=7)
    labels = [6, 0, 6]
    expected = sum(
        -math.log(softmax(row)[label]) / 6
        for logits in (image.tolist(), text.tolist())
        for row, label in zip(logits, labels, strict=True)
    )
    assert float(id_loss(image, text, torch.tensor(labels))) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_embeddings_are_computed_in_float32(loss, half):
    image, text = pairs().to(half)
    identities = torch.tensor([0, 1, 1, 2, 0])
    value = loss(image, text, identities)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(loss(image.float(), text.float(), identities)), rel=1e-6)
    near = float(loss(*pairs(), identities, 0.5))
    assert float(loss(image, text, identities, 0.5)) == pytest.approx(near, rel=0.02)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_computed_in_float32(half):
    first, second = (20 * pairs()).to(half)
    labels = torch.tensor([0, 3, 5, 5, 1])
    value, single = id_loss(first, second, labels), id_loss(first.float(), second.float(), labels)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(single), rel=1e-6)


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_autocast_does_not_round_the_similarities(loss):
    image, text = pairs(n=16, dim=64).float()
    identities = torch.arange(16) // 2
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(image, text, identities)
    assert float(inside) == float(loss(image, text, identities))


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_gradient_is_that_of_finite_differences(loss, n):
    embeddings = [rows.clone().requires_grad_() for rows in pairs(n=n, dim=4)]
    identities = torch.tensor([0, 0, 1, 2, 1])[:n]
    assert torch.autograd.gradcheck(lambda image, text: loss(image, text, identities, 0.3), embeddings)


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_all_embeddings_get_a_finite_gradient_that_is_not_zero(loss):
    embeddings = [rows.float().requires_grad_() for rows in pairs()]
    loss(*embeddings, torch.tensor([5, 5, 1, 5, 9]), 0.1).backward()
    for rows in embeddings:
        assert torch.isfinite(rows.grad).all()
        assert (rows.grad.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_wrong_pairs_at_a_low_temperature_stay_finite(loss):
    eye = torch.eye(4, requires_grad=True)
    value = loss(eye, eye.detach().roll(1, dims=0), torch.tensor([0, 0, 1, 2]), 1e-3)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(eye.grad).all()


@pytest.mark.parametrize("name", ["n_itc", "r_itc", "cmpm", "sdm", "itc"])
def test_a_learnable_temperature_gets_the_gradient_of_finite_differences(name):
    image, text = pairs()
    temperature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    identities = torch.tensor([7, 3, 7, 1, 0])
    assert torch.autograd.gradcheck(lambda t: LOSSES[name](image, text, identities, t), [temperature])


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_the_order_of_pairs_does_not_matter(loss):
    image, text = pairs()
    identities, order = torch.tensor([7, 3, 7, 1, 0]), torch.tensor([3, 0, 4, 1, 2])
    shuffled = loss(image[order], text[order], identities[order], 0.3)
    assert float(shuffled) == pytest.approx(float(loss(image, text, identities, 0.3)), rel=1e-12)


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_shares_put_together_have_the_loss_and_gradient_of_the_whole(loss):
    """What gathering leaves to each process: its own share with gradient. test_processes shows the gathering itself."""
    identities = torch.tensor([5, 5, 1, 5, 9])
    whole = pairs().requires_grad_()
    value = loss(*whole, identities, 0.3)
    value.backward()
    gradient = torch.zeros_like(whole)
    for own in (slice(0, 3), slice(3, 5)):
        share = pairs()[:, own].requires_grad_()
        rest = [pairs()[:, other] for other in (slice(0, 3), slice(3, 5))]
        rest[0 if own.start == 0 else 1] = share
        one_process = loss(*torch.cat(rest, dim=1), identities, 0.3)
        one_process.backward()
        assert float(one_process.detach()) == float(value.detach())
        gradient[:, own] = share.grad
    torch.testing.assert_close(gradient, whole.grad)


def test_a_perfect_match_has_nearly_no_sdm_loss():
    eye = torch.eye(4)
    assert float(sdm(eye, eye, torch.arange(4))) == pytest.approx(0, abs=1e-4)


def test_a_config_can_choose_every_loss_and_no_other():
    assert get_args(LossName) == tuple(LOSSES)
    assert TrainedConfig.model_fields["loss"].annotation == LossName
    assert TrainedConfig().loss == "sdm"
    for name in LOSSES:
        assert resolve("full_finetune", "icfg", overrides=[f"method.loss={name}"]).method.loss == name


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.loss=n-itc", r"loss: .*'n_itc', .*'sdm' or 'itc', but got 'n-itc'"),
        ("method.temperature=0", r"temperature: .*greater than 0, but got 0"),
        ("method.temperature=-0.1", r"temperature: .*greater than 0, but got -0.1"),
    ],
)
def test_a_wrong_loss_or_temperature_is_one_message(override, message):
    with pytest.raises(UsageError, match=message):
        resolve("full_finetune", "icfg", overrides=[override])
