"""Tables and progress on a terminal: no number is cut, hostile text stays text, a pipe gets plain lines."""

import re
from pathlib import Path

from harness.cli.terminal import (
    cell,
    comparison_table,
    met_lines,
    metric_table,
    record_table,
)

ROOT = Path(__file__).resolve().parents[3]
BAD = "a\x1b[31m [bold]b[/bold] \x07"


def finished(fake, method="cskt", r1=40.0, **more):
    made, _ = fake.record(method, "icfg", r1, identity="0123456789abcdef", **more)
    made.selection = {"rule": "val", "epoch": 3, "epochs": 5}
    made.seconds = 123456.0
    return made


def rows_of(text, word):
    return [line.split() for line in text.splitlines() if line.strip().startswith(word)]


def test_a_cell_is_a_value_with_its_interval_or_a_dash():
    assert [cell(None), cell(61.84), cell(61.84, (60.36, 63.0)), cell(0.0)] == [
        *("–", "61.8", "61.8 [60.4, 63.0]", "0.0")
    ]


def test_metrics_become_a_row_for_each_dataset_and_direction(capsys):
    metrics = {
        "test/icfg/t2i/R1": 50.0,
        "test/icfg/t2i/mINP": 7.0,
        "test/cuhk/i2t/R5": 9.0,
        "test/cuhk/Rsum": 1.0,
    }
    intervals = {"test/icfg/t2i/R1": (45.0, 55.0), "test/icfg/t2i/mINP": (6.0, 8.0)}
    metric_table("title", (metrics, intervals), ({"test/rstp/t2i/mAP": 3.0}, {}))
    _, _, _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split() for row in rows] == [
        ["icfg", "t2i", "50.0", "[45.0,", "55.0]", "–", "–", "–", "7.0"],
        ["cuhk", "i2t", "–", "9.0", "–", "–", "–"],
        ["rstp", "t2i", "–", "–", "–", "3.0", "–"],
    ]
    metric_table("title", ({}, {}))
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_record_is_its_metrics_and_facts_within_eighty_columns(capsys, narrow, fake):
    made = finished(fake, trainable=1000, train_pairs=68126)
    made.oracle = {"epoch": 4, "optimism_gap": 1.25}
    record_table(made)
    out = capsys.readouterr().out
    (row,) = rows_of(out, "icfg")
    found = made.metrics
    assert row[1:3] == ["t2i", f"{found['test/icfg/t2i/R1']:.1f}"]
    assert row[-1] == "–"
    assert f"{found['test/icfg/t2i/R10']:.1f}" in row
    assert "68,126" in out
    assert "1,000 of 2,000,000" in out
    assert "0.05 %" in out
    assert "SYNTHETIC TWIN" in out
    assert "+1.2" in out
    assert max(map(len, out.splitlines())) <= 80


def test_images_left_out_are_in_the_title_of_a_record_and_below_a_comparison(capsys, fake):
    made, _ = fake.record("cskt", "icfg", left_out={"train": 0, "val": 0, "test": 48})
    whole, _ = fake.record("coop", "icfg")
    made.data["test_images"] = 47
    for one in (made, whole):
        one.selection = {"rule": "val", "epoch": 1, "epochs": 2}
    record_table(made)
    assert "without 48 of 95 test images" in capsys.readouterr().out.splitlines()[0]
    record_table(whole)
    assert "without" not in capsys.readouterr().out
    comparison_table([made, whole], "icfg")
    out = capsys.readouterr().out
    assert "cskt: without 48 of 95 test images" in out
    assert "coop: without" not in out


def test_faults_of_the_data_stand_below_a_record_and_once_below_a_comparison(capsys, fake):
    made, _ = fake.record("cskt", "icfg", faults=["captions cut at 77 tokens: 1 of 9 in test"])
    made.selection = {"rule": "val", "epoch": 1, "epochs": 2}
    record_table(made)
    assert capsys.readouterr().out.count("data: captions cut at 77 tokens: 1 of 9 in test") == 1
    comparison_table([made, made], "icfg")
    assert capsys.readouterr().out.count("data: captions cut at 77 tokens: 1 of 9 in test") == 1


def test_an_imported_record_that_is_not_tested_says_how_to_test_it(capsys, fake):
    made = finished(fake, tags={"harness.imported": f"{BAD}.pth"})
    made.selection, made.metrics, made.data = {"rule": "oracle"}, {}, {}
    record_table(made)
    out = capsys.readouterr().out
    assert f"harness evaluate {made.name} --dataset icfg" in out
    assert "\x1b" not in out


def test_methods_are_compared_a_line_each_and_one_that_trains_nothing_used_no_pairs(
    capsys, narrow, fake, monkeypatch
):
    records = [
        finished(fake, "zero_shot", 12, trainable=0),
        finished(fake, "linear_probe", 25, trainable=200_000),
    ]
    comparison_table(records, "icfg")
    out = capsys.readouterr().out
    assert "not shown at 80 columns: of all, time;" in out
    for made, end in zip(records, (["0", "0"], ["200,000", "700"]), strict=True):
        (row,) = rows_of(out, made.config["method"]["name"])
        assert row[1] == f"{made.metrics['test/icfg/t2i/R1']:.1f}"
        assert row[-2:] == end
    monkeypatch.delenv("COLUMNS")
    comparison_table(records, "icfg")
    out = capsys.readouterr().out
    for made, end in zip(records, (["0", "0.0", "%", "0"], ["200,000", "10.0", "%", "700"]), strict=True):
        (row,) = rows_of(out, made.config["method"]["name"])
        assert row[-6:] == [*end, "123456", "s"]


def test_the_title_of_several_methods_names_each_one_s_rule(capsys, fake):
    floor, probe, full = (finished(fake, name) for name in ("zero_shot", "linear_probe", "full_finetune"))
    comparison_table([probe, full], "icfg")
    assert capsys.readouterr().out.splitlines()[0].endswith("· text to image · rule val")
    floor.selection = {"rule": "none"}
    full.selection = {"rule": "last"}
    for records in ([probe, floor], [floor, probe]):
        comparison_table(records, "icfg")
        title = capsys.readouterr().out.splitlines()[0]
        assert "linear_probe rule val" in title
        assert "zero_shot untrained" in title
        assert "none" not in title
    comparison_table([floor, probe, full], "icfg")
    assert "full_finetune rule last" in capsys.readouterr().out.splitlines()[0]


def test_what_was_assumed_of_the_backbones_weights_stands_below_the_result(fake, capsys):
    record = finished(fake)
    record.notes = ["a.pt does not say with which activation it was trained: GELU is assumed."]
    record_table(record)
    assert "backbone: a.pt does not say" in capsys.readouterr().out


def test_how_a_training_set_meets_a_test_is_a_line_with_its_source(capsys):
    met_lines("cuhk+synth_pedes", "icfg")
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("met in training: synth_pedes has captions made from those of icfg: its captioner")
    assert "https://arxiv.org/abs/2305.08386" in said
    met_lines("cuhk", "icfg")
    assert capsys.readouterr().out == ""


def test_one_person_gives_no_interval_and_that_is_said_once(capsys, fake):
    none = (float("nan"), float("nan"))
    assert cell(100.0, none) == "100.0 [–]"
    keys = [f"test/icfg/{way}/{name}" for way in ("t2i", "i2t") for name in ("R1", "mAP")]
    metric_table("title", (dict.fromkeys(keys, 100.0), dict.fromkeys(keys, none)))
    record = finished(fake)
    record.intervals = dict.fromkeys(keys, none)
    comparison_table([record, record], "icfg")
    for out in capsys.readouterr().out.split("title")[1].partition("text to image")[::2]:
        assert out.count("[–]: no interval, one person in test") == 1
        assert len(re.findall(r"\d \[–\]", out)) >= 2, out
        assert "nan" not in out


def test_no_other_line_of_the_source_formats_the_ends_of_an_interval():
    files = [file for folder in ("harness", "reports") for file in (ROOT / folder).rglob("*.py")]
    # The report on orders has a correlation over published results, which always has an interval.
    pair = re.compile(r"\[\{[^{}]*:\.\df\}, \{[^{}]*:\.\df\}\]")
    assert {file.name for file in files if pair.search(file.read_text())} == {
        "tables.py",
        "published_order.py",
    }
