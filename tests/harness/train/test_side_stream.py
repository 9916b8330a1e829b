"""A batch on a stream of its own: begun after what it reads, waited for by the model's stream, its memory kept."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from harness.method_parts.batch import Batch
from harness.train.side_stream import SideStream


@pytest.fixture
def log(monkeypatch):
    """Stand in for the streams of CUDA; return what they are asked."""
    log = []

    class Stream:
        def __init__(self, name):
            self.name = name

        def wait_stream(self, other):
            log.append(f"{self.name} waits for {other.name}")

        def record_event(self):
            log.append(f"event of {self.name}")
            return SimpleNamespace(name="event")

        def wait_event(self, event):
            log.append(f"{self.name} waits for {event.name}")

    @contextmanager
    def within(stream):
        log.append(f"on {stream.name}")
        yield
        log.append(f"off {stream.name}")

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream("side"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream("main"))
    monkeypatch.setattr(torch.cuda, "stream", within)
    return log


def test_what_is_made_is_handed_over_in_order(log, monkeypatch):
    kept = []
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda tensor: tensor.dim() > 1))
    monkeypatch.setattr(
        torch.Tensor, "record_stream", lambda tensor, stream: kept.append((tensor.shape, stream.name))
    )
    side = SideStream(torch.device("cuda"))
    side.follow()
    batch, made = side.make(
        lambda: (
            log.append("work")
            or Batch(torch.zeros(2, 3), torch.zeros(2, 4), torch.zeros(2), image_views=(torch.zeros(2, 5),))
        )
    )
    assert side.hand_over(batch, made) is batch
    assert log == [
        "side waits for main",
        "on side",
        "work",
        "event of side",
        "off side",
        "main waits for event",
    ]
    assert kept == [((2, 3), "main"), ((2, 4), "main"), ((2, 5), "main")], "the labels stay on this machine"
