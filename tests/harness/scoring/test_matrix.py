"""Blocks of a matrix in a file are its rows and columns, of each type and order."""

import numpy as np
import pytest
import torch

from harness.errors import DataError
from harness.scoring import matrix as module
from harness.scoring.matrix import BFLOAT16, Matrix

VALUES = np.random.default_rng(1).normal(size=(7, 5))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", 70)


def laid(file, values, dtype, order, offset=3):
    stored = np.asarray(values, dtype)
    file.write_bytes(bytes(offset) + (stored.T if order == "F" else stored).tobytes())
    return Matrix(file, offset, np.dtype(dtype).str, stored.shape, by_image=order == "F")


def whole(matrix, axis):
    blocks = list(matrix.blocks(axis))
    assert len(blocks) > 1
    assert [start for start, _ in blocks] == np.cumsum([0, *(len(block) for _, block in blocks)])[
        :-1
    ].tolist()
    return np.concatenate([block for _, block in blocks])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "i1", "<i4", "u1"])
def test_blocks_are_the_rows_and_columns_without_loss(tmp_path, dtype, order):
    values = (VALUES * 20).astype(dtype) if dtype[-2] in "iu" else VALUES.astype(dtype)
    matrix = laid(tmp_path / "m", values, dtype, order)
    for one, axis in ((whole(matrix, 0), 0), (whole(matrix.swapped, 1), 0), (whole(matrix, 1), 1)):
        assert np.array_equal(one, values if axis == 0 else values.T)
        assert one.dtype == (np.float64 if dtype in ("<f8", "<i4") else np.float32)
        assert one.flags.writeable


def test_bfloat16_and_distances_are_read(tmp_path):
    values = torch.from_numpy(VALUES).bfloat16()
    (tmp_path / "m").write_bytes(values.view(torch.int16).numpy().tobytes())
    matrix = Matrix(tmp_path / "m", 0, BFLOAT16, (7, 5), negative=True)
    assert np.array_equal(whole(matrix, 0), -values.float().numpy())
    assert np.array_equal(whole(matrix, 1), -values.float().numpy().T)


def test_a_file_that_has_become_shorter_is_said(tmp_path):
    matrix = laid(tmp_path / "m", VALUES, "<f4", "C")
    (tmp_path / "m").write_bytes((tmp_path / "m").read_bytes()[:-9])
    with pytest.raises(DataError, match="ended while it was read"):
        list(matrix.blocks(0))
