import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from pandas import DataFrame

from harness.cli.main import cli
from harness.errors import UsageError
from harness.files import write_json
from harness.reporting import make as make_module
from harness.reporting.make import _own_folder, make_report, notebook_cells
from harness.reporting.missing import gaps_table, load_gaps, placed, unfinished_gaps, write_gaps
from harness.reporting.panel_report import PanelReport
from harness.reporting.verdicts.words import NOTHING
from harness.reports import REPORTS, Contents, Gap, Report, Step
from harness.results.panels import Panel
from harness.results.run_source import _narrowed
from harness.track.mlflow_store import Store

NAMES = REPORTS.names()
PANELS = [name for name in NAMES if issubclass(REPORTS.get(name), PanelReport)]
SCRIPT = "<script>alert(1)<"


def name_of(store):
    return store.client.get_experiment(store.experiment_id).name


@pytest.mark.slow
@pytest.mark.parametrize("name", PANELS)
def test_a_report_is_whole_from_the_command_line(name, experiment, fake, tmp_path):
    fake.fill_whole(experiment)
    for seed, r1 in ((1, 20), (2, 22)) if shares(name) else ():
        fake.send(experiment, *fake.record("cskt", "icfg", r1, seed=seed, **shares(name)))
    out, runs = tmp_path / "out", str(experiment.runs)
    command = [
        "report",
        name,
        "--out",
        str(out),
        "--runs",
        runs,
        "--experiment",
        name_of(experiment),
        "--json",
    ]
    done = CliRunner().invoke(cli, command, catch_exceptions=False, standalone_mode=False)
    made = json.loads(done.stdout)
    endings = {re.sub(r"\d+", "", file.suffix) for file in out.rglob("*.*")}
    assert endings == {".ipynb", ".html", ".json", ".npz", ".csv", ".md", ".tex", ".png", ".svg"}
    # The made-up experiment does not hold what few images are compared with, nor two results of one paper.
    missing = {
        "few_shot": "which differences are taken to",
        "published_order": "no two results that one paper",
    }
    assert all(missing[name] in str(gap) for gap in made["missing"])
    assert bool(made["missing"]) == (name in missing)
    page = (out / f"{name}.html").read_text()
    assert page.count("data:image/png;base64,") >= 1
    assert not re.search(r"(src|href)=[\"']?(https?:)?//|<script|@import", page)
    assert "SYNTHETIC TWIN" in page
    run = Store(experiment.runs, name_of(experiment)).finished_runs("report")[0]
    kept = {artifact.path for artifact in experiment.client.list_artifacts(run.id)}
    assert {f"{name}.html", f"{name}.ipynb", "tables", "figures", "data"} <= kept


@pytest.mark.parametrize(
    "name", [name if name == "leaderboard" else pytest.param(name, marks=pytest.mark.slow) for name in PANELS]
)
def test_each_report_writes_its_tables_and_figures(name, experiment, fake, tmp_path, no_kernel):
    fake.send(experiment, *fake.record("cskt", "icfg", 47, **shares(name)), [("cuhk", 20)])
    fake.send(experiment, *fake.record("full", "icfg", 47, synthetic=False, **shares(name)))
    made = make_report(name, out=tmp_path, runs=str(experiment.runs), experiment=name_of(experiment))
    assert made.summary.endswith("in 2 protocols")
    assert [verdict[:12] for verdict in made.verdicts] == ["Protocol 1: ", "Protocol 2: "]
    page = (tmp_path / f"{name}.html").read_text()
    assert page.index("Protocol 1: ") < page.index("This page was made on") < page.index("<h2")
    assert len(made.tables) == len(list((tmp_path / "tables").glob("*.csv"))) >= 2
    assert len(list((tmp_path / "figures").glob("*.svg"))) >= 2
    assert json.loads((tmp_path / "report.json").read_text())["tables"] == json.loads(json.dumps(made.tables))


def shares(name):
    """What a run must be for a report to take it: some take those that saw a share of the images, or moved captions."""
    return {"few_shot": {"dataset__few_shot": 0.05}, "protocols": {"dataset__noise": 0.2}}.get(name, {})


@pytest.mark.slow
@pytest.mark.parametrize("name", PANELS)
def test_hostile_names_stay_text_everywhere(name, experiment, fake, tmp_path, no_kernel):
    method = f"{SCRIPT} =1+1 \\input{{x}} $\\frac$ | `"
    tags = {"harness.budget": "=cmd|x"}
    made, arrays = fake.record(method, "icfg", 47, backbone__name=SCRIPT, tags=tags, **shares(name))
    fake.send(experiment, made, arrays)
    report = make_report(name, out=tmp_path, runs=str(experiment.runs), experiment=name_of(experiment))
    assert report.n_results == 1
    for file in (
        *tmp_path.glob("*.ipynb"),
        *tmp_path.glob("*.html"),
        *tmp_path.glob("*/*.md"),
        *tmp_path.glob("*/*.svg"),
    ):
        assert "<script" not in file.read_text(), file
    for file in tmp_path.glob("tables/*.csv"):
        assert not re.search(r"(^|,)\"?=", file.read_text(), re.MULTILINE)
    for file in tmp_path.glob("tables/*.tex"):
        assert r"\input" not in file.read_text()
    panels = REPORTS.get(name).panels(tmp_path / "data")
    shown = "".join(t._repr_html_() for panel in panels for t in (panel, *REPORTS.get(name).tables(panel)))
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


@pytest.mark.parametrize("name", PANELS)
def test_an_empty_experiment_gives_a_page_with_the_commands_and_a_message(
    name, experiment, tmp_path, no_kernel
):
    command = [
        "report",
        name,
        "--out",
        str(tmp_path),
        "--runs",
        str(experiment.runs),
        "--experiment",
        name_of(experiment),
    ]
    done = CliRunner().invoke(cli, command, catch_exceptions=False, standalone_mode=False)
    assert done.return_value == 2
    assert "nothing to report yet" in done.stderr
    suites = {"few_shot": "few_shot", "protocols": "gallery_resolution"}
    command = f"suite run {suites[name]}" if name in suites else "run --method zero_shot"
    assert f"MLFLOW_EXPERIMENT_NAME='{name_of(experiment)}' harness {command}" in done.stdout
    page = (tmp_path / f"{name}.html").read_text()
    assert "nothing to show yet" in page
    assert NOTHING in page
    assert experiment.finished_runs("report") == []


def test_a_half_finished_experiment_names_what_is_missing_and_succeeds(experiment, fake, tmp_path, no_kernel):
    fake.send(experiment, *fake.record("cskt", "icfg", 47))
    broken = fake.send(experiment, *fake.record("cskt", "icfg", seed=2, status="interrupted"))
    command = ["report", "cross_dataset", "--out", str(tmp_path), "--runs", str(experiment.runs)]
    done = CliRunner().invoke(cli, command, catch_exceptions=False, standalone_mode=False)
    assert done.return_value == 0
    assert f"harness runs resume {broken.name} --runs {experiment.runs}" in done.stdout
    assert "the floor of the comparison" in done.stdout


def test_no_store_at_all_is_an_empty_experiment_and_none_is_made(tmp_path, no_kernel):
    made = make_report("cross_dataset", out=tmp_path / "out", runs=str(tmp_path / "none"))
    assert made.n_results == 0
    assert made.page.is_file()
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_what_an_earlier_report_left_is_replaced_and_other_files_are_kept(
    experiment, fake, tmp_path, no_kernel
):
    fake.send(experiment, *fake.record("cskt", "icfg", 47))
    settings = {"out": tmp_path, "runs": str(experiment.runs), "experiment": name_of(experiment)}
    first = make_report("parameter_efficiency", **settings)
    (tmp_path / "tables" / "mine.csv").write_text("x")
    manifest = json.loads((tmp_path / "report.json").read_text())
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("x")
    (tmp_path / "report.json").write_text(json.dumps({"files": [*manifest["files"], "../outside.txt"]}))
    (tmp_path / "tables" / "stale.csv").write_text("x")
    second = make_report("cross_dataset", **settings)
    assert not set(first.files) & set(second.files) - {
        "data/runs.json",
        "data/results.json",
        "data/persons.npz",
        "data/missing.json",
    }
    assert (tmp_path / "tables" / "mine.csv").is_file()
    assert outside.is_file()


@pytest.mark.slow
def test_a_wrong_name_leaves_the_report_that_was_made_before(experiment, fake, tmp_path, no_kernel):
    fake.fill_whole(experiment)
    call = {"out": tmp_path, "runs": str(experiment.runs), "experiment": name_of(experiment)}
    make_report("leaderboard", **call)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="Unknown dataset"):
        make_report("leaderboard", datasets=["icgf"], **call)
    with pytest.raises(UsageError, match="Unknown run"):
        make_report("run", subjects=["nobody"], **call)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_place_that_cannot_be_written_to_is_one_message(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below", "/proc/none", "x" * 300):
        with pytest.raises(UsageError, match=r"cannot be written to .*give another --out"):
            make_report("leaderboard", out=place, runs=str(tmp_path / "none"))


def test_datasets_narrow_training_and_test_sets_but_not_an_untrained_methods_origin(fake):
    rows = [
        fake.row(),
        fake.row(tested_on="cuhk"),
        fake.row(trained_on="cuhk"),
        fake.row("z", "icfg", "cuhk", rule="untrained"),
    ]
    chosen = _narrowed(DataFrame(rows), ["cuhk"])
    assert chosen["method"].tolist() == ["cskt", "z"]
    with pytest.raises(UsageError, match="Did you mean 'icfg'"):
        _narrowed(DataFrame(rows), ["icgf"])


def test_an_unknown_report_gets_the_nearest_match(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'cross_dataset'"):
        make_report("cross-datasett", out=tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_each_report_is_documented_and_puts_no_value_into_its_cells(name, fake):
    report = REPORTS.get(name)
    assert issubclass(report, Report)
    assert report.title
    assert report.question.endswith("?")
    is_panels = issubclass(report, PanelReport)
    panels = [Panel(number, {}, [fake.row()]) for number in (1, 2)]
    steps = report._tour(panels) if is_panels else [Step("words", "code")]
    contents = Contents(2, "", [*steps, *report.paper_steps()], answer=report._answer() if is_panels else [])
    cells = notebook_cells(report, contents, gaps=True)
    if is_panels:
        sources = [cell["source"] for cell in cells]
        assert sources.count("panel = panels[1]\npanel") == 1
        assert [sources.count(step.code) for step in report.steps] == [2] * len(report.steps)
        assert sources.index(report.steps[0].code) < sources.index("panel = panels[0]\npanel")
    assert max(len(cell["source"].splitlines()) for cell in cells if cell["cell_type"] == "code") <= 10


def test_without_a_name_the_reports_are_listed_with_what_they_take(capsys):
    done = CliRunner().invoke(cli, ["report"], catch_exceptions=False, standalone_mode=False)
    assert done.return_value == 0
    assert all(name in done.stdout for name in NAMES)
    listed = json.loads(CliRunner().invoke(cli, ["report", "--json"], standalone_mode=False).stdout)
    assert {"report": "compare", "takes": ["run", "run"]}.items() <= listed[NAMES.index("compare")].items()


def test_the_pages_of_tables_do_not_wait_for_pytorch():
    names = [*PANELS, "sweep", "compare"]
    code = (
        f"import sys, importlib; [importlib.import_module(f'harness.reports.{{name}}') for name in {names}]"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False"]


def test_gaps_survive_their_file_and_point_to_the_chosen_place(tmp_path):
    (gap,) = placed([Gap("x", ("harness run",))], "my runs", "my exp")
    assert gap.commands == ("MLFLOW_EXPERIMENT_NAME='my exp' harness run --runs 'my runs'",)
    write_gaps(tmp_path / "gaps.json", [gap])
    assert load_gaps(tmp_path / "gaps.json") == [gap]
    table = gaps_table([Gap("two", ("a", "b")), Gap("none")])
    assert table.cells.to_numpy().tolist() == [["two", "a"], ["", "b"], ["none", ""]]


def test_only_runs_that_can_go_on_get_a_resume_command():
    rows = [{"run": "a b", "status": "interrupted"}, {"run": "c", "status": "running"}]
    first, second, third = unfinished_gaps(DataFrame([*rows, {"run": "d", "status": "finished"}]))
    assert first.commands == ("harness runs resume 'a b'",)
    assert second.commands == ()
    assert third == Gap(
        "The run d is finished, but did not arrive whole in MLflow, and is not counted.",
        ("harness runs sync",),
    )


@pytest.mark.slow
def test_reports_on_different_things_never_share_a_folder_and_the_same_takes_its_own_again(
    monkeypatch, tmp_path, experiment, fake
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(make_module, "_write_notebook", lambda *given: None)
    fake.fill_whole(experiment)
    given = {"runs": str(experiment.runs), "experiment": name_of(experiment)}
    first = make_report("leaderboard", **given)
    assert first.folder.parent.name == "reports-out"
    others = [
        make_report("leaderboard", **given, datasets=["icfg"]),
        make_report("leaderboard", **given | {"runs": str(tmp_path / "elsewhere"), "experiment": None}),
        make_report("parameter_efficiency", **given),
    ]
    assert len({made.folder.resolve() for made in [first, *others]}) == 4
    assert make_report("leaderboard", **given).folder == first.folder
    assert {path.parent.name for path in tmp_path.glob("reports-out/*")} == {"reports-out"}


def test_a_folder_is_named_by_its_subject_whatever_that_is_called(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    about = {"suite": None, "datasets": [], "experiment": None, "runs": "/a"}
    assert _own_folder("run", about | {"subjects": ["a-1"]}) == Path("reports-out/run-a-1")
    for hostile in ("../../etc", "/etc/passwd", "a/b", "x" * 999, "\x1b[31m\n"):
        folder = _own_folder("run", about | {"subjects": [hostile]})
        assert folder.parent == Path("reports-out")
        assert len(folder.name) < 200
        assert ".." not in folder.name
    for number, runs in enumerate("abc", start=1):
        here = about | {"subjects": ["a-1"], "runs": f"/{runs}"}
        folder = _own_folder("run", here)
        assert folder.name == ("run-a-1" if number == 1 else f"run-a-1-{number}")
        write_json(folder / "report.json", {"about": here})
        assert _own_folder("run", here) == folder


def test_queries_are_named_only_to_a_report_that_looks_at_some(tmp_path):
    with pytest.raises(UsageError, match="leaderboard looks at no single queries: leave --query out"):
        make_report("leaderboard", queries=(1,), out=tmp_path)
