"""Embeddings that were computed elsewhere are normalised, and refused where they cannot be compared."""

import numpy as np
import pytest
import torch

from harness.datasets import Pairs
from harness.errors import DataError
from harness.scoring.embedded import read_embeddings

PAIRS = Pairs(["1", "2", "3"], [1, 1, 2], ["a", "b"], [0, 2])
TEXT, IMAGE = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)[:2], np.eye(4, dtype="f4")[:3]


def read(tmp_path, text=TEXT, image=IMAGE):
    np.savez(tmp_path / "e.npz", text=text, image=image)
    return read_embeddings(tmp_path / "e.npz", PAIRS)


def test_rows_have_length_1_and_what_was_done_is_said(tmp_path):
    found = read(tmp_path)
    assert torch.allclose(found.text.norm(dim=1), torch.ones(2))
    assert torch.allclose(
        found.text[1] * float(np.linalg.norm(TEXT[1])), torch.from_numpy(TEXT[1]), atol=1e-6
    )
    assert found.note == "text embeddings were not of length 1: normalised, so scores are cosines"
    assert read(tmp_path, found.text.numpy()).note is None
    assert (found.shape, found.negative) == ((2, 3), False)


@pytest.mark.parametrize(
    ("text", "image", "said"),
    [
        (TEXT[:, :3], IMAGE, "expected embeddings of one width, found 3 of text, 4 of image"),
        (
            TEXT * np.array([[1], [np.nan]], "f4"),
            IMAGE,
            "expected finite text embeddings, found 1 not finite of 2",
        ),
        (TEXT, IMAGE * 0, "expected finite image embeddings, found 3 of zeros alone of 3"),
        (TEXT[:1], IMAGE, "text of .* has the shape 1 x 4: expected 2 rows"),
    ],
)
def test_what_cannot_be_compared_is_one_line(tmp_path, text, image, said):
    with pytest.raises(DataError, match=said) as raised:
        read(tmp_path, text, image)
    assert "\n" not in str(raised.value)
