"""What carries the matches of chosen queries: which are chosen, what is told of them, and hostile captions as text."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from harness.analysis import relevance_maps
from harness.analysis.relevance_maps import (
    chosen_queries,
    draw_maps,
    make_maps,
    maps_for_report,
    maps_table,
    read_map,
)
from harness.errors import DataError, UsageError
from harness.files import read_json
from harness.images.decoding import ImageError
from harness.inference.relevance import PatchMap, Relevance, Word, WordMap

BAD = "<script>\x1b[31m $x_1$ coat"
QUERIES = {
    "t2i/rank": np.array([1, 5, 2]),
    "t2i/AP": np.array([1.0, 0.2, 0.5]),
    "t2i/identity": np.array([1, 2, 3]),
    "i2t/identity": np.array([1, 2, 3, 3]),
    "t2i/top": np.array([[0, 1], [3, 1], [3, 2]]),
}


class Pictures:
    """Stands for a dataset of four images: the last cannot be read."""

    missing = None

    def caption(self, place):
        return BAD if place else "a red coat"

    def owner(self, place):
        return place

    def path(self, place):
        return f"{place}.jpg"

    def thumbnail(self, place):
        return np.full((24, 8, 3), 100, np.uint8) if place < 3 else None


@pytest.fixture
def model(monkeypatch):
    """A model whose last word speaks against each match."""

    def relevance(caption, path):
        if path == "2.jpg":
            raise ImageError("gone")
        words = [Word(text, 0.1) for text in caption.split()]
        words[-1] = Word(words[-1].text, -0.2)
        patches = torch.tensor([[0.3, 0.0], [0.0, -0.1]])
        return Relevance(PatchMap(patches, 0.5, 0.3), WordMap(words, 0.5, 0.1, 0))

    monkeypatch.setattr(relevance_maps, "find_run", lambda name, root: name)
    monkeypatch.setattr(
        "harness.inference.model.Trained", lambda folder: SimpleNamespace(relevance=relevance)
    )


def test_best_median_and_worst_or_those_that_are_named():
    assert chosen_queries(QUERIES, ()) == [("best", 0), ("median", 2), ("worst", 1)]
    assert chosen_queries(QUERIES, (2, 0, 2)) == [("chosen", 2), ("chosen", 0)]
    with pytest.raises(UsageError, match=r"no query 3 among the 3 of the test, 0 to 2"):
        chosen_queries(QUERIES, (3,))


def test_the_image_put_first_and_the_one_described_and_none_that_is_gone(model):
    rows = make_maps("run", None, QUERIES, Pictures(), ())
    assert [(row["query"], row["image"], row["right"]) for row in rows] == [
        (0, 0, True),
        (2, 3, True),
        (1, 3, False),
        (1, 1, True),
    ]
    assert rows[0]["words"] == [0.1, 0.1, -0.2]
    again = read_map(rows[0], "a red coat")
    assert [word.text for word in again.caption.words] == ["a", "red", "coat"]
    assert again.picture.patches.tolist() == pytest.approx(np.array([[0.3, 0.0], [0.0, -0.1]]))


def test_table_and_figure_hold_hostile_captions_as_text(model):
    rows = make_maps("run", None, QUERIES, Pictures(), (1,))
    table = maps_table(rows, Pictures())
    assert table.cells["patches carry"].tolist() == ["+0.200 (40 %)"] * 2
    assert table.cells["patches that carry most"][0].startswith("1/1 +0.300")
    assert table.cells["words that carry most"][0].startswith("coat -0.200")
    assert "<script>" not in table._repr_html_()
    (axes,) = draw_maps(rows, Pictures()).axes
    written = [text.get_text() for text in axes.texts]
    assert "<script>" in written
    assert not any("\x1b" in text for text in written)
    shades = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert len(shades) == 2 * len(BAD.split())
    assert len(axes.images) == 2


def test_without_weights_it_says_why_and_without_pictures_the_gallery_does(model, tmp_path, monkeypatch):
    source = SimpleNamespace(runs=None, queries=())
    maps, why = maps_for_report(source, "run", QUERIES, Pictures(), tmp_path)
    assert (len(maps), why) == (4, "")
    assert read_json(tmp_path / "relevance.json") == maps

    def gone(name, root):
        raise DataError("no run here")

    monkeypatch.setattr(relevance_maps, "find_run", gone)
    maps, why = maps_for_report(source, "run", QUERIES, Pictures(), tmp_path)
    assert not maps
    assert why.endswith("needs the run's weights on this machine: no run here")
    nothing = Pictures()
    nothing.missing = "not here"
    assert maps_for_report(source, "run", QUERIES, nothing, tmp_path) == ([], "")
    with pytest.raises(UsageError, match="no query 9"):
        maps_for_report(SimpleNamespace(runs=None, queries=(9,)), "run", QUERIES, nothing, tmp_path)
