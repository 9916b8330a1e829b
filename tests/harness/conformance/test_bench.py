"""What the checks work with: batches as a method asks for them, methods by seed, and the list of checks."""

import inspect

import pytest
import torch

from harness.conformance import of_embedding, of_the_file, of_training
from harness.conformance.bench import Bench, permuted, without_chance
from harness.conformance.suite import CHECKS, run_checks
from harness.errors import UsageError
from harness.methods import METHODS

SMALL = "tiny-1x32-1x32"


def bench(name, **fields):
    return Bench(METHODS.get(name), fields, SMALL)


def test_every_check_that_is_written_is_run_once_and_after_what_it_needs():
    written = {
        found
        for module in (of_embedding, of_the_file, of_training)
        for name, found in inspect.getmembers(module, inspect.isfunction)
        if found.__module__ == module.__name__ and not name.startswith("_")
    }
    assert {check.run for check in CHECKS} == written
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names) == len(written)
    for place, check in enumerate(CHECKS):
        assert set(check.needs) <= set(names[:place]), check.name


def test_a_batch_has_the_views_that_a_method_asks_for_and_no_other():
    tbps = bench("tbps_clip", ss_image=0.5, ss_text=0.5, mvs_image=True)
    method = tbps.make()
    batch, views = tbps.batch(method), method.views()
    assert sum(views) > 0
    given = (len(batch.image_views), len(batch.token_views), len(batch.contrast_views))
    assert given == tuple(views)
    plain = bench("lora")
    assert not plain.batch(plain.make()).image_views


def test_captions_end_where_they_are_told_to():
    lora = bench("lora")
    method = lora.make()
    tokens = lora.captions(method.clip, (1, 76))
    assert tokens.argmax(dim=1).tolist() == [1, 76]
    assert tokens.shape == (2, 77)


def test_a_permuted_batch_has_the_same_pairs_and_draws():
    lora = bench("lora")
    batch = lora.batch(lora.make())
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    other = permuted(batch, order)
    for place, source in enumerate(order.tolist()):
        assert torch.equal(other.images[place], batch.images[source])
        assert torch.equal(other.tokens[place], batch.tokens[source])
        assert other.identities[place] == batch.identities[source]
    assert torch.equal(other.places, order)


def test_nothing_is_left_to_chance_where_it_is_taken_out():
    method = without_chance(bench("tbps_clip", text_dropout=0.4).make())
    assert method.text_injection.attention_dropout == 0


def test_a_backbone_is_never_shared_by_two_methods():
    lora = bench("full_finetune")
    one, two = lora.make(), lora.make()
    with torch.no_grad():
        next(one.clip.parameters()).add_(1)
    assert not torch.equal(next(one.clip.parameters()), next(two.clip.parameters()))


def test_random_numbers_and_threads_are_as_before():
    state, n = torch.get_rng_state(), torch.get_num_threads()
    run_checks(bench("zero_shot"))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == n


def test_another_backbone_is_refused():
    with pytest.raises(UsageError, match="tiny CLIP, which 'ViT-B-16' is not"):
        Bench(METHODS.get("lora"), backbone="ViT-B-16")
