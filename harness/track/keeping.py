"""Delete, archive, restore, tag and note a recorded run: on disk, and in MLflow where it is tracked."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from harness.errors import HarnessError, UsageError
from harness.files import locked
from harness.record import Record, RunFolder
from harness.record.marks import read_marks, write_marks
from harness.track.mlflow_store import Store
from harness.track.own_runs import KEY
from harness.track.patience import reason
from harness.track.run_pictures import send_page
from harness.track.run_row import RunRow

# Behind the name of a folder that is being deleted: no run is looked for there.
DELETED = "~deleted"


def delete_run(folder: RunFolder, record: Record, *, only_here: bool = False) -> None:
    """Delete a run in MLflow, then its folder, which is first renamed: a death leaves the run or no run.

    Args:
        folder: of the run.
        record: of the run, which does not run.
        only_here: leave MLflow alone.

    Raises `UsageError` where MLflow does not answer, with nothing deleted; `Busy` where another process is in
    the folder.
    """
    aside = folder.path.with_name(folder.path.name + DELETED)
    with locked(folder.path):
        if not only_here:
            _delete_there(folder, record)
        shutil.rmtree(aside, ignore_errors=True)
        folder.path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _delete_there(folder: RunFolder, record: Record) -> None:
    try:
        _each(folder, record, lambda store, row: store.client.delete_run(row.id))
    except Exception as error:
        raise UsageError(
            f"{record.name} was not deleted, because MLflow does not take it: repeat the command once it answers, or "
            f"give --only-here. {_why(error)}"
        ) from error


def archive_run(folder: RunFolder, record: Record) -> str | None:
    """Leave a run out of lists and of MLflow; return one line where MLflow did not take it."""
    write_marks(folder, read_marks(folder).model_copy(update={"archived": True}))
    return _told(
        lambda: _each(folder, record, lambda store, row: store.client.delete_run(row.id)), "archive", record
    )


def restore_run(folder: RunFolder, record: Record) -> str | None:
    """Bring an archived run back; return one line where MLflow did not take it.

    What MLflow has not got any more `harness runs sync` sends.
    """
    write_marks(folder, read_marks(folder).model_copy(update={"archived": False}))
    known = record.tracking.get("run_id")

    def restore() -> None:
        store = _store(folder)
        if store is not None and known and not store.is_there(known):
            store.client.restore_run(known)

    return _told(restore, "restore", record)


def tag_run(folder: RunFolder, record: Record, tags: Mapping[str, str], removed: Iterable[str]) -> str | None:
    """Set and remove tags of a run; return one line where MLflow did not take them."""
    marks = read_marks(folder)
    gone = {*marks.removed, *removed} - tags.keys()
    kept = {name: value for name, value in marks.tags.items() if name not in gone}
    marks = marks.model_copy(update={"tags": kept | dict(tags), "removed": sorted(gone)})
    write_marks(folder, marks)

    def send(store: Store, row: RunRow) -> None:
        store.set_tags(row.id, tags)
        store.remove_tags(row, gone)

    unsent = _sent(folder, record, send)
    if gone and unsent is None:
        write_marks(folder, marks.model_copy(update={"removed": []}))
    return unsent


def note_run(folder: RunFolder, record: Record, note: str) -> str | None:
    """Set the note of a run, an empty one for none; return one line where MLflow did not take it."""
    write_marks(folder, read_marks(folder).model_copy(update={"note": note}))
    return _sent(
        folder, record, lambda store, row: store.set_tags(row.id, send_page(store, row.id, record, folder))
    )


def _sent(folder: RunFolder, record: Record, send: Callable[[Store, RunRow], None]) -> str | None:
    """Send what a person says of a run; where that fails, let the next sync send the whole run."""
    try:
        _each(folder, record, send)
    except Exception as error:
        if record.status != "running":
            record.tracking = {**record.tracking, "synced": False, "error": "its tags or note changed since"}
            folder.write(record)
        return f"MLflow has not got it: `harness runs sync` sends it later. {_why(error)}"
    return None


def _told(work: Callable[[], None], command: str, record: Record) -> str | None:
    try:
        work()
    except Exception as error:
        return f"MLflow did not take it: repeat `harness runs {command} {record.name}` once it answers. {_why(error)}"
    return None


def _each(folder: RunFolder, record: Record, work: Callable[[Store, RunRow], None]) -> None:
    """Do something with each run that MLflow has of a record; nothing where it was never sent."""
    known = record.tracking.get("run_id")
    store = _store(folder) if known or record.key else None
    if store is None:
        return
    for row in store.search(f"tags.`harness.identity` = '{record.identity}'"):
        if row.id == known or (record.key and row.tags.get(KEY) == record.key):
            work(store, row)


def _store(folder: RunFolder) -> Store | None:
    return Store.existing(folder.path.parent)


def _why(error: Exception) -> str:
    """Return as a sentence why MLflow did not take something."""
    return str(error) if isinstance(error, HarnessError) else f"{reason(error)}."


def leftovers(root: Path) -> list[Path]:
    """Return the folders of runs whose deletion was cut off."""
    return sorted(path for path in root.glob(f"*{DELETED}") if path.is_dir())
