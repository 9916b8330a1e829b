"""What is said of published orders and figures."""

from harness.evaluate.pair_order import Agreement
from harness.reporting.published.matches import OTHER, SAME
from harness.reporting.published.order import OPEN, OPPOSITE
from harness.reporting.verdicts.published import order_verdict, reproduction_verdict

WHERE = "ICFG-PEDES"


def pair(claim):
    return {"claim": claim, "persons_only": False}


def test_orders_are_counted_by_what_is_significant_here():
    pairs = [pair(SAME), pair(SAME), pair(OPPOSITE), pair(OPEN)]
    assert order_verdict(pairs, Agreement(0.5, -0.25, 1.0), WHERE) == (
        "Of 4 published orders of two results on ICFG-PEDES, 2 are significantly the same here and 1 is significantly "
        "the opposite; 1 is open; Kendall's tau is 0.50 (95 % interval −0.25 to 1.00)."
    )
    assert order_verdict(pairs, None, WHERE).endswith("1 is open.")
    assert order_verdict([], None, WHERE).startswith("Nothing can be said of published orders on ICFG-PEDES")


def test_a_figure_of_another_protocol_is_no_failed_reproduction_and_a_twin_has_none():
    rows = [{"R1_lies": "within", "protocol": SAME}, {"R1_lies": "above", "protocol": OTHER}]
    assert reproduction_verdict(rows, 3, False, WHERE) == (
        "Of 2 published R@1 on ICFG-PEDES, 1 is within the interval of the result here, 1 is above it, 0 are below it; "
        "1 is of another protocol, so a difference is no failed reproduction."
    )
    assert "a twin has no published counterpart" in reproduction_verdict([], 3, True, WHERE)
    assert reproduction_verdict([{"R1_lies": "", "protocol": SAME}], 3, False, WHERE).startswith(
        "Nothing can be said"
    )
