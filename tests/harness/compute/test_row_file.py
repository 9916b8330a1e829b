"""Rows in memory and in a file: any type and shape, any order, the same."""

import pytest
import torch

from harness.compute.row_file import MemoryRows, TensorRows, write_rows


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(5,), (3, 4, 2)])
def test_what_is_written_is_read_at_any_positions(tmp_path, shape, dtype):
    rows = torch.randn(9, *shape).to(dtype)
    file = tmp_path / "rows"
    file.write_bytes(bytes(rows.nbytes))
    for places in torch.randperm(9).split(4):
        write_rows(file, places, rows[places])
    for kept in (TensorRows(file, rows[0]), MemoryRows(rows)):
        for places in ([8, 0, 3], [2, 2], list(range(9))):
            found = kept[torch.tensor(places)]
            assert found.dtype == dtype
            assert torch.equal(found, rows[places])


def test_a_file_that_ends_early_is_an_error(tmp_path):
    (tmp_path / "rows").write_bytes(bytes(30))
    kept = TensorRows(tmp_path / "rows", torch.zeros(5))
    with pytest.raises(AssertionError, match="ends early"):
        kept[torch.tensor([1])]
