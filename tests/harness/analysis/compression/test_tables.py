"""Tables of a compression probe: the order of layers with ties, which to take first, and how far measures agree."""

import math

import pytest
from scipy.stats import spearmanr

from harness.analysis.compression.measures import METHOD_KEYS, chosen_layers, least_important
from harness.analysis.compression.published import published
from harness.analysis.compression.tables import agreement_table, choice_table, order_table
from harness.pages.tables import DASH


def modules(text, image=((0.5, 0.5), (1.0, 0.2))):
    """Return whole layers with (C1, C2) for each, the first nearest the input."""
    return [
        {"tower": tower, "layer": layer, "part": "Whole", "C1": c1, "C2": c2, "trained": True}
        for tower, values in (("text", text), ("image", image))
        for layer, (c1, c2) in enumerate(values, start=1)
    ]


def found(text, **changes):
    rows = modules(text)
    c1, c2 = ({row["layer"]: row[name] for row in rows if row["tower"] == "text"} for name in ("C1", "C2"))
    return {
        "modules": rows,
        "least_important": least_important(c1, c2, 5),
        "text_layer_parameters": 1_500_000,
    } | changes


def test_layers_come_from_the_smallest_sum_on_and_of_a_tie_the_one_nearer_the_input():
    table = order_table(found([(0.5, 0.5), (0.1, 0.2), (1.0, 0.0), (0.0, 0.05)]))
    assert table.values["layer"].tolist() == [4, 2, 1, 3]
    assert table.values["sum"].tolist() == pytest.approx([0.05, 0.3, 1.0, 1.0])
    assert table.cells.iloc[0].tolist() == ["1", "4", "0.00", "0.05", "0.05"]
    assert table.name == "compression-order"


def test_only_whole_layers_of_the_text_tower_are_ordered():
    part = {"tower": "text", "layer": 1, "part": "SA", "C1": 0.0, "C2": 0.0}
    probed = found([(0.5, 0.5), (0.1, 0.2)])
    probed["modules"] = [part, *probed["modules"]]
    assert order_table(probed).values[["layer", "sum"]].to_numpy().tolist() == [
        [2, pytest.approx(0.3)],
        [1, 1],
    ]


def test_the_layers_to_take_grow_by_one_with_their_parameters_and_settings():
    probed, paper = found([(0.5, 0.5), (0.1, 0.2), (1.0, 0.9)]), published()
    table = choice_table(probed, paper)
    theirs = dict(chosen_layers(least_important(*whole(paper), 12)))
    assert table.values["x"].tolist() == [x for x, _ in chosen_layers(probed["least_important"])]
    first, second = table.values.to_dict("records")[:2]
    assert (first["layers"], second["layers"]) == ("2", "1, 2")
    assert second["published"] == ", ".join(map(str, theirs[2]))
    assert second["parameters"] == 3_000_000
    assert [second[key] for key in METHOD_KEYS] == [f"--set '{key}=[1,2]'" for key in METHOD_KEYS]
    assert table.cells["parameters"].tolist()[:2] != ["1500000", "3000000"]


def whole(paper):
    rows = [row for row in paper["modules"] if (row["tower"], row["part"]) == ("text", "Whole")]
    return ({row["layer"]: row[name] for row in rows} for name in ("C1", "C2"))


def test_a_tower_of_one_layer_has_nothing_to_choose_and_more_than_the_paper_s_a_dash():
    assert len(choice_table(found([(0.5, 0.5)], least_important=[]), published()).cells) == 0
    paper = published() | {"modules": modules([(0.1, 0.1)])}
    table = choice_table(found([(0.5, 0.5), (0.1, 0.2), (0.9, 0.9)]), paper)
    assert table.values["published"].tolist()[-1] == DASH


def test_agreement_is_spearman_s_over_a_tower_s_modules():
    text = [(0.5, 0.1), (0.1, 0.2), (1.0, 0.9), (0.7, 0.0)]
    paper = published() | {"modules": modules([(0.1, 0.4), (0.2, 0.3), (0.3, 0.2), (0.4, 0.1)])}
    table = agreement_table(found(text), paper)
    row, image = table.values.to_dict("records")
    c1, c2 = zip(*text, strict=True)
    assert row["C¹ and C²"] == pytest.approx(spearmanr(c1, c2).statistic)
    assert row["C¹ and C² in the paper"] == pytest.approx(-1)
    assert row["C¹ here and in the paper"] == pytest.approx(spearmanr(c1, [1, 2, 3, 4]).statistic)
    assert image["C¹ here and in the paper"] == pytest.approx(1)
    assert table.cells["tower"].tolist() == ["text", "image"]
    assert table.cells["C¹ and C² in the paper"].tolist() == ["-1.00", "-1.00"]


def test_values_that_are_all_equal_or_of_another_depth_have_no_correlation():
    table = agreement_table(found([(0.5, 0.5), (0.5, 0.2)]), published())
    row = table.values.iloc[0]
    assert math.isnan(row["C¹ and C²"])
    assert math.isnan(row["C² here and in the paper"])
    assert table.cells.iloc[0]["C¹ and C²"] == DASH
