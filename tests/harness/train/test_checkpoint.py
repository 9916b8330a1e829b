"""Weights and the state that refers to them belong together, and damage to either is found before training goes on."""

import pytest
import torch

from harness.errors import DataError
from harness.record import RunFolder
from harness.train.checkpoint import BestWeights, Checkpoint, State, load_weights


class Method(torch.nn.Linear):
    """A method of six trained values."""

    name = "small"

    def __init__(self, value=0.0):
        super().__init__(2, 2)
        torch.nn.init.constant_(self.weight, value)
        torch.nn.init.constant_(self.bias, value)

    def trainable(self):
        return self.named_parameters()


def note(epoch):
    return {"epoch": float(epoch), "t2i/R1": 10.0 * epoch, "t2i/mAP": 1 / 3}


def files(folder):
    return sorted(file.name for file in folder.glob("*.safetensors"))


def test_the_weights_that_a_checkpoint_refers_to_stay_until_another_one_is_written(tmp_path):
    best = BestWeights(RunFolder(tmp_path), "selected")
    best.keep(Method(1), note(1))
    best.settle(note(1))
    for epoch in (2, 3):
        best.keep(Method(epoch), note(epoch))
        assert files(tmp_path) == ["selected-1.safetensors", f"selected-{epoch}.safetensors"]
    # Killed here: a later process reads the old checkpoint and finds what it refers to.
    later, method = BestWeights(RunFolder(tmp_path), "selected"), Method()
    load_weights(method, later.whole(note(1)))
    assert method.weight.unique().item() == 1
    later.settle(note(1))
    assert files(tmp_path) == ["selected-1.safetensors"]
    later.keep(Method(3), note(3))
    later.settle(note(3))
    assert files(tmp_path) == ["selected-3.safetensors"]
    later.settle({})
    assert files(tmp_path) == []


def test_weights_of_another_training_or_damaged_or_gone_are_refused(tmp_path):
    best = BestWeights(RunFolder(tmp_path), "oracle")
    assert best.whole({}) is None
    best.keep(Method(1), note(1))
    file = best.whole(note(1))
    with pytest.raises(
        DataError, match=r"oracle-1\.safetensors is damaged: it is not of epoch 1: repeat .*--force"
    ):
        best.whole(note(1) | {"t2i/mAP": 0.5})
    content = bytearray(file.read_bytes())
    content[-3] ^= 4
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"oracle-1\.safetensors is damaged.*--force"):
        best.whole(note(1))
    with pytest.raises(DataError, match=r"epoch 2 are missing at .*oracle-2\.safetensors.*--force"):
        best.whole(note(2))


def test_the_one_file_of_an_earlier_version_is_still_used(tmp_path):
    best = BestWeights(RunFolder(tmp_path), "selected")
    best.keep(Method(4), note(4))
    (tmp_path / "selected-4.safetensors").rename(tmp_path / "selected.safetensors")
    assert best.whole(note(4)) == tmp_path / "selected.safetensors"
    best.settle(note(4))
    assert files(tmp_path) == ["selected.safetensors"]
    best.keep(Method(5), note(5))
    best.settle(note(5))
    assert files(tmp_path) == ["selected-5.safetensors"]


def test_a_flipped_bit_or_an_empty_page_of_a_checkpoint_is_found(tmp_path):
    method, file = Method(1), tmp_path / "checkpoint.pt"
    optimiser = torch.optim.Adam(method.parameters())
    method(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    checkpoint = Checkpoint(file, every_seconds=600)
    checkpoint.write(State(epoch=1, best=note(1)), method, optimiser, None)
    whole, wrong, found = file.read_bytes(), 0, 0
    expected = {name: value.clone() for name, value in method.named_parameters()}
    for place in range(0, len(whole), max(1, len(whole) // 300)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        other = Method()
        try:
            state = Checkpoint(file, 600).restore(other, torch.optim.Adam(other.parameters()), None)
        except DataError as error:
            found += str(file) in str(error) and "remove it to start over" in str(error)
            continue
        wrong += state != State(epoch=1, best=note(1))
        wrong += not all(torch.equal(expected[name], value) for name, value in other.named_parameters())
    assert (wrong, found > 100) == (0, True)
    for damaged in (whole[: len(whole) // 2], whole[:512] + bytes(512) + whole[1024:], b""):
        file.write_bytes(damaged)
        with pytest.raises(DataError, match="remove it to start over"):
            checkpoint.restore(method, optimiser, None)


def test_the_state_of_the_random_numbers_of_every_device_comes_back(tmp_path, monkeypatch):
    method, cuda = Method(1), []
    optimiser = torch.optim.Adam(method.parameters())
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", 600)
    checkpoint.write(State(), method, optimiser, None)
    drawn = torch.rand(3)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.set_rng_state", cuda.append)
    checkpoint.restore(method, optimiser, None)
    assert torch.equal(torch.rand(3), drawn)
    assert cuda == []
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: True)
    monkeypatch.setattr("torch.cuda.get_rng_state", lambda: torch.tensor([7, 8], dtype=torch.uint8))
    checkpoint.write(State(), method, optimiser, None)
    checkpoint.restore(method, optimiser, None)
    assert [state.tolist() for state in cuda] == [[7, 8]]
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    checkpoint.restore(method, optimiser, None)
    assert len(cuda) == 1
