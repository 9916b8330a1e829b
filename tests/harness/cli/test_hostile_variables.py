"""A campaign of variables that hold what no person means: each is taken, or one line with exit code 2, at once."""

import os
import sys
import time
from collections import Counter

import pytest

from harness.cli.main import cli
from harness.cli.options import run_safely
from tests.small_icfg import ENTRIES, write_icfg

SECONDS = 3.0  # a second at rest
COMMANDS = {
    "HARNESS_DATA": ("data", "info", "icfg"),
    "HARNESS_RUNS": ("runs", "list"),
    "HARNESS_CACHE": ("data", "cache", "icfg"),
    "HARNESS_STORAGE": ("sweep", "list"),
    "HARNESS_TRACKING_TIMEOUT": ("runs", "sync"),
}
VALUES = {
    "empty": b"",
    "blank": b" ",
    "file": b"afile",
    "below a file": b"afile/x",
    "long name": b"b" * 300,
    "long path": b"/" + b"a/" * 50_000,
    "control signs": b"\x1b[31m\x07x\ny",
    "no UTF-8": b"\xff\xfe",
    "nobody's home": b"~nobody_of_that_name/x",
    "link to itself": b"loop",
    "address": b"postgresql://\xff@",
    "bad address": b"http://[::1",
    "infinite": b"1e999",
    "no number": b"nan",
    "negative": b"-1",
    "braces": b"{user}{{}}",
    "device": b"/dev/null",
}


class Called:
    """A command with its words, as `run_safely` calls it."""

    def __init__(self, words):
        self.words = words

    def __call__(self, **options):
        return cli(list(self.words), **options)


def outcome(words, capsys):
    """Return how a command ended: `taken`, `refused`, or what went wrong."""
    start = time.monotonic()
    code = run_safely(Called(words), debug=False)
    took, said = time.monotonic() - start, capsys.readouterr().err
    errors = [line for line in said.splitlines() if line.startswith(("Error", "Usage"))]
    if took > SECONDS:
        return f"late: {took:.1f} s"
    if "Traceback" in said or "a bug in the harness" in said or len(said) > 5_000:
        return said[-300:]
    if code == 0:
        return "taken"
    return "refused" if (code, len(errors)) == (2, 1) else f"{code}: {said[-300:]}"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Work in a folder of its own, with nothing said by the environment."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    for variable in (*COMMANDS, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write_icfg(tmp_path / "data", ENTRIES)
    return tmp_path


@pytest.mark.parametrize("variable", COMMANDS)
def test_a_hostile_variable_is_taken_or_one_line(place, monkeypatch, capsys, record_property, variable):
    words = COMMANDS[variable]
    monkeypatch.setenv("HARNESS_DATA", str(place / "data"))
    run_safely(Called(words), debug=False)  # what is imported counts for none of them
    capsys.readouterr()
    found, bad = Counter(), []
    for name, value in VALUES.items():
        monkeypatch.setenv(variable, os.fsdecode(value))
        result = outcome(words, capsys)
        found[result if result in ("taken", "refused") else "wrong"] += 1
        if result not in ("taken", "refused"):
            bad.append((name, result))
    record_property("counts", dict(found))
    sys.stdout.write(f"{variable}: {dict(found)}\n")
    assert not bad
