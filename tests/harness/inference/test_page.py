"""The page of a search: its cards in order with pictures inside, hostile text as text, what is left out."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harness.inference.found import Search
from harness.inference.gallery import Gallery, Hit
from harness.inference.page import shown, write_search_page
from harness.inference.relevance import PatchMap, Relevance, Word, WordMap
from harness.inference.relevance_look import tinted

BAD = "<script>alert(1)</script>\"'&"


@pytest.fixture
def found(fake, tmp_path):
    """Return a search of two images, one of which is no image, with a hostile query."""
    place = tmp_path / "photos"
    place.mkdir()
    files = [place / "a.png", place / "<b>.png"]
    Image.new("RGB", (600, 900), (255, 0, 0)).save(files[0])
    files[1].write_bytes(b"no image")
    hits = [Hit(1, 0.98765, files[0]), Hit(2, -0.5, files[1])]
    made, _ = fake.record("cskt", "icfg", 40)
    gallery = Gallery(files, torch.zeros(2, 4), [(place / f"{n}.png", BAD) for n in range(12)], 2)
    return Search(made, place, False, gallery, [BAD], [hits], [0.1], tmp_path / "out" / "page.html")


def page(found):
    write_search_page(found)
    return found.page.read_text(encoding="utf-8")


def test_each_hit_is_a_card_with_rank_similarity_and_a_small_picture(found):
    text = page(found)
    assert re.findall(r'class="rank">(\d+)<', text) == ["1", "2"]
    assert re.findall(r">(-?\d\.\d{3})<", text) == ["0.988", "-0.500"]
    (data,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.size == (288, 432)
    assert text.count('class="gone"') == 1


def test_hostile_queries_and_paths_are_text_and_nothing_is_fetched(found):
    text = page(found)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 2
    assert "&lt;b&gt;.png" in text
    assert "default-src 'none'" in text
    assert not re.search(r'(?:src|href)="(?!data:)', text)


def test_what_is_left_out_is_counted_and_the_first_ten_are_named(found):
    text = page(found)
    listed = text.split('<ul class="note">')[1].split("</ul>")[0]
    assert re.findall(r"<li>(\d+\.png)</li>", listed) == [f"{n}.png" for n in range(10)]
    assert listed.count("<li>") == 11
    assert "2" in listed.rsplit("<li>", 1)[1]
    whole = Gallery(found.gallery.files, found.gallery.embeddings, [], 2)
    assert '<ul class="note">' not in page(Search(**{**vars(found), "gallery": whole}))


def test_the_head_tells_twins_and_how_often_the_run_is_right_on_its_own_test(found):
    r1, (low, high) = (getattr(found.record, name)["test/icfg/t2i/R1"] for name in ("metrics", "intervals"))
    text = page(found)
    assert f"{r1:.1f} % [{low:.1f}, {high:.1f}]" in text
    assert "SYNTHETIC TWIN" in text
    bare = found.record.model_copy(update={"metrics": {}, "synthetic": False})
    text = page(Search(**{**vars(found), "record": bare}))
    assert "SYNTHETIC TWIN" not in text
    assert "%" not in text.split("<body>")[1].split("<h2")[0]


def test_several_queries_are_sections_in_their_order_and_none_found_is_an_empty_one(found):
    text = page(Search(**{**vars(found), "queries": ["one", "two"], "rankings": [[], found.rankings[0]]}))
    assert re.findall(r'class="query">“(\w+)”', text) == ["one", "two"]
    assert [part.count('class="hit"') for part in text.split("<h2")[1:]] == [0, 2]
    assert "2 descriptions" in text.split("</title>")[0]


def test_a_path_is_told_from_the_gallery_s_folder_on_and_whole_elsewhere():
    assert shown(Path("/a/b/c.png"), Path("/a")) == "b/c.png"
    assert shown(Path("/x/c.png"), Path("/a")) == "/x/c.png"


def test_maps_are_tinted_pictures_shaded_words_and_numbers(found):
    words = WordMap([Word(BAD, 0.2), Word("w" * 100, -0.1)], 0.4, 0.1, 3)
    carried = Relevance(PatchMap(torch.tensor([[0.3, -0.1], [0.0, 0.1]]), 0.4, 0.1), words)
    text = page(replace(found, maps=[[carried, None]]))
    assert text.count('<div class="relevance">') == 1
    assert "The patches carry +0.300 (75 %) of the similarity 0.400" in text
    assert "<td>-0.100</td>" in text
    assert 'class="word against" title="-0.100"' in text
    assert "3 more words are not read" in text
    assert "<script" not in text
    assert "w" * 41 not in text
    results = replace(found, maps=[[carried, None]]).as_dict()["queries"][0]["results"]
    assert [one.get("relevance", {}).get("flat") for one in results] == [False, None]


def test_blue_speaks_for_the_match_and_striped_orange_against_it():
    picture = np.full((16, 16, 3), 200, np.uint8)
    pixels = tinted(picture, torch.tensor([[1.0, 0.0], [0.0, -1.0]])).astype(int)
    assert (pixels[:8, :8, 2] > pixels[:8, :8, 0] + 50).all()
    assert (pixels[8:, 8:, 0] > pixels[8:, 8:, 2] + 20).all()
    assert len(np.unique(pixels[8:, 8:, 0])) == 2
    assert np.unique(pixels[:8, 8:]).size == 1
