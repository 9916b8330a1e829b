"""A seeded campaign: mutated annotation files end in samples or in one error that names the file, and at once."""

import json
import random
import sys
import time
from collections import Counter

import pytest

from harness.data.annotations import read_annotation
from harness.data.contents import pictures_hash
from harness.data.verify.verify import verify
from harness.datasets import DATASETS
from harness.errors import DataError
from harness.paths import Place
from harness.twins.writer import write_twin

SECONDS = 5.0  # of processor time, a second where nothing else runs
MUTANTS = 60
VALUES = [
    *(
        None,
        True,
        False,
        0,
        -1,
        -(2**63),
        2**63,
        10**400,
        1e308,
        0.5,
        "",
        " ",
        "1",
        "x" * 100_000,
        [],
        {},
        [[]],
        [None],
    ),
    *(
        "/etc/passwd",
        "../../x.jpg",
        "a/../../x",
        "C:\\x",
        "a\0b",
        "a" * 5_000 + ".jpg",
        "a/" * 3_000,
        "./././",
        "loop.jpg",
    ),
    *(
        "\ud800",
        "\u202ered",
        "\x1b[31m",
        "\U0001f600" * 500,
        "<script>",
        "=1+1",
        "train",
        "VAL",
        "valid",
        ["a", "b"],
        [["a b"]],
    ),
    [[[[[[["deep"]]]]]]],
]
RAW = [
    b"",
    b"\0" * 5_000,
    b"[" * 200_000,
    b"[" * 60 + b"]" * 60,
    b'{"a":' * 100_000,
    b"[NaN]",
    b"[1e999]",
    b"null",
    b"{}",
    b"[]",
    b"[[]]",
    b"[null]",
    b"\xef\xbb\xbf[]",
    b"\xff\xfe[\0]\0",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"<html>",
    b'{"a": 1}\n{"b": 2}\n',
    b"[" + b"1" * 10_000 + b"]",
    b'[{"id": 1, "id": 2}]',
    b"[1,",
    b"\x80abc",
    b'"text"',
    b"[" + b"{}," * 50_000 + b"{}]",
]


def hurt(entries, dice):
    """Return the bytes of an annotation file with something wrong in it."""
    entries = json.loads(json.dumps(entries))
    for _ in range(dice.randint(1, 3)):
        entry = dice.choice(entries)
        key = dice.choice(list(entry)) if isinstance(entry, dict) and entry else None
        if key is None:
            continue
        way = dice.randrange(6)
        if way < 3:
            entry[key] = dice.choice(VALUES)
        elif way == 3:
            del entry[key]
        elif way == 4:
            entry[dice.choice(["pid", "image_id", "captions_bt", "x", ""])] = dice.choice(VALUES)
        else:
            entries[entries.index(entry)] = dice.choice([None, 3, "x", [], [entry], {}])
    data = json.dumps(entries).encode()
    way = dice.randrange(8)
    if way == 0:
        data = data[: dice.randrange(len(data))]
    elif way == 1:
        at = dice.randrange(len(data))
        data = data[:at] + dice.randbytes(dice.randint(1, 4)) + data[at + 1 :]
    elif way == 2:
        data = data.decode().encode(dice.choice(["utf-16", "utf-32", "utf-8-sig", "utf-16-le"]))
    return data


@pytest.mark.slow
@pytest.mark.parametrize("name", ["icfg", "cuhk", "rstp"])
def test_every_annotation_is_read_or_refused_in_one_error_at_once(tmp_path, name, record_property):
    dice, found, bad = random.Random(14), Counter(), []
    dataset = DATASETS.get(name)
    folder = write_twin(dataset, tmp_path, identities=12, workers=1)
    (folder / "SYNTHETIC.json").unlink()
    (folder / dataset.image_folder / "loop.jpg").symlink_to("loop.jpg")
    file = folder / dataset.twin.form.annotation_file
    entries = json.loads(file.read_text())
    for data in [*RAW, *(hurt(entries, dice) for _ in range(MUTANTS))]:
        file.write_bytes(data)
        start = time.process_time()
        try:
            samples = read_annotation(dataset, folder.parent).samples
            report = verify(dataset, Place(folder.parent, "--data-root"), images="exist", workers=1)
            assert len({sample.image for sample in samples}) <= len(samples)
            result = "usable" if report.usable else "faults told"
        except DataError as error:
            result = (
                "refused" if file.name in str(error) or name in str(error).lower() else f"unnamed: {error}"
            )
        except Exception as error:
            result = type(error).__name__
        if time.process_time() - start > SECONDS:
            result = "late"
        found[result] += 1
        if result not in ("usable", "faults told", "refused"):
            bad.append((result, data[:200]))
    record_property("counts", dict(found))
    sys.stdout.write(f"{name}: {found.total()} files: {dict(found)}\n")
    assert pictures_hash([], {})
    assert not bad, (len(bad), bad[:5])
