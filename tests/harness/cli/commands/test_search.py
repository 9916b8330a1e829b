"""`harness search`: what its options do not take together is one message, before anything is loaded."""

import re

import pytest
from click.testing import CliRunner

from harness.cli.commands.search import search
from harness.errors import UsageError


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["x y", "--run", "a", "--run", "b"], "A second --run needs --serve"),
        (["x y", "--run", "a", "--port", "8080"], "--port needs --serve"),
        (["--serve", "--run", "a", "--json"], "leave --json out"),
        (["--serve", "--run", "a", "--relevance", "2"], "leave --relevance out"),
        (["--serve", "--run", "a", "x", "y"], "begins with one description"),
        (["--serve", *["--run", "a"] * 3], "2 side by side, but got 3"),
    ],
)
def test_what_a_page_to_search_with_does_not_take_is_one_message(words, told):
    done = CliRunner().invoke(search, words, obj={"quiet": True})
    assert isinstance(done.exception, UsageError)
    assert re.search(told, str(done.exception))
