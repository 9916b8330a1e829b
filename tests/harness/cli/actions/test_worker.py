"""A worker may come before the study that it helps: it waits until there are jobs, and not for ever."""

import shutil
import time
from threading import Timer

import pytest

from harness.cli.actions import worker
from harness.cli.actions.worker import wait_for
from harness.queue.jobs import SPEC
from harness.queue.queue import TrialState
from harness.queue.work_setup import WorkSetup
from harness.queue.worker_lock import Presence
from tests.notes import Notes


@pytest.fixture
def setup(tmp_path, empty_storage, monkeypatch):
    """Return where to work: a storage without studies."""
    monkeypatch.setattr(worker, "IDLE", 0.01)
    shutil.copy(empty_storage, tmp_path)
    return WorkSetup(tmp_path, listener=Notes())


def begin(setup):
    queue = setup.open_queue("mine")
    queue.remember(SPEC, {})
    queue.add()
    return queue


def waited(setup, seconds, **since):
    begun = time.monotonic()
    wait_for("mine", setup, seconds, **since)
    return time.monotonic() - begun


def test_a_study_that_begins_later_is_waited_for(setup):
    Timer(0.3, lambda: begin(setup)).start()
    assert 0.3 <= waited(setup, 60) < 30
    assert setup.listener.notes == ["waiting up to 60 s for mine to begin."]


def test_a_study_that_has_jobs_is_begun_and_one_whose_jobs_have_ended_may_be_resumed(setup, tmp_path):
    queue = begin(setup)
    assert waited(setup, 60) < 30
    assert setup.listener.notes == []
    with Presence(tmp_path) as one:
        queue.end(queue.take(one), TrialState.COMPLETE, [1.0])
    assert waited(setup, 0.3) >= 0.3
    assert waited(setup, 0.3, since=time.time()) >= 0.3
    assert waited(setup, 60, since=time.time() - 3600) < 30, "what ended an hour ago at most is over"


def test_nobody_waits_unless_asked_nor_for_a_study_that_has_no_jobs(setup):
    assert waited(setup, 0) < 5
    setup.open_queue("mine")
    assert waited(setup, 0.2) >= 0.2
