"""What a page about one thing says: a run, two runs, a study, a probed run, a dataset."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import many
from harness.metric_names import METRIC_NAMES
from harness.reporting.display_names import data_name, method_name
from harness.reporting.verdicts.titles import run_title
from harness.reporting.verdicts.words import sentence, share_words, span

_ORACLE = "oracle"
Run = Mapping[str, Any]


def run_verdict(run: Run) -> str:
    """Say how often the run ranks the right person first, and how much that is worth.

    Args:
        run: a run's record.
    """
    name, dataset = run["config"]["method"]["name"], run["config"]["dataset"]["name"]
    where, key = data_name(dataset, run["synthetic"]), f"test/{dataset}/t2i/R1"
    if key not in run["metrics"]:
        return sentence(
            [f"nothing can be said of {method_name(name)} on {where}", "its test is not recorded"]
        )
    trained = run["accounting"].get("parameters", {}).get("trainable", 1)
    reached = share_words(run["metrics"][key], *run["intervals"].get(key, (None, None)))
    parts = [
        f"{method_name(name)} puts the right person first for {reached} of the captions of {where}",
        "its epoch was chosen on the test split itself, which flatters it"
        if run["selection"].get("rule") == _ORACLE
        else "",
        "that is one seed, and another would differ" if trained else "",
    ]
    return sentence(parts)


def run_opening(name: str, run: Run) -> dict[str, Any]:
    """Return what a run's page opens with: title, verdict, its name, when it ended and what versions made it."""
    versions = ", ".join(f"{part} {number}" for part, number in sorted(run["versions"].items()))
    about = [f"Run {name}", f"ended {str(run.get('finished') or 'unknown')[:10]}", f"versions: {versions}"]
    return {"title": run_title(run), "verdicts": [run_verdict(run)], "about": about}


def comparison_verdict(found: Run, sides: Sequence[str], level: float = 0.05) -> list[str]:
    """Say of each test set which of two results is better, and what could have been missed.

    Args:
        found: as `harness.results.compare.Comparison.as_dict` gives it.
        sides: what the two results are called.
        level: of significance.
    """
    return [_test_verdict(test, sides, bool(found["synthetic"]), level) for test in found["tests"]]


def _test_verdict(test: Run, sides: Sequence[str], synthetic: bool, level: float) -> str:
    where, found = data_name(test["tested_on"], synthetic), test["differences"]["R1"]
    low, high = sorted((found["low"], found["high"]))
    if test["p_holm"] < level:
        better, worse = sides if found["estimate"] > 0 else sides[::-1]
        ends = sorted((abs(low), abs(high)))
        size = f"{abs(found['estimate']):.1f} points of R@1 (95 % interval {ends[0]:.1f} to {ends[1]:.1f})"
        return sentence([f"{better} is better than {worse} on {where}, by {size}"], found["persons_only"])
    open_words = f"{sides[0]} and {sides[1]} are not significantly different on {where}"
    detectable = found["detectable"]
    missed = f"a difference below {detectable:.1f} points would often be missed" if detectable > 0 else ""
    if detectable != detectable or (detectable == 0 and found["estimate"]):
        missed = "there are too few identities to tell"
    if detectable == 0 and not found["estimate"]:
        return sentence([f"{sides[0]} and {sides[1]} have the same R@1 on every identity of {where}"])
    size = f"R@1 differs by {span([found['estimate']])}"
    return sentence([open_words, f"{size}, and {missed}" if missed else size], found["persons_only"])


def study_verdict(study: Any) -> str:
    """Say what a search found, and what is known of it beside the value that it was chosen for.

    Args:
        study: as `harness.analysis.studies.tracked_study.TrackedStudy`.
    """
    where = data_name(study.dataset, study.synthetic)
    searched = f"{many(len(study.finished), 'finished trial')} for {method_name(study.method)} on {where}"
    if not study.finished:
        return sentence(
            [f"nothing can be said yet of {method_name(study.method)} on {where}", "no trial finished"]
        )
    best = study.best
    if best is None or best.value is None:
        return sentence([f"none of {searched} keeps within the limits"])
    claim = f"the best of {searched} reached {_value_words(study.objective, best.value)}"
    own = f"test/{study.dataset}/t2i/R1"
    retrained = study.test.get(own) or next(
        (found for key, found in study.test.items() if key.endswith("t2i/R1")), None
    )
    if retrained is None:
        return sentence([claim, "it was not retrained, and the largest of many values is biased upwards"])
    seeds = many(len(study.anew), "fresh seed") if study.anew else "fresh seeds"
    return sentence([claim, f"retrained with {seeds} it has R@1 {share_words(*retrained)} on test"])


def _value_words(objective: str, value: float) -> str:
    """Return a value of an objective in words.

    >>> _value_words("val/t2i/R1", 46.62), _value_words("trainable", 8192.0)
    ('R@1 46.6 % on validation', 'trainable 8192.0')
    """
    split, _, name = objective.rpartition("/t2i/")
    if split == "val" and name in METRIC_NAMES:
        return f"{METRIC_NAMES[name]} {value:.1f} % on validation"
    return f"{objective} {value:.1f}"


def layers_verdict(found: Run) -> str:
    """Say which whole layers a run needs most and least.

    Args:
        found: what a compression probe found of it: `modules`, each with its `tower`, `layer`, `part` and `drop`.
    """
    where = data_name(found["dataset"], found["synthetic"])
    whole = [row for row in found["modules"] if row["part"] == "Whole"]
    if not whole:
        return sentence([f"nothing can be said of the layers of {method_name(found['method'])} on {where}"])
    least, most = (pick(whole, key=lambda row: row["drop"]) for pick in (min, max))
    parts = [
        f"{method_name(found['method'])} on {where} needs {_layer(most)} most, without which R@1 "
        f"{_changes(most['drop'])}",
        f"{_layer(least)} least, without which it {_changes(least['drop'])}",
        "one run without intervals",
    ]
    return sentence(parts)


def _layer(row: Run) -> str:
    return f"layer {row['layer']} of the {row['tower']} tower"


def _changes(drop: float) -> str:
    return f"{'drops' if drop >= 0 else 'rises'} by {span([drop])}"


def dataset_verdict(profile: Any) -> str:
    """Say whether a dataset can be used, and what is wrong with it.

    Args:
        profile: as `harness.analysis.dataset_profile.Profile`.
    """
    name = data_name(profile.name, profile.synthetic)
    errors = [fault for fault in profile.faults if fault["severity"] == "error"]
    warnings = [fault for fault in profile.faults if fault["severity"] == "warning"]
    if not profile.n_images:
        return sentence([f"{name} cannot be read", _what(errors)])
    differing = [split for split, counts in profile.found.items() if counts != profile.expected.get(split)]
    told = (
        f"{' and '.join(differing)} have other counts than expected"
        if differing
        else "its counts are as expected"
    )
    counts = told if profile.expected else "no counts are published"
    faults = many(len(warnings), "warning") if warnings else "no warning"
    if not profile.usable:
        return sentence([f"{name} is not usable", _what(errors)])
    return sentence([f"{name} is usable", f"{counts}, with {faults}"])


def _what(errors: Sequence[Run]) -> str:
    more = f", and {many(len(errors) - 1, 'more error')}" if len(errors) > 1 else ""
    return f"{errors[0]['what'].rstrip('.')}{more}" if errors else ""
