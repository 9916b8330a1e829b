"""Ladder side-tuning: what it keeps for the backward pass, a forward that is written out, counts and limits."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from harness.clip.tokens import cut
from harness.errors import UsageError
from harness.train.cost import count_parameters


def kept(work):
    """Return what some work keeps for a backward pass, in order."""
    tensors = []

    def keep(tensor):
        tensors.append(tensor)
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        work(tensors)
    return tensors


@pytest.mark.parametrize("tower", ["image", "text"])
def test_no_operation_of_the_tower_keeps_an_activation(build, batch, tower, monkeypatch):
    method = build("side_network", backbone="shallow")
    injection, seen = getattr(method, f"{tower}_injection"), {}
    finish = injection.finished

    def encode(tensors):
        def watched(x, streams):
            seen["before"], seen["outputs"] = list(tensors), [*streams, x]
            made = finish(x, streams)
            seen["inside"] = tensors[len(seen["before"]) :]
            return made

        monkeypatch.setattr(injection, "finished", watched)
        getattr(method, f"encode_{tower}")(batch.images if tower == "image" else batch.tokens)

    kept(encode)
    assert seen["before"] == [], "the blocks and what is below them"
    assert not any(output.requires_grad for output in seen["outputs"])
    read = {output.data_ptr() for output in seen["outputs"]}
    width = seen["outputs"][0].shape[-1]
    own = {parameter.data_ptr() for parameter in method.parameters()}
    wide = [one for one in seen["inside"] if one.shape[-1:] == (width,) and one.data_ptr() not in own]
    assert wide
    assert {one.data_ptr() for one in wide} == read, "of the tower only the inputs of the side network's maps"


def kept_bytes(method, images):
    own = {parameter.data_ptr() for parameter in method.parameters()}
    tensors = kept(lambda _: method.encode_image(images))
    sizes = {one.data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(size for place, size in sizes.items() if place not in own)


def test_less_is_kept_than_by_what_acts_inside_the_blocks(build, batch):
    side, *others = (
        kept_bytes(build(name), batch.images) for name in ("side_network", "prefix", "adaptformer")
    )
    assert all(side < other / 2 for other in others), (side, others)


@torch.no_grad()
def by_hand(method, outputs, every, causal):
    """Run the side network on what a tower's blocks gave, with its blocks as open_clip runs them."""
    side, length = method.first(outputs[0]), outputs[0].shape[1]
    mask = torch.full((length, length), -torch.inf).triu(1) if causal else None
    rungs = range(len(outputs) - 2, -1, -every)[::-1]
    for rung, layer in enumerate(rungs):
        gate = 1 / (1 + torch.exp(-10 * method.gates[rung]))
        down = outputs[layer + 1] @ method.downs[rung].weight.T + method.downs[rung].bias
        side = method.blocks[rung](gate * side + (1 - gate) * down, attn_mask=mask)
    assert len(method.blocks) == len(rungs)
    return outputs[-1] + method.up(method.norm(side))


@pytest.mark.parametrize("every", [1, 2, 3, 12])
@pytest.mark.parametrize("tower", ["image", "text"])
def test_equals_a_forward_that_is_written_out(build, enliven, tower, every):
    method = build("side_network", every=every)
    side = getattr(method, f"{tower}_injection")
    enliven(side)
    torch.nn.init.normal_(side.up.weight)
    outputs = torch.randn(13, 2, 5, side.up.out_features).unbind()
    with torch.no_grad():
        found = side.finished(outputs[-1], [outputs[stream] for stream in side.reads])
    expected = by_hand(side, outputs, every, causal=tower == "text")
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_word_behind_the_end_is_not_read(build, captions):
    method = build("side_network", backbone="shallow")
    torch.nn.init.normal_(method.text_injection.up.weight)
    tokens = captions(5, 12, 20)
    with torch.no_grad():
        torch.testing.assert_close(method.encode_text(cut(tokens)), method.encode_text(tokens))


@pytest.mark.parametrize("towers", ["image", "text", "both"])
def test_training_starts_at_clip_and_acts_beside_the_towers_asked_for(build, batch, towers):
    method, plain = (
        build(name, backbone="shallow", **fields)
        for name, fields in (("side_network", {"side_towers": towers}), ("zero_shot", {}))
    )
    with torch.no_grad():
        assert torch.equal(method.encode_image(batch.images), plain.encode_image(batch.images))
        assert torch.equal(method.encode_text(batch.tokens), plain.encode_text(batch.tokens))
    learning = {name.partition("_")[0] for name, _ in method.trainable()}
    assert learning == ({"image", "text"} if towers == "both" else {towers})


def derived(width, reduction, rungs):
    """Count by the formula: maps down and up, blocks of attention and MLP with two norms, gates, a norm."""
    side = width // reduction
    block = (
        (3 * side + 3) * side + (side + 1) * side + (4 * side + 4) * side + (4 * side + 1) * side + 4 * side
    )
    return (rungs + 1) * (width + 1) * side + rungs * (block + 1) + 2 * side + (side + 1) * width


@pytest.mark.parametrize(("reduction", "every", "rungs"), [(8, 1, 12), (4, 1, 12), (8, 3, 4), (16, 5, 3)])
def test_counts_on_vit_b_16_are_those_of_the_formula(blueprint, reduction, every, rungs):
    counts = count_parameters(blueprint("side_network", reduction=reduction, every=every))
    expected = derived(768, reduction, rungs) + derived(512, reduction, rungs)
    assert counts.trainable == counts.inference_extra == expected
    if (reduction, every) == (8, 1):
        assert expected == 3_436_536
        assert 0.02 < expected / 149_617_664 < 0.03, "the references say two to three in a hundred"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reduction": 25}, r"method\.reduction=25 leaves nothing of width 24"),
        ({"every": 3}, r"method\.every=3 is more than the 2 layers there are: choose 1 to 2"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(build, fields, message):
    with pytest.raises(UsageError, match=message):
        build("side_network", backbone="shallow", **fields)
