"""What holds for every registered method, a new one included: the checks of `harness methods test`."""

from functools import cache

import pytest

from harness.conformance.bench import Bench
from harness.conformance.suite import CHECKS, run_checks
from harness.method_parts.frozen import TOWERS
from harness.methods import METHODS

# What says nothing of a method that trains nothing.
ABOUT_TRAINING = {"searched", "losses", "gradients", "groups", "frozen", "descent", "order", "saved"}


@cache
def results(name):
    """All results of a method, which its tests share."""
    return {result.check: result for result in run_checks(Bench(METHODS.get(name)))}


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
@pytest.mark.parametrize("name", METHODS.names())
def test_a_method_keeps_what_every_method_must(name, check):
    result = results(name)[check]
    assert result.state in ("passed", "does not apply"), f"{result.found or result.why}; {result.fix}"


@pytest.mark.parametrize("name", METHODS.names())
def test_no_check_is_left_out_but_what_is_about_training_or_cached_embeddings(name):
    method = METHODS.get(name)
    without = set() if method.trained else set(ABOUT_TRAINING)
    parts = [Bench(method).make().frozen_part(tower) for tower in TOWERS]
    without |= set() if any(parts) else {"kept parts"}
    assert {check for check, result in results(name).items() if result.state == "does not apply"} == without
