"""What each pruner saves, replayed on the learning curves of a real search.

`data/sweep_curves.json` holds the validation R@1 after each epoch of 30 trials of one sweep. Each pruner sees them in
the order in which they were drawn; what a trial would have reached after it was ended is left out. The points are
those of the recorded search, so this tells what is saved and whether the best trial survives, not what a search that
knows of pruned trials would have drawn.
"""

import json
from pathlib import Path
from typing import Any

import optuna

from benchmarks.common import Outcome, claim, outcome
from harness.queue.optuna_storage import experimental
from harness.sweep.optuna_parts import PATIENCE, STARTUP_TRIALS, PatientMedian

CURVES = Path(__file__).parent / "data" / "sweep_curves.json"
WARMUP = 1


def run() -> Outcome:
    """Replay the curves under each pruner."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    recorded = json.loads(CURVES.read_text())
    curves, epochs = recorded["curves"], recorded["epochs"]
    median = optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP)
    with experimental():
        pruners = {
            "median at two validations in a row (the default)": PatientMedian(WARMUP),
            "median at one validation": median,
            "Optuna's PatientPruner around the median": optuna.pruners.PatientPruner(median, PATIENCE),
        }
    claims, facts = [], {}
    for name, pruner in pruners.items():
        found = facts[name] = replay(curves, epochs, pruner)
        claims.append(claim(f"{name}: epochs saved", found["saved"], unit="%"))
        claims.append(claim(f"{name}: trials ended early", found["pruned"], unit=f"of {len(curves)}"))
        claims.append(claim(f"{name}: what the best trial loses", found["lost"], unit="points", at_most=0))
    return outcome(
        "Pruning, replayed on a recorded search", "python -m benchmarks pruning", claims, pruners=facts
    )


def replay(curves: list[list[float]], epochs: int, pruner: optuna.pruners.BasePruner) -> dict[str, Any]:
    """Return the share of epochs saved, trials ended early, and how much worse the best one left is."""
    study = optuna.create_study(direction="maximize", pruner=pruner)
    n_run, n_pruned, reached = 0, 0, []
    for curve in curves:
        trial = study.ask()
        for epoch, value in enumerate(curve, start=1):
            n_run += 1
            trial.report(value, epoch)
            if epoch < epochs and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                n_pruned += 1
                break
        else:
            reached.append(max(curve))
            study.tell(trial, max(curve))
    best = max(max(curve) for curve in curves)
    return {
        "saved": 100 * (1 - n_run / (epochs * len(curves))),
        "pruned": n_pruned,
        "lost": best - max(reached),
    }
