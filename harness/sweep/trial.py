"""The trials of a search that have ended: what is known of each, and which are the best."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, model_validator

from harness.evaluate.pareto import pareto_front

State = Literal["finished", "pruned", "failed"]
TIE = "val/t2i/mAP"


class Trial(BaseModel):
    """What is known of a trial that has ended, while its study runs, in its summary and in a report.

    Attributes:
        number: counts from 0, and stays the same when the trial is resumed.
        value: of the first objective; of a pruned trial the last that it reached, None of a failed one.
        values: of all objectives.
        params: the searched keys with the values of this trial.
        feasible: whether it keeps within the constraints.
        metrics: what else the best is judged by, and the costs.
        runs: names of its runs, one for each seed.
        seconds: how long it took.
        epochs: epochs that ran, over all seeds, of `planned`; both 0 where that is not known.
        planned: epochs that it would have run without pruning.
        error: type, message and traceback of what ended a failed one.
    """

    number: int
    state: State
    value: float | None = None
    values: tuple[float, ...] = ()
    params: dict[str, Any] = {}
    feasible: bool = True
    metrics: dict[str, float] = {}
    runs: tuple[str, ...] = ()
    seconds: float = 0.0
    epochs: int = 0
    planned: int = 0
    error: dict[str, str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        """Fill `value` and `values` from one another: older summaries and reports have one of them, and `tie`."""
        if not isinstance(given, Mapping):
            return given
        known = dict(given)
        value, values, tie = known.get("value"), known.get("values"), known.pop("tie", None)
        if value is None and values:
            known["value"] = values[0]
        elif value is not None and not values:
            known["values"] = (value,)
        return known if tie is None else {**known, "metrics": {TIE: tie}}

    @property
    def tie(self) -> float | None:
        """mAP on validation, which breaks ties; None where it was not measured."""
        return self.metrics.get(TIE)


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the finished trial with the highest value among those within the constraints.

    Ties go to the higher mAP, then to the earliest; None when no trial is within them.
    """
    known = [(trial.value, trial) for trial in _fitting(trials)]
    ranked = [(value, trial.tie or 0.0, -trial.number, trial) for value, trial in known if value is not None]
    return max(ranked, key=lambda one: one[:3])[-1] if ranked else None


def front_of(trials: Sequence[Trial], directions: Sequence[Literal["minimize", "maximize"]]) -> list[int]:
    """Return the numbers of the trials that no other beats in one objective without losing in another."""
    fitting = _fitting(trials)
    signs = [1 if way == "maximize" else -1 for way in directions]
    objectives = [[sign * trial.values[place] for trial in fitting] for place, sign in enumerate(signs)]
    return [trial.number for trial, on in zip(fitting, pareto_front(objectives), strict=True) if on]


def params_text(params: Mapping[str, Any]) -> str:
    """Return a trial's values as text.

    >>> params_text({"method.lr": 0.00031234, "method.loss": "sdm"})
    'method.lr=0.000312 method.loss=sdm'
    """
    return " ".join(
        f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in params.items()
    )


def _fitting(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.state == "finished" and trial.feasible]
