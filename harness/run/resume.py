"""Go on with a recorded run, and send records to MLflow that did not arrive."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UsageError, listed
from harness.listener import Listener
from harness.paths import runs_root
from harness.presets.resolve import build_stored
from harness.record import Record, RunFolder, all_runs, all_trials, find_run, readable
from harness.record.marks import read_marks
from harness.run.run import run
from harness.run.several_seeds import groups
from harness.track.mlflow_opening import opening, tracking_uri
from harness.track.mlflow_store import STATES, Store
from harness.track.own_runs import abandoned, earlier_groups, rows_by_key
from harness.track.patience import is_connection, reason
from harness.track.publish import group_marks, may_be_sent, publish_group, resend
from harness.track.run_row import PARENT, RunRow


def resume_run(
    name: str, runs: str | Path | None = None, *, device: str = "auto", listener: Listener | None = None
) -> Record:
    """Go on with a run that was interrupted, failed or killed; a finished one is shown.

    Raises `UsageError` when pictures, annotation or weights have changed, since that would be another run.
    """
    folder = find_run(name, runs_root(runs).path)
    old = folder.read()
    assert old is not None
    if old.study:
        raise UsageError(
            f"{old.name} is a trial of the study {old.study}: the `harness sweep` that began it resumes it."
        )
    if old.scored:
        raise UsageError(f"{old.name} was scored from {old.scored}: there is no training to go on with.")
    if old.imported:
        raise UsageError(f"{old.name} was imported from {old.imported}: there is no training to go on with.")
    return run(
        build_stored(old.config), runs=folder.path.parent, device=device, listener=listener, goes_on_with=old
    )


def sync_runs(runs: str | Path | None = None, *, everything: bool = False) -> dict[str, Any]:
    """Send every ended run that MLflow has not got (or all of them); return what was sent and where.

    What a record says of its sending is not believed: the store is asked. A run that the store believes running and
    that nobody will end is ended.

    Raises `UsageError` where the store cannot be opened or does not answer, and, once all others are sent, where it
    does not take a run.
    """
    root = runs_root(runs).path
    with opening(tracking_uri(root)):
        store = Store(root)
        there = rows_by_key(store.search("tags.`harness.identity` LIKE '%'"))
        sent, unsent, left = [], [], 0
        for folder, record in readable([*all_runs(root), *all_trials(root)]):
            if not may_be_sent(record, folder):
                continue
            if not everything and _has_arrived(record, folder, there, store.place):
                left += 1
                continue
            try:
                resend(record, folder, store)
            except Exception as error:
                if isinstance(error, HarnessError) or is_connection(error):
                    raise
                unsent.append(f"{record.name} ({type(error).__name__}: {reason(error)})")
                continue
            sent.append(record.name)
        _sync_groups(root, store)
        lost = abandoned(store.search("attributes.status = 'RUNNING'"))
        for row in lost:
            store.set_tags(row.id, {"harness.status": "interrupted"})
            store.end(row.id, "interrupted")
    if unsent:
        raise UsageError(f"MLflow does not take {listed(unsent)}; {len(sent)} sent, {left} there before.")
    return {"sent": sent, "left": left, "closed": len(lost), "uri": store.place}


def _has_arrived(record: Record, folder: RunFolder, there: Mapping[str, list[RunRow]], place: str) -> bool:
    """Whether the store has a record once and whole; where to is noted anew when the store was moved."""
    rows = there.get(record.key) or there.get(str(record.tracking.get("run_id")), [])
    if not record.tracking.get("synced") or len(rows) != 1 or rows[0].status != STATES[record.status]:
        return False
    noted = {**record.tracking, "run_id": rows[0].id, "uri": place}
    if noted != record.tracking:
        record.tracking = noted
        folder.write(record)
    return True


def _sync_groups(root: Path, store: Store) -> None:
    """Send the groups of seeds that the store has not got, or not as the parents of their runs."""
    folders = {folder.path.name: folder for folder in all_runs(root)}
    for _, group in groups(root):
        if not folders.keys() >= set(group["runs"]):
            continue
        found = list(readable(folders[name] for name in group["runs"]))
        if len(found) < len(group["runs"]):
            continue
        records = [record for _, record in found]
        shown = [record for folder, record in found if not read_marks(folder).archived]
        rows = earlier_groups(store, group["identity"], group_marks(records, root))
        if len(rows) != 1 or rows[0].status != "FINISHED" or not _are_children(store, rows[0].id, shown):
            publish_group(group, records, root)


def _are_children(store: Store, parent: str, records: list[Record]) -> bool:
    """Whether those runs of a group that arrived are nested under its run."""
    children = {row.id for row in store.search(f"tags.`{PARENT}` = '{parent}'")}
    return {record.tracking["run_id"] for record in records if record.tracking.get("synced")} <= children
