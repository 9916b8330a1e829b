import pytest
from pandas import DataFrame

from harness.results.panels import Panel, protocol_facts, split_panels, training_facts

SEEDS = "† persons only: another seed may order otherwise. Nothing tells what another seed would change."


def facts(row):
    return protocol_facts(row) | training_facts(row)


def split(*rows):
    return split_panels(DataFrame(list(rows)), facts)


def test_synthetic_and_real_never_share_a_panel(fake):
    real, twin = split(fake.row(synthetic=True), fake.row(synthetic=False), fake.row(r1=20, synthetic=True))
    assert not real.rows["synthetic"].any()
    assert twin.rows["synthetic"].all()
    assert (real.facts["data"], twin.facts["data"]) == ("real data", "SYNTHETIC TWIN")
    assert "SYNTHETIC TWIN" in twin.title
    assert twin.reasons == [
        "Separate from protocol 1, because data is SYNTHETIC TWIN here and real data there."
    ]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"rule": "oracle"}, "selection rule is oracle here and val there"),
        ({"backbone": "ViT-L-14"}, "backbone is ViT-L-14 (abab) here and tiny (abab) there"),
        ({"weights": "cdcd"}, "backbone is tiny (cdcd) here"),
        ({"image_size": "224×224"}, "image size is 224×224 here and 96×32 there"),
        ({"text_length": "168"}, "text length is 168"),
        ({"train_pairs": 31.0}, "training pairs of icfg is 31 here and 700 there"),
        ({"val": "none"}, "validation of icfg is none, trained on train here"),
        ({"train_on": "train+val"}, "validation of icfg is holdout, trained on train+val here"),
        (
            {"fingerprint": "x", "test_fingerprint": "x"},
            "annotations of icfg is x here and data-of-icfg there",
        ),
        ({"protocol": "2"}, "protocol version is 2 here and 1 there"),
        ({"pictures": "x"}, "test pictures of icfg is x here and test-of-icfg there"),
        ({"left_out": 48}, "unreadable test pictures of icfg is 48 here and 0 there"),
        ({"train_pictures": "x"}, "training pictures of icfg is x here and train-of-icfg there"),
        ({"interval_method": 1.0}, "intervals is method 1 (bootstrap) here and method 2 (Wilson's) there"),
        ({"train_left_out": 3.0}, "unreadable training pictures of icfg is 3 here and 0 there"),
    ],
)
def test_an_unlike_protocol_stands_apart_with_its_reason(fake, change, word):
    first, second = split(fake.row(), fake.row(method="other"), fake.row(**change))
    assert len(first.records) == 2
    assert len(second.records) == 1
    assert word in second.reasons[0]


@pytest.mark.parametrize("unknown", [{"interval_method": None}, {"interval_method": 1, "R1_low": None}])
def test_what_has_no_interval_shares_a_table_with_any(fake, unknown):
    (one,) = split(fake.row(), fake.row(method="other", **unknown))
    assert one.facts["intervals"] == "method 2 (Wilson's)"


def test_what_was_made_before_pictures_were_part_of_it_joins_and_is_named(fake):
    unknown = {"pictures": "", "train_pictures": "", "left_out": None, "train_left_out": None}
    (one,) = split(fake.row(), fake.row(method="old", **unknown))
    assert len(one.records) == 2
    assert one.caveats() == ["Made before pictures were part of it: old.", SEEDS]
    assert one.words()[-2:] == one.caveats()
    assert split(fake.row())[0].caveats() == [SEEDS]
    assert split(fake.row(rule="untrained"))[0].caveats() == []


def test_what_is_left_out_stands_below_every_table(fake):
    (one,) = split(fake.row(left_out=48, train_left_out=3))
    assert one.caveats() == [
        "48 test images of icfg cannot be read and are left out.",
        "3 training images of icfg cannot be read and are left out.",
        SEEDS,
    ]


def test_what_is_wrong_with_the_data_stands_below_every_table_once(fake):
    faults = ["Not the published test set: 402 images, published 19,848", "2 persons in more than one split"]
    (one,) = split(fake.row(faults=faults), fake.row(method="other", faults=faults))
    assert one.caveats() == [
        "icfg: not the published test set: 402 images, published 19,848.",
        "icfg: 2 persons in more than one split.",
        SEEDS,
    ]


def test_training_sets_may_differ_but_each_in_one_way_only(fake):
    (one,) = split(fake.row(trained_on="icfg"), fake.row(trained_on="cuhk", train_pairs=99.0))
    assert len(one.records) == 2
    assert len(split(fake.row(trained_on="icfg"), fake.row(trained_on="icfg", train_pairs=99.0))) == 2


def test_a_transfer_to_another_state_of_a_dataset_is_kept_apart(fake):
    panels = split(
        fake.row(), fake.row(trained_on="cuhk"), fake.row(tested_on="cuhk", test_fingerprint="old")
    )
    assert [len(panel.records) for panel in panels] == [2, 1]
    assert "annotations of cuhk is old here" in panels[1].reasons[0]


def test_an_untrained_method_stands_in_each_panel_that_it_fits(fake):
    floor = fake.row("zero_shot", rule="untrained", train_pairs=5.0, val="none")
    panels = split(fake.row(), fake.row(rule="oracle"), fake.row(image_size="1×1"), floor)
    assert [set(panel.rows["method"]) == {"cskt", "zero_shot"} for panel in panels] == [True, True, False]


def test_an_untrained_method_stands_once_for_each_test_set_by_its_own_result(fake):
    rows = [
        fake.row("zero_shot", "icfg", "cuhk", 11, rule="untrained"),
        fake.row("zero_shot", "cuhk", "cuhk", 12, rule="untrained"),
        fake.row("zero_shot", "cuhk", "icfg", 13, rule="untrained"),
    ]
    (panel,) = split(fake.row(), *rows)
    floor = panel.rows[panel.rows["rule"] == "untrained"]
    assert dict(zip(floor["tested_on"], floor["R1"], strict=True)) == {"cuhk": 12, "icfg": 13}
    assert set(floor["label"]) == {"zero_shot"}


def test_the_commonest_protocol_comes_first(fake):
    panels = split(fake.row(rule="oracle"), fake.row("a"), fake.row("b"))
    assert [panel.facts["selection rule"] for panel in panels] == ["val", "oracle"]


def test_rows_of_one_method_are_labelled_by_the_settings_that_differ(fake):
    config = fake.row()["config"]
    slow, fast = config, config | {"method.lr": "0.5"}
    (panel,) = split(
        fake.row(condition="1", config=slow), fake.row(condition="2", config=fast), fake.row("other")
    )
    assert [row["label"] for row in panel.records] == [
        "cskt (method.lr=0.1)",
        "cskt (method.lr=0.5)",
        "other",
    ]


def test_a_label_is_the_same_on_every_test_and_training_set(fake):
    slow, fast = (fake.row()["config"] | {"method.lr": lr} for lr in ("0.1", "0.5"))
    (panel,) = split(
        fake.row(condition="1", config=slow),
        fake.row(condition="1", config=slow, tested_on="cuhk"),
        fake.row(condition="2", config=fast),
        fake.row(trained_on="cuhk", condition="3", config=slow),
        fake.row("other", condition="4", config=slow),
        fake.row("other", trained_on="cuhk", condition="5", config=fast),
    )
    labels = {(row["condition"], row["label"]) for row in panel.records}
    first, second = "cskt (method.lr=0.1)", "cskt (method.lr=0.5)"
    assert labels == {("1", first), ("2", second), ("3", first), ("4", "other"), ("5", "other")}


def test_rows_that_differ_outside_their_settings_are_still_told_apart(fake):
    (panel,) = split(fake.row(condition="111111x"), fake.row(condition="222222y"))
    assert [row["label"] for row in panel.records] == ["cskt, no. 1", "cskt, no. 2"]


def test_the_header_of_a_panel_escapes_what_it_shows():
    shown = Panel(1, {"data": "<b>", "backbone": "<script>"}, [], ["<i>"])._repr_html_()
    assert not {"<b>", "<script>", "<i>"} & set(shown.replace("<", " <").split())
    assert "&lt;script&gt;" in shown
