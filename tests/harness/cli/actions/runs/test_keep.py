"""`harness runs delete`, `archive`, `tag`, `note`, `prune` and the filters of `list`, as a person calls them."""

import json
import os
import time
from io import StringIO

import pytest

from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.record import RunFolder


@pytest.fixture
def call(tmp_path, capsys, monkeypatch):
    """Call `harness runs` on this test's folder; return exit code, standard output and error."""

    def call(*words):
        monkeypatch.setattr("sys.argv", ["harness", "runs", *words, "--runs", str(tmp_path)])
        code = run_safely(cli, debug=False)
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def two(fake, tmp_path):
    """Write two finished runs that were never sent, of which the second started from the first."""
    runs = []
    for method, identity, r1 in (("cskt", "1" * 16, 40), ("coop", "2" * 16, 60)):
        made, _ = fake.record(method, "icfg", r1, identity=identity)
        made.started = f"2026-01-0{len(runs) + 1}T00:00:00+00:00"
        if runs:
            made.config["backbone"]["init_from"] = runs[0].name
        RunFolder(tmp_path / made.name).write(made)
        runs.append(made)
    return runs


def names(out):
    return [row["config"]["method"]["name"] for row in json.loads(out)]


def test_the_newest_is_what_began_last_whatever_was_written_to_its_record_since(call, two, tmp_path):
    (tmp_path / two[0].name / "record.json").chmod(0o600)
    assert names(call("list", "--json")[1]) == ["cskt", "coop"]
    assert names(call("list", "--json", "--limit", "1")[1]) == ["coop"]


def test_what_was_not_so_is_said(call, two):
    assert call("tag", two[0].name, "paper")[0] == 0
    code, _, said = call("tag", two[0].name, "--remove", "papre")
    assert code == 2
    assert f"{two[0].name} has no tag papre: its tags are paper." in " ".join(said.split())
    assert "it has none" in call("tag", two[1].name, "--remove", "papre")[2]
    assert "was not archived" in " ".join(call("restore", two[0].name)[2].split())
    assert call("archive", two[0].name)[0] == 0
    assert "was already archived" in " ".join(call("archive", two[0].name)[2].split())
    assert call("list", "--tag", "")[0] == 2


def test_runs_are_listed_by_what_is_asked_and_in_the_order_asked(call, two):
    assert call("tag", two[0].name, "paper", "table=2")[0] == 0
    assert call("archive", two[1].name)[0] == 0
    asked = {
        (): ["cskt"],
        ("--archived",): ["cskt", "coop"],
        ("--archived", "--sort", "r1", "--limit", "1"): ["coop"],
        ("--archived", "--limit", "1"): ["coop"],
        ("--archived", "--since", "2026-01-02T00:00+00:00"): ["coop"],
        ("--tag", "table=2"): ["cskt"],
        ("--tag", "table=3"): [],
        ("--archived", "--method", "coop", "--dataset", "icfg-twin"): ["coop"],
        ("--method", "zero_shot"): [],
    }
    for words, expected in asked.items():
        assert names(call("list", "--json", *words)[1]) == expected, words
    out = call("list")[1]
    assert "paper, table=2" in out
    assert "1 run, " in out
    assert call("restore", two[1].name)[0] == 0
    assert names(call("list", "--json")[1]) == ["cskt", "coop"]


def test_a_deletion_is_confirmed_names_what_refers_to_the_run_and_spares_a_running_one(call, two, tmp_path):
    code, _, err = call("delete", two[0].name)
    assert (code, "give --yes" in err) == (2, True)
    assert f"{two[1].name} started from it" in " ".join(err.split())
    running = RunFolder(tmp_path / two[1].name)
    running.write(two[1].model_copy(update={"status": "running", "environment": {"host": "elsewhere"}}))
    code, _, err = call("delete", two[1].name, two[0].name, "--yes")
    assert (code, "is running" in err) == (2, True)
    assert (tmp_path / two[0].name).is_dir()
    assert call("delete", two[0].name, "--yes")[0] == 0
    assert not (tmp_path / two[0].name).exists()


@pytest.mark.parametrize("answer", ["n", "y"])
def test_a_person_who_is_asked_decides_and_can_read_the_question(call, two, tmp_path, monkeypatch, answer):
    keyboard = StringIO(f"{answer}\n")
    keyboard.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", keyboard)
    monkeypatch.setenv("COLUMNS", "50")
    code, out, err = call("delete", two[0].name)
    assert f"{two[1].name} started from it" in " ".join(err.split())
    assert max(map(len, (out + err).splitlines())) <= 50
    assert all(name in err.split() or f"{name}:" in err.split() for name in (two[0].name, two[1].name))
    assert ("Nothing was deleted." in err, code) == ((True, 1) if answer == "n" else (False, 0))
    assert (tmp_path / two[0].name).exists() == (answer == "n")


@pytest.mark.parametrize(
    "words",
    [
        ("tag", "c", "x"),
        ("tag", "cskt", "a\x1bb"),
        ("tag", "cskt"),
        ("note", "nobody", "x"),
        ("list", "--since", "yesterday-ish"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(call, two, words):
    code, _, err = call(*words)
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert "\x1b" not in err


def test_pruning_says_first_and_then_frees_only_what_no_run_needs(call, two, tmp_path):
    spare = tmp_path / two[0].name / "checkpoint.pt"
    needed = tmp_path / two[1].name / "checkpoint.pt"
    for file in (spare, needed):
        file.write_bytes(bytes(2_000_000))
    RunFolder(tmp_path / two[1].name).write(two[1].model_copy(update={"status": "interrupted"}))
    (tmp_path / "cskt-icfg-0~deleted").mkdir()
    code, out, _ = call("prune", "--dry-run")
    assert (code, "would free 2.0 MB of 2 files and folders" in out) == (0, True)
    assert spare.is_file()
    assert "freed 2.0 MB" in call("prune")[1]
    assert [spare.exists(), needed.exists()] == [False, True]
    assert not (tmp_path / "cskt-icfg-0~deleted").exists()


def test_where_no_run_fits_it_says_what_is_there_and_what_may_be_meant(call, two):
    assert call("archive", two[1].name)[0] == 0
    said = " ".join(call("list", "--method", "cskd")[1].split())
    assert said.startswith("None of the 2 runs in ")
    assert said.endswith(
        ", 1 of them archived, is what is asked for. Their methods are coop, cskt. Did you mean 'cskt'?"
    )
    assert "Their" not in call("list", "--dataset", "icfg-twin", "--tag", "nothing")[1]
    assert json.loads(call("list", "--method", "cskd", "--json")[1]) == []


def test_caches_are_offered_and_freed_only_when_asked_and_unused(call, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    files = (
        "images/old.images",
        "frozen/old.rows",
        "galleries/old.safetensors",
        "images/new.images",
        "images/read.images",
    )
    kept = ("images/contents.sqlite", "images/.old.images.part", "mine.txt")
    now = time.time()
    times = {"images/new.images": (0, now), "images/read.images": (now, 0)}
    for name in (*files, *kept):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_bytes(bytes(1_000_000))
        os.utime(cache / name, times.get(name, (0, 0)))
    out = call("prune")[1]
    assert "nothing to free" in out
    assert "3 caches in" in out
    assert "3.0 MB: --caches frees them too" in " ".join(out.split())
    assert "would free 3.0 MB of 3 files" in call("prune", "--caches", "--dry-run")[1]
    assert len(json.loads(call("prune", "--dry-run", "--json")[1])["caches"]) == 3
    assert "freed 3.0 MB of 3 files" in call("prune", "--caches")[1]
    left = {str(file.relative_to(cache)) for file in cache.rglob("*") if file.is_file()}
    assert left == {*kept, "images/new.images", "images/read.images"}
