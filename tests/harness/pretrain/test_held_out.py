"""Retrieval of unseen pictures: of other seeds than the training's, by kind, ties against the model."""

import pytest
import torch

from harness.clip.model import load_clip
from harness.pretrain import held_out
from harness.pretrain.held_out import ALL, HELD_OUT, held_out_figures
from harness.pretrain.recipe import PretrainConfig


@pytest.fixture
def clip():
    return load_clip(PretrainConfig(model="tiny-1x32-1x32").backbone, random=True)


def test_ties_count_against_the_model(clip):
    with torch.no_grad():
        clip.model.visual.proj.zero_()
    assert held_out_figures(clip, ["shapes"], 8, 0)["shapes"]["t2i/R1"] == 0


def test_figures_are_by_kind_and_of_all_together_from_unseen_pictures(clip, monkeypatch):
    asked, batch = [], held_out.batch
    monkeypatch.setattr(held_out, "_AT_ONCE", 4)
    monkeypatch.setattr(held_out, "batch", lambda *of: asked.append(of) or batch(*of))
    figures = held_out_figures(clip, ["shapes", "crowds"], 6, 5)
    assert list(figures) == ["shapes", "crowds", ALL]
    assert [(list(shares), seed, start, n) for shares, seed, start, n in asked] == [
        (["shapes"], 5 + HELD_OUT, 0, 4),
        (["shapes"], 5 + HELD_OUT, 4, 2),
        (["crowds"], 5 + HELD_OUT, 0, 4),
        (["crowds"], 5 + HELD_OUT, 4, 2),
    ]
    assert list(held_out_figures(clip, ["shapes"], 4, 0)) == ["shapes"]


def test_figures_are_those_of_the_scores(clip):
    kinds = ["pictograms", "garments"]
    image, text = (
        torch.cat(parts)
        for parts in zip(*(held_out._embedded(clip, kind, 7, 3 + HELD_OUT) for kind in kinds), strict=True)
    )
    assert image.norm(dim=1) == pytest.approx(torch.ones(14).numpy(), abs=1e-5)
    scores = text @ image.T
    first = [(row >= row[place]).sum().item() == 1 for place, row in enumerate(scores)]
    assert held_out_figures(clip, kinds, 7, 3)[ALL]["t2i/R1"] == pytest.approx(100 * sum(first) / 14)
