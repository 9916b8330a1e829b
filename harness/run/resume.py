"""Go on with a recorded run, and send records to MLflow that did not arrive."""

from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.files import read_json
from harness.listener import Listener
from harness.paths import runs_root
from harness.presets.resolve import build_stored
from harness.record import Record, all_runs, all_trials, find_run
from harness.run.run import run
from harness.track.mlflow_store import Store
from harness.track.publish import publish, publish_group


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
    if old.imported:
        raise UsageError(f"{old.name} was imported from {old.imported}: there is no training to go on with.")
    return run(
        build_stored(old.config), runs=folder.path.parent, device=device, listener=listener, goes_on_with=old
    )


def sync_runs(runs: str | Path | None = None, *, everything: bool = False) -> dict[str, Any]:
    """Send every ended run that MLflow has not got (or all of them); return what was sent and where."""
    root = runs_root(runs).path
    store = Store(root)
    sent, left = [], 0
    for folder in [*all_runs(root), *all_trials(root)]:
        record = folder.read()
        if record is None or record.status == "running":
            continue
        if record.tracking.get("synced") and record.tracking.get("uri") == store.place and not everything:
            left += 1
            continue
        record.tracking = publish(record, folder, store)
        folder.write(record)
        sent.append(record.name)
    _sync_groups(root, set(sent))
    return {"sent": sent, "left": left, "uri": store.place}


def _sync_groups(root: Path, sent: set[str]) -> None:
    """Nest what was sent again under the parents of its groups of seeds."""
    folders = {folder.path.name: folder for folder in all_runs(root)}
    for file in sorted((root / "groups").glob("*.json")):
        group = read_json(file)
        if sent & set(group["runs"]) and folders.keys() >= set(group["runs"]):
            records = [folders[name].read() for name in group["runs"]]
            publish_group(group, [record for record in records if record is not None], root)
