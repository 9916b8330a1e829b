"""Places that cannot be written to, for want of space or of permission: one message that names each and the fix."""

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UsageError
from harness.paths import ASKED, Place, cache_root

_MENDS = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`)",
    errno.EROFS: "make it writable",
    errno.EACCES: "let yourself read and write there (`ls -ld` shows who may)",
    errno.EPERM: "let yourself read and write there (`ls -ld` shows who may)",
    errno.ENOTDIR: "rename the file that stands where a folder is needed",
    errno.EEXIST: "rename the file that stands where a folder is needed",
    errno.EISDIR: "rename the folder that stands where a file is needed",
    errno.ENAMETOOLONG: "shorten its name",
    errno.EIO: "check the disk",
    errno.ELOOP: "remove the link, which leads to itself",
    errno.ENOENT: "make the folder, which is gone",
}
# Errors that are a place's wherever they occur, and how libraries tell of them.
_CERTAIN = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_WORDS = (
    "unable to open database file",
    "readonly database",
    "disk is full",
    "disk i/o error",
    "no space left",
    "read-only file system",
    "file too large",
    "permission denied",
    "not a directory",
    "i/o error",
    "pytorchstreamwriter",
    "inline_container",
)
# What `Path.resolve` of Python 3.11 and 3.12 says of a link that leads to itself.
_LOOP = re.compile("Symlink loop from '(.*)'")
_PROBE = bytes(1 << 16)


def place_fault(error: OSError, place: Path | None = None, instead: str | None = None) -> UsageError | None:
    """Return the one message for a place that refuses: which, why, and what to do; None for another kind of error.

    Args:
        error: what the system said; the file that it names is meant, unless that is but a draft beside `place`.
        place: the file or folder that was to be written.
        instead: how to choose another place; else told from the place.
    """
    mend = _MENDS.get(error.errno or 0)
    named = None if error.filename is None else Path(os.fsdecode(error.filename))
    if mend is None or (place is None and error.errno == errno.ENOENT):
        return None
    if place is None and named is None:
        return UsageError(f"The output cannot be written ({error.strerror}): {mend}, or send it elsewhere.")
    if place is not None and named is not None and named.parent not in (place.parent, place, *place.parents):
        place = None
    verb, asked = ("used", named) if place is None else ("written to", place)
    assert asked is not None
    if instead is None:
        cached = asked.absolute().is_relative_to(cache_root().path.absolute())
        instead = "set HARNESS_CACHE to another folder" if cached else "choose another folder"
    return UsageError(f"{asked} cannot be {verb} ({error.strerror}): {mend}, or {instead}.")


def told_fault(error: BaseException) -> UsageError | None:
    """Return the one message for a place that refuses where a library's error says it in words of its own.

    What the error, or one that it came from, says of the system is taken; of a mere text the places that this process
    asked for are tried, and the first that refuses is meant. None where no place refuses.
    """
    chain = list(_chain(error))
    for one in chain:
        if (
            isinstance(one, OSError)
            and (one is error or one.errno in _CERTAIN)
            and (fault := place_fault(one))
        ):
            return fault
        if isinstance(one, RuntimeError) and (loop := _LOOP.search(str(one))):
            return place_fault(OSError(errno.ELOOP, os.strerror(errno.ELOOP), loop[1]))
    text = " ".join(str(one) for one in chain).lower()
    if not any(words in text for words in _WORDS):
        return None
    for place in [*reversed(ASKED), Path.cwd(), Path(tempfile.gettempdir())]:
        try:
            _try(place)
        except OSError as refused:
            return place_fault(refused, place)
    return None


def check_current_folder() -> None:
    """Raise `UsageError` where the folder that this process is in was removed: nothing is found from there."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UsageError("The current folder is gone: change to one that is there (`cd`).") from None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _try(place: Path) -> None:
    """Write to a folder, or to the nearest above it that is there; raise `OSError` where that is refused."""
    folder = place.absolute()
    while not os.path.lexists(folder):
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(_PROBE)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def reading(place: Path) -> Iterator[None]:
    """Raise `UsageError` that names the place and the fix where the system lets nothing be read of it."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        _raise_fault(error)
        raise


def is_there(file: Path) -> bool:
    """Whether a file is there; raise `UsageError` where the system does not let that be seen."""
    try:
        with reading(file):
            return stat.S_ISREG(file.stat().st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def writing(place: Path, instead: str | None = None) -> Iterator[None]:
    """Raise `UsageError` that names the place and the fix where the system lets nothing be written to it."""
    try:
        yield
    except OSError as error:
        _raise_fault(error, place, instead)
        raise


def _raise_fault(error: OSError, place: Path | None = None, instead: str | None = None) -> None:
    if (fault := place_fault(error, place, instead)) is not None:
        raise fault from error


def writable(folder: Path, instead: str = "give another --out") -> None:
    """Make a folder to write results to; raise `UsageError` where nothing can be written to it."""
    ASKED[folder] = Place(folder, "--out")
    with writing(folder, instead):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
