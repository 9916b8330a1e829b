"""An MLflow server for this machine alone: on 127.0.0.1, without telemetry, ended with all its children."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

from harness.errors import HarnessError, UsageError
from harness.secrets import without_secrets
from harness.track.ui_app import NAME, VARIABLE, plug_in

_HOST = "127.0.0.1"
PORT = 5000
_TRIED_PORTS = 20
_START_SECONDS = 120.0
_END_SECONDS = 5.0
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore",
}
# Settings of a public server have no place here.
_DROPPED = re.compile(
    r"MLFLOW_(HOST|PORT|WORKERS|UVICORN_OPTS|GUNICORN_OPTS|STATIC_PREFIX|SERVER_|READ_REPLICA|ARTIFACTS)"
)
# Leads the server's group and reads a pipe that the harness alone can write to: when the harness is gone, however it
# ended, the pipe is at its end, and the whole group with it. When the server is gone, so is its leader.
_LEASH = """
import os, signal, subprocess, sys, threading
signal.signal(signal.SIGTERM, lambda sign, frame: None)
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def hold():
    try:
        while os.read(0, 1):
            pass
    finally:
        os.killpg(0, signal.SIGKILL)
threading.Thread(target=hold, daemon=True).start()
sys.exit(server.wait())
"""
Process = subprocess.Popen[bytes]


@contextmanager
def serving(uri: str, runs: Path, port: int, first: str = "#/") -> Iterator[tuple[str, Process]]:
    """Yield the address and process of an MLflow server on 127.0.0.1, which ends with all its children at exit.

    Its first page is `first`, an address from its `#` on.

    It ends as well when this process is killed.

    The store's address goes by the environment, so that no process list shows its password.
    """
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        _HOST,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile() as said,
        _stopped_by_hangup(),
    ):
        app = plug_in(Path(folder))
        server = subprocess.Popen(
            [sys.executable, "-S", "-c", _LEASH, *command, *(["--app-name", NAME] if app else [])],
            env=_environment(uri, runs) | app | {VARIABLE: first},
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            base = f"http://{_HOST}:{port}"
            _wait(server, base, said)
            yield base, server
        finally:
            _end(server)


def _environment(uri: str, runs: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not _DROPPED.match(name)}
    store = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_REGISTRY_STORE_URI": uri, "MLFLOW_TRACKING_URI": uri}
    root = {"MLFLOW_DEFAULT_ARTIFACT_ROOT": (runs.resolve() / "mlartifacts").as_uri()}
    return kept | store | root | _QUIET


def _wait(server: Process, base: str, said: IO[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(URLError, OSError), urlopen(f"{base}/health", timeout=2):
            return
        time.sleep(0.1)
    said.seek(0)
    last = said.read().decode(errors="replace").strip().splitlines()[-8:]
    raise HarnessError(without_secrets("The MLflow server did not start:\n" + "\n".join(last)))


def _end(server: Process) -> None:
    """End the server's whole group, gently at first."""
    for sign, seconds in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, _END_SECONDS)):
        deadline = time.monotonic() + seconds
        with suppress(ProcessLookupError):
            os.killpg(server.pid, sign)
            while time.monotonic() < deadline:
                server.poll()
                os.killpg(server.pid, 0)
                time.sleep(0.05)
    server.wait()
    if server.stdin is not None:
        server.stdin.close()


@contextmanager
def _stopped_by_hangup() -> Iterator[None]:
    """Let a closed terminal end the server too: it has a session of its own."""

    def stop(sign: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGHUP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def free_port(wanted: int | None = None) -> int:
    """Return the wanted port of 127.0.0.1, or the first free one from 5000 on; raise `UsageError` when taken."""
    if wanted is not None:
        if not _is_free(wanted):
            raise UsageError(
                f"Port {wanted} of {_HOST} is taken: choose another with --port, or leave it out."
            )
        return wanted
    for port in range(PORT, PORT + _TRIED_PORTS):
        if _is_free(port):
            return port
    raise UsageError(
        f"The ports {PORT} to {PORT + _TRIED_PORTS - 1} of {_HOST} are taken: choose one with --port."
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
