"""Figures are held to what is expected: read from runs and bundles, by settings or by name, and of several seeds."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.bundle.export import export_runs
from harness.errors import DataError, UnknownName, UsageError
from harness.record import QUERIES, RunFolder
from harness.upkeep.check import Checked, How, check
from harness.upkeep.expected import Expected
from harness.upkeep.expected_file import read_expected
from harness.upkeep.found import NotThere, Results
from tests import measured_runs

ROOT = Path(__file__).resolve().parents[3]
PROBE = {"name": "probe", "method": "linear_probe", "dataset": "icfg", "synthetic": True}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of one method, one of them tested elsewhere; the second with other settings, too."""
    root = tmp_path_factory.mktemp("runs")
    records = [
        measured_runs.finished(root, seed=1, elsewhere=["cuhk"]),
        measured_runs.finished(root, seed=2, skill=0.4),
    ]
    return root, records


def first(record):
    return record.metrics["test/icfg/t2i/R1"]


def checked(root, *results, **how):
    expected = Expected.model_validate({"results": [PROBE | one for one in results]})
    return check(root / "expected.yaml", expected, How(runs=str(root), **how))


def around(value, within=0.001):
    return {"t2i/R1": {"value": value, "within": within}}


def test_a_figure_is_compared_with_the_mean_of_its_seeds(runs):
    root, records = runs
    own, mean = first(records[0]), sum(map(first, records)) / 2
    assert abs(own - mean) > 1
    done = checked(root, {"expect": around(own)}, {"name": "both", "seeds": [1, 2], "expect": around(mean)})
    assert done.hold
    assert done.runs == {"probe": [records[0].name], "both": [record.name for record in records]}
    done = checked(root, {"seeds": [1, 2], "expect": around(own)})
    assert not done.hold
    assert done.figures[0].verdict == f"{own - 0.001 - mean:.2f} below"


def test_a_run_of_other_settings_is_not_taken_and_the_command_for_it_is_said(runs):
    root, _ = runs
    done = checked(root, {"set": {"method.lr": 0.5}, "presets": ["slow.yaml"][:0], "expect": around(50)})
    (absent,) = done.absent
    assert not done.hold
    assert done.figures[0].verdict == "not there"
    assert absent.command == [
        *("run", "-m", "linear_probe", "-d", "icfg", "--synthetic", "--set", "method.lr=0.5", "--seed", "1")
    ]
    assert checked(root, {"seeds": [1, 3], "expect": around(50)}).absent[0].command[-1] == "3"


def test_what_is_not_there_is_no_result(runs):
    root, records = runs
    (result,) = Expected.model_validate({"results": [PROBE | {"expect": ["t2i/R1"]}]}).results
    with Results(root / "expected.yaml", root) as results:
        assert results.find(result).runs == [records[0].name]
    with Results(root / "expected.yaml", root / "none") as results, pytest.raises(NotThere) as error:
        results.find(result)
    assert error.value.command[:3] == ["run", "-m", "linear_probe"]


def test_a_run_is_found_by_its_name_and_so_is_its_test_elsewhere(runs):
    root, records = runs
    name = records[0].name
    expected = Expected.model_validate(
        {
            "results": [
                {"name": "a", "run": name[:-3], "expect": around(first(records[0]))},
                {"name": "b", "run": name, "tested_on": "cuhk", "expect": {"i2t/mAP": {"between": [0, 100]}}},
                {"name": "c", "run": records[1].name, "tested_on": "cuhk", "expect": ["t2i/R1"]},
                {"name": "d", "run": "nobody", "expect": ["t2i/R1"]},
            ]
        }
    )
    done = check(root / "expected.yaml", expected, How(runs=str(root)))
    assert [one.holds for one in done.figures] == [True, True, False, False]
    elsewhere = RunFolder(root / name).queries("transfer/cuhk.npz")["i2t/AP"].mean() * 100
    assert done.figures[1].found == pytest.approx(elsewhere)
    assert [absent.command for absent in done.absent] == [["evaluate", records[1].name, "-d", "cuhk"], []]
    short = Expected.model_validate({"results": [{"name": "a", "run": "linear_probe", "expect": ["t2i/R1"]}]})
    with pytest.raises(DataError, match="is the beginning of"):
        check(root / "e.yaml", short, How(runs=str(root)))


def test_a_bundle_beside_the_file_is_read_and_one_that_was_altered_is_not(runs, tmp_path):
    root, records = runs
    export_runs([record.name for record in records], tmp_path / "b.zip", root)
    done = checked(tmp_path, {"bundle": "b.zip", "expect": around(first(records[0]))})
    assert done.hold
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content.replace(b'"seconds": 60.0', b'"seconds": 6.0'))
    with pytest.raises(DataError, match="has other content than was listed"):
        checked(tmp_path, {"bundle": "b.zip", "expect": ["t2i/R1"]})
    with pytest.raises(UsageError, match="There is no file"):
        checked(tmp_path, {"bundle": "c.zip", "expect": ["t2i/R1"]})


def test_figures_come_from_the_queries_and_a_record_that_says_otherwise_is_refused(tmp_path):
    record = measured_runs.finished(tmp_path)
    folder = RunFolder(tmp_path / record.name)
    assert checked(tmp_path, {"expect": around(first(record))}).hold
    record.metrics["test/icfg/t2i/R1"] += 1
    folder.write(record)
    with pytest.raises(DataError, match="is not as its per-query results give it: t2i/R1"):
        checked(tmp_path, {"expect": around(first(record))})
    record.metrics["test/icfg/t2i/R1"] -= 1
    folder.write_queries({"t2i/rank": np.ones(3)})
    folder.note(record, QUERIES)
    folder.write(record)
    with pytest.raises(DataError, match="it is no file of per-query results"):
        checked(tmp_path, {"expect": ["t2i/R1"]})


def test_of_several_runs_of_the_same_settings_the_newest_is_read_and_that_is_said(tmp_path):
    old = measured_runs.finished(tmp_path)
    new = old.model_copy(update={"identity": "f" * 64, "started": "2026-11-30T00:00:00+00:00"})
    folder = RunFolder(tmp_path / new.name)
    folder.path.mkdir()
    folder.write_queries(measured_runs.measured(1))
    folder.note(new, QUERIES)
    folder.write(new)
    done = checked(tmp_path, {"expect": around(first(old))})
    assert done.runs["probe"] == [new.name]
    assert done.notes == [f"probe: 2 runs have these settings; the newest is {new.name}"]


def test_names_and_settings_that_are_not_known_are_said_before_any_work(runs):
    root, _ = runs
    with pytest.raises(UnknownName, match="Unknown result 'prob'"):
        checked(root, {"expect": ["t2i/R1"]}, only=["prob"])
    wrong = {"name": "x", "set": {"method.rl": 1}, "expect": ["t2i/R1"]}
    with pytest.raises(UsageError, match=r"expected.yaml: result 'x': .*Did you mean 'method.lr'"):
        checked(root, {"rerun": True, "expect": ["t2i/R1"]}, wrong)


def test_the_shipped_table_is_held_to_its_figures():
    file = ROOT / "benchmarks" / "expected.yaml"
    done = check(file, read_expected(file), How())
    assert done.hold
    assert len(done.runs) == 25
    assert len(done.figures) == 71


@pytest.mark.parametrize(("low", "high"), [(None, 30.0), (20.0, None), (None, None)])
def test_a_figure_without_both_ends_is_not_filled_in(low, high):
    checked = Checked("cskt", "t2i/R1", low, high, 25.0)
    assert (checked.holds, checked.verdict) == (False, "not filled in")
