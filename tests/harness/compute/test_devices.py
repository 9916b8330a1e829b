"""Devices and precisions: which one is taken where, what autocast does, and who is the process that writes."""

import pytest
import torch

from harness.compute.devices import (
    _AUTOCAST,
    Inference,
    accelerator,
    agreed,
    autocast,
    inference,
    is_main_process,
)
from harness.errors import UsageError


@pytest.fixture(params=[True, False])
def bf16(request, monkeypatch):
    """Pretend that there is a CUDA device that can, or cannot, compute in bfloat16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: request.param)
    return request.param


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("precision", "kind"),
    [("auto", "no"), ("fp32", "no"), ("pure-fp16", "no"), ("bf16", "bf16"), ("fp16", "no")],
)
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_what_was_trained_in_any_precision_encodes_on_a_processor(no_cuda, precision, kind, device):
    assert inference(precision, device) == Inference(torch.device("cpu"), kind, True)


@pytest.mark.parametrize(("precision", "kind"), [("fp32", "no"), ("pure-fp16", "no"), ("fp16", "fp16")])
def test_on_cuda(bf16, precision, kind):
    assert inference(precision) == Inference(torch.device("cuda"), kind, True)
    assert inference("auto").mixed_precision == ("bf16" if bf16 else "fp16")
    assert inference("auto", "cpu") == Inference(torch.device("cpu"), "no", True)


def test_what_the_machine_cannot_do_is_refused_by_the_setting_that_asked_for_it(no_cuda):
    for call in (inference, accelerator):
        with pytest.raises(UsageError, match="--device cuda"):
            call("fp32", "cuda")
    with pytest.raises(UsageError, match=r"train\.precision=fp16"):
        accelerator("fp16", "cpu")


def test_one_process_may_use_one_precision_after_the_other():
    kinds = [accelerator(precision, "cpu").mixed_precision for precision in ("fp32", "bf16", "bf16", "auto")]
    assert kinds == ["no", "bf16", "bf16", "no"]
    assert accelerator("fp32", "cpu").device == torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "computed"),
    [("fp32", torch.float32), ("pure-fp16", torch.float32), ("bf16", torch.bfloat16)],
)
@pytest.mark.parametrize("make", [inference, accelerator])
def test_autocast_computes_in_the_precision_of_the_run(make, precision, computed):
    layer, rows = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with autocast(make(precision, "cpu")):
        assert layer(rows).dtype == computed
    assert layer(rows).dtype == torch.float32
    assert set(_AUTOCAST) == {"bf16", "fp16"}


def test_a_process_alone_agrees_with_itself():
    value = object()
    assert agreed(value) is value
    assert agreed(None) is None


@pytest.mark.parametrize(("rank", "main"), [(None, True), ("0", True), ("1", False), ("3", False)])
def test_the_first_process_writes_before_the_processes_have_met(monkeypatch, rank, main):
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert is_main_process() is main
    assert inference("fp32", "cpu").is_main_process is main


@pytest.mark.parametrize(("place", "main"), [((0, 2), True), ((1, 2), False)])
def test_once_they_have_met_their_ranks_decide(monkeypatch, place, main):
    monkeypatch.setenv("RANK", "1" if main else "0")
    monkeypatch.setattr("harness.compute.devices.world", lambda: place)
    assert is_main_process() is main
