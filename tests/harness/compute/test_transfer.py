"""What is sent to a device: nobody waits, except for the batch before the last two."""

import pytest
import torch

from harness.compute import transfer
from harness.compute.transfer import Transfers, sent


def test_what_is_there_already_is_not_copied():
    tensor = torch.arange(3)
    assert sent(tensor, "cpu") is tensor
    transfers = Transfers(torch.device("cpu"))
    room = transfers.room((2, 3), torch.uint8)
    assert (room.shape, room.dtype) == ((2, 3), torch.uint8)
    assert transfers.send(room) is room


@pytest.fixture
def events(monkeypatch):
    """Return what happens to the events of a device: (what, number of the batch)."""
    log, made = [], []

    class Event:
        def __init__(self):
            self.number = len(made)
            made.append(self)

        def record(self):
            log.append(("sent", self.number))

        def synchronize(self):
            log.append(("waited", self.number))

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(transfer, "sent", lambda tensor, device: tensor)
    return log


def test_only_the_batch_before_the_last_two_is_waited_for(events):
    transfers = Transfers(torch.device("cuda"))
    for _ in range(4):
        transfers.send(torch.zeros(1))
    assert events == [
        *(("sent", 0), ("sent", 1)),
        *(("sent", 2), ("waited", 0)),
        *(("sent", 3), ("waited", 1)),
    ]
