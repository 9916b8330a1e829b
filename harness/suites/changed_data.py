"""Which done cells of a suite are of other data than those that are there now, and so are to be run again."""

from collections.abc import Iterator, Sequence

from harness.config.sections import RunConfig
from harness.data.protocols.joint_names import part_configs
from harness.inference.transfer import results_of, transfer_data
from harness.presets.resolve import build_stored
from harness.queue.queue import Queue, TrialState
from harness.queue.work_setup import WorkSetup
from harness.record import BEFORE_PICTURES, Record, RunFolder
from harness.run.earlier_runs import differences_in_data, differences_in_test, further_differs
from harness.suites.cell_jobs import CELL, RUN, cell_key, stored_key
from harness.suites.cells import Cell
from harness.upkeep.data_now import DataNow


def changed_cells(queue: Queue, cells: Sequence[Cell], setup: WorkSetup) -> dict[str, str]:
    """Return by its key what differs now for each done cell whose result is of other data.

    A result made before pictures were part of it stays; so does one whose run or data are not on this machine.
    """
    done = {
        stored_key(job.user_attrs[CELL]): job
        for job in queue.jobs().values()
        if job.state is TrialState.COMPLETE
    }
    readings = DataNow(setup.data_root)
    found = {}
    for cell in cells:
        job = done.get(cell_key(cell))
        folder = RunFolder(setup.root / str(job.user_attrs.get(RUN))) if job else None
        record = folder.glance() if folder else None
        if folder is not None and record is not None and record.pictures:
            unlike = list(_differences(build_stored(record.config), record, folder, readings))
            if unlike:
                found[cell_key(cell)] = "; ".join(unlike)
    return found


def _differences(config: RunConfig, record: Record, folder: RunFolder, readings: DataNow) -> Iterator[str]:
    first, *others = part_configs(config.dataset)
    for name, there in ((one.name, readings.of(one)) for one in others):
        if there is not None and further_differs(record, name, there):
            yield f"other data in {name}"
    own = readings.of(first)
    if own is not None and (unlike := differences_in_data(record, own.fingerprint, own.pictures)):
        yield unlike
    for result in results_of(folder):
        if (other := readings.of(transfer_data(config.dataset, result["dataset"]))) is not None:
            unlike = differences_in_test(result["fingerprint"], result.get("pictures"), other)
            if unlike and BEFORE_PICTURES not in unlike:
                yield f"{unlike} on {result['dataset']}"
