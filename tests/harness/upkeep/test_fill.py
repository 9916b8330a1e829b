"""Figures are put into the lines of their result, and every other line stays as a person wrote it."""

import pytest

from harness.errors import UsageError
from harness.upkeep.check import Checked
from harness.upkeep.expected import Figure
from harness.upkeep.expected_file import read_expected
from harness.upkeep.fill import filled, with_figures

TEXT = """\
# yaml-language-server: $schema=x
# What we promised.
results:
  - name: first   # the main one
    run: a
    expect:
      - t2i/R1
      # to be filled in
      - t2i/mAP

  # beside it
  - name: second
    expect: {t2i/R1: {value: 3,
        within: 2}}
    run: b
  - name: third
    run: c
    expect:
      t2i/R1:
        between: [2,
          40]
# the end
"""


def place(tmp_path, text):
    file = tmp_path / "expected.yaml"
    file.write_text(text)
    return file


def test_only_the_lines_of_a_result_change(tmp_path):
    file = place(tmp_path, TEXT)
    figure = Figure(value=30.25, within=0.1)
    text = with_figures(file, {"first": {"t2i/R1": figure, "t2i/mAP": figure}, "second": {"t2i/R1": figure}})
    row = "      t2i/R1: {value: 30.25, within: 0.1}\n"
    assert text == TEXT.replace(
        "      - t2i/R1\n      # to be filled in\n      - t2i/mAP\n", row + row.replace("R1", "mAP")
    ).replace("    expect: {t2i/R1: {value: 3,\n        within: 2}}\n", f"    expect:\n{row}")
    assert with_figures(file, {}) == TEXT
    file.write_text(text)
    assert read_expected(file).results[1].figures == {"t2i/R1": figure}
    third = {"t2i/R1": Figure(between=(2, 40))}
    assert "    expect:\n      t2i/R1: {between: [2.0, 40.0]}\n# the end\n" in with_figures(
        file, {"third": third}
    )


@pytest.mark.parametrize(
    "text",
    [
        "results: [{name: a, run: a, expect: [t2i/R1]}]",
        "results:\n  - {name: a, run: a, expect: [t2i/R1]}",
        "results:\n  - expect: [t2i/R1]\n    name: a\n    run: a",
    ],
)
def test_a_result_without_lines_of_its_own_is_refused(tmp_path, text):
    file = place(tmp_path, text)
    with pytest.raises(UsageError, match="result 'a' has no line of its own for `expect`"):
        with_figures(file, {"a": {"t2i/R1": Figure(value=1, within=1)}})


def test_what_another_result_refers_to_is_not_cut_off(tmp_path):
    file = place(
        tmp_path,
        "results:\n  - name: a\n    run: a\n    expect: &same\n      - t2i/R1\n"
        "  - name: b\n    run: b\n    expect: *same\n",
    )
    with pytest.raises(UsageError, match="cannot be filled in line by line"):
        with_figures(file, {"a": {"t2i/R1": Figure(value=1, within=1)}})


def test_ends_that_somebody_chose_stay_and_values_are_replaced_only_when_asked():
    figures = {"t2i/R1": Figure(value=3, within=2), "t2i/R5": None, "t2i/mAP": Figure(between=(1, 2))}
    found = {"t2i/R1": 10.123, "t2i/R5": 20.456, "t2i/mAP": 50.0}
    once = filled(figures, found, 0.1, anew=False)
    assert once == figures | {"t2i/R5": Figure(value=20.46, within=0.1)}
    assert filled(figures, found, 0.1, anew=True) == once | {"t2i/R1": Figure(value=10.12, within=2)}


@pytest.mark.parametrize("within", [0.0, 1e-6, 0.001, 0.004, 0.1, 5.0])
@pytest.mark.parametrize("value", [0.0, 100 / 3, 100 * 2 / 7, 99.99499999, 30.5])
def test_a_figure_that_was_filled_in_holds(value, within):
    figures = filled({"t2i/R1": None}, {"t2i/R1": value}, within, anew=False)
    again = filled({"t2i/R1": Figure(value=1.0, within=within)}, {"t2i/R1": value}, 9.0, anew=True)
    assert again == figures
    checked = Checked("a", "t2i/R1", *figures["t2i/R1"].ends, value)
    assert checked.holds, checked.verdict


def test_what_lies_little_off_is_not_said_to_lie_nothing_off():
    verdicts = [
        Checked("a", "t2i/R1", 30.0, 30.0, found).verdict for found in (30.0019, 29.9998, 30.000003, 30.0051)
    ]
    assert verdicts == ["0.002 above", "0.0002 below", "0.000003 above", "0.01 above"]
