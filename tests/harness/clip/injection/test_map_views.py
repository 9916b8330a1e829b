"""Maps of a tower as linear layers: the tower's own weights, none of their own."""

import pytest
import torch

from harness.clip.injection.map_views import MapView, map_views
from harness.clip.towers import Affine
from tests import tower_kinds

MAPS = ("query", "key", "value", "out", "mlp_in", "mlp_out")


@pytest.fixture(params=["small_siglip", "small_eva02"])
def clip(request, monkeypatch):
    tower_kinds.register(monkeypatch)
    return tower_kinds.build(request.param)


@pytest.mark.parametrize("tower", ["image", "text"])
def test_a_view_maps_as_the_tower_does_and_follows_its_weights(clip, tower):
    views = map_views(clip, tower, MAPS)
    assert not list(views.parameters())
    assert len(views) == len(clip.blocks(tower))
    view = views["1"]["value"]
    weight, bias = clip.affine(tower, 1, "value")
    given = torch.randn(2, 5, view.in_features)
    with torch.no_grad():
        torch.testing.assert_close(view(given), given @ weight.T + (0 if bias is None else bias))
        weight.mul_(2)
    assert torch.equal(view.weight, weight)
    assert view.out_features == len(weight)


def test_only_the_maps_that_a_tower_has_are_viewed(clip, monkeypatch):
    monkeypatch.setattr(clip, "places", lambda tower: frozenset({"query", "out"}))
    assert list(map_views(clip, "image", MAPS)["0"]) == ["query", "out"]


def test_what_the_tower_has_made_is_not_made_again():
    weight = torch.randn(4, 3)
    view = MapView(lambda: Affine(weight, None))
    given, made = torch.randn(2, 3), torch.randn(2, 4)
    with view.knowing(given, made):
        assert view(given) is made
        torch.testing.assert_close(view(given.clone()), given @ weight.T)
    torch.testing.assert_close(view(given), given @ weight.T)
