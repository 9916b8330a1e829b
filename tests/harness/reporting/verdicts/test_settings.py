"""What changes of settings, transfers and few training images are said to do."""

from math import nan

from harness.reporting.verdicts.settings import settings_verdict, shares_verdict, transfer_verdict
from harness.reporting.verdicts.words import ANOTHER_SEED

WHERE = "ICFG-PEDES"


def change(name, difference, p_holm, **more):
    return (
        {"method": "cskt", "role": "", "change": name, "R1_difference": difference, "p_holm": p_holm}
        | {"persons_only": False, "alike": False}
        | more
    )


def test_what_changes_no_result_is_no_comparison():
    inert = change("Back translation", 0.0, nan, alike=True)
    assert settings_verdict([change("k=2", 4.1, 0.2), inert], WHERE) == (
        "None of 1 change of settings of CSKT on ICFG-PEDES makes a significant difference in R@1; Back translation "
        "changes the results of no identity there."
    )
    assert settings_verdict([change("k=2", 4.1, 0.01), inert, inert], WHERE).endswith(
        "; 2 others change the results of no identity there."
    )
    assert settings_verdict([inert], WHERE).endswith("of no identity there.")


def test_the_largest_change_that_is_significant_is_named():
    reference = change("", 0.0, nan, role="reference: defaults")
    rows = [reference, change("lr=1", -20.0, 0.5), change("k=2", 4.1, 0.01), change("k=3", -6.0, 0.02)]
    assert settings_verdict(rows, WHERE) == (
        "2 of 3 changes of settings of CSKT on ICFG-PEDES make a significant difference in R@1, most k=3, which lowers "
        "it by 6.0 points."
    )
    assert settings_verdict(rows[:2], WHERE).startswith("None of 1 change of settings of CSKT")
    assert settings_verdict([reference], WHERE).endswith("; one configuration each.")
    assert settings_verdict([change("k=2", 4.1, nan)], WHERE).startswith("Nothing can be said")
    assert ANOTHER_SEED in settings_verdict([change("k=2", 4.1, 0.01, persons_only=True)], WHERE)


def transfer(drop, p, test="cuhk", **more):
    return {"trained_on": "icfg", "tested_on": test, "drop": drop, "p": p, "persons_only": False} | more


def test_drops_are_counted_when_significant_after_adjusting_for_their_number():
    rows = [transfer(-20.0, 0.001), transfer(-3.0, 0.03), transfer(-9.0, 0.001), transfer(2.0, 0.9)]
    assert transfer_verdict(rows, True) == (
        "R@1 is significantly lower in 2 of 4 transfers between synthetic twins of ICFG-PEDES and CUHK-PEDES than when "
        "trained on the test set's own data, by 9.0 to 20.0 points."
    )
    assert "; it is significantly higher in 1." in transfer_verdict([transfer(5.0, 0.001)], False)
    assert transfer_verdict([], False).startswith("Nothing can be said of transfer;")
    assert transfer_verdict([transfer(nan, nan)], False).startswith(
        "Nothing can be said of what a transfer between"
    )


def line(name, share, difference, p, **more):
    row = {"line": name, "share": share, "R1": 20.0, "R1_low": 15.0, "R1_high": 25.0, "persons_only": False}
    return row | {"R1_difference": difference, "p": p} | more


def test_methods_are_compared_on_the_smallest_share_alone():
    rows = [
        line("ref", 0.05, nan, nan),
        line("a", 0.05, 4.2, 0.001),
        line("b", 0.05, -7.0, 0.001),
        line("a", 1, 9, 0),
    ]
    assert shares_verdict(rows, "ref", WHERE) == (
        "With 5 % of the training images of ICFG-PEDES, a is significantly better than ref, by 4.2 points; b is "
        "significantly worse than ref, by 7.0 points."
    )
    worse = shares_verdict([rows[2]], "ref", WHERE)
    assert worse.startswith("With 5 % of the training images of ICFG-PEDES, b is significantly worse")
    open_words = "a is not significantly different from ref."
    assert shares_verdict([line("a", 0.05, 4.2, 0.4)], "ref", WHERE).endswith(open_words)
    assert shares_verdict([rows[0]], "none", WHERE).endswith("; nothing there is compared with none.")
    assert shares_verdict([], "ref", WHERE).startswith("Nothing can be said of few training images")
