"""A run is found among tracked ones by its name, or by how that begins."""

import pytest
from pandas import DataFrame

from harness.errors import UsageError
from harness.results.run_source import Source


def source(fake, *runs):
    """Return a source of tracked runs, newest first: name, id, and the dataset they were tested on."""
    found = Source()
    found.single_runs = DataFrame(
        [fake.row("cskt", "icfg", tested_on, run=run, run_id=run_id) for run, run_id, tested_on in runs]
    )
    return found


RUNS = (
    ("cskt-icfg-12", "newest", "cuhk"),
    ("cskt-icfg-12", "newest", "icfg"),
    ("cskt-icfg-12", "older", "icfg"),
    ("cskt-icfg-1", "shorter", "icfg"),
    ("irra-icfg-5", "irra", "icfg"),
    ("irra-cuhk-7", "elsewhere", "cuhk"),
)


@pytest.mark.parametrize(
    ("name", "run_id"), [("cskt-icfg-12", "newest"), ("cskt-icfg-1", "shorter"), ("irra", "irra")]
)
def test_the_newest_of_a_name_is_found_and_a_whole_name_goes_before_a_longer_one(fake, name, run_id):
    row = source(fake, *RUNS).run_named(name)
    assert (row["run_id"], row["tested_on"]) == (run_id, "icfg")


def test_what_fits_several_or_none_is_told(fake):
    with pytest.raises(UsageError, match=r"fits several runs \('?cskt-icfg-12'?(,| and) '?cskt-icfg-1'?\)"):
        source(fake, *RUNS).run_named("cskt")
    with pytest.raises(UsageError, match="Did you mean 'irra-icfg-5'"):
        source(fake, *RUNS).run_named("irra-icgf-5")
    with pytest.raises(UsageError, match="cskt"):
        source(fake).run_named("cskt")
