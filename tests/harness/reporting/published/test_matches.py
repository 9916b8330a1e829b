"""Published rows beside results: which belong together, the difference, and what is unlike."""

import pytest
from pandas import DataFrame

from harness.reporting.published.matches import (
    OTHER,
    PARTLY,
    SAME,
    Sources,
    _source_text,
    _stand_beside,
    compared,
    counterparts,
    published_rule,
    published_tables,
    short_paper,
    with_published,
)
from harness.results.run_table import load_rows, write_rows
from harness.suites.published_tables import load_published, published_names
from tests.published_rows import ALL, named, panel_of, published, real, split, tbps


@pytest.mark.parametrize(
    ("value", "lies"), [(57.0, "within"), (63.0, "within"), (56.9, "below"), (63.1, "above"), (None, "")]
)
def test_words_say_where_the_published_figure_lies_of_the_interval(value, lies):
    panel = panel_of(real(r1=60.0), published=[published(R1=value)])
    assert compared(panel)[0]["R1_lies"] == lies


def test_real_and_synthetic_results_stand_in_panels_of_their_own(fake):
    panels = split(fake.row("cskt", "cuhk", r1=10), real(r1=69))
    assert [len(compared(panel)) for panel in panels] == [1, 0]


def test_every_published_choice_of_an_epoch_that_names_the_test_split_is_known_as_such():
    rows = [row for name in published_names() for row in load_published(name).rows]
    for row in rows:
        rule = published_rule(row.selection)
        assert (rule == "oracle") == (
            "test split" in row.selection and not row.selection.startswith("unknown")
        )
    assert {published_rule(row.selection) for row in rows} == {"oracle", "untrained", None}


def test_a_suite_shows_the_tables_that_it_names():
    assert published_tables("cskt_ablation") == ["cskt_main", "cskt_ablation"]
    assert published_tables("cskt-ablation") == ["cskt_main", "cskt_ablation"]
    assert published_tables(None) == published_tables("my own suite.yaml") == published_names()


@pytest.mark.parametrize(
    ("preset", "overrides", "name"),
    [
        ("clip_baseline", [], "CLIP"),
        ("clip_baseline", ["method.soft_labels=0.5"], "CLIP + SLabel"),
        ("clip_star", [], "CLIP*"),
        ("clip_star", ["train.augment.recipe=pool"], "Augmentation pool"),
        ("clip_star", ["train.augment.text.eda=0.05"], "EDA"),
        ("clip_star_aug", ["method.itc=0", "method.n_itc=1"], "N-ITC"),
        ("full", [], "TBPS-CLIP"),
    ],
)
def test_a_result_stands_beside_the_published_row_of_its_own_settings_alone(preset, overrides, name):
    (row,) = compared(panel_of(tbps(preset, overrides)))
    assert (row["published_as"], row["R1_published"]) == (name, named(name)["R1"])
    assert row["differing"] == "epoch, training data"[: len("epoch")]


def test_few_images_and_all_are_never_set_against_each_other():
    few = tbps("full", ["dataset.few_shot=0.05"])
    (row,) = compared(panel_of(few))
    assert (row["published_as"], row["condition"]) == ("TBPS-CLIP", "5 % of the training data")
    assert compared(panel_of(tbps("full", ["dataset.few_shot=0.07"]))) == []
    few = real(overrides=["dataset.few_shot=0.5"])
    assert compared(panel_of(few)) == []


def test_rows_keep_what_is_published_in_their_file(fake, tmp_path):
    rows = with_published(DataFrame([real(), fake.row("mine")]), ALL)
    write_rows(tmp_path / "x.json", rows)
    back = load_rows(tmp_path / "x.json")
    assert back["published"].tolist() == rows["published"].tolist()
    assert back["published"].tolist()[1] == []


def test_papers_lose_their_titles():
    assert short_paper('Cao et al., "An Empirical Study, of CLIP", AAAI 2024') == "Cao et al., AAAI 2024"
    assert short_paper("ICL (CVPR 2025)") == "ICL (CVPR 2025)"


def test_the_difference_is_value_and_ends_less_the_published_figure():
    (row,) = compared(panel_of(real(r1=61.0), published=[published(R1=60.0, mAP=None)]))
    ends = [row[f"R1_{end}"] for end in ("published", "less", "less_low", "less_high")]
    assert ends == pytest.approx([60, 1, -2, 4])
    assert row["mAP_less"] != row["mAP_less"]
    assert (row["mAP_lies"], row["protocol"], row["unlike"]) == ("", SAME, "")


@pytest.mark.parametrize(
    ("ours", "theirs", "mark", "named"),
    [
        ({}, {"rule": None}, PARTLY, "epoch"),
        ({}, {"rule": None, "backbone": None}, PARTLY, "epoch, backbone"),
        ({"image_size": "1×1"}, {"rule": None}, OTHER, "image size"),
        ({"val": "holdout", "train_on": "train+val"}, {}, OTHER, "training data"),
    ],
)
def test_what_is_unlike_goes_before_what_is_unknown(ours, theirs, mark, named):
    (row,) = compared(panel_of(real(**ours), published=[published(**theirs)]))
    assert (row["protocol"], row["differing"]) == (mark, named)
    assert bool(row["unlike"]) == (mark == OTHER)


def test_nothing_is_set_against_a_twin_though_it_stands_beside(fake):
    twin = fake.row("cskt", "cuhk")
    assert [one["changed"] for one in _stand_beside(twin, [published()])] == [{"method.lr": "0.1"}]
    assert compared(panel_of(twin, published=[published()])) == []


def test_an_untrained_result_stands_beside_rows_that_were_trained_on_nothing(fake):
    row = fake.row("zero_shot", "icfg", "cuhk", rule="untrained")
    theirs = published(counterpart="zero_shot")
    assert _stand_beside(row, [theirs]) == []
    assert len(_stand_beside(row, [theirs | {"trained_on": None}])) == 1


def test_a_row_that_several_tables_quote_comes_once_with_all_of_them():
    found = counterparts(["cskt_main", "parameter_efficient"])
    twice = [row for row in found if len(row["tables"]) == 2]
    assert twice
    assert len(found) < sum(len(counterparts([name])) for name in ("cskt_main", "parameter_efficient"))
    assert counterparts([]) == []


def test_sources_are_numbered_as_they_are_met_and_each_once():
    sources, other = Sources(), published(table="Table 3", note="Read off a plot.")
    assert [sources.mark(row) for row in (published(), other, published())] == ["[1]", "[2]", "[1]"]
    assert [note[:4] for note in sources.notes] == ["[1] ", "[2] "]
    assert _source_text(other).endswith("Read off a plot.")
    assert ".." not in _source_text(other)
