"""Configurations against their reference: which one it is, what each changes, and the differences."""

import pytest
from pandas import DataFrame
from scipy import stats

from harness.evaluate.paired_difference import holm
from harness.results.ablation_pairs import _NEAREST, _ONLY, _SEVERAL, _UNSET, SAME, compared, have_names
from harness.results.panels import dataset_facts, split_panels
from tests.ablation_rows import configured, of_defaults, panel_of, star_panel


@pytest.fixture
def star():
    return star_panel()


def test_the_reference_is_the_configuration_that_the_others_differ_from_in_the_fewest_keys(star):
    first = compared(star).iloc[0]
    assert first[["R1", "role", "n_keys"]].tolist() == [40, "reference: nearest to the others", 0]


def test_the_defaults_are_the_reference_where_they_were_run_even_when_others_are_nearer():
    rows = [
        of_defaults(50, **{"method.prompt_depth": 3}),
        of_defaults(51, **{"method.prompt_depth": 3, "method.reduction": 2}),
        of_defaults(52, **{"method.prompt_depth": 3, "method.reduction": 4}),
        of_defaults(40),
    ]
    found = compared(panel_of(*rows))
    assert found.iloc[0][["R1", "role"]].tolist() == [40, "reference: defaults"]
    assert compared(panel_of(*rows[1:3])).iloc[0]["role"] == "reference: nearest to the others"
    assert found.iloc[1][["change", "instead_of"]].tolist() == ["method.prompt_depth=3", "12"]


@pytest.mark.parametrize(("names", "reference"), [(("", "", ""), 40), (("base", "one", "whole"), 50)])
def test_in_a_suite_the_reference_is_what_its_rows_were_made_from_and_not_the_defaults(names, reference):
    rows = [
        of_defaults(50, **{"method.prompt_depth": 3}),
        of_defaults(51, **{"method.prompt_depth": 3, "method.reduction": 2}),
        of_defaults(40),
    ]
    found = compared(panel_of(*(row | {"suite_row": name} for row, name in zip(rows, names, strict=True))))
    assert found.iloc[0]["R1"] == reference
    assert found["suite_row"].tolist().count("base") == names.count("base")


def test_where_a_suite_s_order_is_known_its_first_row_is_the_reference_and_the_order_stays():
    rows = [
        configured(40, method__lr=9),
        configured(45, method__lr=5, method__depth=3),
        configured(39, method__lr=5),
        configured(60, method__lr=5, method__depth=2),
    ]
    nearest = compared(panel_of(*(row | {"suite_row": "a"} for row in rows)))
    placed = compared(
        panel_of(*(row | {"suite_row": "a", "suite_place": place} for place, row in enumerate(rows)))
    )
    assert nearest.iloc[0][["R1", "role"]].tolist() == [39, _NEAREST]
    assert placed.iloc[0][["R1", "role"]].tolist() == [40, "reference: first row of the suite"]
    assert placed["R1"].tolist() == [40, 45, 39, 60]


def test_each_row_that_a_suite_varies_is_the_reference_of_its_variations():
    rows = [
        configured(30, method__lr=9) | {"suite_row": "fast"},
        configured(31, method__lr=9, method__depth=3) | {"suite_row": "fast: method.depth=3"},
        configured(40) | {"suite_row": "slow"},
        configured(45, method__depth=3) | {"suite_row": "slow: method.depth=3"},
        configured(46, method__depth=1) | {"suite_row": "slow: method.depth=1"},
        configured(20, method__lr=5) | {"suite_row": "a: remark"},
    ]
    found = compared(panel_of(*rows))
    assert found["suite_row"].tolist() == [
        *(
            "slow",
            "slow: method.depth=1",
            "slow: method.depth=3",
            "fast",
            "fast: method.depth=3",
            "a: remark",
        ),
    ]
    assert found["R1_difference"].tolist()[1:5:3] == pytest.approx([6, 1])
    assert found["role"].astype(bool).tolist() == [True, False, False, True, False, True]


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (("CLIP*", "Dropout", "Soft labels"), True),
        (("mine", "Dropout", "Soft labels"), True),
        (("mine", "method.depth=3", "Soft labels"), False),
        (("mine", "method.depth=3", "method.lr=9"), False),
        (("", "", ""), False),
    ],
)
def test_rows_have_names_where_most_say_more_than_what_is_changed(names, named):
    rows = (configured(40), configured(41, method__depth=3), configured(42, method__lr=9))
    found = compared(panel_of(*(row | {"suite_row": name} for row, name in zip(rows, names, strict=True))))
    assert have_names(found) is named


def test_keys_that_all_configurations_share_do_not_keep_the_defaults_from_being_the_reference():
    rows = [
        of_defaults(40, **{"train.epochs": 3}),
        of_defaults(50, **{"train.epochs": 3, "method.init": "zero"}),
    ]
    assert compared(panel_of(*rows)).iloc[0][["R1", "role"]].tolist() == [40, "reference: defaults"]


def test_of_equally_near_configurations_the_one_of_most_seeds_is_the_reference():
    rows = [configured(1), configured(2, method__lr=9, n_seeds=3)]
    assert compared(panel_of(*rows))["R1"].tolist() == [2, 1]


def test_changes_of_one_key_come_first_by_key_and_value_the_key_of_the_largest_difference_leading(star):
    rows = compared(star)
    assert rows["change"].tolist()[1:] == [
        *("method.lr=0.5", "method.depth=1", "method.depth=3", "method.depth=10"),
        "method.depth=20, method.lr=9",
    ]
    assert rows["instead_of"].tolist()[1:] == ["0.1", "12", "12", "12", "12, 0.1"]
    assert rows["group"].tolist()[-1] == "several settings"


def test_the_difference_is_to_the_methods_own_reference_person_by_person(star):
    row = compared(star).set_index("change").loc["method.lr=0.5"]
    one, other = (star.persons[f"mine {keys} on icfg"] for keys in ("[('method.lr', '0.5')]", "[]"))
    gaps = 10 * (one.of("mAP") - other.of("mAP"))[0]
    half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / len(gaps) ** 0.5
    assert row["R1_difference"] == pytest.approx(12)
    assert (row["mAP_difference_low"], row["mAP_difference_high"]) == pytest.approx((12 - half, 12 + half))
    two = [configured(70, "other"), configured(60, "other", method__lr=2, n_seeds=9)]
    rows = compared(panel_of(*star.records, *two)).set_index(["method", "change"])
    assert rows.loc[("other", "method.lr=0.1"), "R1_difference"] == pytest.approx(10)


def test_p_is_adjusted_for_all_comparisons_of_the_table(star):
    found = compared(star)
    assert found["p_holm"].notna().tolist() == [False, *[True] * 5]
    assert found["p_holm"].dropna().tolist() == holm(found["p"].dropna()).tolist()
    assert (found["p_holm"] > found["p"]).any()
    two = [configured(70, "other"), configured(60, "other", method__lr=2)]
    more = compared(panel_of(*star.records, *two)).set_index("condition")["p_holm"]
    assert (
        more["mine [('method.depth', '1')]"]
        >= found.set_index("condition")["p_holm"]["mine [('method.depth', '1')]"]
    )


def test_keys_that_cannot_change_a_result_are_no_difference(monkeypatch):
    from harness.methods import METHODS, setting

    base = METHODS.get("cskt").Config

    class Config(base):
        """The method's, with a field that cannot change a result."""

        workers: int = setting(1, "of no matter", identity=False)

    monkeypatch.setattr(METHODS.get("cskt"), "Config", Config)
    rows = [of_defaults(40), of_defaults(50, **{"method.workers": 3, "method.init": "zero"})]
    assert compared(panel_of(*rows))["change"].tolist() == ["", "method.init=zero"]


def test_one_configuration_of_a_method_is_alone_and_has_no_difference():
    row = compared(panel_of(configured(40))).iloc[0]
    assert row[["role", "group", "n_keys", "change"]].tolist() == [_ONLY, "", 0, ""]
    assert row[["R1_difference", "R1_difference_low", "p", "p_holm"]].isna().all()


def test_equal_settings_of_other_conditions_are_one_group_after_all_changes():
    rows = [
        configured(40, n_seeds=2),
        configured(44, condition="another version"),
        configured(41, method__new=2),
    ]
    found = compared(panel_of(*rows))
    assert found["group"].tolist() == ["", "method.new", SAME]
    assert found["role"].tolist() == [_NEAREST, "", ""]
    assert found["instead_of"].tolist()[1] == _UNSET
    assert found["R1_difference"].tolist()[1:] == pytest.approx([1, 4])


def test_without_persons_a_difference_is_the_plain_one_and_nothing_is_tested():
    rows = DataFrame([configured(40, n_seeds=3), configured(41.5, method__lr=2)])
    (panel,) = split_panels(rows, dataset_facts)
    row = compared(panel).iloc[1]
    assert row["R1_difference"] == pytest.approx(1.5)
    assert row[["R1_difference_low", "R1_difference_high", "p", "p_holm"]].isna().all()


def test_values_of_a_key_are_ordered_as_numbers_and_words_come_last():
    rows = [
        configured(40, n_seeds=9),
        *(configured(41, method__depth=value) for value in ("b", 10, 9, "a", "nan")),
    ]
    found = compared(panel_of(*rows))
    assert list(found["change"])[1:] == [f"method.depth={v}" for v in (9, 10, "a", "b", "nan")]
    two = compared(panel_of(configured(40, n_seeds=9), configured(1, method__depth=1, method__lr=1)))
    assert two["group"].tolist() == ["", _SEVERAL]
