"""Check image files: which are missing, which cannot be decoded, which are cut off."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from os.path import isfile
from typing import Literal

Progress = Callable[[int, int], None]
_CUT_OFF = "cut off"
_CHUNK = 256
_THUMBNAIL = (16, 8)


@dataclass
class Checked:
    """What was wrong with which files; paths as given.

    Attributes:
        missing: files that do not exist.
        unreadable: files that cannot be decoded, with the reason.
        cut_off: files that end early; their upper part is read.
    """

    missing: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    cut_off: list[str] = field(default_factory=list)


def check_files(
    paths: Sequence[str],
    images: Literal["exist", "decode"],
    workers: int,
    progress: Progress | None = None,
) -> Checked:
    """Look for every file and, with `decode`, decode it to RGB in `workers` processes."""
    checked = Checked(missing=[path for path in paths if not isfile(path)])
    if images == "decode":
        missing = set(checked.missing)
        there = [path for path in paths if path not in missing]
        for done, faults in enumerate(_faults(there, workers), start=1):
            _sort_in(faults, checked)
            if progress:
                progress(min(done * _CHUNK, len(there)), len(there))
    return checked


def _decode_faults(paths: Sequence[str]) -> dict[str, str]:
    """Decode files as the image store does and return what is wrong with the bad ones; runs in worker processes."""
    faults = ((path, _fault(path)) for path in paths)
    return {path: fault for path, fault in faults if fault}


def _faults(paths: Sequence[str], workers: int) -> Iterator[dict[str, str]]:
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    if workers < 2 or len(chunks) < 4:
        yield from map(_decode_faults, chunks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_decode_faults, chunks)


def _fault(path: str) -> str:
    """Decode strictly and, when that fails, as far as the file goes."""
    from PIL import ImageFile

    from harness.images.decoding import ImageError, decode

    before = ImageFile.LOAD_TRUNCATED_IMAGES
    for strict in (True, False):
        ImageFile.LOAD_TRUNCATED_IMAGES = not strict
        try:
            decode(path, _THUMBNAIL)
        except ImageError as error:
            reason = str(error.__cause__ or error)
        else:
            return "" if strict else _CUT_OFF
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
    return reason


def _sort_in(faults: dict[str, str], checked: Checked) -> None:
    checked.cut_off += [path for path, fault in faults.items() if fault == _CUT_OFF]
    checked.unreadable |= {path: fault for path, fault in faults.items() if fault != _CUT_OFF}
