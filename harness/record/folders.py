"""The folders of runs: all of a place, those that can be read, the one that a person means."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from harness.errors import UsageError, nearest
from harness.paths import runs_root
from harness.places import reading
from harness.record.folder import RunFolder, Tell, warn
from harness.record.record import RECORD, Record


def trials_folder(root: Path, study: str) -> Path:
    """Return where the trials of a study are: separate from the runs, which are tested."""
    return root / "studies" / study / "trials"


def all_trials(root: Path, study: str = "*") -> list[RunFolder]:
    """Return the folders of a study's trials, or of all studies'."""
    return [RunFolder(file.parent) for file in sorted(root.glob(f"studies/{study}/trials/*/{RECORD}"))]


def all_runs(root: Path | None = None) -> list[RunFolder]:
    """Return the folders of all recorded runs; runs set aside are left out.

    Those whose record changed last come last, as when it was sent to MLflow: when a run began its record alone says.
    """
    base = root or runs_root().path
    try:
        with reading(base):
            names = sorted(name for name in os.listdir(base) if "~" not in name)
    except FileNotFoundError:
        return []
    files = [file for name in names if os.path.lexists(file := base / name / RECORD)]
    return [RunFolder(file.parent) for file in sorted(files, key=lambda file: (_changed(file), file))]


def readable(folders: Iterable[RunFolder], tell: Tell = warn) -> Iterator[tuple[RunFolder, Record]]:
    """Yield the runs whose record can be read with it; `tell` hears one line of each other one."""
    for folder in folders:
        if (record := folder.glance(tell)) is not None:
            yield folder, record


def find_run(text: str, root: Path | None = None) -> RunFolder:
    """Return the run meant by a folder, a name, or the beginning of a name or identity.

    Raises `UsageError` when none or several fit.
    """
    if (Path(text) / RECORD).is_file():
        return RunFolder(Path(text))
    folders = {folder.path.name: folder for folder in all_runs(root)}
    if text in folders:
        return folders[text]
    fits = [name for name in folders if name.startswith(text) or name.rpartition("-")[2].startswith(text)]
    if len(fits) == 1:
        return folders[fits[0]]
    place = root or runs_root()
    if fits:
        raise UsageError(
            f"{text!r} fits {len(fits)} runs in {place}: {', '.join(fits)}. Give more of the name."
        )
    raise UsageError(f"No run {text!r} in {place}.{nearest(text, folders)} `harness runs list` shows all.")


def _changed(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_ctime_ns
    return 0
