"""Results and queries as tables, and as records of Every Eval Ever."""

import json
import re

import pandas
import pytest

from harness.bundle.every_eval import write_records
from harness.bundle.export import exportable
from harness.bundle.tables import write_tables
from harness.evaluate.measure import metrics_of
from harness.files import file_hash
from tests import measured_runs

NUMBER = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
PLACE = re.compile(rf"data/[^/]+/[^/]+/[^/]+/{NUMBER}_samples\.jsonl")


@pytest.fixture
def runs(tmp_path):
    record = measured_runs.finished(
        tmp_path / "runs", elsewhere=["cuhk"], command="harness run --runs /home/ann/runs"
    )
    return exportable([record.name], tmp_path / "runs")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_say_what_the_runs_do(runs, tmp_path, kind):
    files = write_tables(runs, tmp_path / "out", kind)
    read = pandas.read_csv if kind == "csv" else pandas.read_parquet
    results, queries = map(read, files)
    ((_, record),) = runs
    assert len(results) == 2 * 2
    own = results[(results["tested_on"] == "icfg-twin") & (results["direction"] == "t2i")].iloc[0]
    assert own["R1"] == pytest.approx(record.metrics["test/icfg/t2i/R1"])
    assert (own["R1_low"], own["R1_high"]) == pytest.approx(record.intervals["test/icfg/t2i/R1"])
    assert len(queries) == 2 * 75 + 2 * 60
    part = queries[(queries["tested_on"] == "icfg-twin") & (queries["direction"] == "t2i")]
    assert list(part["query"]) == list(range(75))
    assert 100 * (part["rank"] == 1).mean() == pytest.approx(own["R1"])
    assert 100 * part["AP"].mean() == pytest.approx(own["mAP"])


def test_records_of_every_eval_ever_are_whole_and_say_nothing_of_the_machine(runs, tmp_path):
    ((folder, record),) = runs
    files = write_records(runs, tmp_path / "out", "Our laboratory / Ä")
    said = [json.loads(file.read_text()) for file in files]
    assert [one["schema_version"] for one in said] == ["0.3.0", "0.3.0"]
    assert files[0].parts[-4:-1] == ("icfg-twin", "Our-laboratory-Ä", "linear_probe")
    detailed = said[0]["detailed_evaluation_results"]
    samples = tmp_path / "out" / detailed["file_path"]
    assert PLACE.fullmatch(detailed["file_path"])
    assert detailed["checksum"] == file_hash(samples)
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    assert len(lines) == detailed["total_rows"] == 150
    of_texts = [line["evaluation"] for line in lines if line["evaluation_name"] == "icfg-twin/t2i"]
    figures = metrics_of(folder.queries())
    assert 100 * sum(one["is_correct"] for one in of_texts) / 75 == pytest.approx(figures["t2i/R1"])
    assert 100 * sum(one["score"] for one in of_texts) / 75 == pytest.approx(figures["t2i/mAP"])
    results = {one["evaluation_result_id"]: one for one in said[0]["evaluation_results"]}
    assert {line["evaluation_result_id"] for line in lines} <= results.keys()
    interval = results["icfg-twin/t2i/R1"]["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"]) == record.intervals["test/icfg/t2i/R1"]
    assert all(isinstance(value, str) for value in said[0]["model_info"]["additional_details"].values())
    assert "/home/ann" not in "".join(file.read_text() for file in (tmp_path / "out").rglob("*.json*"))
