"""Which workers are alive: each holds a lock that the system frees when its process dies, however it dies."""

import fcntl
import os
import socket
import uuid
from pathlib import Path
from typing import IO


class Presence:
    """Holds a lock file that shows, as long as this process lives, that its worker does.

    Attributes:
        token: host, process and a random part; jobs carry it while they run.
    """

    def __init__(self, folder: Path) -> None:
        self.token = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._path = folder / "workers" / f"{self.token}.lock"
        self._file: IO[str] | None = None

    @staticmethod
    def is_of_this_machine(token: str) -> bool:
        """Whether a token is that of a worker of this machine."""
        return token.rsplit("-", 2)[0] == socket.gethostname()

    def __enter__(self) -> "Presence":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Free the lock; after an error its file stays, so that a job left running is known to be nobody's."""
        if kind is None:
            self._path.unlink(missing_ok=True)
        if self._file is not None:
            self._file.close()


def is_dead(folder: Path, token: str) -> bool:
    """Say whether a worker left a lock here that no process holds any more.

    False where it never had one: it may work on another machine, or with another --runs, and only its heartbeats show
    whether it is alive.
    """
    if not Presence.is_of_this_machine(token):
        return False
    try:
        with (folder / f"{token}.lock").open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
