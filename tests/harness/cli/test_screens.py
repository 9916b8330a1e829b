"""Every table of every command, on one small made world: whole at each width, or its missing columns are named."""

import ast
import io
import json
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path

import click
import pytest
from rich.cells import cell_len

from harness.bundle import export_runs
from harness.cli import layout
from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.record import BOOTSTRAP, QUERIES, RunFolder

CLI = Path(layout.__file__).parent
WIDTHS = (60, 80, 100, 140)
MAIN = {"R@1 [95 %]", "R1", "A − B [95 %]", "mean [95 %]", "val/t2i/R1", "best"}
COPIED = (
    "next: ",
    "more: ",
    "page: ",
    "preset: ",
    "reuse: ",
    "Use it with: ",
    "folder ",
    "identity ",
    "MLflow ",
)
SUITE = "title: A table\ndatasets: [icfg]\nseeds: 2\nevaluate: others\nrows: [{method: linear_probe}, {method: cskt}]\n"
IN_SLURM = [{"job": "7_0", "state": "RUNNING", "time": "1:02", "limit": "20:00", "where": "node-1"}]
ICFG = ("-d", "icfg", "--synthetic")
EXPECTED = """\
results:
  - name: all of CLIP, trained on the synthetic twin of ICFG-PEDES
    run: full_finetune-icfg
    expect: {t2i/R1: {between: [0, 100]}, i2t/mAP: {between: [0, 100]}}
"""
COMMANDS = {
    "run of several methods": ("run", "-m", "zero_shot", "-m", "linear_probe", *ICFG, "QUICK"),
    "run of one method": ("run", "-m", "full_finetune", *ICFG, "QUICK"),
    "run of several seeds": ("run", "-m", "linear_probe", *ICFG, "--seeds", "2", "QUICK"),
    "sweep": (
        "sweep",
        "-m",
        "linear_probe",
        *ICFG,
        "-n",
        "2",
        "--test-seeds",
        "2",
        "--study",
        "mine",
        "QUICK",
    ),
    "sweep list": ("sweep", "list"),
    "sweep show": ("sweep", "show", "mine"),
    "evaluate": ("evaluate", "full_finetune-icfg", "-d", "cuhk"),
    "runs list": ("runs", "list"),
    "runs show": ("runs", "show", "full_finetune-icfg"),
    "runs verify": ("runs", "verify", "OUT/mine.zip"),
    "runs reread": ("runs", "reread"),
    "check": ("check", "OUT/expected.yaml"),
    "compare": ("compare", "zero_shot-icfg-twin", "full_finetune-icfg-twin"),
    "plan-seeds": ("plan-seeds", "--dataset", "icfg"),
    "probe": ("probe", "compression", "full_finetune-icfg", "--split", "test"),
    "search": ("search", "a man in a red coat", "--run", "zero_shot-icfg", "--out", "OUT/found.html"),
    "suite list": ("suite", "list"),
    "suite show": ("suite", "show", "tbps_clip_tricks"),
    "suite plan": ("suite", "plan", "OUT/mine.yaml", "--synthetic"),
    "suite status": ("suite", "status", "OUT/mine.yaml", "--synthetic"),
    "report": ("report",),
    "doctor": ("doctor",),
    "data list": ("data", "list"),
    "data info": ("data", "info", "icfg"),
    "data verify": ("data", "verify", "icfg", "--synthetic", "--images", "exist"),
    "data make": ("data", "make", "icfg", "--identities", "6", "--data-root", "OUT/data"),
    "methods list": ("methods", "list"),
    "methods test": ("methods", "test", "zero_shot", "--backbone", "tiny-1x32-1x32"),
    "methods table": ("methods", "table", "--backbone", "tiny-2x64-2x64", "--image-size", "48x16"),
    "pretrain": (
        "pretrain",
        "--steps=1",
        "--batch-size=2",
        "--held-out=2",
        "--model=tiny-1x32-1x32",
        "--out=OUT/tiny",
    ),
    "methods info": ("methods", "info", "tbps_clip", "--backbone", "tiny", "--image-size", "96x32"),
    # The last: another seed makes the beginnings of names ambiguous.
    "run of several methods and seeds": (
        *("run", "-m", "full_finetune", "-m", "linear_probe", *ICFG, "--seeds", "2", "QUICK"),
    ),
}


@pytest.fixture(scope="module")
def screens(world, twins, tmp_path_factory):
    """Return what each command prints at 80 columns, and the tables that it drew: where from, and of what."""
    out = tmp_path_factory.mktemp("out")
    (out / "mine.yaml").write_text(SUITE)
    (out / "expected.yaml").write_text(EXPECTED)
    settings = [*world.without_epochs(), "train.epochs=1"]
    quick = [part for text in settings for part in ("--set", text)]
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"DATA": twins, "RUNS": out / "runs", "CACHE": out / "cache"}.items():
            patch.setenv(f"HARNESS_{name}", str(value))
        patch.setenv("COLUMNS", "80")
        patch.chdir(out)
        patch.setattr("harness.cli.actions.suite.jobs_of", lambda *asked: IN_SLURM)
        drawn = _recorded(patch)
        for name, words in COMMANDS.items():
            drawn.clear()
            if name == "runs verify":
                export_runs(["full_finetune-icfg", "zero_shot-icfg"], out / "mine.zip", out / "runs")
            if name == "runs reread":
                _make_old(out / "runs")
            arguments = [word.replace("OUT", str(out)) for word in words if word != "QUICK"]
            patch.setattr("sys.argv", ["harness", "-q", *arguments, *(quick if "QUICK" in words else ())])
            with redirect_stdout(io.StringIO()) as printed:
                code = run_safely(cli, debug=True)
            assert code == 0 or name == "doctor", name
            found[name] = ([click.unstyle(line) for line in printed.getvalue().splitlines()], list(drawn))
    return found


def _make_old(runs):
    """Let one run's intervals be by the earlier method, and another's be such and its per-query results gone."""
    folders = [RunFolder(next(runs.glob(f"{name}-icfg-*"))) for name in ("full_finetune", "zero_shot")]
    for folder in folders:
        folder.write(folder.read().model_copy(update={"interval_method": BOOTSTRAP}))
    queries = folders[1].file(QUERIES)
    queries.rename(queries.with_suffix(".gone"))


def _recorded(patch):
    """Let the renderer note each table: the function that asked for it, and what it was given."""
    draw, drawn = layout._table, []

    def recording(*given):
        asked = sys._getframe(2).f_code
        drawn.append(((Path(asked.co_filename).stem, asked.co_name), given))
        return draw(*given)

    patch.setattr(layout, "_table", recording)
    return drawn


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_cell_of_a_table_is_whole_or_its_column_is_named(screens, monkeypatch, name, width):
    monkeypatch.setenv("COLUMNS", str(width))
    for _, (title, names, body, texts, leaving) in screens[name][1]:
        lines = [click.unstyle(line) for line in layout._table(title, names, body, texts, leaving)]
        assert max(map(cell_len, lines)) <= width
        text = "\n".join(lines)
        assert "…" not in text
        found = re.search(rf"not shown at {width} columns: (.*?);", " ".join(lines))
        gone = found[1].split(", ") if found else []
        assert set(gone) == set(leaving[: len(gone)])
        assert not {names[0], *MAIN} & set(leaving)
        for place, column in enumerate(names):
            for cell in (row[place] for row in body if column not in gone):
                parts = cell.split() if column in texts else [cell]
                missing = [part for part in parts if len(part) <= 40 and not _stands_in(part, text)]
                assert not missing, (column, text)


def _stands_in(part, text):
    return re.search(rf"(?<![\w.,]){re.escape(part)}(?![\w.,])", text) is not None


@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_of_a_screen_is_wider_than_the_terminal_but_what_is_to_be_copied(screens, name):
    lines, drawn = screens[name]
    assert drawn
    wide = [line for line in lines if cell_len(line) > 80]
    assert not [line for line in wide if not line.lstrip().startswith(COPIED)]
    assert not [line for line in lines if "…" in line]


def test_every_place_that_draws_a_table_was_looked_at(screens):
    seen = {place for _, drawn in screens.values() for place, _ in drawn}
    assert {place for file in CLI.rglob("*.py") for place in _drawers(file)} == seen


def _drawers(file):
    """Yield the functions of a file that call the renderer."""
    for function in ast.walk(ast.parse(file.read_text())):
        if isinstance(function, ast.FunctionDef):
            calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
            if any(isinstance(called, ast.Name) and called.id == "table" for called in calls):
                yield file.stem, function.name


def test_there_is_one_renderer():
    others = [file.name for file in CLI.rglob("*.py") if "rich.table" in file.read_text()]
    assert not others


def test_numbers_of_a_screen_are_those_of_json(screens, tmp_path):
    lines, _ = screens["run of several methods"]
    (row,) = [line for line in lines if line.startswith("zero_shot ")]
    place = next(line for line in screens["runs show"][0] if line.startswith("folder"))
    runs = Path(place.split(maxsplit=1)[1]).parent
    (record,) = [json.loads(file.read_text()) for file in runs.glob("zero_shot-icfg-twin-*/record.json")]
    metrics, ends = record["metrics"], record["intervals"]
    for key in ("test/icfg/t2i/R1", "test/icfg/t2i/mAP"):
        low, high = ends[key]
        assert _stands_in(f"{metrics[key]:.1f} [{low:.1f}, {high:.1f}]", row)
