"""Send whole records, results on other datasets, and groups of seeds to MLflow."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness.config.values import content_hash, flatten
from harness.record import BOOTSTRAP, COMPRESSION, RECORD, TRANSFER, Record, RunFolder, queries_elsewhere
from harness.record import warn as left_out
from harness.record.marks import read_marks
from harness.track.mlflow_store import Store
from harness.track.own_runs import earlier_groups, marks, new_key
from harness.track.patience import reason, warn
from harness.track.run_pictures import send_page
from harness.track.run_tracker import log
from harness.track.tags import INTERVALS, result_tags, results, tags, with_ends


def publish(record: Record, folder: RunFolder, store: Store) -> dict[str, Any]:
    """Send a whole record with its results on other datasets, replacing what arrived of it before.

    One that was made before records had keys gets its own.
    """
    record.key = record.key or new_key()
    run_id = store.create(record, folder)
    store.log(run_id, folder.history())
    store.close(run_id, record, folder)
    for result in folder.results():
        _log_result(store, run_id, folder, result)
    if folder.file(COMPRESSION).is_file():
        _log_file(store, run_id, folder, COMPRESSION)
    return {"synced": True, "run_id": run_id, "uri": store.place, "error": None}


def may_be_sent(record: Record, folder: RunFolder) -> bool:
    """Whether a run has ended, is not archived and is whole; one that is damaged is named in a line."""
    if record.status == "running" or read_marks(folder).archived:
        return False
    if faults := folder.faults():
        left_out(folder.path, faults[0])
    return not faults


def resend(record: Record, folder: RunFolder, store: Store) -> None:
    """Publish a run and note that in its record, which may repeat a secret where it was made before: none is sent."""
    folder.write(record)
    record.tracking = publish(record, folder, store)
    folder.write(record)


def publish_intervals(record: Record, folder: RunFolder, store: Store | None) -> dict[str, Any]:
    """Bring the intervals of a tracked run and of its tests elsewhere up to date; return what its record notes of it.

    What this store does not have is left to `harness runs sync`.
    """
    run_id, known = record.tracking.get("run_id"), record.tracking
    here = store is not None and known.get("synced") and known.get("uri") == store.place
    if store is None or not here or not run_id or not store.is_there(run_id):
        return {**known, "synced": False, "error": "its intervals were re-read since"}
    store.log(run_id, [results(record)])
    page = send_page(store, run_id, record, folder)
    store.set_tags(run_id, tags(record) | read_marks(folder).tags | page)
    store.log_file(run_id, folder.file(RECORD))
    for result in folder.results():
        _log_result(store, run_id, folder, result)
    return known


def log_transfer(record: Record, folder: RunFolder, result: dict[str, Any]) -> bool:
    """Add a result on another dataset to the run's MLflow run; False when the store did not take it."""
    return _added(record, folder, f"the result on {result['dataset']}", partial(_log_result, result=result))


def log_result_file(record: Record, folder: RunFolder, name: str) -> bool:
    """Add a file of a finished run's folder to its MLflow run; False when the store did not take it."""
    return _added(record, folder, f"{name} of {record.name}", partial(_log_file, name=name))


def _added(
    record: Record, folder: RunFolder, what: str, send: Callable[[Store, str, RunFolder], None]
) -> bool:
    """Add something to the MLflow run of a run that was sent whole; where that fails, it counts as not sent."""
    run_id = record.tracking.get("run_id")
    if not record.tracking.get("synced") or run_id is None:
        return False
    try:
        send(Store(folder.path.parent), run_id, folder)
    except Exception as error:
        warn(log, error, "MLflow did not take %s: %s", what, reason(error))
        record.tracking = {**record.tracking, "synced": False, "error": f"{what} did not arrive"}
        folder.write(record)
        return False
    return True


def _log_file(store: Store, run_id: str, folder: RunFolder, name: str) -> None:
    store.log_file(run_id, folder.file(name))
    store.set_tags(run_id, {f"harness.file.{name}": "sent"})


def _log_result(store: Store, run_id: str, folder: RunFolder, result: dict[str, Any]) -> None:
    dataset = result["dataset"]
    store.log(run_id, [with_ends(result["metrics"], result["intervals"])])
    store.log_file(run_id, folder.file(queries_elsewhere(dataset)), TRANSFER)
    store.set_tags(run_id, result_tags(result))


def publish_group(group: dict[str, Any], records: list[Record], runs: Path) -> str | None:
    """Log several seeds as one parent run with mean, interval, deviation and single values; return its id.

    The seeds' runs become its children; an earlier parent of the same group is replaced.
    """
    try:
        store = Store(runs)
        own = group_marks(records, runs)
        for old in earlier_groups(store, group["identity"], own):
            store.remove(old.id)
        child = {key: value for key, value in tags(records[0]).items() if key != "harness.seed"}
        given = child | own
        given |= {
            "harness.kind": "group",
            "harness.identity": group["identity"],
            "harness.seeds": str(group["seeds"]),
            INTERVALS: str(group.get("interval_method", BOOTSTRAP)),
        }
        shared = {key: value for key, value in flatten(records[0].config).items() if key != "seed"}
        run_id = store.open(group["name"], given, shared, records[0].started)
        store.log(run_id, [_group_metrics(group)])
        store.log_json(run_id, group, "group.json")
        store.end(run_id, "finished")
        store.adopt(run_id, [str(r.tracking["run_id"]) for r in records if r.tracking.get("synced")])
    except Exception as error:
        warn(
            log,
            error,
            "MLflow did not take the group %s (%s); `harness runs sync` sends it later",
            group["name"],
            reason(error),
        )
        return None
    return run_id


def group_marks(records: list[Record], runs: Path) -> dict[str, str]:
    """Return the tags by which the MLflow run of a group of seeds is found again."""
    return marks(content_hash([record.key for record in records]), runs / "groups")


def _group_metrics(group: dict[str, Any]) -> dict[str, float]:
    """Return a group's numbers as flat metrics: the mean under the metric's own name, then low, high, sd and n."""
    flat: dict[str, float] = {"n_seeds": float(len(group["seeds"]))}
    flat["interval_method"] = float(group.get("interval_method", BOOTSTRAP))
    for name, metric in group["metrics"].items():
        flat[name] = metric["mean"]
        flat |= {f"{name}/{part}": metric[part] for part in ("low", "high", "sd")}
    return flat
