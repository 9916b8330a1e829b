"""A store that is away: what it may cost, that it is asked no more, and what a slow or a large thing may take."""

import socket
import sqlite3
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.errors import UsageError
from harness.record import RunFolder, all_runs
from harness.run.resume import sync_runs
from harness.run.run import run
from harness.run.several_seeds import run_seeds
from harness.track import patience
from harness.track.mlflow_store import Store
from harness.track.patience import SECONDS, StoreAway, bounded, reason, time_for

GENEROUS = 60  # of a machine that is busy; MLflow itself takes four minutes, or never ends


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Be patient for a second, and know nothing of any store."""
    monkeypatch.setenv(SECONDS, "1.5")
    monkeypatch.setattr(patience, "_spent", {})
    monkeypatch.setattr(patience, "_away", {})
    for name in ("MAX_RETRIES", "BACKOFF_FACTOR", "TIMEOUT"):
        monkeypatch.delenv(f"MLFLOW_HTTP_REQUEST_{name}", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def silent():
    """Return a server that accepts and never answers."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(50)
    return server, server.getsockname()[1]


class Broken(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(500)

    do_POST = do_GET

    def log_message(self, *given):
        pass


@pytest.fixture(params=["refused", "broken", "silent", "locked"])
def away(request, tmp_path, monkeypatch):
    """Let the store be one that is not to be had, in each of the ways."""
    if request.param == "locked":
        Store(tmp_path)
        lock = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        yield
        lock.close()
        return
    port, server, web = 9, None, None
    if request.param == "silent":
        server, port = silent()
    elif request.param == "broken":
        web = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        port = web.server_port
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    yield
    if server:
        server.close()
    if web:
        web.shutdown()
        web.server_close()


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_a_run_finishes_with_one_line_and_is_sent_later(away, world, twins, tmp_path, caplog, monkeypatch):
    began = time.monotonic()
    record = run(world.quick(twins, "zero_shot"), runs=tmp_path)
    assert time.monotonic() - began < GENEROUS
    assert record.status == "finished"
    assert not record.tracking["synced"]
    (line,) = [text for text in warnings(caplog) if "MLflow" in text]
    assert "harness runs sync" in line
    assert "\n" not in line
    with pytest.raises(UsageError):
        sync_runs(tmp_path)
    monkeypatch.undo()
    patience._away.clear()
    assert all_runs(tmp_path)[0].read() == record


@pytest.mark.slow
def test_several_runs_wait_once_and_say_it_once(world, twins, tmp_path, caplog, monkeypatch):
    server, port = silent()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    asked = []
    monkeypatch.setattr(
        patience, "too_slow", lambda uri, old=patience.too_slow: (asked.append(uri), old(uri))[1]
    )
    group = run_seeds(world.quick(twins, "linear_probe", "icfg", "train.epochs=1"), 3, runs=tmp_path)
    server.close()
    assert len(group["runs"]) == 3
    assert len(asked) == 1
    assert len([text for text in warnings(caplog) if "MLflow" in text]) == 1
    assert not any(RunFolder(tmp_path / name).read().tracking["synced"] for name in group["runs"])


def test_a_store_that_is_away_holds_no_lock(away, tmp_path):
    threads = [threading.Thread(target=_open, args=(tmp_path,)) for _ in range(3)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GENEROUS)
        assert not thread.is_alive()
    assert time.monotonic() - began < GENEROUS


def _open(runs):
    with suppress(Exception):
        Store(runs)


def test_importing_what_speaks_to_a_store_is_not_the_store_s_time(tmp_path, monkeypatch):
    Store(tmp_path)
    asked = []
    monkeypatch.setattr(patience, "import_module", lambda name: asked.append(name) or time.sleep(2))
    assert patience.Client(f"sqlite:///{tmp_path}/mlflow.db").search_experiments()
    assert asked == ["mlflow.store.tracking.sqlalchemy_store"]


def test_a_quick_answer_restores_the_patience_and_slow_ones_use_it_up(monkeypatch):
    slept = []
    monkeypatch.setattr(patience, "_QUICK", 0.2)
    work = lambda seconds: bounded("a", lambda: (time.sleep(seconds), slept.append(seconds)))  # noqa: E731
    for seconds in (0.9, 0.0, 0.9):
        work(seconds)
    with pytest.raises(StoreAway, match="did not answer within 1"):
        work(5)
    with pytest.raises(StoreAway) as known:
        work(0)
    assert known.value.known
    assert slept == [0.9, 0.0, 0.9]
    assert bounded("b", lambda: 3) == 3


def test_a_store_is_asked_again_after_a_while(monkeypatch):
    monkeypatch.setitem(patience._away, "a", time.monotonic() - patience._LEFT_ALONE - 1)
    assert bounded("a", lambda: 3) == 3
    assert "a" not in patience._away


def test_an_error_of_what_was_asked_is_no_store_that_is_away():
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            bounded("a", lambda: 1 / 0)


def test_files_may_take_longer_by_their_size(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(bytes(2_000_000))
    (tmp_path / "b").write_bytes(bytes(1_000_000))
    assert time_for([tmp_path / "in", tmp_path / "b", tmp_path / "none"]) == 3
    assert bounded("a", lambda: time.sleep(2), more=3) is None


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_the_setting_is_a_number_of_seconds(monkeypatch, text):
    monkeypatch.setenv(SECONDS, text)
    with pytest.raises(UsageError, match=SECONDS):
        bounded("a", lambda: 3)


def test_a_line_says_what_became_of_the_connection():
    text = "failed: Max retries exceeded (Caused by ResponseError('too many 500 error responses'))"
    assert reason(OSError(text)) == "too many 500 error responses"
    text = "(raised as autoflush)\n(sqlite3.OperationalError) attempt to write a readonly database\n[SQL]"
    assert reason(OSError(text)) == "attempt to write a readonly database"
    assert reason(ValueError("a first line.\na second")) == "a first line"
    assert reason(ValueError()) == "ValueError"


def test_mlflow_prints_no_address_of_a_server_at_the_end_of_a_run(monkeypatch, capsys):
    from mlflow.entities import Run as MlflowRun
    from mlflow.entities import RunData, RunInfo
    from mlflow.tracking._tracking_service.client import TrackingServiceClient

    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "")
    monkeypatch.delenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT")
    patience.Client("http://me:s3cr3t@127.0.0.1:9")
    client = TrackingServiceClient("http://me:s3cr3t@127.0.0.1:9")
    info = RunInfo("1", "1", "me", "FINISHED", 0, 0, "active")
    monkeypatch.setattr(client.store, "get_run", lambda run_id: MlflowRun(info, RunData()))
    client._log_url("1")
    assert capsys.readouterr().out == ""
