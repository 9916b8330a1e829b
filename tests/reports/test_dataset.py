"""The report on a dataset: counts, faults and words of a twin and of small data in the real format; what lacks."""

import re

import pytest
from click.testing import CliRunner

from harness.analysis.dataset_profile import load_profile
from harness.cli.main import cli
from harness.errors import UsageError
from harness.reporting.make import make_report
from harness.reports import REPORTS
from tests.small_icfg import BAD, ENTRIES, write_icfg


def report_on(name, out):
    return make_report("dataset", subjects=[name], out=out, runs=str(out / "no-runs"))


def tables_of(out):
    report = REPORTS.get("dataset")
    from importlib import import_module

    module = import_module(report.__module__)
    profile = load_profile(out / "data" / "dataset.json")
    return {table.name: table for table in module.tables(profile, out / "data")}


def test_a_twin_is_told_as_one_with_every_table_and_figure(twin, tmp_path, no_kernel):
    made = report_on("cuhk-twin", tmp_path)
    profile = load_profile(tmp_path / "data" / "dataset.json")
    assert made.n_results == profile.n_images == sum(images for _, images, _ in profile.found.values())
    assert "SYNTHETIC TWIN" in made.summary
    assert made.gaps == []
    assert {file.stem for file in (tmp_path / "figures").glob("*.svg")} == {
        "counts",
        "words",
        "shapes",
        "persons",
    }
    saved = {file.stem for file in (tmp_path / "tables").glob("*.csv")}
    assert (
        saved == {table["name"] for table in made.tables} == {"dataset", "splits", "faults", "known_faults"}
    )
    facts = dict(tables_of(tmp_path)["dataset"].cells.to_numpy().tolist())
    assert facts["data"] == "SYNTHETIC TWIN"
    assert facts["how to get it"] == "harness data make cuhk"
    assert "rendered" in facts["licence"]


@pytest.mark.slow
def test_the_counts_of_a_split_stand_against_the_published_ones(data, tmp_path, no_kernel):
    write_icfg(data, ENTRIES)
    made = report_on("icfg", tmp_path)
    rows = tables_of(tmp_path)["splits"].cells.set_index("split")
    assert rows.loc["train", "images"] == "3 / 34,674"
    assert rows.loc["train", "counts"] == "DIFFER"
    assert rows.loc["train", "images per identity"] == "1.5 (1 to 2)"
    assert rows.loc["train", "words per caption"] == "5.3 (1 to 9)"
    assert rows["too long"].tolist() == ["0", "1"]
    assert "real data" in made.summary
    assert "not usable" in made.summary
    assert any("Not the published train set" in gap.what for gap in made.gaps)


def test_missing_data_are_told_as_elsewhere_with_the_way_to_the_twin(data, tmp_path):
    done = CliRunner().invoke(cli, ["report", "dataset", "icfg", "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, UsageError)
    message = str(done.exception)
    assert f"ICFG-PEDES is not in {data}" in message
    assert "To get it:" in message
    assert "harness report dataset icfg-twin" in message
    with pytest.raises(UsageError, match="harness data make icfg"):
        report_on("icfg-twin", tmp_path / "out")
    with pytest.raises(UsageError, match="Did you mean 'icfg'"):
        report_on("icgf_twin", tmp_path / "out")
    with pytest.raises(UsageError, match="leave out --dataset and --suite"):
        make_report("dataset", subjects=["icfg"], out=tmp_path / "out", suite="x")


def test_a_broken_annotation_is_a_page_with_the_fault_and_exit_code_two(data, tmp_path, no_kernel):
    folder = write_icfg(data, ENTRIES)
    (folder / "ICFG-PEDES.json").write_text('[{"split": "train", ')
    command = ["report", "dataset", "icfg", "--out", str(tmp_path), "--runs", str(tmp_path / "no-runs")]
    done = CliRunner().invoke(cli, command, catch_exceptions=False, standalone_mode=False)
    assert done.return_value == 2
    assert "not valid JSON" in done.stdout
    assert "not valid JSON" in (tmp_path / "tables" / "faults.md").read_text()
    assert not (tmp_path / "figures").exists()


@pytest.mark.slow
def test_images_that_are_not_here_leave_words_and_counts(data, tmp_path, no_kernel):
    write_icfg(data, ENTRIES, images=False)
    made = report_on("icfg", tmp_path)
    assert {file.stem for file in (tmp_path / "figures").glob("*.svg")} == {"counts", "words"}
    assert any("No image could be opened" in gap.what for gap in made.gaps)


@pytest.mark.slow
def test_a_page_of_hostile_captions_made_by_a_kernel_runs_nothing(data, tmp_path):
    write_icfg(data, [("train", 0, BAD), ("train", 1, BAD), ("test", 2, BAD)])
    report_on("icfg", tmp_path)
    page = (tmp_path / "dataset.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("data:image/png;base64,") == 4
    assert "Warning" not in page


@pytest.mark.slow
def test_hostile_captions_stay_text_everywhere(data, tmp_path, no_kernel):
    entries = [
        (split, identity, f"{BAD} {identity}") for identity, split in enumerate(["train", "train", "test"])
    ]
    write_icfg(data, [*entries, ("test", 2, BAD), ("train", 1, BAD)])
    made = report_on("icfg", tmp_path)
    assert made.n_results == 5
    for file in (
        *tmp_path.glob("*.ipynb"),
        *tmp_path.glob("*.html"),
        *tmp_path.glob("*/*.md"),
        *tmp_path.glob("*/*.svg"),
    ):
        assert "<script" not in file.read_text(), file
    for file in tmp_path.glob("tables/*.csv"):
        assert not re.search(r"(^|,)\"?=", file.read_text(), re.MULTILINE), file
    for file in tmp_path.glob("tables/*.tex"):
        assert r"\input" not in file.read_text(), file
    shown = "".join(table._repr_html_() for table in tables_of(tmp_path).values())
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "\x1b" not in shown
