"""Tensor files are equal for equal contents in every process, read by the library, and known when they are damaged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from harness.errors import DataError
from harness.train.tensor_files import check_tensors, write_tensors

TENSORS = {
    "b": torch.arange(12.0).reshape(3, 4),
    "a/deep": torch.tensor(2.5, dtype=torch.float64),
    "none": torch.zeros(0, 3),
    "half": torch.arange(5).half(),
    "brain": torch.ones(2, 2).bfloat16(),
    "long": torch.arange(4),
    "flags": torch.tensor([True, False, True]),
    "turned": torch.arange(6.0).reshape(2, 3).T,
}
NOTE = {"epoch": 3.0, "t2i/R1": 0.1 + 0.2, "name": "ü"}
WRITE = (
    "import sys, torch; from pathlib import Path; from harness.train.tensor_files import write_tensors\n"
    "write_tensors(Path(sys.argv[1]), {name: torch.ones(2) for name in {'x', 'y', 'z', 'w'}},"
    " {name: name for name in {'method', 'identity', 'epoch', 'more'}})"
)


def test_the_library_reads_what_was_written_and_the_note_comes_back(tmp_path):
    file = tmp_path / "a.safetensors"
    write_tensors(file, TENSORS, NOTE)
    found = load_file(file)
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name], tensor), name
        assert found[name].dtype == tensor.dtype
    assert check_tensors(file) == NOTE
    with safe_open(file, "pt") as opened:
        assert opened.metadata().keys() == {"harness"}


@pytest.mark.slow
def test_equal_contents_make_equal_bytes_in_processes_that_order_sets_differently(tmp_path):
    files = [tmp_path / f"{seed}.safetensors" for seed in (1, 2)]
    for seed, file in enumerate(files):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        subprocess.run([sys.executable, "-c", WRITE, str(file)], check=True, env=environment)
    assert len({file.read_bytes() for file in files}) == 1


def test_every_flipped_bit_is_found_or_leaves_all_as_it_was(tmp_path):
    file = tmp_path / "a.safetensors"
    write_tensors(file, {name: TENSORS[name] for name in ("b", "half")}, NOTE)
    whole = file.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        try:
            found = check_tensors(file)
        except DataError as error:
            assert str(file) in str(error)  # noqa: PT017
            continue
        assert found in (None, NOTE), place
        if found == NOTE:
            assert all(torch.equal(one, TENSORS[name]) for name, one in load_file(file).items())


def test_a_file_of_another_writer_has_no_note_and_one_that_is_gone_is_named(tmp_path):
    save_file(TENSORS | {"turned": torch.ones(1)}, tmp_path / "other", metadata={"identity": "1"})
    assert check_tensors(tmp_path / "other") is None
    (tmp_path / "text").write_text("no tensors")
    assert check_tensors(tmp_path / "text") is None
    with pytest.raises(DataError, match="gone cannot be read"):
        check_tensors(Path(tmp_path / "gone"))
