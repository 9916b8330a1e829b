"""Progress: bars on a terminal, lines with the time elsewhere, and no time left before it is known."""

import re
import sys
import time
from types import SimpleNamespace

import pytest
from rich.cells import cell_len

from harness.cli import progress
from harness.cli.progress import Several, TerminalListener, watching

BAD = "a\x1b[31m [bold]b[/bold] \x07"


def record(method="cskt", dataset="icfg", seed=1, epochs=60, study=None, patience=None):
    config = {
        "method": {"name": method},
        "dataset": {"name": dataset},
        "seed": seed,
        "train": {"epochs": epochs, "patience": patience},
        "eval": {"every": 1},
    }
    return SimpleNamespace(config=config, synthetic=True, study=study)


def configs(*triples):
    return [
        SimpleNamespace(method=SimpleNamespace(name=m), dataset=SimpleNamespace(name=d), seed=s)
        for m, d, s in triples
    ]


def row(epoch, r1, seconds=40.0):
    return {
        "epoch": float(epoch),
        "train/loss": 1.5,
        "seconds": seconds,
        "val/t2i/R1": r1,
        "val/t2i/mAP": 30.0,
        "validation_seconds": 1.0,
    }


def said(capsys):
    """The lines of standard error without their time."""
    lines = capsys.readouterr().err.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    return [line[9:] for line in lines]


def test_an_epoch_is_a_line_with_loss_validation_best_time_and_time_left(capsys):
    listener = TerminalListener()
    listener.on_start("name", record())
    for epoch, r1 in ((1, 61.23), (2, 60.0)):
        listener.on_epoch(epoch, row(epoch, r1))
    listener.close()
    assert said(capsys) == [
        "cskt on icfg-twin · seed 1",
        "epoch 1/60 · loss 1.5000 · val R@1 61.2 (best) · 41 s · 40 min left",
        "epoch 2/60 · loss 1.5000 · val R@1 60.0 (best 61.2 at 1) · 41 s · 40 min left",
    ]


def test_patience_makes_the_time_left_a_bound_and_the_last_epoch_has_none(capsys):
    listener = TerminalListener()
    listener.on_start("name", record(epochs=2, patience=5))
    listener.on_epoch(1, row(1, 50.0, seconds=2.21))
    listener.on_epoch(2, row(2, 40.0))
    listener.close()
    _, first, last = said(capsys)
    assert first.endswith("3.2 s · at most 3 s left")
    assert last.endswith("41 s")


def test_no_time_left_is_said_before_a_validation_was_measured(capsys):
    listener = TerminalListener()
    listener.on_start("name", record())
    listener.on_resume([{"epoch": 1.0, "seconds": 10.0, "val/t2i/R1": 50.0}], 4)
    listener.on_step(2, 9, 9)
    assert listener._time_left() == ""
    listener.on_epoch(2, row(2, 40.0))
    listener.close()
    _, resumed, line = said(capsys)
    assert resumed == "resuming from the checkpoint: epoch 2, step 5"
    assert "(best 50.0 at 1)" in line
    assert line.endswith("left")


def test_the_whole_command_is_told_once_every_run_to_come_has_a_time(capsys):
    times: dict[str, float | None] = {"cskt": None, "coop": 60.0}
    listener = TerminalListener()
    plan = configs(("coop", "icfg", 1), ("coop", "icfg", 2), ("cskt", "icfg", 1), ("cskt", "icfg", 2))
    listener.expect(plan, lambda config: times[config.method.name])
    listener.on_start("name", record("coop", seed=2))
    times["coop"] = 30.0
    listener.on_start("name", record("cskt"))
    assert listener.several.words(40.0, None) == "run 3 of 4"
    # The other seed takes as long as this one.
    assert listener.several.words(100.0, 500.0) == "run 3 of 4, about 18 min left"
    times["cskt"] = 600.0
    listener.on_start("name", record("cskt"))
    listener.close()
    assert said(capsys) == [
        "coop on icfg-twin · seed 2 (2 of 2) · run 2 of 4",
        "cskt on icfg-twin · seed 1 (1 of 2) · run 3 of 4",
        "cskt on icfg-twin · seed 1 (1 of 2) · run 3 of 4, about 20 min left",
    ]


def test_a_single_run_is_no_command_of_several():
    several = Several(configs(("cskt", "icfg", 1)), lambda config: 5.0)
    several.begin(record())
    assert (several.seed(), several.words(1.0, 2.0)) == ("", "")


def test_a_log_hears_of_a_run_within_an_epoch_and_while_it_validates(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.03)
    monkeypatch.setattr(progress, "_LOOK", 0.01)
    with watching(quiet=False) as listener:
        listener.expect(configs(("cskt", "icfg", 1), ("cskt", "icfg", 2)), lambda config: 90.0)
        listener.on_start("name", record())
        listener.on_epoch(1, row(1, 50.0))
        listener.on_step(2, 5, 10)
        time.sleep(0.1)
        listener.on_step(2, 10, 10)
        time.sleep(0.1)
    lines = said(capsys)
    assert "epoch 2/60 · step 5/10 · 40 min left · run 1 of 2, about 80 min left" in lines
    assert any(
        re.match(r"epoch 2/60 · validating · \d+ min left · run 1 of 2, about", line) for line in lines
    )
    assert not listener._pulse.is_alive()


def test_elsewhere_than_on_a_terminal_lines_go_to_standard_error_without_control_characters(capsys):
    with watching(quiet=False) as listener:
        assert not listener.live
        listener.on_stage(f"reading {BAD}")
        listener.on_count(1, 9)
        listener.on_epoch(2, {"train/loss": 1.5, "seconds": 3.21})
    out, err = capsys.readouterr()
    assert out == ""
    assert "\x1b" not in err
    assert err.splitlines()[1].endswith(" epoch 2 · loss 1.5000 · 3.2 s")


def test_a_long_stage_is_told_of_every_ten_seconds(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    listener = TerminalListener()
    listener.on_stage("s")
    for passed, done in ((5.0, 1), (6.0, 2000), (4.0, 3000)):
        now[0] += passed
        listener.on_count(done, 10_000)
    assert said(capsys) == ["s", "s: 2,000 of 10,000"]


def test_quiet_says_nothing_but_notes(capsys):
    with watching(quiet=True) as listener:
        listener.on_start("name", record())
        listener.on_stage("s")
        listener.on_epoch(1, {"train/loss": 1.0, "seconds": 1.0})
        listener.on_note("a note")
    assert capsys.readouterr().err == "a note\n"


@pytest.mark.parametrize("fails", [False, True])
def test_on_a_terminal_a_bar_follows_each_stage_and_is_gone_at_the_end(monkeypatch, capsys, fails):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    try:
        with watching(quiet=False) as listener:
            listener.on_stage("s")
            listener.on_count(1, 3)
            listener.on_count(2, 3)
            (task,) = listener._bar.tasks
            assert (task.completed, task.total, task.description) == (2, 3, "s")
            listener.on_note("n")
            assert listener._bar is None
            listener.on_step(1, 4, 9)
            assert (listener._bar.tasks[0].completed, listener._bar.tasks[0].total) == (4, 9)
            if fails:
                raise ValueError
    except ValueError:
        pass
    assert listener._bar is None


@pytest.mark.parametrize("width", [80, 40])
def test_a_line_on_a_terminal_is_whole_within_its_width(monkeypatch, capsys, width):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    listener = TerminalListener()
    listener.on_start("name", record("tbps_clip", epochs=600, patience=9))
    listener.on_note("warning: " + "word " * 40)
    for epoch in range(1, 102):
        listener.on_epoch(epoch, row(epoch, 61.0 if epoch == 100 else 60.0))
    listener.close()
    lines = capsys.readouterr().err.splitlines()
    assert max(map(cell_len, lines)) <= width
    joined = " · ".join(line.strip() for line in lines)
    assert (
        "epoch 101/600 · loss 1.5000 · val R@1 60.0 (best 61.0 at 100) · 41 s · at most 5.7 h left" in joined
    )
