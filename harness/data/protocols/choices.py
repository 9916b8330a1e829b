"""What was chosen of the data, into a run's folder: persons held out, images learned from, captions moved."""

from harness.data.protocols.joint import JointReading
from harness.files import write_json
from harness.record import FEW_SHOT, HOLDOUT, NOISE, Record, RunFolder


def write_choices(reading: JointReading, record: Record, folder: RunFolder) -> None:
    """Write which persons, images and captions were held out, chosen or moved; of a joint training by dataset.

    Args:
        reading: what a run learns from.
        record: of the run, in which the checksum of `noise.npy` is noted.
        folder: of the run.
    """
    own = reading.own
    held = {one.dataset.name: one.holdout for one in reading.all if one.holdout}
    few = {one.dataset.name: one.few for one in reading.all if one.few}
    if held:
        write_json(folder.file(HOLDOUT), held if reading.others else {"identities": own.holdout})
    if few:
        persons = {"identities": own.few_persons} if own.few_persons else {}
        write_json(folder.file(FEW_SHOT), few if reading.others else {"images": own.few, **persons})
    if own.noise:
        own.noise.write(folder.file(NOISE))
        folder.note(record, NOISE)
