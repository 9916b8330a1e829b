"""Expected figures are read strictly: each mistake is one line with the place, what was got and what is allowed."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.upkeep.expected import Figure
from harness.upkeep.expected_file import read_expected

ROOT = Path(__file__).resolve().parents[3]
HEAD = "results:\n  - name: mine\n    method: zero_shot\n    dataset: icfg\n"
GOOD = f"{HEAD}    expect: [t2i/R1]\n"
WRONG = {
    "results: []": "results must not be empty",
    "results: 3": "results must be a list, but got 3",
    "results: [3]": "result 1 must be keys with values, but got 3",
    "resuls: [3]": "unknown key 'resuls'. Did you mean 'results'?",
    HEAD: "result 1 ('mine'), expect is missing",
    f"{HEAD}    expect: 3": "result 1 ('mine'), expect must be figures by name, or a list of names, but got 3",
    f"{HEAD}    expect: []": "result 1 ('mine'), expect must not be empty",
    f"{HEAD}    expect: [t2i/R2]": "has no figure 't2i/R2': known are t2i/R1",
    f"{HEAD}    expect: [t2i/R1, t2i/R1]": "names a figure twice",
    f"{HEAD}    expect: {{t2i/R1: 3}}": "expect t2i/R1 must be keys with values, but got 3",
    f"{HEAD}    expect: {{t2i/R1: {{value: 3}}}}": "expect t2i/R1 must be either value and within, or between",
    f"{HEAD}    expect: {{t2i/R1: {{between: [3, 2]}}}}": "must have the lower end first, but got [3.0, 2.0]",
    f"{HEAD}    expect: {{t2i/R1: {{value: 3, within: 1, between: [2, 4]}}}}": "must be either value and within",
    f"{HEAD}    expect: {{t2i/R1: {{value: 130, within: 1}}}}": "value must be less than or equal to 100, but got 130",
    f"{HEAD}    expect: {{t2i/R1: {{valeu: 3}}}}": "unknown key 'valeu' in result 1 ('mine'), expect t2i/R1. Did you",
    f"{GOOD}    sed: 3": "unknown key 'sed' in result 1 ('mine'). Did you mean",
    f"{GOOD}    seeds: 3": "seeds must be a list, but got 3",
    f"{GOOD}    seeds: [a]": "must be a whole number, but got 'a'",
    f"{GOOD}    seeds: [1, 1]": "seeds names a seed twice",
    f"{GOOD}    set: {{a: {{b: 1}}}}": "set a must be a number, a word, true, false, null or a list of such",
    f"{GOOD}    run: cskt": "names its run: leave method out",
    "results: [{name: a, method: cskt, expect: [t2i/R1]}]": "needs method and dataset, or the name of its run",
    f"{GOOD}    rerun: true\n    bundle: a.zip": "is run again, which no bundle can be",
    GOOD + GOOD.removeprefix("results:\n"): "has the name 'mine' twice",
    'results: [{name: "a\\x1b[31m", run: a, expect: [t2i/R1]}]': "must be printable text on one line",
    "a: [1": "is not valid YAML",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_one_line_with_its_place(tmp_path, text):
    file = tmp_path / "expected.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        read_expected(file)
    said = str(error.value)
    assert WRONG[text] in said
    assert str(file) in said
    assert "\n" not in said
    assert "function-" not in said


def test_ends_are_around_a_value_or_two_that_somebody_chose(tmp_path):
    file = tmp_path / "expected.yaml"
    file.write_text(
        f"{HEAD}    expect:\n      t2i/R1: {{value: 30.5, within: 1.5}}\n      t2i/mAP: {{between: [1, 2]}}\n"
    )
    (result,) = read_expected(file).results
    ends = {name: figure.ends for name, figure in result.figures.items() if isinstance(figure, Figure)}
    assert ends == {"t2i/R1": (29.0, 32.0), "t2i/mAP": (1.0, 2.0)}
    file.write_text(GOOD)
    assert read_expected(file).results[0].figures == {"t2i/R1": None}


@pytest.mark.parametrize("name", ["benchmarks", "examples"])
def test_what_ships_is_read(name):
    assert read_expected(ROOT / name / "expected.yaml").results
