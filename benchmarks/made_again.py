"""What runs reach that were made again, with everything the same but the machine.

The suite `parameter_efficiency` was run after the runs that lie beside RESULTS, and has some of them again.
"""

import tempfile
from pathlib import Path

from benchmarks.__main__ import RESULTS
from harness.bundle.figures import run_folders
from harness.bundle.layout import RUNS
from harness.bundle.put_beside import Twice, compared
from harness.bundle.zips import unpack
from harness.pages.cost_text import points_text
from harness.pages.tables import DASH
from harness.record import RunFolder

AGAIN, BEFORE = "parameter_efficiency", ("icfg", "cuhk")
HEAD = ("method", "trained on", "seed", "R@1", "R@1 again", "difference", "same ranks", "first epoch's loss")


def made_again() -> list[tuple[str, ...]]:
    """Return a row of cells for each run that was made again, by method; percent, and a loss relative to the first."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for bundle in (AGAIN, *BEFORE):
            unpack(RESULTS / f"{bundle}.zip", Path(name, bundle))
        for again in run_folders(Path(name, AGAIN)):
            places = [Path(name, bundle, RUNS, again.path.name) for bundle in BEFORE]
            before = RunFolder(next(place for place in places if place.is_dir()))
            rows.append(_cells(again, before, compared(again, before)))
    return sorted(rows)


def _cells(again: RunFolder, before: RunFolder, found: Twice) -> tuple[str, ...]:
    record = again.read()
    assert record is not None
    assert found.here is not None
    assert found.there is not None
    assert found.queries is not None
    losses = [folder.history()[0]["train/loss"] for folder in (again, before) if folder.history()]
    return (
        f"`{record.config['method']['name']}`",
        str(record.config["dataset"]["name"]),
        str(record.config["seed"]),
        f"{found.there:.1f}",
        f"{found.here:.1f}",
        points_text(found.here - found.there),
        f"{100 * found.queries:.1f} %",
        f"{losses[0] / losses[1] - 1:+.1e}".replace("-", "−") if losses else DASH,
    )
