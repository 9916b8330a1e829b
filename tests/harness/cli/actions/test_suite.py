"""What `harness suite` prints of plans and suites, the rows it takes from studies, and when it writes a report."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness.cli.actions import suite as suite_module
from harness.cli.actions.suite import (
    FAILED,
    execute,
    show_plan,
    show_status,
)
from harness.cli.listings.suites import show_list, show_suite
from harness.errors import UsageError
from harness.suites.plan import STATES, PlannedCell, SuitePlan
from harness.suites.suite_files import load_suite, suite_names

OPTIONS = {
    "suite": "main_results",
    "synthetic": True,
    "overrides": (),
    "datasets": (),
    "seeds": None,
    "from_studies": (),
    "shard": None,
    "runs": None,
    "storage": None,
    "data_root": None,
    "as_json": False,
    "report": None,
    "timeout": None,
    "heartbeat": 30,
    "device": "cpu",
    "workers": 1,
}
ERROR = {"type": "ValueError", "message": "no \x1b[31mmemory\nsecond line"}
CELLS = (
    PlannedCell("probe on icfg, seed 1", ("cuhk",), "done", "probe-icfg-twin-1", 12.4, 0),
    PlannedCell("probe on icfg, seed 2", (), "failed", None, None, 0, error=ERROR),
    PlannedCell("cskt on icfg, seed 1", (), "waiting", None, 30.0, 5, source="probe on icfg, seed 1"),
)


def plan_of(cells, **changes):
    counts = {state: sum(cell.state == state for cell in cells) for state in STATES}
    made = SuitePlan("main_results", True, tuple(cells), counts, 150.0, 1, 2_500_000, 3_000_000_000)
    return replace(made, **changes)


@pytest.fixture
def planned(monkeypatch):
    """Return a function that lets every plan be one of these cells; no command was called, so its options are none."""
    monkeypatch.setattr(
        suite_module, "command_on_study", lambda *words, taken: " ".join(["harness", *map(str, words)])
    )

    def be(*cells, **changes):
        monkeypatch.setattr(suite_module, "make_suite_plan", lambda *a: plan_of(cells, **changes))

    return be


def lines(text, word):
    return [line.split() for line in text.splitlines() if line.strip().startswith(word)]


def test_every_suite_is_a_line_with_its_title_and_as_json_itself(capsys):
    show_list(False)
    out = capsys.readouterr().out.splitlines()[3:]
    assert [line.split()[0] for line in out] == suite_names()
    assert len({line.index(load_suite(line.split()[0]).title) for line in out}) == 1
    show_list(True)
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == suite_names()


def test_a_suite_s_rows_and_facts_are_those_of_its_file(capsys):
    suite = load_suite("cskt_ablation")
    show_suite("cskt_ablation", True, False)
    out = capsys.readouterr().out
    facts = {line[:12].strip(): line[13:] for line in out.splitlines() if line.startswith("  ")}
    assert facts["datasets"] == ", ".join(suite.datasets)
    assert facts["published"] == ", ".join(suite.published)
    assert facts["seeds"] == str(suite.synthetic_seeds or suite.seeds)
    assert sum(len(lines(out, row.name.split(",")[0])) > 0 for row in suite.rows) == len(suite.rows)
    assert lines(out, "cskt ")[0][-1] == str(len(suite.rows[0].variations(True)))
    show_suite("cskt_ablation", False, True)
    assert json.loads(capsys.readouterr().out)["name"] == "cskt_ablation"


def test_of_twins_the_suite_shows_what_is_run_there_and_what_is_left_out(capsys):
    shown = {}
    for synthetic in (False, True):
        show_suite("tbps_clip_strength", synthetic, False)
        out = capsys.readouterr().out
        shown[synthetic] = [lines(out, word)[0][1:] for word in ("datasets", "Back translation")]
    assert [facts[0] for facts in shown.values()] == [["cuhk"], ["icfg"]]
    assert [facts[1][-1] for facts in shown.values()] == ["2", "–"]
    assert "left out on synthetic twins" in " ".join(shown[True][1])


def test_each_cell_is_a_line_with_state_run_tests_and_time(planned, capsys):
    planned(*CELLS)
    show_plan(OPTIONS)
    out = capsys.readouterr().out
    done, failed = lines(out, "probe on icfg")
    (waiting,) = lines(out, "cskt on icfg")
    assert done[5:] == ["done", "probe-icfg-twin-1", "cuhk", "12", "s"]
    assert " ".join(failed[5:9]) == "failed: ValueError: no memory"
    assert waiting[-2:] == ["~30", "s"]
    assert " ".join(waiting).count("probe on icfg, seed 1") == 1
    assert "\x1b" not in out
    assert "second line" not in out
    assert "3 cells: 1 done, 1 failed, 1 waiting" in out
    assert "retry the failed cells by: harness suite retry main_results" in out
    assert "2.5 min" in out
    assert "2.5 MB" in out
    assert "3.0 GB" in out


def test_a_plan_says_what_its_seeds_would_miss_as_tracked_results_tell(planned, capsys, experiment, fake):
    planned(*CELLS)
    for seed in (1, 2, 3):
        fake.send(experiment, *fake.record("cskt", "icfg", 50, seed=seed))
    options = {**OPTIONS, "runs": str(experiment.runs)}
    show_plan({**options, "seeds": 4})
    told = "icfg: with 4 seeds each, a difference below "
    assert told in capsys.readouterr().out
    show_plan({**options, "as_json": True})
    (line,) = json.loads(capsys.readouterr().out)["detectable"]
    assert line.startswith(f"icfg: with {load_suite('main_results').synthetic_seeds} seeds each, ")
    show_plan({**options, "synthetic": False})
    assert "would often be missed" not in capsys.readouterr().out


def test_a_store_that_does_not_answer_leaves_the_plan_as_it_is(planned, capsys, monkeypatch):
    planned(*CELLS)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    show_plan(OPTIONS)
    out = capsys.readouterr().out
    assert "3 cells: 1 done" in out
    assert "What its seeds would miss is unknown: " in out


def test_no_value_of_a_plan_is_cut_on_eighty_columns(planned, capsys, narrow):
    planned(*CELLS)
    show_status(OPTIONS)
    out = capsys.readouterr().out
    assert {"done", "probe-icfg-twin-1", "cuhk", "ValueError:"} <= set(out.split())
    assert "not shown at 80 columns: time;" in out


@pytest.mark.parametrize(("cells", "code"), [(CELLS, FAILED), (CELLS[:1], 0), ((), 0)])
def test_a_failed_cell_is_the_exit_code(planned, capsys, cells, code):
    planned(*cells)
    assert show_status(OPTIONS) == code
    assert ("suite retry" in capsys.readouterr().out) == bool(code)
    assert show_status({**OPTIONS, "as_json": True}) == code
    assert len(json.loads(capsys.readouterr().out)["cells"]) == len(cells)


def test_nothing_left_takes_nothing(planned, capsys):
    planned(CELLS[0])
    show_plan(OPTIONS)
    assert "2.5 min" not in capsys.readouterr().out


@pytest.mark.parametrize("text", ["cskt", "cskt=", "=x", "csdt=x"])
def test_a_row_is_taken_from_a_study_by_name(text):
    with pytest.raises(UsageError):
        show_plan({**OPTIONS, "from_studies": (text,)})


def test_a_study_s_best_is_written_as_the_preset_of_its_row(planned, monkeypatch, tmp_path, capsys):
    asked, expanded = [], []
    monkeypatch.setattr(suite_module, "best_preset", lambda *a: asked.append(a) or "method: {lr: 0.5}\n")
    monkeypatch.setattr(
        suite_module, "make_suite_plan", lambda part, *a: expanded.extend(part.cells) or plan_of(())
    )
    show_plan({**OPTIONS, "from_studies": ("cskt=mine",), "runs": str(tmp_path)})
    assert (tmp_path / "studies" / "mine" / "suite-preset.yaml").read_text() == "method: {lr: 0.5}\n"
    assert {call[:1] + call[3:] for call in asked} == {("mine", "cskt", True)}
    rates = {cell.config.method.lr for cell in expanded if cell.config.method.name == "cskt"}
    assert rates == {0.5}


def ran(planned, monkeypatch, cells, **options):
    """Run a suite whose cells end like this; return the exit code and the reports that were made."""
    made, asked = [], []

    def report(name, **more):
        assert "out" not in more, "each report has a folder of its own"
        made.append((name, more["suite"]))
        return SimpleNamespace(page="page.html")

    planned(*cells)
    monkeypatch.setattr(suite_module, "run_suite", lambda expansion, setup, **more: asked.append(more))
    monkeypatch.setattr(suite_module, "make_report", report)
    code = execute({**OPTIONS, "as_json": True, **options}, quiet=True, retry=True)
    assert asked[0]["retry"] is True
    return code, made


@pytest.mark.parametrize(
    ("cells", "code", "reports"),
    [(CELLS[:1], 0, 1), (CELLS[:2], FAILED, 1), (CELLS, FAILED, 0), (CELLS[1:2], FAILED, 0)],
)
def test_the_report_comes_once_all_cells_ended_and_one_is_done(
    planned, monkeypatch, capsys, cells, code, reports
):
    found, made = ran(planned, monkeypatch, cells)
    assert (found, len(made)) == (code, reports)
    assert made in ([], [("parameter_efficiency", "main_results")])
    assert (json.loads(capsys.readouterr().out)["report"] == "page.html") == bool(reports)


def test_another_report_may_be_asked_for(planned, monkeypatch, capsys):
    _, made = ran(planned, monkeypatch, CELLS[:1], report="reproduction")
    assert [name for name, _ in made] == ["reproduction"]
