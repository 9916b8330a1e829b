"""Published tables: the figures as printed, each with its source and protocol, and empty where nothing is known."""

import pytest

from harness.datasets import DATASETS
from harness.errors import UsageError
from harness.methods import METHODS
from harness.presets.resolve import override, resolve
from harness.suites.published_tables import load_published, published_names, read_published

TABLES = {name: load_published(name) for name in published_names()}
ROWS = [(name, row) for name, table in TABLES.items() for row in table.rows]


def found(table, method, tested_on, trained_on="same", **more):
    """The one row of a method on a test set."""
    trained_on = tested_on if trained_on == "same" else trained_on
    rows = [
        row
        for row in TABLES[table].rows
        if (row.method, row.tested_on, row.trained_on) == (method, tested_on, trained_on)
        and all(getattr(row, key) == value for key, value in more.items())
    ]
    assert len(rows) == 1
    return rows[0]


def figures(row):
    return [row.metrics.get(f"t2i/{name}") for name in ("R1", "R5", "R10", "mAP")]


# Typed by hand from the papers' tables, not from the files.
@pytest.mark.parametrize(
    ("row", "golden"),
    [
        (("cskt_main", "CSKT", "cuhk"), [69.70, 86.92, 91.80, 62.74]),
        (("cskt_main", "CSKT", "icfg"), [58.90, 77.31, 83.56, 33.87]),
        (("cskt_main", "CSKT", "rstp"), [57.75, 81.30, 88.35, 46.43]),
        (("clip_baselines", "CLIP zero-shot", "cuhk", None), [12.65, 27.16, None, 11.15]),
        (("clip_baselines", "CLIP zero-shot", "rstp", None), [13.45, 33.85, None, 10.31]),
        (("parameter_efficient", "DM-Adapter", "icfg"), [62.64, 79.53, 85.32, 36.50]),
        (("parameter_efficient", "IRRA", "rstp"), [60.20, 81.30, 88.20, 47.17]),
        (("parameter_efficient", "CFine", "cuhk"), [69.57, 85.93, 91.15, None]),
        (("tbps_clip_main", "Simplified TBPS-CLIP", "icfg"), [64.52, 80.03, 85.39, 39.54]),
        (("tbps_clip_tricks", "CLIP + GlobalGrad", "cuhk"), [63.66, 84.08, 90.11, 56.46]),
        (("tbps_clip_tricks", "CLIP*", "cuhk"), [64.34, 84.05, 90.51, 57.53]),
        (("tbps_clip_image_augmentation", "RandomRotation", "cuhk"), [65.50, 85.20, 91.13, 58.92]),
        (("tbps_clip_image_augmentation", "TrivialAugment", "cuhk"), [65.59, 84.58, 90.81, 58.58]),
        (("tbps_clip_text_augmentation", "EDA", "cuhk"), [63.43, 83.77, 90.27, 56.15]),
        (("tbps_clip_text_augmentation", "CLIP*+Aug", "cuhk"), [66.78, 85.98, 91.23, 59.68]),
        (("tbps_clip_losses", "MVS-IT", "cuhk"), [67.01, 85.66, 91.33, 59.83]),
        (("tbps_clip_losses", "C-ITC", "cuhk"), [67.15, 86.31, 92.04, 60.58]),
        (("tbps_clip_main", "TP-TPS", "icfg"), [60.64, 75.97, 81.76, 42.78]),
        (("tbps_clip_main", "DSSL", "rstp"), [39.05, 62.60, 73.95, None]),
        (("transfer_icl", "IRRA", "icfg", "cuhk"), [42.41, 62.11, 69.62, 21.77]),
        (("transfer_icl", "RDE", "cuhk", "rstp"), [36.94, 58.22, 67.58, 33.65]),
        (("transfer_icl", "ICL", "rstp", "icfg"), [52.50, 75.05, 83.00, 41.82]),
        (("transfer_itself", "CLIP", "icfg", "rstp"), [33.58, None, None, 19.58]),
        (("transfer_itself", "ITSELF", "cuhk", "icfg"), [41.05, 63.30, 72.08, 37.79]),
        (("transfer_icl_long", "RDE", "ufine", "icfg"), [17.86, None, None, None]),
        (("transfer_icl_long", "ICL", "rstp", "ufine"), [48.85, None, None, None]),
        (("transfer_unipt", "Dual Path", "cuhk", "icfg"), [7.63, 17.14, 23.52, None]),
        (("transfer_conquer", "SEN", "rstp", "cuhk"), [55.50, 77.85, None, 45.29]),
    ],
)
def test_figures_are_those_printed(row, golden):
    assert figures(found(*row)) == golden


def test_figures_of_rows_with_a_setting_are_those_printed():
    b16 = found("tbps_clip_main", "TBPS-CLIP", "rstp", backbone="ViT-B/16")
    assert figures(b16) == [61.95, 83.55, 88.75, 48.26]
    assert figures(found("tbps_clip_main", "CLIP", "cuhk", backbone="ViT-B/32")) == [
        60.67,
        81.99,
        88.87,
        54.72,
    ]
    coop = found("tbps_clip_few_shot", "CoOp", "cuhk", condition="5 % of the training data")
    assert figures(coop) == [11.37, 24.19, 32.46, 10.48]
    loss = found("tbps_clip_losses", "R-ITC", "cuhk")
    assert figures(loss) == [68.19, 86.01, 90.94, 60.90]
    pool = found("tbps_clip_image_augmentation", "Augmentation pool", "cuhk")
    assert figures(pool) == [66.13, 85.38, 91.21, 59.30]
    blur = found("tbps_clip_strength", "GaussianBlur", "cuhk", condition="blur_kernel 11")
    assert figures(blur) == [46.48, 70.60, None, 42.09]
    swap = found("tbps_clip_strength", "Random swap", "cuhk", condition="alpha 0.1")
    assert figures(swap) == [51.06, 74.72, 83.16, 45.16]
    dropped = found("tbps_clip_compression", "TBPS-CLIP", "cuhk", condition="text layers 3, 5, 7, 8 dropped")
    assert figures(dropped) == [60.60, None, None, None]
    small = found("tbps_clip_main", "Simplified TBPS-CLIP", "cuhk", condition="batches of 160")
    assert figures(small) == [71.22, 87.77, 92.19, 63.85]
    irra = found("tbps_clip_irra", "IRRA", "icfg", condition="starts from TBPS-CLIP")
    assert irra.metrics["t2i/mINP"] == 9.36
    nam = found("transfer_nam", "IRRA", "icfg", "rstp", condition="starts from WebPerson 5M (GA-DMS)")
    assert (figures(nam), nam.source.paper) == ([57.13, None, None, 35.76], "GA-DMS (EMNLP 2025)")


def test_costs_are_those_printed():
    assert found("cskt_main", "CSKT", "icfg").costs == {"trainable_millions": 12, "trainable_percent": 7.4}
    assert found("parameter_efficient", "CSKT", "cuhk").costs["train_memory_mb"] == 2338
    up_person = found("parameter_efficient", "UP-Person", "cuhk", backbone="ViT-B/16").costs
    assert (up_person["trainable_millions"], up_person["trainable_percent"]) == (7.4, 4.7)
    assert found("tbps_clip_cost", "TBPS-CLIP", "cuhk").costs == {
        "parameters_millions": 149.2,
        "epochs": 5,
        "train_seconds": 1234.7,
        "test_seconds": 31.4,
    }


def test_a_row_may_have_a_protocol_of_its_own():
    assert TABLES["tbps_clip_main"].selection == "unknown"
    assert found("tbps_clip_main", "LGUR", "icfg").selection == "unknown"
    assert "test split" in found("tbps_clip_main", "IRRA", "icfg").selection
    assert "nothing is trained" in found("clip_baselines", "CLIP zero-shot", "icfg", None).selection


@pytest.mark.parametrize("name", ["cskt_ablation", "cskt_transfer"])
def test_what_was_not_found_is_empty(name):
    assert TABLES[name].rows
    assert not any(value is not None for row in TABLES[name].rows for value in row.metrics.values())


def test_the_six_transfers_of_cskt_are_there_to_be_filled():
    pairs = {(row.trained_on, row.tested_on) for row in TABLES["cskt_transfer"].rows}
    assert len(pairs) == 6
    assert all(first != second for first, second in pairs)


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_every_row_has_source_protocol_and_names_that_exist(name, row):
    assert row.source.paper.strip()
    assert row.selection.strip()
    assert row.tested_on in DATASETS.names()
    assert row.trained_on is None or row.trained_on in DATASETS.names()
    assert row.counterpart is None or row.counterpart in METHODS.names()
    assert all(value is None or 0 < value < 100 for value in row.metrics.values())
    assert row.metrics or row.costs


def test_a_row_that_names_settings_names_ones_that_its_counterpart_has():
    for name, row in ROWS:
        if row.presets or row.set:
            overrides = [override(key, value) for key, value in row.set.items()]
            config = resolve(row.counterpart, row.tested_on, presets=row.presets, overrides=overrides)
            assert config.method.name == row.counterpart, name


def test_no_two_rows_of_tbps_clip_have_the_same_settings_backbone_and_dataset():
    rows = [row for name, row in ROWS if row.presets and row.counterpart == "tbps_clip"]
    keys = []
    for row in rows:
        overrides = [override(key, value) for key, value in row.set.items()]
        config = resolve("tbps_clip", row.tested_on, presets=row.presets, overrides=overrides)
        keys.append((row.tested_on, row.backbone, config.model_dump_json()))
    doubles = {key[:2] for key in keys if keys.count(key) > 1}
    assert len(rows) > 80
    assert not doubles


def test_recalls_and_precision_are_in_order():
    for _, row in ROWS:
        recalls = [row.metrics.get(f"t2i/R{k}") for k in (1, 5, 10)]
        known = [value for value in recalls if value is not None]
        assert known == sorted(known), row


def test_no_line_stands_twice_in_a_table():
    for table in TABLES.values():
        keys = [(r.method, r.condition, r.trained_on, r.tested_on, r.backbone, r.source) for r in table.rows]
        assert len({str(key) for key in keys}) == len(keys), table.name


def test_tables_agree_where_they_quote_the_same_method():
    tables = ("cskt_main", "parameter_efficient", "tbps_clip_main")
    for method in ("CSKT", "IRRA", "CFine"):
        for dataset in ("cuhk", "icfg", "rstp"):
            rows = [row for name in tables for row in TABLES[name].rows if row.method == method]
            assert len({str(figures(row)) for row in rows if row.tested_on == dataset}) == 1


WHOLE = """
title: T
selection: unknown
columns: [t2i/R1]
rows:
  - {method: A, source: {paper: P}, results: {cuhk: [1.5], none to icfg: [null]}}
"""


def test_a_line_gives_one_row_a_result(tmp_path):
    (tmp_path / "t.yaml").write_text(WHOLE)
    table = read_published(tmp_path / "t.yaml")
    assert [(row.trained_on, row.tested_on, row.metrics) for row in table.rows] == [
        ("cuhk", "cuhk", {"t2i/R1": 1.5}),
        (None, "icfg", {"t2i/R1": None}),
    ]
    assert {row.selection for row in table.rows} == {"unknown"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("source: {paper: P}, ", "", "A has no source"),
        ("[1.5]", "[1.5, 2.5]", "2 values for 1 columns"),
        ("t2i/R1", "t2i/R3", "columns"),
        ("selection: unknown", "note: x", "selection"),
        ("method: A", "methid: A", "methid"),
    ],
)
def test_a_faulty_table_is_refused_with_its_name(tmp_path, old, new, message):
    (tmp_path / "t.yaml").write_text(WHOLE.replace(old, new))
    with pytest.raises(UsageError, match=rf"t\.yaml.*{message}"):
        read_published(tmp_path / "t.yaml")


def test_an_unknown_table_gets_the_nearest_name():
    with pytest.raises(UsageError, match="Did you mean 'cskt_main'"):
        load_published("cskt-mian")
    assert load_published("cskt-main") == TABLES["cskt_main"]
