"""Secrets are planted in the addresses of both databases and in the environment: no command lets one out.

Searched is all that is printed, every file that is written, and every request to the server but its credentials.
"""

import base64
import html
import io
import json
import logging
import socket
import threading
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, quote_plus

import pytest

from harness.cli.main import cli
from harness.cli.options import run_safely
from harness.run import run as runs

PASSWORD, OTHER = "Pl@nt/ed#1:?", "st0r%age w0rd&"
TOKENS = {
    "MLFLOW_TRACKING_PASSWORD": "planted-mlflow-1",
    "AWS_SECRET_ACCESS_KEY": "pl4nted/aws+KEY",
    "AWS_SESSION_TOKEN": "planted-s3ssion==",
    "DATABRICKS_TOKEN": "dapi-planted-0001",
    "HF_TOKEN": "hf_planted0002",
    "MY_OWN_SECRET": "pl\"nt'd \\3",
}
ICFG = ("-d", "icfg", "--synthetic")
RUN, JSON = ("run", "-m", "zero_shot", *ICFG, "QUICK"), ("--json",)
SWEEP = ("sweep", "-m", "linear_probe", *ICFG, "-n", "1", "--test-seeds", "0", "--study", "mine", "QUICK")
SUITE = "title: A table\ndatasets: [icfg]\nrows: [{method: full_finetune}]\n"
HERE = ("--storage", "HERE")
FAILING = [
    ("run", "-m", "linear_probe", *ICFG, "QUICK"),
    ("--debug", "run", "-m", "linear_probe", *ICFG, "QUICK"),
    (*SWEEP, *HERE),
    ("suite", "run", "OUT/failing.yaml", "--synthetic", *HERE),
]
READING = [
    ("runs", "list"),
    ("runs", "list", *JSON),
    ("runs", "show", "linear_probe"),
    ("runs", "show", "zero_shot", *JSON),
    ("runs", "resume", "linear_probe"),
    ("compare", "zero_shot", "linear_probe"),
    ("report", "run", "zero_shot"),
    ("report", *JSON),
    ("evaluate", "zero_shot", "-d", "cuhk"),
    ("runs", "sync"),
    ("--debug", "runs", "sync"),
    ("ui", "--no-browser"),
    ("--debug", "ui", "--no-browser"),
    ("doctor",),
    ("doctor", *JSON),
]
STORING = [
    (*SWEEP, *JSON),
    ("--debug", *SWEEP),
    ("sweep", "list"),
    ("suite", "status", "OUT/failing.yaml", "--synthetic"),
    ("worker", "mine"),
    ("--debug", "worker", "mine"),
    ("worker", "mine", "--storage", "postgresql+psycopg://me:t0ld%2FHERE1@127.0.0.1:CLOSED/x"),
]


def needles():
    """Each secret in the forms that a text, a URL, JSON, a page or a header gives it."""
    found = set()
    for secret in (PASSWORD, OTHER, "t0ld/HERE1", *TOKENS.values()):
        found |= {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), html.escape(secret)}
        found |= {json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return found | {base64.b64encode(f"me:{PASSWORD}".encode()).decode()}


@pytest.fixture
def echo():
    """A server that answers 500 and repeats whatever it was sent, credentials too; it keeps what it was asked."""
    asked = []

    class Echo(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name != "Authorization"}
            asked.append(f"{self.path} {headers} ".encode() + body)
            secret = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            said = f"no http://{secret}@{self.headers['Host']}{self.path} by {self.headers.items()}".encode()
            self.send_response(500)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def closed():
    """A port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def planted(monkeypatch, twins, world, tmp_path, closed):
    """Plant the secrets; return how commands are called, which is with all that they print kept."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_DATA", str(twins))
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name, value in TOKENS.items():
        monkeypatch.setenv(name, value)
    storage = f"postgresql+psycopg://me:{quote(OTHER, safe='')}@127.0.0.1:{closed}/x?connect_timeout=2"
    monkeypatch.setenv("HARNESS_STORAGE", storage)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 0)
    (tmp_path / "failing.yaml").write_text(SUITE)
    settings = [*world.without_epochs(), "train.epochs=1"]
    quick = [part for text in settings for part in ("--set", text)]
    replaced = {"OUT": str(tmp_path), "HERE": f"sqlite:///{tmp_path}/optuna.db", "CLOSED": str(closed)}
    printed = []

    def call(words):
        given = [quick if word == "QUICK" else [_replaced(word, replaced)] for word in words]
        monkeypatch.setattr("sys.argv", ["harness", *(part for parts in given for part in parts)])
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(out), _logged(out):
            code = run_safely(cli, debug="--debug" in words)
        printed.append((words, code, out.getvalue()))
        return code

    return call, printed


def _replaced(word, by):
    return by.get(word) or word.replace("OUT/", f"{by['OUT']}/").replace(":CLOSED/", f":{by['CLOSED']}/")


class _logged:
    """Logs go where a command's standard error goes, as the last handler of a program writes them."""

    def __init__(self, out):
        self.handler = logging._StderrHandler(logging.WARNING)

    def __enter__(self):
        logging.getLogger().addHandler(self.handler)

    def __exit__(self, *arguments):
        logging.getLogger().removeHandler(self.handler)


def leaks(folder, printed, asked=()):
    """Return where a secret stands."""
    sought = needles()
    found = [
        (words, secret) for words, _, text in printed for secret in sought if secret in text.replace("\n", "")
    ]
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "failing.yaml"]
    for name, data in [
        *((str(file.relative_to(folder)), file.read_bytes()) for file in files),
        *(("request", data) for data in asked),
    ]:
        found += [(name, secret) for secret in sought if secret.encode() in data]
    return found, len(files)


def break_training(monkeypatch, uri):
    """Let training fail with a message that repeats every secret."""

    def fail(*arguments):
        raise RuntimeError(f"at {uri} with {' '.join(TOKENS.values())}\nand {list(TOKENS.values())}")

    monkeypatch.setattr(runs, "_train", fail)


def make_old(runs, uri):
    """Let a record repeat a secret, as those did that were made before."""
    (file,) = runs.glob("linear_probe-*/record.json")
    values = json.loads(file.read_text())
    values.pop("checksum")
    values["error"]["message"] = values["command"] = values["tracking"]["error"] = f"at {uri}"
    file.write_text(json.dumps(values))


def test_a_run_whose_server_is_away_keeps_the_secrets(planted, monkeypatch, closed, tmp_path):
    call, printed = planted
    uri = f"http://me:{quote(PASSWORD, safe='')}@127.0.0.1:{closed}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    break_training(monkeypatch, uri)
    for words in (RUN, FAILING[1], ("runs", "sync"), ("runs", "show", "linear_probe", *JSON), ("doctor",)):
        call(words)
    assert [code for _, code, _ in printed[:2]] == [0, 1]
    assert "Traceback" in printed[1][2]
    assert "***" in printed[1][2]
    assert leaks(tmp_path, printed)[0] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["refused", "500", "database"])
def test_no_command_lets_a_secret_out(kind, planted, monkeypatch, closed, tmp_path, echo, record_property):
    call, printed = planted
    port, asked = echo
    password = quote(PASSWORD, safe="")
    uri = {
        "refused": f"http://me:{password}@127.0.0.1:{closed}",
        "500": f"http://me:{password}@127.0.0.1:{port}",
        "database": f"postgresql+psycopg://me:{password}@127.0.0.1:{closed}/x?connect_timeout=2",
    }[kind]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert call(RUN) == 0
    with monkeypatch.context() as patch:
        break_training(patch, uri)
        whole = kind == "500"
        codes = [call(words) for words in (FAILING if whole else FAILING[1:2])]
        assert all(codes), codes
        for words in (*READING, *(STORING if whole else ())):
            call(words)
    if whole:
        make_old(tmp_path / "runs", uri)
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        assert call(("runs", "sync")) == 0, printed[-1]
        call(("report", "run", "zero_shot"))
    found, files = leaks(tmp_path, printed, asked)
    counts = {"commands": len(printed), "files": files, "requests": len(asked), "let out": len(found)}
    record_property(kind, counts)
    assert found == []
    assert bool(asked) == (kind == "500")
    assert not [words for words, _, text in printed if "No such" in text or "fits 2 runs" in text]
