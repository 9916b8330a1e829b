"""Places that are full, read-only, looping, forbidden or no folder: one line with the place and the fix."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

import harness.places
from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.record import all_runs
from tests.world import quick

SMALL = ("--set", "backbone.pretrained=null", "--set", "train.epochs=1", "--set", "train.batch_size=16")
WORLD = ("-m", "linear_probe", "-d", "icfg", "--synthetic", *SMALL)
SWEEP = ("sweep", *WORLD, "--trials", "1", "--space", "method.lr=1e-4:1e-2:log", "--test-seeds", "0")
MAKE = ("data", "make", "rstp", "--identities", "6")
PRETRAIN = ("pretrain", "--steps", "1", "--batch-size", "2", "--out", "{out}/tiny.safetensors")
SEARCH = ("search", "a red coat", "--run", "{run}", "--gallery", "{images}", "--out", "{out}/page.html")
# Commands, and the places that each of them writes to.
WRITE = {
    "run": (("run", *WORLD, "--seed", "5"), ("runs",)),
    "sweep": (SWEEP, ("runs",)),
    "suite": (("suite", "run", "{suite}", "--synthetic"), ("runs",)),
    "evaluate": (("evaluate", "{run}", "--dataset", "cuhk"), ("runs",)),
    "probe": (("probe", "compression", "{full}"), ("runs",)),
    "report": (("report", "leaderboard", "--out", "{out}/deep"), ("out",)),
    "queries": (("runs", "queries", "{run}", "--out", "{out}/queries.csv"), ("out",)),
    "search": (SEARCH, ("out",)),
    "make": (MAKE, ("data",)),
    "cache": (("data", "cache", "icfg", "--synthetic"), ("cache",)),
    "pretrain": (PRETRAIN, ("out",)),
}
READ = {
    "list": ("runs", "list"),
    "show": ("runs", "show", "{run}"),
    "doctor": ("doctor",),
}


@contextmanager
def mounted(folder, size):
    """Make a folder a file system of its own; skip the test where the system does not allow that."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def full(folder, content):
    with mounted(folder, "16m"):
        shutil.copytree(content, folder, dirs_exist_ok=True) if content else None
        with (folder / "filler").open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue
        yield


@contextmanager
def read_only(folder, content):
    with mounted(folder, "64m"):
        shutil.copytree(content, folder, dirs_exist_ok=True) if content else None
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield


@contextmanager
def looping(folder, content):
    folder.symlink_to(folder.name)
    yield


@contextmanager
def a_file(folder, content):
    folder.write_text("no folder")
    yield


KINDS = {one.__name__: one for one in (full, read_only, looping, a_file)}


@pytest.fixture(scope="module")
def good(twins, world, tmp_path_factory):
    """Return a folder of finished runs, and the names of one that trains little and one that trains the towers."""
    from harness.run.run import run

    root = tmp_path_factory.mktemp("good")
    little = run(quick(twins, "linear_probe", "icfg", "train.epochs=1"), runs=root).name
    towers = run(quick(twins, "prompt_only", "icfg", "train.epochs=1"), runs=root).name
    return root, little, towers


@pytest.fixture
def call(good, twins, tmp_path, monkeypatch, capfd):
    """Return a function that calls a command with one of its places of some kind; it returns code and error lines."""

    def command(words, place, kind):
        root, run, towers = good
        content = {"runs": root}.get(place)
        bad = tmp_path / "places" / place
        bad.parent.mkdir()
        tmp_path.chmod(0o755)
        shutil.copytree(root, tmp_path / "runs", dirs_exist_ok=True)
        places = {one: tmp_path / one for one in ("runs", "cache", "data", "out")} | {place: bad}
        suite = tmp_path / "small.yaml"
        suite.write_text("title: small\ndatasets: [icfg]\nrows: [{method: linear_probe}]\n")
        names = {
            "run": run,
            "full": towers,
            "suite": suite,
            "images": twins / "synthetic",
            "out": places["out"],
        }
        monkeypatch.setattr("harness.places.ASKED", {})
        monkeypatch.setattr("harness.paths.ASKED", harness.places.ASKED)
        monkeypatch.setenv("HARNESS_RUNS", str(places["runs"]))
        monkeypatch.setenv("HARNESS_CACHE", str(places["cache"]))
        monkeypatch.setenv("HARNESS_DATA", str(places["data"] if place == "data" else twins))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/tracked.db")
        arguments = [word.format(**names) if word.startswith("{") else word for word in words]
        monkeypatch.setattr("sys.argv", ["harness", "-q", *arguments])
        with KINDS[kind](bad, content):
            before = kept(bad) if content and kind in ("full", "read_only") else {}
            capfd.readouterr()
            code = run_safely(cli, debug=False)
            said = capfd.readouterr().err
            after = kept(bad) if before else {}
        assert before.items() <= after.items()
        return code, [line for line in said.splitlines() if line.startswith("Error: ")], said, bad

    return command


def kept(root):
    return {
        str(folder.file(name)): folder.file(name).read_bytes()
        for folder in all_runs(root)
        for name in ("record.json", "weights.safetensors", "queries.npz", "history.json")
        if folder.file(name).is_file()
    }


def _is_told(code, errors, said, bad):
    assert code == 2, said
    assert len(errors) == 1, said
    assert str(bad) in errors[0]
    assert "a bug in the harness" not in said
    assert "Traceback" not in said


pytestmark = pytest.mark.slow
CASES = [
    (name, place, kind)
    for name, (_, places) in WRITE.items()
    for place in places
    for kind in ("full", "read_only", "looping")
] + [("pretrain", "out", "a_file")]


@pytest.mark.parametrize(("name", "place", "kind"), CASES)
def test_a_place_that_refuses_is_one_line_with_the_place_and_the_fix(call, name, place, kind):
    _is_told(*call(WRITE[name][0], place, kind))


@pytest.mark.parametrize("kind", ["full", "read_only", "looping"])
@pytest.mark.parametrize("name", READ)
def test_what_only_reads_works_in_a_full_and_a_read_only_folder_and_names_the_others(call, name, kind):
    code, errors, said, bad = call(READ[name], "runs", kind)
    assert "a bug in the harness" not in said
    if kind in ("full", "read_only") or name == "doctor":
        assert code in (0, 1), said
    else:
        _is_told(code, errors, said, bad)
