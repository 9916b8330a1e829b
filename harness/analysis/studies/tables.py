"""Tabulate a study: how it searched, its trials and costs, and what failed."""

from statistics import median
from typing import TYPE_CHECKING, Any

from harness.analysis.studies.figures import BEYOND, FAILED, FINISHED, PRUNED
from harness.analysis.studies.tracked_study import TrackedStudy
from harness.pages.escaping import visible
from harness.pages.tables import DASH, Table, cut_text
from harness.record.time_left import duration
from harness.sweep.trial import Trial

if TYPE_CHECKING:
    from pandas import DataFrame

_ENDINGS = {"finished": "finished", "pruned": "pruned", "failed": "failed"}


def trials_frame(study: TrackedStudy) -> "DataFrame":
    """Return the ended trials in order: state, values, the best so far of each, costs, and a column for each key."""
    from pandas import DataFrame

    lines = [_trial_line(study, trial) for trial in study.trials]
    columns = ["number", "state", *study.objectives, "mAP", "seconds", "epochs", "planned"]
    rows = DataFrame(lines, columns=[*columns, *(axis.key for axis in study.axes)])
    rows[list(study.objectives)] = rows[list(study.objectives)].astype(float)
    for name in study.objectives:
        known = rows[name].where(rows["state"] == FINISHED)
        best = known.cummin() if name in study.minimised else known.cummax()
        rows[f"{name} best so far"] = best.ffill()
    return rows


def _trial_line(study: TrackedStudy, trial: Trial) -> dict[str, Any]:
    states = {"finished": FINISHED if trial.feasible else BEYOND, "pruned": PRUNED, "failed": FAILED}
    values = dict(zip(study.objectives, trial.values, strict=False))
    costs = {"mAP": trial.tie, "seconds": trial.seconds, "epochs": trial.epochs}
    params = {axis.key: trial.params.get(axis.key) for axis in study.axes}
    return {
        "number": trial.number,
        "state": states[trial.state],
        **values,
        **costs,
        "planned": trial.planned,
    } | params


def facts_table(study: TrackedStudy) -> Table:
    """Tabulate how the study searched, how its trials ended and what they cost."""
    from pandas import DataFrame

    facts = {**_search_facts(study), **_count_facts(study), **_cost_facts(study)}
    lines = DataFrame({"fact": list(facts), "value": list(facts.values())}, dtype=object)
    return Table("study", f"{study.title}: the search", lines, lines, _twin_note(study), n_left=2)


def _search_facts(study: TrackedStudy) -> dict[str, str]:
    limits = {"limits": "; ".join(study.constraints)} if study.constraints else {}
    return {
        "method": study.method or DASH,
        "dataset": f"{study.dataset} · {study.title.rpartition(' · ')[2]}",
        "objective": ", then ".join(study.objectives),
        **limits,
        "sampler, pruner": f"{study.sampler or DASH}, {study.pruner or DASH}",
        "keys searched": str(len(study.axes)),
        "seeds per trial": DASH if study.seeds is None else str(study.seeds),
    }


def _count_facts(study: TrackedStudy) -> dict[str, str]:
    states: list[str] = [trial.state for trial in study.trials]
    counts = [f"{states.count(state)} {word}" for state, word in _ENDINGS.items()]
    running = [f"{study.running} running"] if study.running else []
    wanted = f" of {study.wanted} asked for" if study.wanted else ""
    share = f"{states.count('pruned') / len(states):.0%} of trials" if states else DASH
    return {
        "state": study.status,
        "trials": f"{len(states)}{wanted}: {', '.join([*counts, *running])}",
        "pruned": f"{share}{_saved(study)}",
    }


def _saved(study: TrackedStudy) -> str:
    planned = sum(trial.planned for trial in study.trials)
    saved = sum(trial.planned - trial.epochs for trial in study.trials if trial.state == "pruned")
    return f", which saved {saved:,} of {planned:,} epochs ({saved / planned:.1%})" if planned else ""


def _cost_facts(study: TrackedStudy) -> dict[str, str]:
    took = [trial.seconds for trial in study.trials if trial.seconds > 0]
    middle = f", median {duration(median(took))}" if took else ""
    values = [trial.value for trial in study.finished if trial.value is not None]
    spread = f"{min(values):.1f} to {max(values):.1f}, median {median(values):.1f}" if values else DASH
    return {
        "trial time": f"{duration(sum(took))}{middle}" if took else DASH,
        "started, ended": f"{study.started or DASH}, {study.ended or 'not yet'}",
        f"{study.objective} of finished trials": spread,
    }


def _twin_note(study: TrackedStudy) -> tuple[str, ...]:
    note = "SYNTHETIC TWIN: what is best on rendered people and a tiny backbone may not be best on real data."
    return (note,) if study.synthetic else ()


def failures_table(study: TrackedStudy) -> Table:
    """Tabulate the failed trials, those of one error together, with its first line."""
    from pandas import DataFrame

    groups: dict[str, list[str]] = {}
    for trial in study.trials:
        if trial.state == "failed":
            groups.setdefault(_first_line(trial.error or {}), []).append(str(trial.number))
    lines = [
        {"trials": ", ".join(numbers), "n": len(numbers), "error": text} for text, numbers in groups.items()
    ]
    values = DataFrame(lines, columns=["trials", "n", "error"])
    cells = values.assign(trials=values["trials"].map(visible), n=values["n"].astype(str))
    note = "The traceback is in the record of each trial's run in MLflow."
    return Table(
        "failures",
        f"{study.title}: failed trials",
        values,
        cells[["trials", "n", "error"]],
        (note,),
        n_left=3,
    )


def _first_line(error: dict[str, str]) -> str:
    message = str(error.get("message", "")).strip().splitlines()
    parts = [str(error.get("type", "")), message[0] if message else ""]
    return cut_text(": ".join(part for part in parts if part) or "unknown error", 160)
