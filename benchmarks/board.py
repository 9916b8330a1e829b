"""How long a board takes, and how large it is: of all runs that lie beside RESULTS, checked anew from their queries.

Every figure, interval and test of a bundle is computed again before a page is written, as `harness board check` does in
a repository's CI.
"""

import shutil
import tempfile
from pathlib import Path

from benchmarks.__main__ import RESULTS
from benchmarks.common import Outcome, claim, cpu_seconds, outcome
from harness.board.site import Built, build_board

DATASETS = ("cuhk", "icfg", "rstp")
BUNDLES = [RESULTS / f"{name}.zip" for name in DATASETS]
BOUND, MOST_MB = 60.0, 10.0


def run() -> Outcome:
    """Build the board of the bundles beside RESULTS; pages are counted without the bundles, which are copied."""
    built: list[Built] = []
    with tempfile.TemporaryDirectory() as name:
        folder, site = Path(name) / "board", Path(name) / "site"
        (folder / "bundles").mkdir(parents=True)
        for file in BUNDLES:
            shutil.copy(file, folder / "bundles")
        (folder / "board.yaml").write_text(board_yaml(), encoding="utf-8")
        seconds = cpu_seconds(lambda: built.append(build_board(folder, site)))
        bundles = sum(file.stat().st_size for file in BUNDLES) / 1e6
    (made,) = built
    claims = [
        claim(f"a board of {made.runs} runs, processor time", seconds, unit="s", at_most=BOUND),
        claim("its pages", made.bytes / 1e6 - bundles, unit="MB", at_most=MOST_MB),
        claim("the bundles beside them", bundles, unit="MB"),
    ]
    counts = {"runs": made.runs, "results": made.results, "files": made.files}
    return outcome("A board of all runs beside RESULTS", "python -m benchmarks board", claims, **counts)


def board_yaml() -> str:
    """Return the description of a board with a protocol for each training and test set."""
    pairs = [(trained, tested) for trained in DATASETS for tested in DATASETS]
    lines = [
        f"  - {{name: {trained}-to-{tested}, title: {trained} to {tested}, dataset: {tested}, synthetic: true, "
        f"facts: {{trained on: {trained}}}}}"
        for trained, tested in pairs
    ]
    return "\n".join(["title: Twins", "contact: the maintainers", "protocols:", *lines, ""])
