"""What begins the page of a report of many results."""

import pytest

from harness.reporting.panel_report import _numbered


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["a"], ["a"]),
        (["a", ""], ["Protocol 1: a"]),
        ([*"abcd"], [f"Protocol {number}: {text}" for number, text in enumerate("abcd", start=1)]),
        (
            [*"abcde"],
            [
                *(f"Protocol {n}: {text}" for n, text in enumerate("abcd", start=1)),
                "1 more protocol is below.",
            ],
        ),
        (
            [*"abcdef"],
            [
                *(f"Protocol {n}: {text}" for n, text in enumerate("abcd", start=1)),
                "2 more protocols are below.",
            ],
        ),
    ],
)
def test_verdicts_bear_their_protocol_and_the_first_few_are_shown(verdicts, said):
    assert _numbered(verdicts) == said
