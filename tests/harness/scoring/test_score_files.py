"""Files of scores: each kind is read as it was written, and what is wrong, cut off or dangerous is one line."""

import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest
import scipy.io
import torch

from harness.errors import DataError
from harness.scoring.layout import size_text
from harness.scoring.score_files import opened_scores, read_arrays

VALUES = np.random.default_rng(2).normal(size=(6, 4)).astype(np.float32)
SHAPE = (6, 4)
KINDS = (
    *("npy", "npy-fortran", "npz", "npz-packed", "pt", "pt-transposed", "pt-part", "pt-columns", "pt-old"),
    *("mat", "mat-packed", "mat-4"),
)


def read(file, key=None, shape=SHAPE):
    with opened_scores(file, shape, key) as matrix:
        return np.concatenate([block for _, block in matrix.blocks(0)])


def saved(kind, file, values=VALUES):
    tensor = torch.from_numpy(values.copy())
    writers = {
        "npy": lambda: np.save(file.open("wb"), values),
        "npy-fortran": lambda: np.save(file.open("wb"), np.asfortranarray(values)),
        "npz": lambda: np.savez(file.open("wb"), similarity=values, other=values[:1]),
        "npz-packed": lambda: np.savez_compressed(file.open("wb"), values),
        "pt": lambda: torch.save({"sims": tensor, "epoch": 3, "loss": torch.ones(2)}, file),
        "pt-transposed": lambda: torch.save(tensor.T.contiguous().T, file),
        "pt-part": lambda: torch.save(torch.cat([tensor, tensor]).reshape(2, 6, 4)[1], file),
        "pt-columns": lambda: torch.save(torch.cat([tensor, tensor], dim=1)[:, 4:], file),
        "pt-old": lambda: torch.save(tensor, file, _use_new_zipfile_serialization=False),
        "mat": lambda: scipy.io.savemat(file, {"sims": values}),
        "mat-packed": lambda: scipy.io.savemat(file, {"a": values[:1], "sims": values}, do_compression=True),
        "mat-4": lambda: scipy.io.savemat(file, {"sims": values}, format="4"),
    }
    writers[kind]()
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_as_it_was_written(tmp_path, kind):
    file = saved(kind, tmp_path / f"s.{kind.partition('-')[0]}")
    assert np.array_equal(read(file), VALUES)


def test_half_precision_tensors_are_read(tmp_path):
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        tensor = torch.from_numpy(VALUES).to(dtype)
        torch.save(tensor, tmp_path / "s.pt")
        assert np.array_equal(read(tmp_path / "s.pt"), tensor.to(torch.float64).numpy())


def test_the_array_that_is_meant_is_named_where_there_are_several(tmp_path):
    np.savez(tmp_path / "s.npz", one=VALUES, two=-VALUES)
    with pytest.raises(DataError, match=r"has 'one', 'two': expected one array\. --key NAME"):
        read(tmp_path / "s.npz")
    assert np.array_equal(read(tmp_path / "s.npz", "two"), -VALUES)
    with pytest.raises(DataError, match="has no 'three': it has 'one', 'two'"):
        read(tmp_path / "s.npz", "three")


def fault(file, shape=SHAPE, key=None):
    with pytest.raises(DataError) as raised:
        read(file, key, shape)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_wrong_size_says_what_was_expected_and_found(tmp_path):
    for kind in ("npy", "npz", "pt", "mat"):
        said = fault(saved(kind, tmp_path / f"s.{kind}"), (6, 5))
        assert f"has the shape {size_text(SHAPE)}: expected 6 x 5, captions x images" in said
    np.save(tmp_path / "one.npy", np.float32(3))
    assert "has the shape of a single number" in fault(tmp_path / "one.npy")


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('this code ran')",)


def test_pickles_are_refused_and_not_run(tmp_path):
    np.save(tmp_path / "o.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "o.npz", np.array([Bomb()], dtype=object))
    torch.save({"sims": Bomb()}, tmp_path / "o.pt")
    torch.save(VALUES, tmp_path / "numpy.pt")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Bomb(), protocol=2))
    for name in ("o.npy", "o.npz", "o.pt", "numpy.pt", "bare.pt"):
        assert "pickled objects, which were not opened" in fault(tmp_path / name), name


@pytest.mark.parametrize("kind", ["npy", "npz", "npz-packed", "pt", "pt-old", "mat", "mat-packed"])
def test_what_is_cut_off_is_one_line(tmp_path, kind):
    file = saved(kind, tmp_path / f"s.{kind.partition('-')[0]}")
    content = file.read_bytes()
    for n in (5, 90, len(content) // 2, len(content) - 9):
        file.write_bytes(content[:n])
        said = fault(file)
        known = ("cut off", "cannot be read", "holds no scores", "has the shape 1 x 4")
        assert any(words in said for words in known), (kind, n, said)


def test_bombs_are_refused_before_they_unpack(tmp_path):
    header = {"descr": "<f4", "fortran_order": False, "shape": (100_000, 100_000)}
    with (
        zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("similarity.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(member, header)
        member.write(bytes(10_000_000))
    assert "has the shape 100,000 x 100,000" in fault(tmp_path / "b.npz")
    torch.save(torch.zeros(1).expand(6, 4), tmp_path / "e.pt")
    assert "promises 24 values and holds fewer" in fault(tmp_path / "e.pt")
    with (
        zipfile.ZipFile(saved("pt", tmp_path / "p.pt")) as plain,
        zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
        packed.writestr("more", bytes(10_000_000))
    assert "torch.save packs none" in fault(tmp_path / "packed.pt")
    file = saved("mat-packed", tmp_path / "b.mat")
    content = file.read_bytes()
    first = 8 + struct.unpack("<I", content[132:136])[0]
    variable = zlib.decompress(content[128 + first + 8 :])
    blown = zlib.compress(variable + bytes(50_000_000))
    file.write_bytes(content[: 128 + first] + struct.pack("<II", 15, len(blown)) + blown)
    assert "unpacks to more than" in fault(file)


def test_other_files_and_types_are_said(tmp_path):
    (tmp_path / "s.csv").write_text("1,2")
    assert "ends with '.csv': expected .npy, .npz, .pt" in fault(tmp_path / "s.csv")
    (tmp_path / "s.npy").write_text("<!doctype html><html>sign in</html>")
    assert "It is a web page" in fault(tmp_path / "s.npy")
    (tmp_path / "s.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512, b" ") + b"\x89HDF\r\n\x1a\n\x00\x01")
    assert "MATLAB 7.3 (HDF5), which is not read" in fault(tmp_path / "s.mat")
    np.save(tmp_path / "c.npy", VALUES.astype(complex))
    assert "holds complex128: expected float16, float32" in fault(tmp_path / "c.npy")
    scipy.io.savemat(tmp_path / "t.mat", {"sims": "text"})
    assert "sims of" in fault(tmp_path / "t.mat")
    assert "holds one array, without a name" in fault(saved("npy", tmp_path / "k.npy"), key="x")
    torch.save([1, 2], tmp_path / "list.pt")
    assert "holds a list: expected a tensor" in fault(tmp_path / "list.pt")


def test_embeddings_are_read_by_name_and_checked(tmp_path):
    np.savez(tmp_path / "e.npz", text=VALUES, image=VALUES[:3].astype(np.float16))
    found = read_arrays(tmp_path / "e.npz", {"text": 6, "image": 3}, 10)
    assert np.array_equal(found["text"], VALUES)
    assert found["image"].dtype == np.float32
    with pytest.raises(DataError, match=r"text of .* has the shape 6 x 4: expected 7 rows"):
        read_arrays(tmp_path / "e.npz", {"text": 7}, 10)
    with pytest.raises(DataError, match="up to 3 values"):
        read_arrays(tmp_path / "e.npz", {"text": 6}, 3)
    with pytest.raises(DataError, match="save both in one"):
        read_arrays(saved("npy", tmp_path / "e.npy"), {"text": 6}, 10)
