"""Embeddings that are not finite or all alike end a test or a validation with an error, never with a number."""

from types import SimpleNamespace

import pytest
import torch

from harness.errors import HarnessError
from harness.evaluate.collapse import check_embeddings, check_finite
from harness.inference.model import Trained
from harness.methods import METHODS
from harness.record import RunFolder, all_runs
from harness.run.run import run


class Images:
    """Pixels as a split has them."""

    def __init__(self, pixels):
        self.pixels = pixels

    def __len__(self):
        return len(self.pixels)

    def read(self, rows):
        return self.pixels[list(rows)]


def split(pixels, tokens):
    return SimpleNamespace(name="test", dataset="icfg", images=Images(pixels), tokens=tokens)


DIFFERENT = split(torch.arange(4).view(4, 1, 1, 1).expand(4, 3, 2, 2), torch.arange(8).view(4, 2))
SPREAD = torch.eye(4)
ALIKE = torch.full((4, 4), 0.5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_rows_that_are_not_finite_are_counted(value):
    rows = SPREAD.clone()
    rows[2, 1] = value
    with pytest.raises(HarnessError, match=r"embeddings of 1 of 4 captions of the val split are not finite"):
        check_finite(rows, "caption", " of the val split")
    assert check_finite(SPREAD, "caption") is SPREAD


@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_rows_that_are_all_alike_are_a_collapse(noise):
    alike = ALIKE + noise * torch.arange(4)[:, None]
    with pytest.raises(HarnessError, match="All 4 images of the test split of icfg have the same embedding"):
        check_embeddings(alike, SPREAD, DIFFERENT)
    with pytest.raises(
        HarnessError, match="All 4 captions of the test split of icfg have the same embedding"
    ):
        check_embeddings(SPREAD, alike, DIFFERENT)


def test_rows_that_differ_little_and_equal_inputs_are_none():
    for little in (1e-3, 1.5e-5):
        check_embeddings(ALIKE + little * SPREAD, SPREAD, DIFFERENT)
    equal = split(torch.ones(4, 3, 2, 2), torch.ones(4, 2))
    check_embeddings(ALIKE, ALIKE, equal)
    check_embeddings(ALIKE[:1], ALIKE[:1], DIFFERENT)


@pytest.mark.usefixtures("untracked")
class TestARunThatCollapses:
    """A whole run whose embeddings lead nowhere."""

    @pytest.fixture
    def broken(self, monkeypatch):
        """Return a function that lets a method embed captions as a factor of zeros or of something worse."""

        def call(method, value):
            head = lambda self, rows: torch.full_like(rows, value)  # noqa: E731
            monkeypatch.setattr(METHODS.get(method), "head_text", head)

        return call

    @pytest.mark.parametrize(("value", "words"), [(float("nan"), "not finite"), (1.0, "the same embedding")])
    def test_it_fails_at_the_test_and_its_record_says_so(self, world, twins, tmp_path, broken, value, words):
        broken("zero_shot", value)
        with pytest.raises(HarnessError, match=words):
            run(world.quick(twins, "zero_shot"), runs=tmp_path)
        record = all_runs(tmp_path)[0].read()
        assert record.status == "failed"
        assert words in record.error["message"]
        assert record.metrics == {}

    def test_validation_chooses_no_epoch_by_it(self, world, twins, tmp_path, monkeypatch):
        linear_probe = METHODS.get("linear_probe")
        plain = linear_probe.head_text

        def head(self, rows):
            return plain(self, rows) if self.training else torch.ones_like(rows)

        monkeypatch.setattr(linear_probe, "head_text", head)
        with pytest.raises(HarnessError, match="captions of the val split of icfg have the same embedding"):
            run(world.quick(twins, "linear_probe"), runs=tmp_path)
        assert all_runs(tmp_path)[0].read().status == "failed"

    def test_a_search_with_it_is_an_error(self, world, twins, tmp_path, broken):
        record = run(world.quick(twins, "zero_shot"), runs=tmp_path)
        broken("zero_shot", float("nan"))
        with pytest.raises(HarnessError, match="not finite"):
            Trained(RunFolder(tmp_path / record.name), device="cpu").encode_text(["a man"])
