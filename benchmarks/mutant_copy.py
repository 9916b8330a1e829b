"""A copy of a checkout in which one change at a time is made and the tests that belong to it run.

Tests run in forks of one process that has imported the large libraries, which is most of what a quick test takes. The
harness itself is never imported there: each fork imports that of the copy.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.mutations import Mutation

PATIENCE, EXTRA = 4.0, 20.0
IMPORTERS, WITHOUT_OWN = 10.0, 30.0
MOST = 120.0
PASSED = 0


@dataclass
class Change:
    """A change of one file, and what became of it."""

    file: str
    mutation: Mutation
    before: str
    after: str

    @property
    def key(self) -> tuple[str, ...]:
        """What it is known by when its line has moved."""
        return self.file, self.before, self.after

    def as_dict(self, **more: Any) -> dict[str, Any]:
        """Return it as plain values."""
        facts = {"file": self.file, "line": self.mutation.line, "kind": self.mutation.kind}
        return facts | {"before": self.before, "after": self.after} | more


class Copy:
    """A copy of a checkout in which changes are made and tests run."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.place, self.log = root, folder / "checkout", folder / "log"
        self.scratch = folder / "scratch"
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root, capture_output=True, check=True
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (root / name).is_file():
                target = self.place / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, target)
        self._clock = time.time()

    @contextlib.contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        """Make a change while the block runs; its time is another than that of all compiled files."""
        path = self.place / change.file
        source, times = path.read_bytes(), path.stat()
        path.write_bytes(change.mutation.of(source))
        self._clock += 2
        os.utime(path, (self._clock, self._clock))
        try:
            yield
        finally:
            path.write_bytes(source)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def test(self, files: Sequence[str], limit: float) -> tuple[int | None, float]:
        """Run the quick tests of some files in a fork; return pytest's exit code, None out of time, and the seconds."""
        begun = time.monotonic()
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        child = os.fork()
        if child == 0:
            self._run(files)
        code = _wait(child, begun + limit)
        return code, time.monotonic() - begun

    def said(self) -> str:
        """Return the end of what the last tests said."""
        return self.log.read_text(errors="replace")[-2000:]

    def _run(self, files: Sequence[str]) -> None:
        """Be the child: run pytest on the copy, and end with its exit code."""
        code = 3
        try:
            os.setsid()
            os.chdir(self.place)
            with self.log.open("wb") as log:
                for number in (1, 2):
                    os.dup2(log.fileno(), number)
            own = {str(self.root), ""}
            sys.path[:] = [str(self.place), *(path for path in sys.path if path not in own)]
            os.environ |= {"PYTHONPATH": str(self.place), "TMPDIR": str(self.scratch)}
            tempfile.tempdir = None
            pytest = import_module("pytest")
            code = int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--tb=short", *files]))
        finally:
            os._exit(code)


def _wait(child: int, until: float) -> int | None:
    """Wait for a child and end what it left of its session; None when its time was up."""
    code = None
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if code is None:
        os.waitpid(child, 0)
    return code


def own_tests(root: Path, file: str) -> str | None:
    """Return the test file laid out as a module is; None when there is none."""
    path = (Path("tests") / file).with_name(f"test_{Path(file).name}")
    return str(path) if (root / path).exists() else None


def importers(root: Path, file: str) -> list[str]:
    """Return the other test files that import a module, by name; those of its own package first."""
    package, _, name = file.removesuffix(".py").replace("/", ".").rpartition(".")
    package = re.sub(r"^(methods|datasets|reports)$", r"harness.\1", package)
    wanted = re.compile(
        rf"\b{re.escape(package)}\.{name}\b|from {re.escape(package)} import [^\n]*\b{name}\b"
    )
    near = root / "tests" / Path(file).parent
    found = sorted((root / "tests").rglob("test_*.py"), key=lambda path: (path.parent != near, path))
    names = [str(path.relative_to(root)) for path in found if wanted.search(path.read_text())]
    return [name for name in names if name != own_tests(root, file)]


def neighbours(root: Path, file: str) -> list[str]:
    """Return the test files of a module's package."""
    found = sorted((root / "tests" / Path(file).parent).glob("test_*.py"))
    return [str(path.relative_to(root)) for path in found]


def conformance(root: Path, file: str) -> list[str]:
    """Return what pytest takes to run for one plug-in the tests of all of its kind; nothing where there are none."""
    path = (Path("tests") / file).with_name("test_conformance.py")
    return [str(path), "-k", Path(file).stem] if (root / path).exists() else []


@dataclass
class Tests:
    """The tests of a module that pass without a change: groups that run one after another, with their seconds."""

    groups: list[tuple[list[str], float]]

    @staticmethod
    def of(copy: Copy, file: str) -> "Tests":
        """Try the module's tests, then others as far as they are quick; leave out what does not pass."""
        groups: list[tuple[list[str], float]] = []
        own, quick, left = own_tests(copy.place, file), [], IMPORTERS
        others = importers(copy.place, file)
        if own is not None:
            code, seconds = copy.test([own], MOST)
            groups += [([own], seconds)] if code == PASSED else []
        else:
            left, others = WITHOUT_OWN, list(dict.fromkeys(others + neighbours(copy.place, file)))
        if alike := conformance(copy.place, file):
            code, seconds = copy.test(alike, MOST)
            groups += [(alike, seconds)] if code == PASSED else []
        allowed = left
        for one in others:
            code, seconds = copy.test([one], left)
            left -= seconds
            quick += [one] if code == PASSED else []
            if left <= 0:
                break
        return Tests(groups + ([(quick, allowed - left)] if quick else []))

    def notice(self, copy: Copy) -> bool:
        """Whether one of them fails, or never ends."""
        return any(
            copy.test(files, PATIENCE * seconds + EXTRA)[0] != PASSED for files, seconds in self.groups
        )
