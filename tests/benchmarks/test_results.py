"""The table of RESULTS.md is that of the runs which lie beside it, and those verify."""

import json
import re
import zipfile
from pathlib import Path

import pytest

from harness.bundle import verify_bundle

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "benchmarks" / "results" / "efficient_field.zip"


def test_the_table_says_what_the_runs_say():
    page = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- icfg -->(.*?)<!-- end of icfg -->", page, re.DOTALL).group(1)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.strip().splitlines()[2:]]
    with zipfile.ZipFile(BUNDLE) as archive:
        tables = json.loads(archive.read("results.json"))["tables"]
    (known,) = [one["results"] for one in tables if one["tested_on"] == "icfg" and len(one["results"]) > 1]
    said = {row[0].strip("`"): (row[3], row[5]) for row in rows}
    found = {one["label"]: tuple(_interval(one, name) for name in ("R1", "mAP")) for one in known}
    assert said == found
    assert len(said) == 23


def _interval(one, name):
    return f"{one[name]:.1f} [{one[f'{name}_low']:.1f}, {one[f'{name}_high']:.1f}]"


@pytest.mark.slow
def test_the_runs_verify():
    found = verify_bundle(BUNDLE)
    assert len(found.runs) == 67
    assert [check.line for check in found.checks if check.agrees is not True] == []
