"""A suite that the test module writes as `table`, expanded on twins."""

import pytest

from harness.suites.cells import expand
from harness.suites.suite_files import load_suite


@pytest.fixture
def expansion(table):
    return expand(load_suite(str(table)), synthetic=True)


@pytest.fixture
def cells(expansion):
    return expansion.cells
