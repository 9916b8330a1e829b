"""What is damaged of a run meets each command that reads it: one line names run and file, or the result is the same."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.record import QUERIES, RECORD, WEIGHTS, RunFolder
from tests.world import quick

pytestmark = pytest.mark.slow
SEED = 14
COMMANDS = {
    "evaluate": "evaluate {run} --dataset cuhk --json",
    "search": "search coat --run {run} --gallery {images} --out {out}/page.html --json",
    "compare": "compare {run} {other} --json",
    "leaderboard": "report leaderboard --out {out}/report --json",
    "run": "report run {run} --out {out}/report --json",
}
CLOCKS = (
    "encoded",
    "second",
    "time",
    "bytes",
    "finished",
    "started",
    "page",
    "folder",
    "run_id",
    "environment",
    "tracking",
)
KINDS = ("flip", "cut", "page")
METHODS = ("linear_probe", "prompt_only")


@pytest.fixture(scope="module")
def root(twins, tmp_path_factory):
    """Return a folder with two finished and tracked runs; commands change it, so that it is set back each time."""
    from harness.run.run import run

    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        names = [run(quick(twins, method, "icfg", "train.epochs=1"), runs=root).name for method in METHODS]
    shutil.copytree(root, backup := root.with_name("backup"))
    return SimpleNamespace(path=root, backup=backup, run=names[0], other=names[1], images=twins / "synthetic")


@pytest.fixture
def call(root, twins, tmp_path, monkeypatch, no_kernel, capfd, caplog):
    """Return a function that calls a command on the runs as they were, one file damaged; it returns what came of it."""

    def command(name, file=None, kind="", chance=None):
        set_back(root)
        monkeypatch.chdir(tmp_path)  # a report's notebook ran in its folder, which goes
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        if file is not None:
            for place in places(root, file):
                spoil(place, kind, chance)
        words = COMMANDS[name].format(**vars(root), out=tmp_path / "out").split()
        monkeypatch.setenv("HARNESS_DATA", str(twins))
        monkeypatch.setattr("sys.argv", ["harness", "-q", *words, "--runs", str(root.path)])
        capfd.readouterr()
        caplog.clear()
        code = run_safely(cli, debug=False)
        said = capfd.readouterr()
        lines = said.err + "\n".join(caplog.messages)
        tables = {one.name: one.read_bytes() for one in sorted((tmp_path / "out").rglob("*.csv"))}
        return SimpleNamespace(code=code, out=said.out, err=lines, result=(steady(said.out), tables))

    return command


def set_back(root):
    """Put all files of the runs back, but for the store's database, which MLflow holds open."""
    for kept in (root.run, root.other, "mlartifacts"):
        shutil.rmtree(root.path / kept)
        shutil.copytree(root.backup / kept, root.path / kept)


def places(root, file):
    """Return where a file of the run lies: in its folder, or what MLflow has of it."""
    where, _, name = file.partition(": ")
    if where == "folder":
        return [RunFolder(root.path / root.run).file(name)]
    identity = json.loads((root.path / root.run / RECORD).read_text())["identity"]
    return [
        one
        for one in (root.path / "mlartifacts").rglob(name)
        if json.loads(one.with_name(RECORD).read_text())["identity"] == identity
    ]


def spoil(file, kind, chance):
    """Flip a bit, cut the file off or empty a piece of it."""
    content = bytearray(file.read_bytes())
    place = chance.randrange(len(content))
    if kind == "flip":
        content[place] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del content[place:]
    else:
        content[place : place + 512] = bytes(len(content[place : place + 512]))
    file.write_bytes(content)


def steady(text):
    """Return what a command printed as JSON without what a clock or a folder decides."""
    try:
        return without_clocks(json.loads(text))
    except ValueError:
        return None


def without_clocks(value):
    if isinstance(value, dict):
        return {
            key: without_clocks(one) for key, one in value.items() if not any(word in key for word in CLOCKS)
        }
    return [without_clocks(one) for one in value] if isinstance(value, list) else value


def judged(found, whole, run, file):
    """Return in a word what a command made of a damaged file: told, gone on, harmless, or what is wrong."""
    name = Path(file.partition(": ")[2]).name
    lines = [line for line in found.err.splitlines() if run in line and name in line]
    if "Traceback" in found.err or "a bug in the harness" in found.err:
        return "broke"
    if found.code == 0 and found.result == whole.result:
        return "harmless"
    if len(lines) != 1:
        return "not told in one line"
    return {0: "told, gone on", 2: "told"}.get(found.code, "broke")


FILES = {
    "evaluate": [f"folder: {name}" for name in (RECORD, QUERIES, WEIGHTS)],
    "search": [f"folder: {name}" for name in (RECORD, QUERIES, WEIGHTS)],
    "compare": [f"folder: {RECORD}", f"store: {QUERIES}", f"store: {RECORD}"],
    "leaderboard": [f"store: {QUERIES}", f"store: {RECORD}"],
    "run": [f"store: {QUERIES}", f"store: {RECORD}"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_damaged_file_is_named_in_one_line_or_changes_nothing(call, root, name, record_property):
    whole, chance, counts = call(name), random.Random(f"{SEED} {name}"), Counter()
    assert whole.code == 0, whole.err
    wrong = {}
    for file in FILES[name]:
        for kind in KINDS:
            found = call(name, file, kind, chance)
            counts[said := judged(found, whole, root.run, file)] += 1
            if said not in ("told", "told, gone on", "harmless"):
                wrong[file, kind] = (said, found.err[-700:])
    record_property("counts", dict(counts))
    assert not wrong
