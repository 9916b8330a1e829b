"""The tables of RESULTS.md are those of the runs which lie beside it, and those verify."""

import json
import re
import zipfile
from pathlib import Path

import pytest

from harness.bundle import verify_bundle

ROOT = Path(__file__).resolve().parents[2]
TWINS = {"icfg": (27, 79), "cuhk": (12, 34), "rstp": (6, 16)}


def bundle(twin):
    return ROOT / "benchmarks" / "results" / f"{twin}.zip"


def cells_of(name):
    """The cells of each row of a table of the page."""
    page = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    table = re.search(rf"<!-- {name} -->(.*?)<!-- end of {name} -->", page, re.DOTALL).group(1)
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.strip().splitlines()[2:]]


def tables_of(name):
    """The tables that a bundle notes of its own runs."""
    with zipfile.ZipFile(bundle(name)) as archive:
        return json.loads(archive.read("results.json"))["tables"]


@pytest.mark.parametrize("twin", TWINS)
def test_the_table_says_what_the_runs_say(twin):
    rows = cells_of(twin)
    known = max((one["results"] for one in tables_of(twin) if one["tested_on"] == twin), key=len)
    # A preset is called by its name on the page, and by its settings in the bundle.
    said = [(row[0].partition("`, ")[0].strip("`"), row[3], row[5]) for row in rows]
    found = [
        (one["label"].partition(" (")[0], *(_interval(one, name) for name in ("R1", "mAP"))) for one in known
    ]
    assert sorted(said) == sorted(found)
    assert len(said) == TWINS[twin][0]


@pytest.mark.parametrize(("twin", "n"), {"cuhk": 41, "icfg": 32, "rstp": 32}.items())
def test_the_tables_of_other_protocols_say_what_their_runs_say(twin, n):
    rows = cells_of(f"protocols-{twin}")
    found = {
        (one["label"].partition(" (")[0], *(_interval(one, name) for name in ("R1", "mAP")))
        for table in tables_of("protocols")
        if table["tested_on"].partition("-")[0] == twin
        for one in table["results"]
    }
    assert {(row[0], row[3], row[4]) for row in rows} <= found
    assert len(rows) == n


@pytest.mark.parametrize(
    ("name", "file", "twin", "seeds"),
    [("irra-leak", "irra_leak", "icfg", 4 * ["3"]), ("tricks", "tricks", "cuhk", 6 * ["1"])],
)
def test_the_table_of_an_ablation_says_what_its_runs_say(name, file, twin, seeds):
    rows = cells_of(name)
    found = [
        tuple(_interval(one, name) for name in ("R1", "mAP"))
        for table in tables_of(file)
        if table["tested_on"] == twin
        for one in table["results"]
    ]
    assert sorted((row[1], row[3]) for row in rows) == sorted(found)
    assert [row[-1] for row in rows] == seeds


def _interval(one, name):
    return f"{one[name]:.1f} [{one[f'{name}_low']:.1f}, {one[f'{name}_high']:.1f}]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n"),
    [*((twin, n) for twin, (_, n) in TWINS.items()), ("protocols", 51), ("irra_leak", 12), ("tricks", 6)],
)
def test_the_runs_verify(name, n):
    found = verify_bundle(bundle(name))
    assert len(found.runs) == n
    assert [check.line for check in found.checks if check.agrees is not True] == []
