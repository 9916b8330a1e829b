"""Data of one's own from the command line: `--data`, `harness data init`, and a dataset that a file describes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from harness.cli.main import cli
from harness.cli.options import run_safely
from tests import measured_runs

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "dataset"
QUICK = (
    "--set",
    "backbone.name=tiny-2x64-2x64",
    "--set",
    "backbone.pretrained=null",
    "--set",
    "train.epochs=1",
)
SMALL = ("--set", "backbone.image_size=[48,16]", *QUICK)


@pytest.fixture
def harness(monkeypatch, capsys, tmp_path, own_files):
    """Call the command line as the terminal does; return exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("HARNESS_INCLUDE", "")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        code = run_safely(cli, debug=False)
        return code, *capsys.readouterr()

    yield call
    own_files.forget()


@pytest.fixture
def street(own_files, twins, tmp_path):
    """Write a dozen pictures and their rows; return the options that name them."""
    rows = own_files.copied_pictures(twins, tmp_path / "photos")
    own_files.write_csv(tmp_path / "street.csv", rows)
    return "--data", "street.csv", "--images", "photos", "--shares", "50/25/25"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["run", "-m", "zero_shot"],
            "Missing option '--dataset' / '-d': name a dataset, or give --data FILE.",
        ),
        (["run", "-m", "zero_shot", "-d", "icfg", "--images", "x"], "--images is about data of your own"),
        (["run", "-m", "zero_shot", "--data", "x.csv", "--synthetic"], "leave it or --data out"),
        (["run", "-m", "zero_shot", "--data", "x.csv"], "x.csv, from --data, is no file"),
        (["sweep", "-m", "lora", "-d", "icfg", "--data", "x.csv"], "x.csv, from --data, is no file"),
        (["data", "verify"], "No dataset is named"),
        (["data", "verify", "icfg", "--images", "photos"], "--images is about data of your own"),
        (["data", "info", "--columns", "image=a"], "--columns is about data of your own"),
        (["data", "cache", "--shares", "1/1/98"], "--shares is about data of your own"),
        (["data", "init", "street"], "give the rows of the dataset by --data FILE"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(harness, words, said):
    code, _, error = harness(*words)
    assert code == 2
    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_a_test_elsewhere_of_nothing_names_all_that_it_can_be_of(harness, tmp_path):
    run = measured_runs.finished(tmp_path / "runs").name
    code, _, error = harness("evaluate", run, "--runs", "runs")
    assert code == 2
    assert "or give --data FILE, or --gallery FACTOR for the run's own." in " ".join(error.split())


def test_a_name_and_data_are_one_too_many(harness, street):
    assert "Both icfg and --data street.csv are given" in harness("data", "verify", "icfg", *street)[2]


def test_data_are_verified_and_described_without_a_name(harness, street):
    code, out, _ = harness("data", "verify", *street, "--check", "exist")
    assert code == 0
    assert "street.csv: image=image, caption=caption, person=person" in out
    assert (
        " ".join(out.split()).count("drawn by person, shares 50/25/25, seed 0: 2 train, 1 val, 1 test") == 1
    )
    assert "published" not in out
    assert json.loads(harness("data", "verify", *street, "--check", "exist", "--json")[1])["usable"] is True
    code, out, _ = harness("data", "info", *street)
    assert code == 0
    assert "(from --data)" in out
    assert "no synthetic twin" in out
    assert "JSON file" not in out


def test_what_a_run_would_do_is_told_with_how_the_rows_were_read(harness, street):
    code, out, error = harness("run", "-m", "linear_probe", *street, *SMALL, "--dry-run")
    assert code == 0, error
    assert "run:        linear_probe-street_" in out
    assert "pairs:      6 per epoch, 1 epoch" in out
    assert "note:       street.csv names no splits" in out


def shown(kind, title):
    """What a block of docs/data.md holds."""
    page = (EXAMPLE.parents[1] / "docs" / "data.md").read_text()
    return re.search(rf'```{kind} title="{title}"\n(.*?)```', page, re.DOTALL)[1]


def test_the_rows_and_entries_that_the_page_shows_are_enough_for_a_run(harness, tmp_path):
    rows, entries = shown("text", "street.csv"), json.loads(shown("json", "station/station.json"))
    (tmp_path / "street.csv").write_text(rows)
    (tmp_path / "mine" / "datasets").mkdir(parents=True)
    (tmp_path / "mine" / "datasets" / "station.py").write_text(shown("python", "mine/datasets/station.py"))
    (tmp_path / "station").mkdir()
    (tmp_path / "station" / "station.json").write_text(json.dumps(entries))
    pictures = [f"photos/{row.split(',')[0]}" for row in rows.splitlines()[1:]]
    pictures += [f"station/imgs/{entry['file_path']}" for entry in entries]
    for number, name in enumerate(pictures):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((16, 48), number + 1).convert("RGB").save(tmp_path / name)
    run = ("run", "-m", "linear_probe", *SMALL, "--dry-run")
    code, out, error = harness(*run, "--data", "street.csv", "--images", "photos")
    assert code == 0, error
    assert "1 epoch" in out
    # A process of its own, because an included folder stays known.
    words = (sys.executable, "-m", "harness", "--include", "mine", *run, "-d", "station", "--data-root", ".")
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1 epoch" in done.stdout


def test_a_described_dataset_is_listed_and_held_to_its_counts(harness, street, tmp_path, monkeypatch):
    code, out, error = harness("data", "init", "street", *street, "--title", "Street", "--licence", "CC0")
    assert (code, error) == (0, "")
    assert "street, persons by split: train 2, val 1, test 1" in out
    assert "is there already: --force replaces it" in harness("data", "init", "street", *street)[2]
    assert "There is a dataset icfg already" in harness("data", "init", "icfg", *street, "--force")[2]
    assert "name is 'a b'" in harness("data", "init", "a b", *street, "--force")[2]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["dataset.yaml", "photos", "street.csv"]
    monkeypatch.setenv("HARNESS_INCLUDE", str(tmp_path))
    (row,) = (
        one for one in json.loads(harness("data", "list", "--json")[1])["datasets"] if one["name"] == "street"
    )
    assert (row["images"], row["found"], row["twin"]) == (12, str(tmp_path), None)
    assert harness("data", "verify", "street", "--check", "exist")[0] == 0
    text = (tmp_path / "dataset.yaml").read_text()
    (tmp_path / "dataset.yaml").write_text(text.replace("images: 6", "images: 7"))
    code, out, _ = harness("data", "verify", "street", "--check", "exist")
    assert code == 1
    assert "Not the expected train set: 6 images, expected 7." in out
    assert "the counts in its dataset.yaml" in " ".join(out.split())
    assert "have no synthetic twin" in harness("data", "verify", "street", "--synthetic")[2]


def test_the_example_is_whole_and_its_splits_are_drawn(harness, own_files, twins, tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "dataset")
    own_files.copied_pictures(twins, tmp_path / "dataset" / "photos")
    told = json.loads(harness("--include", "dataset", "data", "verify", "six_people", "--json")[1])
    assert told["usable"]
    assert told["found"] == told["expected"]
    assert told["title"] == "Six people"
    assert told["notes"][0] == "rows.csv: image=photo, caption=says, person=who"


def test_help_names_the_options_for_data_of_ones_own():
    for words in (["run"], ["sweep"], ["evaluate"], ["report"], ["data", "verify"], ["data", "init"]):
        assert "--data FILE" in CliRunner().invoke(cli, [*words, "--help"]).stdout, words


@pytest.mark.slow
def test_a_run_on_data_of_ones_own_is_found_shown_tested_elsewhere_and_not_resumed_once_they_change(
    harness, street, tmp_path, own_files, twins
):
    words = ("run", "-m", "linear_probe", *SMALL, "--json")
    record = json.loads(harness(*words, *street)[1])
    name = record["config"]["dataset"]["name"]
    assert record["status"] == "finished"
    assert record["data"]["notes"][0].startswith("street.csv: image=image")
    shutil.copytree(tmp_path / "photos", tmp_path / "moved" / "photos")
    shutil.move(tmp_path / "street.csv", tmp_path / "moved" / "street.csv")
    moved = ("--data", "moved/street.csv", "--images", "moved/photos", *street[4:])
    assert json.loads(harness(*words, *moved)[1])["identity"] == record["identity"]
    shutil.copyfile(tmp_path / "moved" / "street.csv", tmp_path / "street.csv")

    samples, images = own_files.samples_of(twins)
    own_files.write_csv(tmp_path / "twin.csv", own_files.rows_of(samples))
    other = ("--data", "twin.csv", "--images", images)
    code, out, error = harness("evaluate", "linear_probe", *other, "--json")
    assert code == 0, error
    (found,) = json.loads(out)
    assert found["dataset"].startswith("twin_")
    for asked in ([], ["--dataset", found["dataset"]]):
        code, table, error = harness("runs", "queries", "linear_probe", *asked)
        assert code == 0, error
        assert len(table.splitlines()) > 3

    text = (tmp_path / "street.csv").read_text()
    (tmp_path / "street.csv").write_text(text.replace(",3\n", ",4\n"))
    own_files.forget()
    code, _, error = harness("runs", "resume", "linear_probe")
    assert code == 2
    assert f"street.csv was changed since {name} was made of it" in error
    code, out, error = harness(*words, *street)
    assert code == 0
    assert json.loads(out)["identity"] != record["identity"]
    assert f"another run than {'linear_probe-' + name}" in error
    assert "another annotation" in error
