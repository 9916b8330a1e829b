"""The pages of MLflow: the addresses told, what the pages show of our runs, and a real server that ends cleanly."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import HarnessError, UsageError
from harness.record import BOOTSTRAP
from harness.track import ui, ui_server
from harness.track.notes import NOTE, description, settings_tag
from harness.track.tags import tags
from harness.track.views import VIEW, View, views


@pytest.fixture
def shown(experiment, fake):
    """An experiment with two methods and a hostile third."""
    for method, r1 in (("cskt", 47), ("linear_probe", 25)):
        made, arrays = fake.record(method, "icfg", r1, tags={"harness.suite.table_one": method})
        fake.send(experiment, made, arrays)
    return experiment


def test_the_experiment_opens_as_trained_models_with_views_that_filter_its_runs(shown):
    tracked = ui.find(shown.runs, shown.client.get_experiment(shown.experiment_id).name)
    assert [view.title for view in tracked.views] == [
        "Results on icfg (synthetic twin)",
        "Methods compared on icfg (synthetic twin)",
        "Suite table_one on icfg (synthetic twin)",
    ]
    kept = shown.client.get_experiment(shown.experiment_id).tags
    assert kept["mlflow.experimentKind"] == "custom_model_development"
    for view in tracked.views:
        saved = json.loads(kept[VIEW + view.key])
        state = json.loads(saved["state"])
        assert saved["name"] == view.title
        assert {"metrics.`test/icfg/t2i/R1`", "metrics.`selection/val/t2i/R1`"} <= {*state["selectedColumns"]}


def test_the_filter_of_each_view_finds_the_runs(shown):
    for view in views([run.tags for run in shown.newest()]):
        state = json.loads(json.loads(view.tag()[1])["state"])
        found = shown.client.search_runs([shown.experiment_id], state["searchFilter"])
        assert {run.data.tags["harness.method"] for run in found} == {"cskt", "linear_probe"}


def test_looking_twice_writes_nothing_twice_and_a_persons_words_stay(shown, monkeypatch):
    name = shown.client.get_experiment(shown.experiment_id).name
    ui.find(shown.runs, name)
    shown.client.set_experiment_tag(shown.experiment_id, NOTE, "mine")
    written = []
    monkeypatch.setattr(
        "mlflow.MlflowClient.set_experiment_tag", lambda self, number, key, value: written.append(key)
    )
    ui.find(shown.runs, name)
    assert written == []


def test_each_address_opens_one_view(shown):
    tracked = ui.Tracked(
        "sqlite:///x", "7", "x", [View("icfg", True), View("icfg", True, "harness.settings")]
    )
    found = ui.addresses(tracked, "http://127.0.0.1:5000/")
    assert found["All runs"] == "http://127.0.0.1:5000/#/experiments/7/runs?workflowType=machine_learning"
    assert found["Results on icfg (synthetic twin)"].endswith("viewStateShareKey=harness-results-icfg-twin")
    assert "compareRunsMode=CHART" in found["Methods compared on icfg (synthetic twin)"]


def test_seeds_share_their_settings_and_other_settings_do_not(fake):
    names = {
        tags(fake.record("cskt", "icfg", seed=seed, **changes)[0])["harness.settings"]
        for seed, changes in ((1, {}), (2, {}), (1, {"method__lr": 0.5}))
    }
    assert len(names) == 2
    assert all(re.fullmatch(r"cskt [0-9a-f]{4}", name) for name in names)


def test_a_setting_that_is_gone_makes_no_other_settings(fake):
    assert settings_tag(fake.record("cskt", "icfg", eval__replicates=200)[0]) == settings_tag(
        fake.record("cskt", "icfg")[0]
    )


def test_a_dataset_that_would_break_out_of_a_filter_gets_no_view():
    hostile = {"harness.dataset": "x' OR 1=1", "harness.synthetic": "false"}
    assert views([hostile]) == []


def test_a_description_tells_the_result_with_its_interval_and_escapes_what_is_hostile(fake):
    made, _ = fake.record("cskt", "icfg", 47, seed=3)
    text = description(made)
    value = made.metrics["test/icfg/t2i/R1"]
    assert "SYNTHETIC TWIN" in text
    assert f"**R@1 {value:.1f} [{value - 3:.1f}, {value + 3:.1f}]**" in text
    assert f"harness runs show {made.name}" in text
    assert "95 % intervals over identities." in text
    made.interval_method = BOOTSTRAP
    assert "95 % intervals over identities by the earlier method, a bootstrap." in description(made)
    made.status, made.error = (
        "failed",
        {"message": "<script>alert(1)</script> [x](javascript:1)", "type": "E"},
    )
    text = description(made)
    assert "<script>" not in text
    assert "[x](" not in text
    assert f"harness runs resume {made.name}" in text


def test_a_trial_says_that_it_was_never_tested(fake):
    made, _ = fake.record("cskt", "icfg", 47)
    made.study, made.metrics = "search-1", {"val/t2i/R1": 12.0}
    assert "never tested" in description(made)
    assert "R@1 12.0" in description(made)


def test_no_store_is_one_message_with_the_command_of_a_first_run(tmp_path):
    done = CliRunner().invoke(cli, ["ui", "--runs", str(tmp_path)])
    assert isinstance(done.exception, UsageError)
    assert "harness run --method" in str(done.exception)
    assert not list(tmp_path.iterdir()), "looking must not make a store"


def test_an_unknown_experiment_gets_the_nearest_name(shown):
    name = shown.client.get_experiment(shown.experiment_id).name
    with pytest.raises(UsageError, match="Did you mean"):
        ui.find(shown.runs, f"{name}x")


def test_a_taken_port_is_refused_when_asked_for_and_passed_over_when_not(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} .*--port"):
            ui_server.free_port(port)
        monkeypatch.setattr(ui_server, "PORT", port)
        assert ui_server.free_port() != port


@pytest.fixture
def elsewhere():
    """A stand-in for an MLflow server of others, which is asked for its health."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://me:secret@127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_server_of_others_is_told_and_nothing_is_started(elsewhere, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere)
    monkeypatch.setattr(ui, "serving", None)
    monkeypatch.setattr(ui.Store, "existing", classmethod(lambda cls, *a: _Reached()))
    said = []
    ui.show(tmp_path, browser=False, tell=said.append)
    assert "nothing was started" in said[-1]
    assert "secret" not in "\n".join(said)


@pytest.mark.parametrize(
    ("browser", "screen", "opens"), [(None, "", 0), (None, ":0", 1), (True, "", 1), (False, ":0", 0)]
)
def test_the_newest_results_are_opened_where_there_is_a_screen(
    elsewhere, monkeypatch, tmp_path, browser, screen, opens
):
    for name in ("WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere)
    monkeypatch.setattr(ui.sys, "platform", "linux")
    monkeypatch.setattr(ui.Store, "existing", classmethod(lambda cls, *a: _Reached()))
    opened = []
    monkeypatch.setattr(ui.webbrowser, "open", opened.append)
    ui.show(tmp_path, browser=browser, tell=lambda line: None)
    assert len(opened) == opens
    assert all("harness-results-icfg" in address for address in opened)


class _Reached:
    experiment_id = "3"

    def newest(self):
        return [SimpleNamespace(tags={"harness.dataset": "icfg", "harness.synthetic": "false"})]

    def describe(self, views):
        raise PermissionError("read only")


def test_a_server_that_does_not_answer_is_named_without_its_password(monkeypatch, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}")
    with pytest.raises(UsageError, match="does not answer") as caught:
        ui.find(tmp_path)
    assert "secret" not in str(caught.value)


def test_no_setting_of_a_public_server_and_no_password_reach_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_HOST", "0.0.0.0")
    monkeypatch.setenv("MLFLOW_UVICORN_OPTS", "--fd 3")
    monkeypatch.setenv("MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", "true")
    seen = {}

    def start(command, **options):
        seen.update(command=command, env=options["env"])
        raise HarnessError("enough")

    monkeypatch.setattr(ui_server.subprocess, "Popen", start)
    with (
        pytest.raises(HarnessError, match="enough"),
        ui_server.serving("postgresql://a:s3cr3t@h/d", tmp_path, 5),
    ):
        pass
    assert "s3cr3t" not in " ".join(seen["command"])
    at = seen["command"].index("--host")
    assert seen["command"][at : at + 4] == ["--host", "127.0.0.1", "--port", "5"]
    assert seen["env"]["MLFLOW_BACKEND_STORE_URI"] == "postgresql://a:s3cr3t@h/d"
    assert seen["env"]["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert not {"MLFLOW_HOST", "MLFLOW_UVICORN_OPTS", "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE"} & set(
        seen["env"]
    )


@pytest.mark.slow
def test_a_server_that_cannot_start_says_why(tmp_path):
    with (
        pytest.raises(HarnessError, match="did not start") as caught,
        ui_server.serving("nonsense://x", tmp_path, 5),
    ):
        pass
    assert "nonsense" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_real_server_answers_on_this_machine_alone_and_ends_with_its_children(shown, sign):
    name = shown.client.get_experiment(shown.experiment_id).name
    command = [
        sys.executable,
        "-m",
        "harness",
        "ui",
        "--no-browser",
        "--runs",
        str(shown.runs),
        "--experiment",
        name,
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    said = _until_ready(process)
    base = re.search(r"http://127\.0\.0\.1:\d+", said)[0]
    assert f"#/experiments/{shown.experiment_id}/runs" in said
    with urlopen(f"{base}/", timeout=20) as page:
        text = page.read()
    assert b"MLflow" in text
    assert b"viewStateShareKey=harness-results-icfg-twin" in text, "the results are the first page"
    port = int(base.rpartition(":")[2])
    children = _descendants(process.pid)
    assert children
    assert _listening(port) == {"0100007F"}, "it listens on 127.0.0.1 and nowhere else"
    process.send_signal(sign)
    assert process.wait(timeout=30) == (130 if sign != signal.SIGKILL else -sign)
    deadline = time.monotonic() + 20
    while (any(map(_is_alive, children)) or _listening(port)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in children if _is_alive(pid)]
    assert _listening(port) == set()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_group_on_the_leash_ends_with_its_holder_and_not_before(sign):
    """With a stand-in for the server, which has a child and takes its time to end."""
    child = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    server = f"import subprocess, time; print(subprocess.Popen({child}).pid, flush=True); time.sleep(600)"
    holder = f"""
import subprocess, sys, time
from harness.track.ui_server import _LEASH
leash = [sys.executable, "-S", "-c", _LEASH, sys.executable, "-S", "-c", {server!r}]
server = subprocess.Popen(leash, stdin=subprocess.PIPE, start_new_session=True)
print(server.pid, flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    group = {int(process.stdout.readline()), int(process.stdout.readline())}
    group |= set(_descendants(process.pid))
    assert len(group) == 3
    assert all(map(_is_alive, group))
    process.send_signal(sign)
    process.wait(30)
    deadline = time.monotonic() + 20
    while any(map(_is_alive, group)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.stdout.close()
    left = [pid for pid in group if _is_alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


@pytest.mark.slow
def test_the_password_of_a_database_is_in_no_process_list(database, tmp_path):
    password = urlsplit(database).password
    assert password
    with ui_server.serving(database, tmp_path, ui_server.free_port()) as (base, server):
        with urlopen(f"{base}/health", timeout=20) as answer:
            assert answer.status == 200
        for pid in (server.pid, *_descendants(server.pid)):
            with open(f"/proc/{pid}/cmdline") as file:
                assert password not in file.read()


def _until_ready(process):
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            return said
    raise AssertionError(f"the server did not start: {said}")


def _descendants(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        own = [int(child) for child in file.read().split()]
    return own + [deeper for child in own for deeper in _descendants(child)]


def _is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _listening(port):
    """Return the hosts that a port listens on, by several readings: one may miss lines while sockets come and go."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6") * 3:
        with open(table) as file:
            for line in list(file)[1:]:
                host, _, number = line.split()[1].rpartition(":")
                if line.split()[3] == "0A" and int(number, 16) == port:
                    found.add(host)
    return found
