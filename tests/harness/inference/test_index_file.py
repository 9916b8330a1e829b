"""The file of a gallery's embeddings: safetensors both ways, mapped, and refused when it is not what it says."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from harness.inference.index_file import EMPTY, read_index, write_index

KEYS = [bytes([number]) * 32 for number in (0, 7, 255)]
REFUSED = "header|as long as|one key and one embedding|Expecting|Extra data|unpack|codec|offset"
ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def file(tmp_path):
    write_index(tmp_path / "some" / "index.safetensors", KEYS, iter([ROWS[:2], ROWS[2:]]), ROWS.shape)
    return tmp_path / "some" / "index.safetensors"


def test_what_was_written_in_parts_is_read_and_is_a_safetensors_file(file):
    index = read_index(file)
    assert (index.keys, index.place_of()) == (b"".join(KEYS), dict(zip(KEYS, range(3), strict=True)))
    assert torch.equal(index.rows, torch.from_numpy(ROWS))
    tensors = load_file(file)
    assert np.array_equal(tensors["embeddings"], ROWS)
    assert tensors["keys"].tobytes() == index.keys
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_files_of_the_safetensors_library_are_read(tmp_path, dtype):
    """Those of earlier versions are."""
    keys = np.frombuffer(b"".join(KEYS), dtype=np.uint8).reshape(3, 32)
    save_file({"keys": keys.copy(), "embeddings": ROWS.astype(dtype)}, tmp_path / "x")
    index = read_index(tmp_path / "x")
    assert index.keys == b"".join(KEYS)
    assert index.rows.dtype == torch.from_numpy(ROWS.astype(dtype)).dtype
    assert torch.equal(index.rows.float(), torch.from_numpy(ROWS))


def test_rows_are_read_where_they_lie_and_outlive_a_replacement(file):
    index = read_index(file)
    write_index(file, KEYS[:1], [ROWS[:1]], (1, 4))
    assert torch.equal(index.rows, torch.from_numpy(ROWS))


def test_writing_into_the_rows_leaves_the_file_alone(file):
    read_index(file).rows[0, 0] = 99
    assert float(read_index(file).rows[0, 0]) == 0


def test_a_file_without_rows_is_read(tmp_path):
    write_index(tmp_path / "x", [], [], (0, 4))
    assert read_index(tmp_path / "x").keys == EMPTY.keys


def with_header(file, change):
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    changed = json.dumps(change(header)).encode()
    file.write_bytes(len(changed).to_bytes(8, "little") + changed + content[8 + length :])


def set_to(name, key, value):
    return lambda header: header | {name: header[name] | {key: value}}


@pytest.mark.parametrize(
    "change",
    [
        lambda header: {},
        lambda header: [],
        lambda header: None,
        lambda header: {"keys": header["keys"]},
        set_to("keys", "shape", [3, 31]),
        set_to("keys", "shape", [4, 24]),
        set_to("keys", "dtype", "F32"),
        set_to("embeddings", "dtype", "BOOL"),
        set_to("embeddings", "shape", [3, -4]),
        set_to("embeddings", "shape", [12]),
        set_to("embeddings", "shape", [2, 6]),
        set_to("embeddings", "shape", "no"),
        set_to("embeddings", "data_offsets", [0, 1 << 60]),
        set_to("embeddings", "data_offsets", [1 << 60, (1 << 60) + 48]),
        set_to("embeddings", "data_offsets", [0.0, 48.0]),
        set_to("embeddings", "data_offsets", [-48, 0]),
        set_to("embeddings", "data_offsets", None),
    ],
)
def test_a_header_that_is_wrong_is_a_value_error(file, change):
    with_header(file, change)
    with pytest.raises(ValueError, match=REFUSED):
        read_index(file)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\xff" * 64, b"\x02" + bytes(7) + b"[[", b"[" * 100_000]
)
def test_what_is_no_such_file_is_a_value_error(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=REFUSED):
        read_index(tmp_path / "x")


def test_each_file_that_is_cut_short_is_a_value_error(file):
    content = file.read_bytes()
    for length in range(0, len(content), 7):
        file.write_bytes(content[:length])
        with pytest.raises(ValueError, match=REFUSED):
            read_index(file)
