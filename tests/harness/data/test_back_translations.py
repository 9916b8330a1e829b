"""Back translations: made by a command, kept beside the dataset, read with it; `harness data back-translate`."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from harness.data.annotations import dataset_fingerprint, read_annotations
from harness.data.back_translations import (
    FILE,
    have_their_own,
    read_translations,
    translate,
    with_translations,
)
from harness.datasets import DATASETS, Pairs, Sample, pairs
from harness.errors import DataError, UsageError
from harness.files import Busy, locked

ICFG = DATASETS.get("icfg")


def python(program):
    """Return the command line of a small program whose lines come as `lines`."""
    head = "import sys; lines = sys.stdin.buffer.read().decode().splitlines(); "
    return shlex.join([sys.executable, "-c", head + program])


UPPER = python("sys.stdout.buffer.write(''.join(l.upper() + chr(10) for l in lines).encode())")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / FILE


@pytest.fixture
def tree(real_format, tmp_path):
    return real_format.write_icfg(tmp_path)


def test_captions_are_translated_and_kept_by_caption(file):
    done = translate(["a man", "a hat", "a man", " "], [UPPER], file)
    assert json.loads(file.read_text()) == {"a man": "A MAN", "a hat": "A HAT"}
    assert done.as_dict() == {
        "file": str(file),
        "captions": 2,
        "known": 0,
        "made": 2,
        "unchanged": 0,
        "empty": 0,
    }


def test_two_commands_are_called_one_after_the_other(file):
    translate(["red"], [UPPER, "sed s/RED/ROUGE/", "cat"], file)
    assert read_translations(file) == {"red": "ROUGE"}


def test_what_came_back_unchanged_and_empty_is_counted(file):
    done = translate(["a  b", "c", "drop"], ["sed s/drop//"], file)
    assert (done.unchanged, done.empty) == (2, 1)
    assert read_translations(file) == {"a  b": "a b", "c": "c", "drop": ""}


HOSTILE = [
    "two\nlines",
    "tab\tand\r\nreturn",
    "\u2028 separators \x85 of \x1c lines",
    "$(touch pwned) `touch pwned` ; touch pwned | cat",
    "-e --version",
    "\U0001f600 ünï قميص",
    "\x1b[31mred",
    "'\"\\",
    "nul \x00 sign",
    "word " * 10_000,
]


def test_hostile_captions_stay_one_line_each_and_reach_no_shell(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    translate(HOSTILE, ["cat"], file)
    assert read_translations(file) == {caption: " ".join(caption.split()) for caption in HOSTILE}
    assert not (tmp_path / "pwned").exists()


def test_captions_are_never_in_the_command_line(file):
    program = "import os; [print(' '.join(sys.argv[1:]) or 'none') for _ in lines]"
    translate(["secret", "words"], [python(program)], file)
    assert set(read_translations(file).values()) == {"none"}


def test_what_is_there_is_not_sent_again(file, tmp_path):
    log = tmp_path / "log"
    command = python(f"open({str(log)!r}, 'a').write(str(len(lines)) + ' '); [print(l) for l in lines]")
    translate(["a", "b"], [command], file)
    done = translate(["a", "b", "c"], [command], file)
    assert log.read_text() == "2 1 "
    assert (done.known, done.made) == (2, 1)
    assert translate(["a"], ["false"], file).made == 0


def test_commands_are_started_for_each_batch(file, tmp_path):
    log, told = tmp_path / "log", []
    command = python(f"open({str(log)!r}, 'a').write(str(len(lines)) + ' '); [print(l) for l in lines]")
    translate(list("abcdefg"), [command], file, batch=3, progress=lambda *count: told.append(count))
    assert log.read_text() == "3 3 1 "
    assert told == [(3, 7), (6, 7), (7, 7)]


FAULTS = {
    "too few": ("sed 2d", "`sed 2d` was given 3 lines but wrote 2"),
    "too many": ("sed p", "was given 3 lines but wrote 6"),
    "none": ("true", "was given 3 lines but wrote 0"),
    "fails": (
        python("sys.stderr.write('no model'); sys.exit(3)"),
        "failed with exit code 3. It said: no model",
    ),
    "not there": (
        "no-such-translator x",
        "`no-such-translator x` cannot be started: No such file or directory",
    ),
    "not UTF-8": (python(r"sys.stdout.buffer.write(b'\xff\n' * 3)"), "writes no UTF-8"),
    "cannot be split": ("sed 'x", "cannot be split into words: No closing quotation"),
    "empty": (" ", "The command is empty"),
    "nul": ("sed \x00", "cannot be started: embedded null byte"),
}


@pytest.mark.parametrize(("command", "told"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_command_is_one_clear_error_and_keeps_nothing_false(file, command, told):
    with pytest.raises(UsageError) as caught:
        translate(["a", "b", "c"], [command], file)
    assert told in str(caught.value)
    assert not file.exists()


def test_a_fault_in_a_later_batch_keeps_the_batches_before_it(file):
    command = python("[print(l) for l in lines if l != 'd']")
    with pytest.raises(UsageError, match="given 2 lines but wrote 1"):
        translate(list("abcd"), [command], file, batch=2)
    assert read_translations(file) == {"a": "a", "b": "b"}


def test_a_chatty_command_cannot_flood_the_message(file):
    with pytest.raises(UsageError) as caught:
        translate(["a"], [python("sys.stderr.write('x' * 100000); sys.exit(1)")], file)
    assert len(str(caught.value)) < 1000


def test_a_command_that_reads_nothing_is_no_broken_pipe(file):
    with pytest.raises(UsageError, match="wrote 0"):
        translate(["word " * 100_000, *list("ab")], ["true"], file)


def test_two_at_once_are_refused(file):
    with locked(file.parent), pytest.raises(Busy):
        translate(["a"], ["cat"], file)


@pytest.mark.slow
def test_an_interruption_loses_one_batch_and_the_same_command_goes_on(tree, tmp_path):
    """Interrupt the second batch, which never ends, as a terminal does; then go on."""
    flag = tmp_path / "slow"
    flag.write_text("")
    program = f"import os, time; os.path.exists({str(flag)!r}) and 'fifth' in str(lines) and time.sleep(60); "
    entries = json.loads((tree / "ICFG-PEDES" / "ICFG-PEDES.json").read_text())
    for number, entry in zip(("first", "second", "third", "fourth", "fifth"), entries, strict=False):
        entry["captions"], entry["split"] = [f"{number} caption"], "train"
    (tree / "ICFG-PEDES" / "ICFG-PEDES.json").write_text(json.dumps(entries[:5]))
    command = [sys.executable, "-m", "harness", "data", "back-translate", "icfg", "--data-root", str(tree)]
    command += ["--batch-size", "2", "--command", python(program + "[print(l.upper()) for l in lines]")]
    file = tree / "ICFG-PEDES" / FILE
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(read_translations(file)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "4 of 5 captions are translated and kept in" in told
    assert "Run the same command to resume." in told
    assert len(read_translations(file)) == 4
    flag.unlink()
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert {key: json.loads(done.stdout)[key] for key in ("known", "made")} == {"known": 4, "made": 1}
    assert read_translations(file)["fifth caption"] == "FIFTH CAPTION"


def test_the_loader_takes_the_file_and_the_fingerprint_covers_it(tree):
    before = read_annotations(ICFG, tree)
    known = {caption: f"bt {caption}" for sample in before for caption in sample.captions}
    file = tree / "ICFG-PEDES" / FILE
    file.write_text(json.dumps(known))
    after = read_annotations(ICFG, tree)
    assert [sample.captions_bt for sample in after] == [tuple(f"bt {c}" for c in s.captions) for s in before]
    assert dataset_fingerprint(after) != dataset_fingerprint(before)
    file.write_text(json.dumps(dict.fromkeys(known, "other")))
    assert dataset_fingerprint(read_annotations(ICFG, tree)) != dataset_fingerprint(after)
    file.write_text("{}")
    assert read_annotations(ICFG, tree) == before
    assert dataset_fingerprint(read_annotations(ICFG, tree)) == dataset_fingerprint(before)


def test_the_loader_takes_the_file_where_the_root_is_the_folder(tree):
    caption = read_annotations(ICFG, tree)[0].captions[0]
    (tree / "ICFG-PEDES" / FILE).write_text(json.dumps({caption: "x"}))
    assert read_annotations(ICFG, tree / "ICFG-PEDES")[0].captions_bt == ("x",)


def test_a_caption_without_a_translation_has_an_empty_one():
    samples = [Sample("a", 1, ("x", "y"), "train"), Sample("b", 1, ("z",), "train")]
    assert [s.captions_bt for s in with_translations(samples, {"y": "Y", "q": "Q"})] == [("", "Y"), ()]


def test_the_annotations_own_back_translations_go_before_the_file():
    samples = [Sample("a", 1, ("x",), "train", ("own",)), Sample("b", 1, ("z",), "train")]
    assert with_translations(samples, {"x": "X", "z": "Z"}) == samples
    assert have_their_own(samples, {"x": "X"})
    assert not have_their_own(with_translations([samples[1]], {"z": "Z"}), {"z": "Z"})
    assert not have_their_own([samples[1]], {})


@pytest.mark.parametrize(
    "text", ["[", "[]", '{"a": 1}', '{"a": "\\ud800"}', '{"\\ud800": "a"}', "[" * 100_000]
)
def test_a_broken_file_is_one_clear_error_that_names_it(tree, text):
    file = tree / "ICFG-PEDES" / FILE
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"back_translations\.json .*harness data back-translate"):
        read_annotations(ICFG, tree)


def test_pairs_carry_a_back_translation_for_each_caption():
    samples = [
        Sample("a", 1, ("x", "y"), "train", ("X", "")),
        Sample("b", 1, ("z",), "train"),
        Sample("c", 2, ("w",), "test", ("W",)),
    ]
    assert pairs(samples, ("train",)).captions_bt == ["X", "", ""]
    assert pairs(samples, ("test",)).captions_bt == ["W"]
    assert pairs(samples[1:2], ("train",)).captions_bt == []
    assert pairs([Sample("a", 1, ("x",), "train", ("",))], ("train",)).captions_bt == []
    assert Pairs([], [], [], []).captions_bt == []
