"""DM-Adapter against the authors' own modules, against plain loops over tokens, and against its known counts."""

from dataclasses import replace

import pytest
import torch

from harness.errors import UsageError
from harness.method_parts.batch import Batch
from harness.presets.resolve import resolve
from harness.train.gradient_cache import GradientCache
from tests import golden_field, naive_field

# What the authors' `model.clip_model.CLIP` and `model.objectives` give for the weights and inputs of `golden_field`, at
# the only commit that has the method (cdcceb8), in float32, which their `half()` was kept from leaving.
GOLDEN = {
    "image": [
        [-2.202045, -0.967431, 2.770781, 3.012286, -6.306559, 0.263184, 3.438265, -4.633486],
        [-0.935266, 1.046508, 1.788774, 3.232134, -7.361691, -0.720236, 3.208352, -3.489688],
        [-1.381899, 0.488046, 2.162762, 3.198214, -5.69066, -0.98281, 3.853397, -4.109754],
    ],
    "text": [
        [-0.826597, -0.006399, 0.216543, -1.34585, -0.116495, -0.349449, 4.553504, -1.98216],
        [-1.661578, 1.139667, 0.632779, 3.256009, -2.522524, -0.705915, 4.037165, -2.546085],
        [-2.726425, 2.280825, 0.061303, 1.908309, -2.600019, -1.451888, 3.50431, -4.587714],
    ],
    "sdm": 12.2780628,
    "balance": 2.1094241,
}

# Rows of the batch of `conftest` and how long the longest of their captions is.
SHARES = [(slice(0, 2), 7), (slice(2, 6), 10)]


@pytest.fixture(scope="module")
def golden():
    """Return the method with the golden weights, and their state in the authors' names."""
    return golden_field.golden_method("dm_adapter")


def golden_batch():
    return Batch(golden_field.IMAGES, golden_field.TOKENS, golden_field.IDENTITIES)


def test_embeddings_and_losses_are_those_of_the_authors_code(golden):
    method, _ = golden
    with torch.no_grad():
        image, text = method.encode_image(golden_field.IMAGES), method.encode_text(golden_field.TOKENS)
        losses = method(golden_batch())
    torch.testing.assert_close(image, torch.tensor(GOLDEN["image"]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(text, torch.tensor(GOLDEN["text"]), atol=1e-5, rtol=1e-5)
    assert {name: float(term) for name, term in losses.terms.items()} == pytest.approx(
        {"sdm": GOLDEN["sdm"], "balance": GOLDEN["balance"]}, rel=1e-5
    )
    assert float(losses.total) == pytest.approx(GOLDEN["sdm"] + 0.5 * GOLDEN["balance"], rel=1e-5)


@pytest.mark.parametrize(
    "fields", [{}, {"top_k": 1}, {"top_k": 3, "image_scale": 2.0, "text_scale": 0.5}], ids=str
)
def test_embeddings_and_balance_equal_those_of_loops_over_tokens(fields):
    method, state = golden_field.golden_method("dm_adapter", **fields)
    image, text = naive_field.dm_adapter(state, golden_field.IMAGES, golden_field.TOKENS, **fields)
    with torch.no_grad():
        found = method.encode_image(golden_field.IMAGES), method.encode_text(golden_field.TOKENS)
        loss = method(golden_batch()).terms["balance"]
    torch.testing.assert_close(found[0], image.embeddings, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found[1], text.embeddings, atol=1e-5, rtol=1e-4)
    assert float(loss) == pytest.approx(image.balance + text.balance, rel=1e-5)


def test_captions_cut_to_the_longest_of_a_batch_have_the_losses_of_whole_ones(golden):
    method, _ = golden
    batch = golden_batch()
    batch.tokens = batch.tokens[:2]
    batch.images, batch.identities = batch.images[:2], batch.identities[:2]
    with torch.no_grad():
        whole = method(batch)
        batch.tokens = batch.tokens[:, :31]
        cut = method(batch)
    assert {name: float(term) for name, term in cut.terms.items()} == pytest.approx(
        {name: float(term) for name, term in whole.terms.items()}, rel=1e-5
    )


@pytest.fixture
def whole(build, batch):
    """Return the method with lively weights, and the loss terms and gradients of a batch in one piece."""
    method = build("dm_adapter", backbone="shallow")
    with torch.no_grad():
        for _, parameter in method.trainable():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    losses = method(batch)
    losses.total.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in method.trainable()}
    method.zero_grad()
    return method, losses, gradients


def assert_same(method, losses, expected, gradients):
    assert {name: term.item() for name, term in losses.terms.items()} == pytest.approx(
        {name: term.item() for name, term in expected.terms.items()}, rel=1e-5
    )
    for name, parameter in method.trainable():
        torch.testing.assert_close(parameter.grad, gradients[name], atol=1e-5, rtol=1e-3, msg=name)


def test_a_batch_in_parts_has_the_losses_and_gradients_of_the_whole(whole, batch):
    method, expected, gradients = whole
    losses = GradientCache(method, method, 4).step(batch, torch.Tensor.backward)
    assert_same(method, losses, expected, gradients)


def test_processes_together_make_the_losses_and_gradients_of_one(whole, batch):
    """Each has captions cut to the longest of its own; a graph stands behind the rows of one alone."""
    method, expected, gradients = whole
    shares = [replace(batch.rows(rows), tokens=batch.tokens[rows, :length]) for rows, length in SHARES]
    features = [method.features(share) for share in shares]
    for rank, share in enumerate(shares):
        rows = {
            name: torch.cat(
                [of[name] if place == rank else of[name].detach() for place, of in enumerate(features)]
            )
            for name in features[rank]
        }
        losses = method.losses(rows, share)
        losses.total.backward(retain_graph=True)
    assert_same(method, losses, expected, gradients)


def test_an_untrained_mixture_is_plain_clip(build, captions):
    method, plain = build("dm_adapter"), build("zero_shot")
    images, tokens = torch.randn(2, 3, 32, 16), captions(5, 76)
    with torch.no_grad():
        assert torch.equal(method.encode_image(images), plain.encode_image(images))
        assert torch.equal(method.encode_text(tokens), plain.encode_text(tokens))


def test_initial_values_are_those_released(build):
    method = build("dm_adapter")
    for mixture in (*method.image_injection.layers, *method.text_injection.layers):
        assert mixture.router.domain_share.item() == 0.5
        assert not any(part.any() for part in (mixture.down.bias, mixture.up.weight, mixture.up_bias.weight))
        width, drawn = mixture.down.in_features, mixture.down.weight.detach()
        assert float(drawn.abs().max()) <= width**-0.5
        assert float(drawn.std()) == pytest.approx((3 * width) ** -0.5, rel=0.2)
    maps = [
        part.weight.detach()
        for part in method.modules()
        if isinstance(part, torch.nn.Linear) and part.out_features == 6
    ]
    assert float(torch.cat([weight.flatten() for weight in maps]).std()) == pytest.approx(0.02, rel=0.05)
    prompts = [mixture.router.prompt.detach() for mixture in method.image_injection.layers]
    assert float(torch.cat(prompts).std()) == pytest.approx(1.0, rel=0.15)


def test_without_a_balance_no_padding_is_read_and_nothing_noted(build, batch):
    method = build("dm_adapter", backbone="shallow", balance=0)
    assert set(method.features(batch)) == {"image", "text"}
    assert set(method(batch).terms) == {"sdm"}


def test_counts_on_vit_b_16(blueprint):
    method = blueprint("dm_adapter")
    assert sum(p.numel() for _, p in method.trainable()) == 15_669_528
    of_a_router = {width: 6 * width + width + 1 - 6 for width in (768, 512)}
    assert method.folded_parameters() == 15_669_528 - 12 * sum(of_a_router.values())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reduction": 25}, "reduction=25 leaves nothing of width 24"),
        ({"n_experts": 2, "top_k": 3}, "top_k=3 picks more than the method.n_experts=2"),
        ({"top_k": 1, "balance": 0}, "nothing to learn from"),
    ],
)
def test_fields_that_do_not_fit_are_one_line(build, fields, message):
    with pytest.raises(UsageError, match=message) as error:
        build("dm_adapter", backbone="shallow", **fields)
    assert "\n" not in str(error.value)


def test_recipe_and_preset_are_those_of_the_authors_code():
    config = resolve("dm_adapter", "cuhk", presets=["released"])
    assert (config.train.precision, config.train.batch_size, config.train.epochs) == ("pure-fp16", 128, 60)
    assert (config.eval.rule, config.dataset.val) == ("oracle", "none")
    assert (config.method.lr, config.method.eps, config.method.balance) == (3e-4, 1e-3, 0.5)
    assert config.train.augment.mask_words == 0.15
    assert (config.method.n_experts, config.method.top_k, config.method.reduction) == (6, 2, 8)
