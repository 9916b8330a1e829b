import time

import pytest
import yaml

from harness.config.strict_yaml import parse_yaml, read_yaml, why
from harness.errors import UsageError

SECONDS = 5  # of processor time, for what takes hundredths


def bomb(depth=9, width=10):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01T10:00:00Z", "2020-01-01T10:00:00Z"),
        ("12:30:45", "12:30:45"),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("0o17", "0o17"),
        ("010", 10),
        ("1_000", "1_000"),
        ("-0", 0),
        ("1e-4", 1e-4),
        ("+.5", 0.5),
        ("9" * 18, 10**18 - 1),
        ("off", "off"),
        ("True", True),
        ("~", None),
        ("", None),
        ("\ufeffa: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    ],
)
def test_what_a_setting_can_be(text, value):
    found = parse_yaml(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1e999", "no finite number"),
        (".inf", "no finite number"),
        ("-.inf", "no finite number"),
        (".nan", "no finite number"),
        ("1" * 5_000, "more than 18 digits"),
        (str(2**70), "more than 18 digits"),
        ("!!python/object/apply:os.system [touch ran]", "the tag"),
        ("!!binary aGVsbG8=", "the tag"),
        ("!!set {a, b}", "the tag"),
        ("!mine 3", "the tag !mine"),
        ("! 3", "the tag"),
        ("&a [*a]", "stands for what it is part of"),
        ("&a {b: [*a]}", "stands for what it is part of"),
        ("*nowhere", "undefined alias"),
        (bomb(), "more than 10,000 values"),
        ("[" + "1," * 100_000 + "]", "more than 10,000 values"),
        ("[" * 100_000, "levels"),
        ("{a: " * 100_000, "levels"),
        ("- " * 100_000, "levels"),
        ("\n".join(f"a{n}: &a{n} [{'*a' + str(n - 1) if n else 'x'}]" for n in range(100)), "levels"),
        ("k" * 1_000_000 + ": 1", "mapping values are not allowed"),
        ("1: a", "the key '1' is no text"),
        ("null: a", "the key 'null' is no text"),
        ("true: a", "the key 'true' is no text"),
        ("[a]: 1", "the key of several values"),
        ("? {a: b}\n: c", "the key of several values"),
        ("a: 1\na: 2", "'a' is given twice"),
        ("a: 1\n'a': 2", "'a' is given twice"),
        ("<<: 3", "merging"),
        ("a: 1\n---\nb: 2", "single document"),
        ("a: \0", "#x0000"),
        ("a:\t1", "cannot start any token"),
        ("a: [1", "expected ',' or ']'"),
        ("@x", "cannot start any token"),
    ],
)
def test_what_no_setting_can_be_is_one_line_at_once(text, told):
    start = time.process_time()
    with pytest.raises(yaml.YAMLError) as error:
        parse_yaml(text)
    assert told in why(error.value)
    assert "\n" not in why(error.value)
    assert len(why(error.value)) < 400
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "an empty file"),
        (b"# nothing\n", "not nothing"),
        (b"- 1\n", "not list"),
        (b"\xe9: 1\n", "another encoding"),
        (b"a: 1\n" * 100_000, "more than 262,144"),
        ("a: 1\na: 2\n".encode("utf-16"), "given twice"),
    ],
)
def test_a_file_is_named_with_what_is_wrong(tmp_path, content, told):
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=told) as error:
        read_yaml(file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)
