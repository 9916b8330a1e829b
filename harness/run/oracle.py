"""The oracle rule: best epoch on the test split, as the papers report it; kept where no selection code reads it."""

from typing import Any

from harness.data.loading import Split
from harness.evaluate.encoder import Encoder, evaluate
from harness.methods import Method
from harness.record import RunFolder
from harness.train.checkpoint import BestWeights
from harness.train.loop import Watch

ORACLE = "oracle"
_SCORE = "t2i/R1"


class OracleWatch(Watch):
    """Tests after each epoch and keeps the best; the training loop stores what it returns and never reads it."""

    def __init__(self, encoder: Encoder, test: Split, method: Method, folder: RunFolder) -> None:
        self.encoder, self.test, self.method = encoder, test, method
        self.kept = BestWeights(folder, ORACLE)

    def __call__(self, epoch: int, kept: dict[str, Any]) -> dict[str, Any]:
        """Return what was kept before with this epoch's test metrics."""
        metrics = evaluate(self.encoder, self.test)[0].metrics
        row = {"epoch": float(epoch), **metrics}
        best = kept.get("best")
        if best is None or row[_SCORE] > best[_SCORE]:
            best = row
            if self.encoder.engine.is_main_process:
                self.kept.keep(self.method, best)
        return {"best": best, "history": [*kept.get("history", []), row]}

    def on_resume(self, kept: dict[str, Any]) -> None:
        """Look at the weights of the best epoch before training goes on."""
        self.kept.whole(kept.get("best", {}))

    def on_saved(self, kept: dict[str, Any]) -> None:
        """Forget the weights of what is no longer the best epoch."""
        if self.encoder.engine.is_main_process:
            self.kept.settle(kept.get("best", {}))


def optimism(watch: dict[str, Any], metrics: dict[str, float]) -> dict[str, Any] | None:
    """Return the oracle's epoch and metrics and the optimism gap: its R@1 minus that of the chosen rule, in points."""
    if not watch:
        return None
    best = dict(watch["best"])
    gap = best[_SCORE] - metrics[_SCORE]
    return {
        "epoch": int(best.pop("epoch")),
        "metrics": best,
        "optimism_gap": gap,
        "history": watch["history"],
    }
