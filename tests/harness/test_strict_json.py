import json

import pytest

from harness.strict_json import MOST_LEVELS, read_json_text


def test_a_value_comes_back_as_it_was_written():
    value = {"a": [1, -2.5, True, None, "é\n"], "b": {"c": {}}}
    assert read_json_text(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 100_000, "inside one another"),
        ("[" * 200 + "]" * 200, "inside one another"),
        ('{"a":' * 200 + "1" + "}" * 200, "inside one another"),
        ("[1, " * 200 + "2" + "]" * 200, "inside one another"),
        ("1" * 5_000, "4300 digits"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' is given twice"),
        ("[NaN]", "NaN is no number"),
        ("-Infinity", "-Infinity is no number"),
        ("", "Expecting value"),
        ("[1", "delimiter"),
    ],
)
def test_what_is_no_json_is_one_line(text, told):
    with pytest.raises(ValueError, match=told) as error:
        read_json_text(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_levels_are_counted_exactly():
    assert read_json_text("[" * MOST_LEVELS + "]" * MOST_LEVELS)
    with pytest.raises(ValueError, match="inside one another"):
        read_json_text("[" * (MOST_LEVELS + 2) + "]" * (MOST_LEVELS + 2))


def test_what_python_writes_of_numbers_is_read_where_asked_for():
    nan, high = read_json_text("[NaN, Infinity]", finite=False)
    assert nan != nan
    assert high == float("inf")
