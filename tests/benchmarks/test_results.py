"""The tables of RESULTS.md are those of the runs which lie beside it, and those verify."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from harness.reports.published_order import PublishedOrder

from benchmarks.made_again import made_again
from benchmarks.results_tables import read_table
from harness.bundle import import_bundle, verify_bundle
from harness.pages.tables import DASH
from harness.results.run_source import Source

ROOT = Path(__file__).resolve().parents[2]
TWINS = {"icfg": (27, 79), "cuhk": (27, 79), "rstp": (27, 79), "ufine": (27, 79)}


def bundle(twin):
    return ROOT / "benchmarks" / "results" / f"{twin}.zip"


def part(name):
    """What stands between two markers of the page."""
    page = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    return re.search(rf"<!-- {name} -->(.*?)<!-- end of {name} -->", page, re.DOTALL).group(1)


def cells_of(name):
    """The cells of each row of a table of the page."""
    return [list(row.values()) for row in read_table(part(name))]


def tables_of(name):
    """The tables that a bundle notes of its own runs."""
    with zipfile.ZipFile(bundle(name)) as archive:
        return json.loads(archive.read("results.json"))["tables"]


def results_on(twin, file):
    """What a bundle notes of its runs' tests on a twin, or on all."""
    return [
        one for table in tables_of(file) if twin in (None, table["tested_on"]) for one in table["results"]
    ]


def scores(one):
    return tuple(_interval(one, name) for name in ("R1", "mAP"))


def test_what_the_tiny_clip_learned_is_what_its_record_says():
    record = json.loads((ROOT / "harness" / "clip" / "tiny" / "web.json").read_text())
    rows = {cells[0].replace(" ", "_"): cells[1:] for cells in cells_of("held-out")}
    assert rows == {
        kind: [f"{found[name]:.1f}" for name in ("t2i/R1", "t2i/R5", "t2i/mAP", "i2t/R1")]
        for kind, found in record["held_out"].items()
    }
    assert record["command"] in (ROOT / "RESULTS.md").read_text()


def test_what_runs_reach_that_were_made_again_is_what_both_bundles_say():
    rows = made_again()
    assert [tuple(cells) for cells in cells_of("again")] == rows
    assert len(rows) == 22
    assert {row[0] for row in rows if row[-1] == DASH} == {"`zero_shot`"}


@pytest.mark.parametrize("twin", TWINS)
def test_the_table_says_what_the_runs_say(twin):
    rows = cells_of(twin)
    known = max((one["results"] for one in tables_of(twin) if one["tested_on"] == twin), key=len)
    # A preset is called by its name on the page, and by its settings in the bundle.
    said = [(row[0].partition("`, ")[0].strip("`"), row[3], row[5]) for row in rows]
    found = [(one["label"].partition(" (")[0], *scores(one)) for one in known]
    assert sorted(said) == sorted(found)
    assert len(said) == TWINS[twin][0]


@pytest.mark.parametrize(("twin", "n"), {"cuhk": 41, "icfg": 32, "rstp": 32}.items())
def test_the_tables_of_other_protocols_say_what_their_runs_say(twin, n):
    rows = cells_of(f"protocols-{twin}")
    found = {
        (one["label"].partition(" (")[0], *scores(one))
        for table in tables_of("protocols")
        if table["tested_on"].partition("-")[0] == twin
        for one in table["results"]
    }
    assert {(row[0], row[3], row[4]) for row in rows} <= found
    assert len(rows) == n


ABLATIONS = {  # by marker: bundle, twin if it is one, and how many runs and configurations
    "irra-leak": ("irra_leak", "icfg", 12, 4),
    "tricks": ("tricks", "cuhk", 6, 6),
    "losses": ("losses", "cuhk", 12, 12),
    "image-augmentation": ("image_augmentation", "cuhk", 15, 15),
    "text-augmentation": ("text_augmentation", "cuhk", 10, 10),
    "strength": ("strength", "cuhk", 25, 25),
    "irra-from": ("irra_from", None, 15, 15),
    "compression": ("compression", "cuhk", 10, 10),
    "cskt": ("cskt_ablation", "icfg", 26, 26),
}


@pytest.mark.parametrize("name", ABLATIONS)
def test_the_table_of_an_ablation_says_what_its_runs_say(name):
    file, twin, n_runs, n = ABLATIONS[name]
    rows = read_table(part(name))
    found = [scores(one) for one in results_on(twin, file)]
    assert sorted((row["R@1 [95 %]"], row["mAP [95 %]"]) for row in rows) == sorted(found)
    assert len(rows) == n
    assert {row.get("seeds", "1") for row in rows} == {str(n_runs // n)}


def test_the_table_of_few_images_says_what_its_runs_say():
    rows = read_table(part("few-shot"))
    found = {scores(one) for one in results_on("cuhk", "few_shot") if one["label"] != "zero_shot"}
    assert {(row["R@1 [95 %]"], row["mAP [95 %]"]) for row in rows} == found
    assert len(rows) == len(found) == 20


@pytest.mark.slow
def test_the_published_order_of_few_images_and_of_the_hardest_twin_is_what_the_runs_say(tmp_path):
    for name in ("few_shot", "rstp", "irra_from"):
        import_bundle(bundle(name), tmp_path)
    tables = PublishedOrder.gather(Source(runs=tmp_path), tmp_path).tables
    found = {
        row["training pairs"]: row
        for table in tables
        if table.name.startswith("agreement")
        for row in table.cells.to_dict("records")
    }
    rows = [row for row in read_table(part("order")) if row["training pairs"] in ("238", "118", "4,000")]
    assert rows == [{name: found[row["training pairs"]][name] for name in row} for row in rows]
    assert [row["pairs"] for row in rows] == ["10", "10", "4"]


def _interval(one, name):
    return f"{one[name]:.1f} [{one[f'{name}_low']:.1f}, {one[f'{name}_high']:.1f}]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n"),
    [
        *((twin, n) for twin, (_, n) in TWINS.items()),
        ("protocols", 51),
        ("few_shot", 21),
        ("parameter_efficiency", 22),
        *((file, n) for file, _, n, _ in ABLATIONS.values()),
    ],
)
def test_the_runs_verify(name, n):
    found = verify_bundle(bundle(name))
    assert len(found.runs) == n
    assert [check.line for check in found.checks if check.agrees is not True] == []
