"""A picture of pictures: its size follows the rows, and right and wrong look unlike one another."""

import io

import numpy as np
import torch
from PIL import Image

from harness.images.contact_sheet import contact_sheet


def sheet(rows):
    return np.asarray(Image.open(io.BytesIO(contact_sheet(rows)))).astype(int)


def grey(n, size=(96, 32)):
    return torch.full((n, 3, *size), 128, dtype=torch.uint8)


def frame(picture, x):
    """The left frame of the tile that begins at x, pixel by pixel downwards."""
    return picture[8:150, x + 1]


def test_a_right_picture_has_a_whole_blue_frame_and_a_wrong_one_a_broken_orange_one():
    picture = sheet([(grey(2), [True, False])])
    right, wrong = frame(picture, 6), frame(picture, 6 + 54 + 6)
    assert (right[:, 2] > right[:, 0] + 60).all()
    assert (wrong[:, 0] > wrong[:, 2] + 60).any()
    assert (wrong.min(1) > 200).any()


def test_rows_of_other_length_and_shape_make_one_sheet():
    picture = sheet([(grey(3), [True] * 3), (grey(1, (30, 300)), [False])])
    assert picture.shape[1] == 588 + 6 + 12
    assert picture.shape[0] == 150 + 6 + 65 + 6 + 6


def test_nothing_to_show_is_an_empty_sheet():
    assert sheet([]).shape[2] == 3
