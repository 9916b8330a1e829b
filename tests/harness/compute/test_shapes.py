"""Results that are made from known shapes are those that the operations give."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from harness.compute.shapes import KnownShapes


class Ran(TorchDispatchMode):
    """Notes what is run; entered first, it sees what the modes inside it hand on."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


def like(tensor):
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device


def block(x, weight):
    """Return what attention, an MLP and their gradients come to, transposed and split parts among it."""
    query, key, value = F.linear(F.layer_norm(x, x.shape[-1:]), weight).chunk(3, dim=-1)
    seen = F.scaled_dot_product_attention(query, key, value).transpose(0, 1) * 2
    out = F.gelu(seen + seen.half()).softmax(-1)
    parts = torch.stack(out.topk(2, dim=-1)).float()
    return [out, parts, *torch.autograd.grad(out.sum() + parts.mean(), (x, weight))]


@pytest.fixture
def given():
    x = torch.zeros(2, 5, 8, device="meta", requires_grad=True)
    return x, torch.zeros(24, 8, device="meta", requires_grad=True)


def test_results_and_gradients_are_like_those_without(given):
    expected = [like(one) for one in block(*given)]
    with Ran() as ran, KnownShapes():
        for _ in range(2):
            assert [like(one) for one in block(*given)] == expected
            ran.names.append("again")
    first = ran.names[: ran.names.index("again")]
    again = ran.names[len(first) + 1 : -1]
    assert "aten::native_layer_norm" in first
    assert {"aten::native_layer_norm", "aten::mm", "aten::gelu", "aten::topk"}.isdisjoint(again)


def test_equal_numbers_of_other_types_are_other_arguments():
    x = torch.zeros(3, dtype=torch.int32, device="meta")
    with KnownShapes():
        assert [(x * number).dtype for number in (1, 1.0)] == [torch.int32, torch.float32]


def test_other_shapes_strides_and_number_formats_are_other_arguments(given):
    x, _ = given
    with KnownShapes():
        for one in (x, x[:1], x.transpose(0, 1), x.half()):
            assert like(one + one) == (one.shape, one.stride(), one.dtype, one.device)


def test_views_share_and_changes_change():
    x = torch.zeros(3, 4, device="meta")
    with Ran() as ran, KnownShapes():
        for _ in range(2):
            assert x.view(4, 3)._base is x
            assert x.view(4, 3).untyped_storage()._cdata == x.untyped_storage()._cdata
            assert x.add_(1) is x
    assert ran.names.count("aten::add_.Tensor") == 2


def test_values_are_computed():
    x = torch.arange(3.0)
    with KnownShapes():
        assert (x * 2).tolist() == (x * 2).tolist() == [0, 2, 4]
        assert torch.ones(2).tolist() == torch.ones(2).tolist() == [1, 1]


def test_an_error_comes_each_time():
    x = torch.zeros(3, device="meta")
    with KnownShapes():
        for _ in range(2):
            with pytest.raises(RuntimeError, match="broadcast"):
                x + torch.zeros(2, device="meta")
            with pytest.raises(RuntimeError, match="meta"):
                x.sum().item()
