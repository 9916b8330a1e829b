"""Nothing is computed twice or kept for nothing: frozen parts of towers, and gradients below what is trained."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from harness.clip.towers import passing

IMAGE, TEXT = "image", "text"


@pytest.mark.parametrize("tower", [IMAGE, TEXT])
@pytest.mark.parametrize(
    ("name", "fields"),
    [("side_network", {"every": 2}), ("side_network", {}), ("clip_adapter", {"towers": "both"})],
)
def test_finishing_the_frozen_part_is_the_whole_way_and_learns_the_same(build, batch, name, fields, tower):
    method = build(name, backbone="shallow", **fields)
    inputs, encode = {IMAGE: (batch.images, method.encode_image), TEXT: (batch.tokens, method.encode_text)}[
        tower
    ]
    with torch.no_grad():
        for parameter in (p for _, p in method.trainable()):
            parameter.add_(0.1 * torch.randn_like(parameter))
        given = method.frozen_part(tower).compute(inputs)
    learned = []
    for rows in (encode(inputs), method.from_frozen(tower, given, batch.tokens)):
        method.zero_grad()
        rows.square().sum().backward()
        learned.append(
            [rows.detach(), *(p.grad.clone() for _, p in method.trainable() if p.grad is not None)]
        )
    assert len(learned[0]) == len(learned[1]) > 1
    for whole, part in zip(*learned, strict=True):
        torch.testing.assert_close(part, whole, rtol=0, atol=0)


def test_only_the_streams_that_are_read_are_kept(build, batch):
    method = build("side_network", every=4)
    assert method.frozen_part("image").reads == (0, 4, 8)
    assert method.frozen_part("image").compute(batch.images).shape == (6, 4, 9, 32)


# By method, with what it is asked for: how many of a tower's twelve blocks are below everything that is trained.
UPPER = [
    ("partial", {}, 11),
    ("partial", {"blocks": 4}, 8),
    ("lora", {"layers": "upper_half"}, 6),
    ("side_network", {}, 12),
    ("linear_probe", {}, 12),
    ("clip_adapter", {"towers": "both"}, 12),
]


@pytest.mark.parametrize("tower", [IMAGE, TEXT])
@pytest.mark.parametrize(("name", "fields", "below"), UPPER)
def test_gradients_stop_at_the_lowest_trained_layer(build, batch, monkeypatch, name, fields, below, tower):
    method, kept, run = build(name, **fields), [], passing.run_block

    def counted(*arguments, **options):
        """Count what is kept inside of a block."""
        kept.append(0)

        def keep(tensor):
            kept[-1] += 1
            return tensor

        with saved_tensors_hooks(keep, lambda tensor: tensor):
            return run(*arguments, **options)

    monkeypatch.setattr(passing, "run_block", counted)
    method.encode_image(batch.images) if tower == IMAGE else method.encode_text(batch.tokens)
    assert [bool(n) for n in kept] == [False] * below + [True] * (12 - below)
