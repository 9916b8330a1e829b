"""What a page about one run, two runs, a study, a probed run or a dataset says first."""

from math import nan
from types import SimpleNamespace as Of

from harness.reporting.verdicts.one_subject import (
    comparison_verdict,
    dataset_verdict,
    layers_verdict,
    run_opening,
    run_verdict,
    study_verdict,
)
from harness.reporting.verdicts.words import ANOTHER_SEED

SIDES = ("CSKT (A)", "linear probe (B)")


def run(rule="val", trainable=5, **more):
    return {
        "config": {"method": {"name": "cskt"}, "dataset": {"name": "icfg"}, "seed": 1},
        "synthetic": True,
        "metrics": {"test/icfg/t2i/R1": 36.94},
        "intervals": {"test/icfg/t2i/R1": (33.1, 40.8)},
        "accounting": {"parameters": {"trainable": trainable}},
        "selection": {"rule": rule},
        "versions": {"protocol": 3, "method": 2},
        "finished": "2026-11-28T10:00:00",
    } | more


def test_a_run_says_how_often_it_is_right_and_that_it_is_one_seed():
    assert run_verdict(run()) == (
        "CSKT puts the right person first for 36.9 % (95 % interval 33.1 to 40.8) of the captions of the synthetic "
        "twin of ICFG-PEDES; that is one seed, and another would differ."
    )
    assert "one seed" not in run_verdict(run(trainable=0))
    assert "flatters" in run_verdict(run("oracle"))
    assert run_verdict(run(metrics={})).startswith("Nothing can be said")
    opening = run_opening("x", run())
    assert opening["about"] == ["Run x", "ended 2026-11-28", "versions: method 2, protocol 3"]
    assert opening["verdicts"] == [run_verdict(run())]


def compared(estimate, low, high, p_holm, detectable=5.0, persons_only=False):
    found = {
        "estimate": estimate,
        "low": low,
        "high": high,
        "detectable": detectable,
        "persons_only": persons_only,
    }
    return {
        "synthetic": False,
        "tests": [{"tested_on": "icfg", "differences": {"R1": found}, "p_holm": p_holm}],
    }


def test_the_better_of_two_is_named_whichever_side_it_is_on():
    (said,) = comparison_verdict(compared(-4.0, -6.0, -2.0, 0.01), SIDES)
    assert said == (
        "Linear probe (B) is better than CSKT (A) on ICFG-PEDES, by 4.0 points of R@1 (95 % interval 2.0 to 6.0)."
    )
    (said,) = comparison_verdict(compared(4.0, 2.0, 6.0, 0.01, persons_only=True), SIDES)
    assert said.startswith("CSKT (A) is better than linear probe (B)")
    assert said.endswith(f"{ANOTHER_SEED}.")


def test_a_tie_says_what_could_have_been_missed_or_that_nothing_can_be_told():
    (said,) = comparison_verdict(compared(1.0, -2.0, 4.0, 0.4), SIDES)
    assert (
        "are not significantly different on ICFG-PEDES; R@1 differs by 1.0 points, and a difference below 5.0"
        in said
    )
    assert "same R@1 on every identity" in comparison_verdict(compared(0.0, 0, 0, 1.0, 0.0), SIDES)[0]
    for detectable in (nan, 0.0):
        assert "too few identities" in comparison_verdict(compared(1.0, nan, nan, 1.0, detectable), SIDES)[0]


def study(best=60.0, finished=3, test=None, anew=()):
    trial = None if best is None else Of(value=best)
    return Of(
        method="lora",
        dataset="icfg",
        synthetic=True,
        finished=[1] * finished,
        best=trial,
        objective="val/t2i/R1",
        test=test or {},
        anew=dict.fromkeys(anew),
    )


def test_a_search_says_whether_its_best_was_retrained():
    assert study_verdict(study()).endswith(
        "it was not retrained, and the largest of many values is biased upwards."
    )
    said = study_verdict(study(test={"test/icfg/t2i/R1": (55.0, 50.0, 60.0)}, anew="ab"))
    assert said.startswith(
        "The best of 3 finished trials for LoRA on the synthetic twin of ICFG-PEDES reached"
    )
    assert said.endswith(
        "retrained with 2 fresh seeds it has R@1 55.0 % (95 % interval 50.0 to 60.0) on test."
    )
    assert study_verdict(study(finished=0)).endswith("no trial finished.")
    assert "keeps within the limits" in study_verdict(study(best=None))


def test_a_probed_run_names_the_layer_that_it_needs_most_and_least():
    modules = [
        {"tower": tower, "layer": layer, "part": part, "drop": drop}
        for tower, layer, part, drop in (
            ("text", 1, "Whole", 8.0),
            ("image", 2, "Whole", -0.5),
            ("text", 1, "SA", 50.0),
        )
    ]
    said = layers_verdict({"dataset": "icfg", "synthetic": False, "method": "cskt", "modules": modules})
    assert said.startswith(
        "CSKT on ICFG-PEDES needs layer 1 of the text tower most, without which R@1 drops by 8.0"
    )
    assert "layer 2 of the image tower least, without which it rises by 0.5 points" in said


def profile(faults=(), usable=True, found=(1, 1, 1), n_images=5):
    counts = {"expected": {"test": [1, 1, 1]}, "found": {"test": list(found)}, "n_images": n_images}
    return Of(name="icfg", synthetic=False, usable=usable, faults=list(faults), **counts)


def test_a_dataset_says_whether_it_can_be_used_and_what_is_wrong():
    assert dataset_verdict(profile()) == "ICFG-PEDES is usable; its counts are as expected, with no warning."
    assert "test have other counts than expected" in dataset_verdict(profile(found=(2, 1, 1)))
    errors = [{"severity": "error", "what": "Images are missing."}, {"severity": "error", "what": "Worse."}]
    assert dataset_verdict(profile(errors, False)) == (
        "ICFG-PEDES is not usable; Images are missing, and 1 more error."
    )
    assert dataset_verdict(profile(errors[:1], False, n_images=0)).startswith("ICFG-PEDES cannot be read")
