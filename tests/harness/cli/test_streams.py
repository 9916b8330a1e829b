"""Output outlives its reader: pipes and terminals that close end no work, and other faults are not hidden."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from harness.record import all_runs

TALK = """
import sys
from harness.cli.streams import outlive_readers
outlive_readers()
import click
sys.stdin.readline()
for number in range(6_000):
    click.echo(f"progress {number}", err=True)
    print("result", number, flush=number % 100 == 0)
sys.stderr.flush(), sys.stdout.flush()
open(sys.argv[1], "w").write("done")
"""
RUN = ("run", "-m", "linear_probe", "-d", "icfg", "--synthetic", "--set", "backbone.pretrained=null")
RUN += ("--set", "train.batch_size=16")


def start(*words, **streams):
    return subprocess.Popen([sys.executable, *words], start_new_session=True, **streams)


def harness(twins, root, epochs, **streams):
    words = [*RUN, "--data-root", str(twins), "--runs", str(root), "--set", f"train.epochs={epochs}"]
    return start("-m", "harness", *words, **streams)


def record(root):
    (folder,) = all_runs(root)
    return folder.read()


def test_a_process_goes_on_when_both_its_pipes_are_closed(tmp_path):
    pipe = subprocess.PIPE
    process = start("-c", TALK, str(tmp_path / "file"), stdin=pipe, stdout=pipe, stderr=pipe)
    process.stdout.close()
    process.stderr.close()
    process.stdin.write(b"go\n")
    process.stdin.close()
    assert process.wait(60) == 0
    assert (tmp_path / "file").read_text() == "done"


@pytest.mark.slow
def test_a_process_that_was_started_without_streams_goes_on(tmp_path):
    talk = tmp_path / "talk.py"
    talk.write_text(TALK)
    shell = f"exec '{sys.executable}' {talk} {tmp_path}/file >&- 2>&- <<< go"
    assert subprocess.run(["bash", "-c", shell], check=False).returncode == 0
    assert (tmp_path / "file").read_text() == "done"


def test_what_libraries_print_to_the_end_of_a_process_has_no_secret():
    talk = """
import atexit, logging, sys, threading, warnings
from harness.cli.streams import outlive_readers
outlive_readers()
secret = sys.stdin.read()
print("printed", secret)
logging.getLogger("urllib3").warning("logged %s", secret)
warnings.warn("warned " + secret)
worker = threading.Thread(target=lambda: int("thread " + secret))
worker.start(), worker.join()
atexit.register(print, "at exit", secret)
raise ValueError("raised " + secret)
"""
    done = subprocess.run(
        [sys.executable, "-c", talk],
        input="s3cr3t-Word",
        env=os.environ | {"MY_TOKEN": "s3cr3t-Word"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert said.count("***") >= 6
    assert all(
        word in said for word in ("printed ***", "logged ***", "warned ***", "thread ***", "raised ***")
    )
    assert "at exit ***" in said
    assert "s3cr3t" not in said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_result_that_no_disk_takes_is_an_error_and_lost_progress_is_none(tmp_path):
    results = [
        subprocess.run(
            ["bash", "-c", f"echo go | '{sys.executable}' -c '{TALK}' {tmp_path}/{name} {where}"],
            capture_output=True,
            check=False,
        ).returncode
        for name, where in (("a", ">/dev/full 2>/dev/null"), ("b", ">/dev/null 2>/dev/full"))
    ]
    assert results[0] != 0
    assert results[1] == 0
    assert (tmp_path / "b").read_text() == "done"


@pytest.mark.slow
def test_a_run_whose_terminal_closes_under_nohup_finishes(twins, tmp_path):
    ours, theirs = pty.openpty()
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does; children inherit it
    try:
        process = harness(twins, tmp_path, 2, stdin=theirs, stdout=theirs, stderr=theirs)
    finally:
        signal.signal(signal.SIGHUP, old)
    os.close(theirs)
    assert os.read(ours, 1)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(120) == 0
    assert record(tmp_path).status == "finished"


@pytest.mark.slow
def test_a_run_that_is_hung_up_twice_is_interrupted_with_its_checkpoint(twins, tmp_path):
    process = harness(twins, tmp_path, 5000, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in process.stderr:
        if b"epoch 2/5000" in line:
            break
    process.stderr.close()
    process.send_signal(signal.SIGHUP)
    time.sleep(0.05)
    process.send_signal(signal.SIGHUP)
    assert process.wait(120) == 130
    found = record(tmp_path)
    assert found.status == "interrupted"
    assert found.progress["epoch"] >= 2
    assert found.seconds > 0
    assert all_runs(tmp_path)[0].file("checkpoint.pt").is_file()


@pytest.mark.slow
def test_a_run_that_is_killed_is_shown_as_interrupted_with_how_far_it_came(twins, tmp_path):
    process = harness(twins, tmp_path, 5000, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in process.stderr:
        if b"epoch 1/5000" in line:
            break
    while not (found := record(tmp_path)).progress.get("epoch"):
        time.sleep(0.05)
    assert found.status == "running"
    process.kill()
    process.wait()
    process.stderr.close()
    found = record(tmp_path)
    assert found.status == "interrupted"
    assert found.seconds > 0
    assert found.progress["epoch"] >= 1
    assert found.progress["epochs"] == 5000
    assert "harness run -m linear_probe" in found.command
