"""A PostgreSQL server of the tests' own, from the system's packages: made, started, stopped and removed by them."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text

USER, PASSWORD = "harness", "hush:p@ss/w%rd{0}"
REQUIRED = "HARNESS_REQUIRE_POSTGRES"
SYSTEM_USER = "postgres"
PLACES = "/usr/lib/postgresql/*/bin"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "timezone": "Asia/Tokyo",
}


class Server:
    """A server on a free port of this machine, whose data lie in a folder of their own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.data, self.log = programs, folder / "data", folder / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._count = 0
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, secret):
                shutil.chown(path, SYSTEM_USER, SYSTEM_USER)
        options = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={secret}", "--encoding=UTF8"]
        self._do("initdb", *options, "--locale=C", "--no-sync", "-D", str(self.data))
        secret.unlink()

    @property
    def runs(self) -> bool:
        """Whether it was started and not stopped since."""
        return (self.data / "postmaster.pid").exists()

    def start(self) -> None:
        """Start, unless it runs, and wait until it answers."""
        if self.runs:
            return
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        self._control("start", "-w", "-l", str(self.log), "-o", f"-p {self.port} {options}")

    def stop(self) -> None:
        """Stop at once, as a crash would, whoever is connected."""
        if self.runs:
            self._control("stop", "-w", "-m", "immediate")

    def create(self) -> str:
        """Make an empty database and return its URL, password and all; start the server if a test stopped it."""
        self.start()
        self._count += 1
        name = f"d{self._count}"
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        engine.dispose()
        return self.url(name)

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        place = URL.create("postgresql+psycopg", USER, PASSWORD, "127.0.0.1", self.port, database)
        return place.render_as_string(hide_password=False)

    def _control(self, command: str, *options: str) -> None:
        self._do("pg_ctl", command, "-s", "-D", str(self.data), *options)

    def _do(self, program: str, *arguments: str) -> None:
        """Call a program of the server as a user who may run it: it refuses to be root's."""
        other = {"user": SYSTEM_USER, "group": SYSTEM_USER, "extra_groups": []} if os.geteuid() == 0 else {}
        with self.log.with_name("said").open("w+") as said:
            done = subprocess.run(
                [self.programs / program, *arguments],
                cwd=self.data.parent,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                **other,
            )
            said.seek(0)
            assert done.returncode == 0, f"{program}: {said.read()}"


def programs() -> Path | None:
    """Return the folder of the newest server that is installed."""
    found = shutil.which("initdb")
    here = [Path(found).resolve().parent] if found else []
    others = sorted(Path("/").glob(PLACES.lstrip("/")), key=lambda path: float(path.parent.name))
    return next((path for path in [*here, *reversed(others)] if (path / "pg_ctl").is_file()), None)


def missing() -> str | None:
    """Return why no server can be started here."""
    if find_spec("psycopg") is None:
        return "psycopg is not installed: pip install 'psycopg[binary]'"
    if programs() is None:
        return f"no PostgreSQL server (initdb) on PATH or in {PLACES}: apt-get install postgresql"
    if os.geteuid() == 0 and not any(user.pw_name == SYSTEM_USER for user in pwd.getpwall()):
        return f"root may not run a PostgreSQL server, and there is no system user {SYSTEM_USER}"
    return None


@contextmanager
def serving() -> Iterator[Server]:
    """Yield a running server; without one skip with the reason, or fail where `HARNESS_REQUIRE_POSTGRES=1`."""
    reason = missing()
    if reason is not None:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{REQUIRED}=1, but {reason}")
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="harness-postgres-"))
    try:
        server = Server(programs(), folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
