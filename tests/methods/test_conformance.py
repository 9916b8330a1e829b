"""What holds for every registered method, a new one included."""

import pytest
import torch
from pydantic import ValidationError

from harness.compute.precision import store_half
from harness.methods import METHODS, TrainedConfig, gathered
from harness.train.gradient_audit import audit_gradients

SEARCHED = ("lr", "weight_decay", "warmup_epochs", "temperature")


@pytest.fixture(params=METHODS.names())
def name(request):
    return request.param


@pytest.fixture(params=[name for name in METHODS.names() if METHODS.get(name).trained])
def trained_name(request):
    return request.param


def test_every_parameter_learns_that_counts_as_trainable(build, batch, trained_name):
    method = build(trained_name, backbone="shallow")
    assert list(method.trainable())
    audit_gradients(method, batch)
    assert all(parameter.grad is None for parameter in method.parameters())


def test_an_untrained_method_has_nothing_to_train(build, name):
    if not METHODS.get(name).trained:
        assert not list(build(name, backbone="shallow").trainable())


def test_training_changes_exactly_the_trainable_parameters(build, batch, trained_name):
    """Frozen means frozen: bit by bit, buffers too, after several steps with weight decay.

    What is below a map that starts at zero gets a gradient of zero in the first of them.
    """
    method = build(trained_name, backbone="shallow", weight_decay=0.01)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    optimiser = method.optimiser()
    for _ in range(3):
        method.train()
        method.clip.eval()
        optimiser.zero_grad()
        method(batch).total.backward()
        optimiser.step()
    changed = {key for key, value in method.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {key for key, _ in method.trainable()}
    grouped = [id(p) for group in method.param_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for _, p in method.trainable())


def test_a_few_steps_lower_the_loss(build, batch, trained_name):
    method = build(trained_name, backbone="shallow", lr=1e-3, eps=1e-8)
    optimiser, values = method.optimiser(), []
    for _ in range(6):
        optimiser.zero_grad()
        loss = method(batch).total
        loss.backward()
        optimiser.step()
        values.append(float(loss.detach()))
    assert values[-1] < values[0]


def test_encodes_any_number_of_images_and_captions(build, batch, captions, name):
    method = build(name, backbone="shallow").eval()
    with torch.no_grad():
        assert method.encode_image(batch.images[:1]).shape == (1, 24)
        assert method.encode_image(batch.images).shape == (6, 24)
        assert method.encode_text(captions(1, 76)).shape == (2, 24)
        single = method.encode_text(batch.tokens[2:3])
        torch.testing.assert_close(method.encode_text(batch.tokens)[2:3], single)


def test_folding_keeps_the_embeddings_and_leaves_what_was_said(build, batch, captions, name):
    method = build(name, backbone="shallow").eval()
    shake(method)
    expected = method.folded_parameters()
    tokens = captions(5, 70, 76)
    with torch.no_grad():
        image, text = method.encode_image(batch.images), method.encode_text(tokens)
        method.fold()
        torch.testing.assert_close(method.encode_image(batch.images), image, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(method.encode_text(tokens), text, atol=1e-5, rtol=1e-4)
    own = {id(p) for p in method.clip.parameters()}
    assert sum(p.numel() for p in method.parameters() if id(p) not in own) == expected
    assert method.folded_parameters() == expected
    with torch.no_grad():
        once = method.encode_image(batch.images), method.encode_text(tokens)
        method.fold()
        again = method.encode_image(batch.images), method.encode_text(tokens)
    assert all(torch.equal(*pair) for pair in zip(once, again, strict=True)), (
        "a folded method may be folded again"
    )


def test_frozen_parts_keep_no_graph(build, batch, name):
    method = build(name, backbone="shallow")
    trained = {id(parameter) for _, parameter in method.trainable()}
    image = method.encode_image(batch.images)
    text = method.encode_text(batch.tokens)
    assert (image.requires_grad or text.requires_grad) == bool(trained)
    leaves = set()
    for embeddings in (image, text):
        leaves |= _leaves(embeddings.grad_fn)
    needed = {id(p) for key, p in method.named_parameters() if key.split(".")[0] not in method.training_only}
    assert leaves == trained & needed


def test_the_same_seed_makes_the_same_method(build, batch, name):
    one, two, other = (build(name, backbone="shallow", seed=seed) for seed in (3, 3, 4))
    for (key, first), (_, second) in zip(one.named_parameters(), two.named_parameters(), strict=True):
        assert torch.equal(first, second), key
    assert not torch.equal(one.encode_image(batch.images), other.encode_image(batch.images))


def test_what_is_trained_can_be_saved_and_loaded(build, batch, trained_name):
    method = build(trained_name, backbone="shallow").eval()
    shake(method)
    saved = {key: parameter.detach().clone() for key, parameter in method.trainable()}
    fresh = build(trained_name, backbone="shallow").eval()
    missing, unexpected = fresh.load_state_dict(saved, strict=False)
    assert not unexpected
    with torch.no_grad():
        assert torch.equal(fresh.encode_image(batch.images), method.encode_image(batch.images))
        assert torch.equal(fresh.encode_text(batch.tokens), method.encode_text(batch.tokens))
    assert not set(missing) & set(saved)


def test_a_method_stored_in_half_precision_still_encodes_and_learns(build, batch, name):
    method = store_half(build(name, backbone="shallow"))
    own = gathered(method.features(batch), batch)
    plain = build(name, backbone="shallow").features(batch)
    for side in ("image", "text"):
        assert own[side].dtype == torch.float32
        assert float((own[side] * plain[side]).sum(1).min().detach()) > 0.99
    if method.trained:
        audit_gradients(method, batch)


def test_config_fields_explain_themselves(name):
    fields = METHODS.get(name).Config.model_fields
    assert all(field.description for field in fields.values())
    if METHODS.get(name).trained:
        for key in SEARCHED:
            search = fields[key].json_schema_extra["search"]
            assert search["low"] <= fields[key].default <= search["high"], key


def test_every_field_of_the_method_s_own_structure_can_be_searched_or_is_held(trained_name):
    config = METHODS.get(trained_name).Config
    own = {key for key in config.model_fields if key not in TrainedConfig.model_fields}
    unsearched = {key for key in own if not (config.model_fields[key].json_schema_extra or {}).get("search")}
    assert unsearched == set(config.held)


def test_a_default_lies_in_its_search_range(name):
    for key, field in METHODS.get(name).Config.model_fields.items():
        search = (field.json_schema_extra or {}).get("search")
        if search and "values" in search:
            assert field.default in search["values"], key
        elif search:
            assert search["low"] <= field.default <= search["high"], key


def test_an_unknown_field_is_refused(name):
    with pytest.raises(ValidationError):
        METHODS.get(name).Config(name=name, no_such_field=1)


def test_the_file_says_what_the_method_is(name):
    module = __import__(METHODS.get(name).__module__, fromlist=["_"])
    assert len(module.__doc__.strip().splitlines()) >= 3


@torch.no_grad()
def shake(method):
    """Move everything that is trained away from its start."""
    for _, parameter in method.trainable():
        parameter.add_(torch.randn_like(parameter), alpha=0.05)


def _leaves(node, seen=None):
    """Return the ids of all parameters that a graph reaches."""
    seen = set() if seen is None else seen
    if node is None or node in seen:
        return set()
    seen.add(node)
    found = {id(node.variable)} if hasattr(node, "variable") else set()
    for parent, _ in node.next_functions:
        found |= _leaves(parent, seen)
    return found
