"""Tensors of authors' checkpoints under other names, single ones stacked to one."""

import torch

from harness.clip.tensor_names import stacked


def test_a_group_of_one_tensor_is_stacked_like_any_other():
    found = stacked({"a.0": torch.ones(2), "b": torch.zeros(3)}, {"all": ["a.0"]})
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {"b": (3,), "all": (1, 2)}


def test_an_empty_group_and_one_of_other_shapes_stay_single():
    state = {"a": torch.ones(2), "b": torch.ones(3)}
    assert stacked(state, {"all": ["a", "b"], "none": [], "part": ["a", "c"]}).keys() == state.keys()
