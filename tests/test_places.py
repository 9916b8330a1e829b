"""Places that are full, read-only, looping, forbidden, gone or no folder: one line with the place and the fix."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import harness.places
from harness.bundle import export_runs
from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig, DatasetConfig
from harness.listener import Listener
from harness.queue.jobs import OVER
from harness.queue.queue import Queue
from harness.queue.storage_place import storage_url
from harness.record import all_runs
from harness.scoring.score import lists
from tests import authors_files
from tests.permissions import bound_by_permissions
from tests.world import quick

SMALL = ("--set", "backbone.pretrained=null", "--set", "train.epochs=1", "--set", "train.batch_size=16")
WORLD = ("-m", "linear_probe", "-d", "icfg", "--synthetic", *SMALL)
SWEEP = ("sweep", *WORLD, "--trials", "1", "--space", "method.lr=1e-4:1e-2:log", "--test-seeds", "0")
MAKE = ("data", "make", "rstp", "--identities", "6")
PRETRAIN = ("pretrain", "--steps", "1", "--batch-size", "2", "--held-out", "4", "--out", "{out}/tiny")
IMPORT = ("import", "tbps_clip", "{released}", "-d", "icfg", "--preset", "tiny", "--no-test", *SMALL[:2])
SEARCH = ("search", "a red coat", "--run", "{run}", "--gallery", "{images}", "--out", "{out}/page.html")
SCORE = ("score", "-d", "icfg", "--synthetic", "--embeddings", "{embeddings}", "-m", "mine")
BOARD = (
    "title: Mine\ncontact: me\nprotocols: [{name: icfg, title: ICFG-PEDES, dataset: icfg, synthetic: true}]\n"
)
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
    "import": (IMPORT, ("runs",)),
    "worker": (("worker", "waiting"), ("runs",)),
    "export": (("runs", "export", "{run}", "--out", "{out}/b.zip"), ("out",)),
    "export tables": (("runs", "export", "{run}", "--format", "csv", "--out", "{out}/tables"), ("out",)),
    "runs import": (("runs", "import", "{bundle}"), ("runs",)),
    "card": (("runs", "card", "{run}", "--out", "{out}/card"), ("out",)),
    "score": (SCORE, ("runs",)),
    "score lists": (("score", "--template", "icfg", "--synthetic", "--out", "{out}/order.json"), ("out",)),
    "check": (("check", "{out}/expected.yaml", "--write"), ("out",)),
    "board": (("board", "build", "{board}", "--out", "{out}/site"), ("out",)),
}
READ = {
    "list": (("runs", "list"), "runs"),
    "show": (("runs", "show", "{run}"), "runs"),
    "compare": (("compare", "{run}", "{full}"), "runs"),
    "report": (("report", "leaderboard", "--out", "{out}/page"), "runs"),
    "doctor": (("doctor",), "runs"),
    "board": (("board", "check", "{board}"), "board"),
    "verify": (("data", "verify", "icfg", "--synthetic", "--workers", "1"), "data"),
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
        yield folder


@contextmanager
def read_only(folder, content):
    with mounted(folder, "64m"):
        shutil.copytree(content, folder, dirs_exist_ok=True) if content else None
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield folder


@contextmanager
def looping(folder, content):
    folder.symlink_to(folder.name)
    yield folder


@contextmanager
def a_file(folder, content):
    folder.write_text("no folder")
    yield folder


@contextmanager
def unwritable(folder, content):
    """Make a folder that may only be read."""
    with _with_mode(folder, content, 0o555):
        yield folder


@contextmanager
def forbidden(folder, content):
    """Make a folder that may not even be looked into."""
    with _with_mode(folder, content, 0o000):
        yield folder


@contextmanager
def _with_mode(folder, content, mode):
    shutil.copytree(content, folder) if content else folder.mkdir()
    folders = [*(one for one in folder.rglob("*") if one.is_dir()), folder]
    for one in folders:
        one.chmod(mode)
    try:
        with bound_by_permissions():
            yield
    finally:
        for one in reversed(folders):
            one.chmod(0o755)


@contextmanager
def vanished(folder, content):
    """Be in a folder that is gone; the place would be in it."""
    before = os.getcwd()
    folder.mkdir()
    os.chdir(folder)
    folder.rmdir()
    try:
        yield Path(folder.name)
    finally:
        os.chdir(before)


@contextmanager
def too_long(folder, content):
    yield folder.with_name("x" * 300)


KINDS = (full, read_only, looping, a_file, unwritable, forbidden, vanished, too_long)
READABLE = (full, read_only, unwritable)


@pytest.fixture(scope="module")
def good(twins, world, tmp_path_factory):
    """Return a folder of finished, tracked runs and a study that waits, and what the commands name."""
    from harness.run.run import run

    root, files = tmp_path_factory.mktemp("good"), tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
        little = run(quick(twins, "linear_probe", "icfg", "train.epochs=1"), runs=root).name
        towers = run(quick(twins, "prompt_only", "icfg", "train.epochs=1"), runs=root).name
        waiting = [*SWEEP, "--study", "waiting", "--workers", "0", "--timeout", "0.01"]
        patch.setattr("sys.argv", ["harness", "-q", *waiting, "--runs", str(root), "--data-root", str(twins)])
        assert run_safely(cli, debug=False) == 0
        Queue("waiting", storage_url(None, root), folder=root / "studies" / "waiting").remember(OVER, False)
    suite, released = files / "small.yaml", files / "released.pth"
    suite.write_text("title: small\ndatasets: [icfg]\nrows: [{method: linear_probe}]\n")
    clip = load_clip(BackboneConfig(name="tiny", pretrained=None, image_size=(96, 32)))
    torch.save({"model": authors_files.tbps_clip(clip)}, released)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{files}/mlflow.db")
        other = run(quick(twins, "zero_shot"), runs=files / "runs").name
    export_runs([other], files / "b.zip", files / "runs")
    (files / "board" / "bundles").mkdir(parents=True)
    shutil.copy(files / "b.zip", files / "board" / "bundles")
    (files / "board" / "board.yaml").write_text(BOARD)
    known = lists(DatasetConfig(name="icfg", synthetic=True, root=str(twins)), "test", Listener())
    text = [[owner == image for image in known["images"]] for _, owner in known["captions"]]
    np.savez(files / "e.npz", text=np.array(text, np.float32), image=np.eye(len(known["images"])))
    names = {"run": little, "full": towers, "suite": suite, "released": released}
    names |= {"bundle": files / "b.zip", "embeddings": files / "e.npz", "board": files / "board"}
    return root, {**names, "images": twins / "synthetic"}


@pytest.fixture
def call(good, twins, tmp_path, monkeypatch, capfd, no_kernel):
    """Return a function that calls a command with one of its places of some kind; it returns what came of it."""

    def command(words, place, kind):
        root, names = good
        contents = {"runs": root, "data": twins, "board": names["board"]}
        content = contents.get(place) if kind in READABLE or kind is forbidden else None
        tmp_path.chmod(0o755)
        (tmp_path / "places").mkdir()
        if place != "runs":
            shutil.copytree(root, tmp_path / "runs")
        with kind(tmp_path / "places" / place, content) as bad:
            places = {
                "runs": tmp_path / "runs",
                "data": twins,
                **{one: tmp_path / one for one in ("cache", "out")},
            }
            places[place] = bad
            monkeypatch.setattr("harness.places.ASKED", {})
            monkeypatch.setattr("harness.paths.ASKED", harness.places.ASKED)
            for one in ("runs", "cache", "data"):
                monkeypatch.setenv(f"HARNESS_{one.upper()}", str(places[one]))
            monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{places['runs']}/mlflow.db")
            words_for = {**names, **places}
            arguments = [word.format(**words_for) if "{" in word else word for word in words]
            monkeypatch.setattr("sys.argv", ["harness", "-q", *arguments])
            before = kept(bad) if content and kind in READABLE else {}
            capfd.readouterr()
            code = run_safely(cli, debug=False)
            said = capfd.readouterr().err
            after = kept(bad) if content and kind in READABLE else {}
        assert before.items() <= after.items()
        named = "The current folder is gone" if kind is vanished else str(bad)
        return code, [line for line in said.splitlines() if line.startswith("Error: ")], said, named

    return command


def kept(root):
    return {
        str(folder.file(name)): folder.file(name).read_bytes()
        for folder in all_runs(root)
        for name in ("record.json", "weights.safetensors", "queries.npz", "history.json")
        if folder.file(name).is_file()
    }


def _is_told(code, errors, said, named):
    assert code == 2, said
    assert len(errors) == 1, said
    assert named in errors[0]
    assert "a bug in the harness" not in said
    assert "Traceback" not in said


pytestmark = pytest.mark.slow
CASES = [
    pytest.param(name, place, kind, id=f"{name}-{kind.__name__}")
    for name, (_, places) in WRITE.items()
    for place in places
    for kind in KINDS
]


@pytest.mark.parametrize(("name", "place", "kind"), CASES)
def test_a_place_that_refuses_is_one_line_with_the_place_and_the_fix(call, name, place, kind):
    _is_told(*call(WRITE[name][0], place, kind))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", READ)
def test_what_only_reads_works_in_a_full_and_a_read_only_folder_and_names_the_others(call, name, kind):
    code, errors, said, named = call(*READ[name], kind)
    assert "a bug in the harness" not in said
    assert "Traceback" not in said
    if kind in READABLE or (name == "doctor" and kind is not vanished):
        assert code in (0, 1), said
    else:
        _is_told(code, errors, said, named)
