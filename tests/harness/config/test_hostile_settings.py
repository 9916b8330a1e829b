"""A seeded campaign: whatever a user hands in as settings is taken, or refused in one line and at once."""

import json
import random
import signal
import sys
import time
from collections import Counter

import pytest
import yaml

from harness.data.back_translations import read_translations
from harness.errors import HarnessError
from harness.methods import METHODS
from harness.presets.preset_files import EXPORTED
from harness.presets.resolve import build_stored, resolve
from harness.record import Record, RunFolder
from harness.suites.published_tables import read_published
from harness.suites.suite_files import load_suite
from harness.sweep.space import search_space

SECONDS = 3.0  # of processor time, a second where nothing else runs
PRESET = "train: {epochs: 2, batch_size: 8}\nmethod: {lr: 1e-4}\nbackbone: {image_size: [96, 32]}\nseed: 3\n"
SUITE = (
    "datasets: [icfg]\nseeds: 2\nrows:\n  - {method: cskt, set: {method.lr: 1e-4}}\n  - method: zero_shot\n"
)
TABLE = (
    "title: T\nselection: unknown\nsource: {paper: P}\ncolumns: [t2i/R1, t2i/mAP]\n"
    "rows:\n  - {method: M, results: {cuhk: [70.1, null]}}\n"
)
TRANSLATIONS = '{"a man in red": "ein Mann in Rot", "a woman": "eine Frau"}'
CONFIG = resolve("cskt", "icfg").model_dump(mode="json")
STUDY = yaml.safe_dump({key: value for key, value in CONFIG.items() if key != "seed"})
RECORD = json.dumps(
    Record(
        identity="a" * 64, config=CONFIG, versions={}, fingerprint="f", backbone={}, synthetic=False
    ).model_dump(mode="json"),
    indent=1,
)
VALUES = [
    *("2020-01-01", "2020-01-01T00:00:00Z", "12:30:45", "1:30", "0x1F", "0o17", "010", "1_000", "-0", "+1"),
    *(
        "1e999",
        "-1e999",
        ".inf",
        "-.inf",
        ".nan",
        "NaN",
        "9" * 30,
        "1" * 5000,
        "-" + "9" * 30,
        str(2**70),
        "1e-999",
    ),
    *(
        "null",
        "~",
        "''",
        "true",
        "off",
        "[]",
        "{}",
        "[[]]",
        "[null]",
        "{a: 1}",
        "{1: 2}",
        "? [a]\n: b",
        "[1, two, 3.0]",
    ),
    *(
        "!!python/object/apply:os.system [touch ran]",
        "!!binary aGk=",
        "!!set {a, b}",
        "!!float nan",
        "!x 3",
        "!",
    ),
    *(
        "&a [*a]",
        "&a {b: *a}",
        "*a",
        "<<: {a: 1}",
        "{<<: [1]}",
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 50_000,
    ),
    *(
        "'" + "k" * 1_000_000 + "'",
        '"\\x00\\e[31m"',
        '"\\uD800"',
        "'\u202etxt'",
        "a\0b",
        "\t1",
        "@x",
        "`x",
        "%x",
        "|\n  a",
        "a: b: c",
    ),
    *("[" + "1," * 50_000 + "]", "../../../../etc/passwd", "/dev/zero", "-1", "0", "1e308", "-1.5", "0.5"),
]
KEYS = [
    *(
        "train.epochs",
        "train.batch_size",
        "train.augment.flip",
        "train.augment.erase_area",
        "method.lr",
        "method.name",
    ),
    *(
        "dataset.name",
        "dataset.root",
        "dataset.val",
        "dataset.few_shot",
        "backbone.image_size",
        "backbone.text_length",
    ),
    *(
        "backbone.name",
        "backbone.weights",
        "eval.rule",
        "eval.every",
        "seed",
        "method",
        "train",
        "train.augment",
        "nope",
    ),
    *(
        "a" * 5000,
        "a." * 20_000 + "b",
        "",
        ".",
        "seed.x",
        "method.lr.x",
        "__class__",
        "1",
        "train..epochs",
        "\x1b[31m",
    ),
]
TEXTS = [
    *(
        "",
        "\n",
        "# c\n",
        "---\n---\n",
        "a: 1\n---\nb: 2\n",
        "\ufeffseed: 1\n",
        "seed: 1\r\n",
        "\t",
        "- 1",
        "3",
        "null",
        "[",
        "}",
    ),
    *(
        "1: 2",
        "null: 1",
        "true: 1",
        "[a]: 1",
        "? {a: 1}\n: 2",
        "seed: 1\nseed: 2",
        "<<: {seed: 1}",
        "\0",
        "\x85",
        "%YAML 3.0\n---\n",
    ),
    "k" * 1_000_000 + ": 1",
    "a: &a [x, x, x, x]\n" + "\n".join(f"b{n}: &a [*a, *a, *a, *a, *a, *a, *a, *a]" for n in range(12)),
    "\n".join(f"a{n}: &a{n} [{f'*a{n - 1}' if n else 'x'}]" for n in range(2_000)),
    "{" * 100_000,
    "x: " + "[" * 500 + "]" * 500,
    "seed: 1\n" * 100_000,
]
CHANGES = "[]{}:,&*!|>'\"%@`#-?\t\n\0 0169.eE+_~<=\u00e9\u2028\U0001f600"


class Late(BaseException):
    """Something took too long; no handler of the code under test may take it for an error of its own."""


def mutated(text, dice):
    """Return a text with a few characters put in, taken out, doubled or moved."""
    for _ in range(dice.randint(1, 6)):
        at, length = dice.randrange(len(text) + 1), dice.randint(1, 8)
        part = text[at : at + length]
        new = dice.choice(
            [dice.choice(CHANGES), "", part + part, dice.choice(VALUES)[:50], text[: dice.randrange(40)]]
        )
        text = text[:at] + new + text[at + length :]
    return text


def by_preset(text, folder):
    (folder / "p.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    resolve("cskt", "icfg", synthetic=True, presets=[str(folder / "p.yaml")])


def by_study(text, folder):
    """Read a preset that a study exported."""
    by_preset(f"{EXPORTED}a: best of 3 trials\n{text}", folder)


def by_record(text, folder):
    """Take up the config of a record, whose JSON is the text; one that is no record is named."""
    (folder / "r").mkdir(exist_ok=True)
    (folder / "r" / "record.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    build_stored(RunFolder(folder / "r").read().config)


def by_suite(text, folder):
    (folder / "s.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    load_suite(str(folder / "s.yaml"))


def by_table(text, folder):
    (folder / "t.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    read_published(folder / "t.yaml")


def by_translations(text, folder):
    (folder / "b.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    read_translations(folder / "b.json")


def by_set(text, folder):
    resolve("cskt", "icfg", synthetic=True, overrides=[text])


def by_space(text, folder):
    search_space("cskt", [text])


def by_fix(text, folder):
    search_space("cskt", fixed=[text])
    resolve("cskt", "icfg", overrides=[text])


def cases(seed=14):
    dice = random.Random(seed)
    for text in TEXTS:
        yield from ((door, text) for door in (by_preset, by_suite, by_table, by_translations))
    for value in VALUES:
        for key in dice.sample(KEYS, 2):
            yield by_set, f"{key}={value}"
            yield by_fix, f"{key}={value}"
            section, _, field = key.rpartition(".")
            yield by_preset, f"{section}:\n  {field}: {value}\n" if section else f"{key}: {value}\n"
        key = dice.choice(KEYS)
        for ends in (f"{value}:1", f"1e-5:{value}:log", f"1,{value},2", value):
            yield by_space, f"{key}={ends}"
        yield by_suite, SUITE.replace("1e-4", value)
        yield by_suite, SUITE.replace("2", value)
        yield by_table, TABLE.replace("70.1", value)
        yield by_translations, TRANSLATIONS.replace('"eine Frau"', value)
    for value in VALUES:
        yield by_study, STUDY.replace("0.0003", value)
        yield by_record, RECORD.replace("0.0003", value)
        yield by_record, RECORD.replace("60", value, 1)
    for _ in range(50):
        yield by_preset, mutated(PRESET, dice)
        yield by_study, mutated(STUDY, dice)
        yield by_record, mutated(RECORD, dice)
        yield by_suite, mutated(SUITE, dice)
        yield by_table, mutated(TABLE, dice)
        yield by_translations, mutated(TRANSLATIONS, dice)


def outcome(door, text, folder):
    """Return how a door took a text: `taken`, `refused`, or what went wrong."""

    def late(*_):
        raise Late

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, 10 * SECONDS)
    start = time.process_time()
    try:
        door(text, folder)
        result = "taken"
    except HarnessError as error:
        said = str(error)
        result = "refused" if len(said.splitlines()) == 1 and len(said) < 2_000 else f"{len(said)} characters"
    except Late:
        return "never came back"
    except Exception as error:
        result = type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return result if time.process_time() - start < SECONDS else "late"


@pytest.mark.slow
def test_every_setting_is_taken_or_refused_in_one_line_at_once(tmp_path, monkeypatch, record_property):
    monkeypatch.chdir(tmp_path)
    assert METHODS.get("cskt")
    found, bad = Counter(), []
    for door, text in cases():
        result = outcome(door, text, tmp_path)
        found[f"{door.__name__}: {result}"] += 1
        if result not in ("taken", "refused"):
            bad.append((door.__name__, result, text[:120]))
    record_property("counts", dict(found))
    sys.stdout.write(f"{found.total()} cases: {dict(sorted(found.items()))}\n")
    assert not bad, (len(bad), bad[:20])
    assert not (tmp_path / "ran").exists()
