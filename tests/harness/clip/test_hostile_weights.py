"""A seeded campaign: mutated weight files are read, or refused in one error with the name; nothing in them runs."""

import io
import json
import pickle
import random
import resource
import struct
import sys
import time
import zipfile
from collections import Counter, OrderedDict

import pytest
import torch
from safetensors.torch import save

from harness.clip.model import load_clip
from harness.clip.weight_files import read_weights
from harness.config.sections import BackboneConfig
from harness.errors import UsageError

SECONDS = 5.0  # of processor time, a second where nothing else runs
MUTANTS = 40
MEGABYTES = 700


class Trap:
    """Runs a command where it is unpickled."""

    def __init__(self, module, name, *arguments):
        self.called = getattr(__import__(module), name), arguments

    def __reduce__(self):
        return self.called


def saved(content, **options):
    data = io.BytesIO()
    torch.save(content, data, **options)
    return data.getvalue()


def header(values, rest=b""):
    text = json.dumps(values).encode()
    return struct.pack("<Q", len(text)) + text + rest


def packed(data):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as whole, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as small:
        for name in whole.namelist():
            small.writestr(name, whole.read(name))
    return out.getvalue()


def made(state):
    """Yield hostile files that are whole."""
    for trap in (Trap("os", "system", "touch ran"), Trap("builtins", "exec", "open('ran', 'w')")):
        yield saved({"state_dict": trap})
        yield saved({"state_dict": trap}, _use_new_zipfile_serialization=False)
        yield pickle.dumps(trap)
    one = {"F": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    for shape in ([10**12], [-1], [2**62, 2**62], ["x"], [1.5], 1, None):
        yield header({"F": one["F"] | {"shape": shape}}, b"\0" * 4)
    for offsets in ([0, 10**12], [4, 0], [-4, 0], [0], "x"):
        yield header({"F": one["F"] | {"data_offsets": offsets}}, b"\0" * 4)
    for kind in ("I4", "F999", None, 3, "F64"):
        yield header({"F": one["F"] | {"dtype": kind}}, b"\0" * 4)
    yield from (struct.pack("<Q", n) + b"{" * 100 for n in (0, 1, 99, 2**31, 2**63, 2**64 - 1))
    yield header({"F": one["F"], "__metadata__": {"x": "y" * 10**6}}, b"\0" * 4)
    yield struct.pack("<Q", 200_000) + b"{" * 200_000
    yield packed(saved({"visual": torch.zeros(10**6)}))
    for content in (
        {"visual": torch.ones(1).expand(10**13)},
        {"visual": torch.empty(10**13, device="meta")},
        {"visual": torch.ones(1).as_strided((2**31, 2**31), (0, 0))},
        {"visual": torch.tensor([], dtype=torch.float32)},
        {"visual": torch.ones(2, dtype=torch.complex64)},
        {f"a.{n}" * 50: torch.ones(1) for n in range(200)},
        {key: tensor.to(torch.int64) for key, tensor in state.items()},
        {key: tensor.flatten() for key, tensor in state.items()},
        {key: tensor[..., :0] if tensor.dim() else tensor for key, tensor in state.items()},
        {1: torch.ones(1), None: torch.ones(1), (2, 3): torch.ones(1)},
        [torch.ones(1)],
        torch.ones(1),
        OrderedDict(),
        None,
    ):
        yield saved(content)


def hurt(data, dice):
    """Return a file's bytes cut, with a few changed, or with a part put twice."""
    at = min(int(dice.expovariate(1 / 2_000)), len(data) - 1)
    way = dice.randrange(4)
    if way == 0:
        return data[: dice.choice([at, len(data) - 1 - at, len(data) // 2])]
    if way == 1:
        return data[:at] + dice.randbytes(dice.randint(1, 8)) + data[at + dice.randint(0, 8) :]
    if way == 2:
        return data[:-at] + dice.randbytes(4) + data[len(data) - at + 4 :]
    return data[:at] + data[at // 2 : at] + data[at:]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_weight_file_is_read_or_refused_in_one_error_at_once(tmp_path, monkeypatch, record_property):
    monkeypatch.chdir(tmp_path)
    dice, found, bad = random.Random(14), Counter(), []
    tiny = BackboneConfig(name="tiny", pretrained="shapes", image_size=(96, 32))
    state = {key: tensor.half() for key, tensor in load_clip(tiny).model.state_dict().items()}
    whole = [save(state), saved(state), saved(state, _use_new_zipfile_serialization=False)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    file = tmp_path / "a.pt"
    for data in [*made(state), *(hurt(dice.choice(whole), dice) for _ in range(MUTANTS))]:
        file.write_bytes(data)
        start = time.process_time()
        try:
            read_weights(file)
            load_clip(tiny.model_copy(update={"weights": str(file)}))
            result = "read"
        except UsageError as error:
            result = "refused" if "a.pt" in str(error) else f"unnamed: {error}"
        except Exception as error:
            result = type(error).__name__
        if time.process_time() - start > SECONDS:
            result = "late"
        found[result] += 1
        if result not in ("read", "refused"):
            bad.append((result, data[:200]))
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    record_property("counts", dict(found))
    sys.stdout.write(f"{found.total()} files: {dict(found)}, {megabytes:.0f} MB more\n")
    assert not bad, (len(bad), bad[:5])
    assert not (tmp_path / "ran").exists()
    assert megabytes < MEGABYTES
