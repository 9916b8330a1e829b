"""Every example in a docstring runs, and shows what really comes out."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ("methods", "datasets", "reports")
EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)


def with_examples():
    """How many examples each module has, by the name it is imported under, counted in its text."""
    found = {}
    for folder in ("harness", "docs", *PLUGINS):
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            n = len(EXAMPLE.findall(file.read_text(encoding="utf-8")))
            if n:
                found[name if folder in ("harness", "docs") else f"harness.{name}"] = n
    return found


EXAMPLES = with_examples()


def run(thing, name=None):
    """Failures, examples that ran, and the report on the failures."""
    report = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder().find(thing, name):
        runner.run(test, out=report.append)
    return runner.failures, runner.tries, "".join(report)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_a_module_hold_and_none_is_left_out(name):
    failures, tries, report = run(import_module(name))
    assert not failures, report
    assert tries == EXAMPLES[name], "an example that is no part of a docstring, or that says to skip it"


def test_examples_of_engine_and_plug_ins_are_found():
    assert {"harness.method_parts.losses", "harness.reports.sweep"} <= set(EXAMPLES)


class Wrong:
    """An example that does not hold.

    >>> 1 + 1
    3
    """


def test_an_example_that_does_not_hold_is_seen():
    failures, tries, report = run(Wrong, "Wrong")
    assert (failures, tries) == (1, 1)
    assert "Got:\n    2" in report
