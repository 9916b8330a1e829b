"""What did a search find, what mattered, and what did it cost?

About one study of `harness sweep`, as tracked in MLflow: every trial, the configuration that was best on validation,
and what that one reached when it was retrained with fresh seeds and tested.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.studies.best_trials import (
    PRESET,
    best_table,
    configuration_table,
    reuse_table,
    worth_table,
)
from harness.analysis.studies.figures import (
    FINISHED,
    PRUNED,
    draw_expected_best,
    draw_front,
    draw_history,
    draw_importance,
    draw_parallel,
    draw_slices,
)
from harness.analysis.studies.tables import facts_table, failures_table, trials_frame
from harness.analysis.studies.tracked_study import TrackedStudy, load_study, write_study
from harness.errors import UsageError, many
from harness.files import write_text
from harness.pages.escaping import visible
from harness.reporting.verdicts.one_subject import study_verdict
from harness.reporting.verdicts.titles import study_title
from harness.reports import Contents, Gap, Report, Source, Step, Table, register

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "draw_expected_best",
    "draw_front",
    "draw_history",
    "draw_importance",
    "draw_parallel",
    "draw_slices",
    "load_study",
]
ENOUGH = 50
FOUR_OF_FIVE = (0.1, 0.9)
CHANCE = (
    "Expected best of n trials drawn at random from those of this study that keep its limits, with the band that "
    "contains four of five draws; exact, not simulated. It says what a smaller budget would have found if the trials "
    "were drawn independently, as random search does."
)
GUIDED = " This study's sampler learns from earlier trials, so here the curve only describes what it drew."
RETRAINED = "Retrained with seeds that the search did not use, validated as before, and then tested once."
NOT_RETRAINED = (
    "Not retrained with other seeds, so all that is known of it is the value that it was chosen for."
)


def expected_best(values: Sequence[float]) -> "DataFrame":
    """Return, for each n, the mean and the 10 % and 90 % quantiles of the best of n of the values, drawn at random.

    Drawn without putting back (Tang et al., "Showing Your Work Doesn't Always Work", ACL 2020): of N values, the
    best of n is at most the i-th smallest with probability C(i, n) / C(N, n).

    >>> expected_best([1.0, 2.0, 3.0])["expected"].round(2).tolist()
    [2.0, 2.67, 3.0]
    """
    from pandas import DataFrame

    ordered = np.sort(np.asarray(values, dtype=float))
    total, ranks, below = len(ordered), np.arange(1, len(ordered) + 1), np.ones(len(ordered))
    rows = []
    for n in ranks:
        below = below * np.clip(ranks - n + 1, 0, None) / (total - n + 1)
        mean = float(np.diff(below, prepend=0.0) @ ordered)
        low, high = (float(ordered[np.searchsorted(below, share - 1e-12)]) for share in FOUR_OF_FIVE)
        rows.append({"n": int(n), "expected": mean, "low": low, "high": high})
    return DataFrame(rows, columns=["n", "expected", "low", "high"])


def expected_best_frame(study: TrackedStudy) -> "DataFrame":
    """Return what n of the study's trials would have found.

    A trial that was ended early counts with its last value, but with no more than the best: it could not win.
    """
    rows = trials_frame(study)
    most = rows.loc[rows["state"] == FINISHED, study.objective].max()
    known = rows.loc[rows["state"].isin((FINISHED, PRUNED)), study.objective].dropna()
    return expected_best(known.clip(upper=most).tolist())


@register
class Sweep(Report):
    """One study: its trials, what mattered, the best configuration and what that reached on test."""

    title = "Hyper-parameter search"
    question = "What did a search find, what mattered, and what did it cost?"
    takes = ("study",)
    how_to_read = (
        "All figures are on validation unless marked as test. A search picks the largest of many noisy values, so its "
        "best value is biased upwards; with few trials the importance of keys is rough, and a key that seems not to "
        "matter may only have been searched where it does not. Pruned trials count with the last value they reached, "
        "which is below what they would have reached."
    )

    @classmethod
    def gather(cls, source: Source, data: Path) -> Contents:
        """Read the study from MLflow."""
        if source.datasets or source.suite:
            raise UsageError("The report sweep is about one study: leave out --dataset and --suite.")
        from harness.analysis.studies.read_study import read_study

        study = read_study(source.store, source.subjects[0])
        write_study(data / "study.json", study)
        if study.preset:
            write_text(data / PRESET, study.preset)
        n = len(study.finished)
        best = f", best {study.objective} {study.best.value:.2f}" if study.best else ""
        summary = f"{study.title}: {n} finished of {many(len(study.trials), 'trial')}{best}"
        about = [f"Study {study.name}", f"started {study.started[:10]}" if study.started else "start unknown"]
        said: dict[str, Any] = {
            "title": study_title(study),
            "verdicts": [study_verdict(study)],
            "about": about,
        }
        answer = [Step("", LOAD), *[Step("", WORTH)] * (study.best is not None)]
        return Contents(n, visible(summary), steps(study), tables(study), gaps(study), answer=answer, **said)


def tables(study: TrackedStudy) -> list[Table]:
    """Return the tables that the steps show."""
    made = [facts_table(study)]
    if study.best is not None:
        made += [best_table(study), configuration_table(study), reuse_table(study), worth_table(study)]
    return [*made, failures_table(study)] if _has_failed(study) else made


def steps(study: TrackedStudy) -> list[Step]:
    """Return the notebook's cells, without those for which the study holds nothing."""
    finished, best = bool(study.finished), study.best is not None
    several = len(study.objectives) > 1 and bool(study.front)
    guided = "" if study.sampler in ("random", "grid") else GUIDED
    shown = [
        (True, Step("## The search", "study")),
        (True, Step("", 'report.facts_table(study).save("tables")')),
        (bool(study.trials), Step(HISTORY, _figure("draw_history(study, trials)", "history"))),
        (several, Step(FRONT, _figure("draw_front(study, trials)", "front"))),
        (
            bool(study.importance),
            Step(_importance_words(study), _figure("draw_importance(study)", "importance")),
        ),
        (finished and not study.importance, Step(f"## What mattered\n\n{NO_IMPORTANCE}")),
        (finished, Step(SLICES, _figure("draw_slices(study, trials)", "slices"))),
        (finished, Step(PARALLEL, _figure("draw_parallel(study, trials)", "parallel"))),
        (best, Step(f"## What fewer trials would have found\n\n{CHANCE}{guided}", EXPECTED)),
        (best, Step("## The best trials", 'report.best_table(study).save("tables")')),
        (best, Step("", 'report.configuration_table(study).save("tables")')),
        (best, Step("", 'report.reuse_table(study).save("tables")')),
        (_has_failed(study), Step("## What failed", 'report.failures_table(study).save("tables")')),
    ]
    return [step for wanted, step in shown if wanted]


def gaps(study: TrackedStudy) -> list[Gap]:
    """Name what is still missing of the study."""
    look = f"harness sweep show {study.name}"
    found = []
    if study.status == "running":
        found.append(Gap(f"The study {study.name} still runs, or was killed. Its state:", (look,)))
    if not study.finished:
        found.append(Gap(f"No trial of the study {study.name} finished. What is known of it:", (look,)))
    elif study.best is None:
        found.append(
            Gap(
                f"No finished trial of {study.name} keeps within {'; '.join(study.constraints) or 'its limits'}."
            )
        )
    elif not study.test:
        found.append(Gap(f"The best configuration of {study.name} was not tested with fresh seeds."))
    return found


def _has_failed(study: TrackedStudy) -> bool:
    return any(trial.state == "failed" for trial in study.trials)


def _importance_words(study: TrackedStudy) -> str:
    rough = " Fewer than 50 finished trials: take it as a rough hint." if len(study.finished) < ENOUGH else ""
    return f"{IMPORTANCE}{rough}"


def _figure(call: str, name: str) -> str:
    return f'figure = report.{call}\nsave_figure(figure, "figures/{name}");'


WORTH = 'report.worth_table(study).save("tables")'
LOAD = 'study = report.load_study("data/study.json")\ntrials = report.trials_frame(study)'
EXPECTED = (
    "expected = report.expected_best_frame(study)\nfigure = report.draw_expected_best(study, expected)\n"
    'save_figure(figure, "figures/expected_best");'
)
HISTORY = (
    "## The trials\n\nOne mark is one trial. A hollow mark was pruned and shows the last value it reached; a cross at "
    "the bottom failed and has no value."
)
FRONT = "The Pareto front: trials that no other beats in all objectives, with their numbers."
IMPORTANCE = (
    "## What mattered\n\nThe share of each key in the variance of values over the whole space, from a random forest "
    "fitted to the finished trials (fANOVA). It says how much, not in which direction; interactions of keys are not "
    "shown."
)
NO_IMPORTANCE = (
    "No importance yet: it needs five finished trials of different values, and a sweep that has ended. Until then see "
    "the figures below."
)
SLICES = (
    "Each key against the value, the most important key first; the star is the best trial. A trend over a whole panel "
    "says more than where the star is."
)
PARALLEL = "Each line is one finished trial, from its settings on the left to its value on the right."
