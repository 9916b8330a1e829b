"""Figures of a dataset: shares of each split counted by hand, sizes of images, words, and a sheet of persons."""

import numpy as np
import pytest
from matplotlib import pyplot

from harness.analysis.dataset_figures import (
    draw_counts,
    draw_shapes,
    draw_sheet,
    draw_words,
    most_words,
    silent_shares,
    words_frame,
)
from harness.analysis.dataset_profile import Person, Profile
from harness.captions.vocabulary import caption_features, vocabulary
from harness.pages.theme import use_theme
from tests.small_icfg import BAD

TEXTS = [
    "A man in a red shirt and blue jeans.",
    "A man in a red shirt.",
    "Someone.",
    "A green dress, a red bag.",
    "word",
]


@pytest.fixture(autouse=True)
def _closed():
    use_theme()
    yield
    pyplot.close("all")


def captions(texts=TEXTS, splits=(0, 0, 0, 2, 2)):
    names = {f"{name}_names": words for name, words in vocabulary().items()}
    return {"split": np.array(splits, dtype=np.uint8), **caption_features(list(texts)), **names}


def images(height=(60, 60, 80), width=(20, 30, 40), splits=(0, 0, 2)):
    place = np.array(splits, dtype=np.uint8)
    return {
        "split": place,
        "n_captions": np.ones(len(place), dtype=np.int64),
        "person_split": place,
        "person_images": np.arange(1, len(place) + 1),
        "height": np.array(height, dtype=np.int64),
        "width": np.array(width, dtype=np.int64),
        "measured_split": place,
    }


def profile(**changes):
    made = {
        "name": "icfg",
        "title": "ICFG-PEDES",
        "synthetic": True,
        "folder": "x",
        "annotations": [],
        "licence": "",
        "access": "",
        "image_folder": "imgs",
        "default_val": "holdout",
        "text_length": 77,
        "met_in": [],
        "expected": {},
        "found": {"train": [1, 2, 3], "test": [1, 1, 2]},
        "faults": [],
        "known_wrong": [],
        "n_images": 1234,
        "n_there": 3,
    }
    return Profile(**made | changes)


def stairs(axes):
    """Return the heights of each staircase by its colour's order of drawing."""
    return [patch.get_xy()[:, 1] for patch in axes.patches]


def test_words_are_shares_of_all_captions_and_of_each_split_the_commonest_first():
    rows = words_frame(captions())
    red = rows.set_index("name").loc["red"]
    assert red[["all", "train", "test"]].tolist() == pytest.approx([60, 200 / 3, 50])
    assert np.isnan(red["val"])
    for _, part in rows.groupby("kind"):
        assert part["all"].is_monotonic_decreasing
    assert silent_shares(captions()) == {"colours": 40.0, "garments": 40.0}


def test_no_caption_at_all_has_shares_that_are_no_number():
    none = captions([], [])
    assert words_frame(none)["all"].isna().all()
    assert np.isnan(silent_shares(none)["colours"])
    assert len(draw_counts(profile(found={}), none, images([], [], [])).axes) == 3


def test_counts_draw_each_split_as_shares_of_its_own():
    figure = draw_counts(profile(), captions(), images())
    words, persons, each = figure.axes
    assert [axes.get_xlabel() != "" for axes in figure.axes] == [True] * 3
    train, test = stairs(words)
    assert (train.max(), test.max()) == pytest.approx((100 / 3, 50))
    assert [shares.max() for shares in stairs(persons)] == pytest.approx([50, 100])
    assert [shares.max() for shares in stairs(each)] == pytest.approx([100, 100])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "test"]
    assert "SYNTHETIC TWIN" in figure.get_suptitle()


def test_a_line_marks_the_longest_caption_where_captions_come_near_to_it():
    long = draw_counts(profile(), captions([" ".join(["word"] * 60)], [0]), images())
    assert [line.get_xdata()[0] for line in long.axes[0].lines] == [most_words(profile())] == [75]
    assert not draw_counts(profile(), captions(), images()).axes[0].lines


def test_sizes_are_drawn_by_split_and_shapes_as_height_for_width():
    figure = draw_shapes(profile(), images())
    left, right = figure.axes
    marked = {
        line.get_marker(): line.get_xydata().tolist() for line in left.lines if line.get_linestyle() == "None"
    }
    assert marked == {"o": [[20, 60], [30, 60]], "s": [[40, 80]], "D": []}
    assert [text.get_text() for text in left.texts] == ["2:1", "3:1"]
    assert [shares.max() for shares in stairs(right)] == pytest.approx([50, 100])
    assert "3 of 1,234" in figure.get_suptitle()


def test_no_image_and_images_of_one_shape_are_drawn_as_well():
    assert not draw_shapes(profile(), images([], [], [])).axes[1].patches
    (shares,) = stairs(draw_shapes(profile(), images([60, 60], [20, 20], [0, 0])).axes[1])
    assert shares.max() == 100


def test_bars_are_the_shares_of_all_and_marks_those_of_the_splits():
    rows = words_frame(captions())
    figure = draw_words(profile(), captions())
    for axes, kind in zip(figure.axes, ("colours", "garments"), strict=True):
        own = rows[rows["kind"] == kind]
        assert [bar.get_width() for bar in axes.patches] == pytest.approx(own["all"].tolist())
        assert [tick.get_text() for tick in axes.get_yticklabels()] == own["name"].tolist()
        train, test = axes.lines
        assert list(train.get_xdata()) == pytest.approx(own["train"].tolist())
        assert list(test.get_xdata()) == pytest.approx(own["test"].tolist())
        assert "40.0 %" in axes.get_xlabel()


def test_the_sheet_deals_pictures_out_to_their_persons_with_hostile_captions_as_text(tmp_path):
    persons = [
        Person(identity=7, split="train", n_images=2, caption=BAD),
        Person(identity=9, split="test", n_images=1, caption="x" * 999),
    ]
    sheets = np.stack([np.full((160, 96, 3), tone, dtype=np.uint8) for tone in (1, 2, 3)])
    figure = draw_sheet(profile(persons=persons), {"pictures": sheets})
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    assert [one.shape for one in shown] == [(160, 192, 3), (160, 96, 3)]
    assert [sorted(set(one.ravel().tolist())) for one in shown] == [[1, 2], [3]]
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes if axes.texts]
    assert ["7" in texts[0][0], "9" in texts[1][0]] == [True, True]
    assert len(texts[1][1]) < 450
    assert "\x1b" not in texts[0][1]
    figure.savefig(tmp_path / "x.svg")
    assert "<script" not in (tmp_path / "x.svg").read_text()
    empty = draw_sheet(profile(), {"pictures": np.zeros((0, 160, 96, 3), dtype=np.uint8)})
    assert not any(axes.images and axes.axison for axes in empty.axes)
