"""What is wrong or odd with the data of a tracked run: its test set's faults, and pictures that were left out."""

from harness.datasets import DATASETS
from harness.errors import HarnessError
from harness.track.run_row import RunRow

NOT_THE_TEST_SET = "Not the published test set"


def test_faults(run: RunRow, dataset: str, own: bool) -> list[str]:
    """Return a line for all that is known to be wrong or odd with the data of a test, of earlier runs by its count."""
    lines = run.tag("faults" if own else f"transfer_faults.{dataset}").splitlines()
    n = run.metric("data/test_images")
    if lines or not own or n is None or run.synthetic:
        return lines
    published = _published_images(dataset)
    return [] if published in (None, n) else [f"{NOT_THE_TEST_SET}: {n:,.0f} images, published {published:,}"]


def _published_images(dataset: str) -> int | None:
    try:
        counts = DATASETS.get(dataset).expected.get("test")
    except HarnessError:
        return None
    return counts.images if counts else None


def left_out(run: RunRow, split: str) -> int | None:
    """Return how many images of a split were left out; None for an earlier run that notes only those of all splits."""
    known = run.metric(f"data/left_out.{split}")
    if known is None and run.metric("data/bad_images") == 0:
        return 0
    return None if known is None else int(known)
