"""The contract of reports: what one must say of itself, the registry that finds it, and what it returns."""

import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
from pandas import DataFrame

from harness.errors import UsageError
from harness.reports import _STANDARDS, REPORTS, Contents, Gap, Report, Source, Step, Table


def test_every_shipped_report_says_what_it_answers_and_builds_contents():
    assert {"leaderboard", "run", "sweep"} <= set(REPORTS.names())
    for name in REPORTS.names():
        report = REPORTS.get(name)
        assert issubclass(report, Report)
        assert (report.name, report.__module__) == (name, f"harness.reports.{name}")
        assert report.title
        assert report.question.endswith("?")
        assert all(isinstance(word, str) for word in report.takes)


def test_an_unknown_report_gets_the_nearest_name():
    with pytest.raises(UsageError, match="Did you mean 'leaderboard'"):
        REPORTS.get("leaderbord")


def test_a_report_that_gathers_nothing_cannot_be_made():
    class Half(Report):
        """One without `gather`."""

    with pytest.raises(TypeError, match="gather"):
        Half()
    assert (Half.takes, Half.how_to_read, Half.standards) == ((), "", _STANDARDS)


def test_contents_begin_empty_and_share_nothing():
    one, other = Contents(0, "none"), Contents(1, "one")
    one.steps.append(Step("words"))
    one.gaps.append(Gap("nothing ran"))
    assert (other.steps, other.tables, other.gaps) == ([], [], [])
    assert (one.steps[0].code, one.gaps[0].commands) == ("", ())


def test_steps_and_gaps_are_values():
    assert Gap("a", ("b",)) == Gap("a", ("b",))
    for value in (Step("a"), Gap("a")):
        with pytest.raises(FrozenInstanceError):
            value.words = "b"


def test_what_a_report_of_one_s_own_gathers_is_kept_for_machines(tmp_path):
    class Mine(Report):
        """Of one's own."""

        name, title, question = "mine", "Mine", "Mine?"

        @classmethod
        def gather(cls, source: Source, data) -> Contents:
            frame = DataFrame({"a": [1]})
            return Contents(1, "one", tables=[Table("t", "T", frame, frame.astype(str))])

    found = Mine.gather(Source(), tmp_path)
    assert found.tables[0].as_dict()["rows"] == [{"a": 1}]


@pytest.mark.slow
def test_no_report_imports_a_model_library():
    code = (
        "import sys\nfrom harness.reports import REPORTS\n"
        "[REPORTS.get(name) for name in REPORTS.names()]\nsys.exit('open_clip' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
