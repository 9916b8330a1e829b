"""What a bundle must not say of the machine it was made on: paths, hosts, users."""

import getpass
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from harness.record import Record

HIDDEN = "<path>"
# A path from the root or a home, of Windows, or of an address of files or of a database; no part of a web address.
_PATH = re.compile(
    r"""(?:(?:file|sqlite)://+[^\s'"]*)|(?<![\w.:/\\<>])(?:~[\w.-]*)?/(?:[^\s'"/]+/)*[^\s'",;)]*\w[^\s'",;)]*"""
    r"""|(?<!\w)[A-Za-z]:\\[^\s'"]*|\\\\[^\s'"\\]+\\[^\s'"]*"""
)
# What the user writes in own words, or a machine says of itself; elsewhere a name such as `vm` may be a word.
_FREE_TEXT = ("command", "notes", "tags", "environment", "data")
_SHORTEST = 2


def without_machine(record: Record) -> Record:
    """Return a record that says what was done and nothing of where: paths, host, user and address of the store go.

    Values that make the run what it is are kept, unless one is a path itself.
    """
    values = hidden(record.model_dump(mode="json"))
    values["environment"].pop("host", None)
    values |= {"tracking": {"synced": False}, "parent": None, "progress": {}}
    for name in _FREE_TEXT:
        values[name] = _without_names(values[name])
    return Record.model_validate(values)


def hidden(value: Any) -> Any:
    """Return a JSON value with each path in its texts replaced.

    >>> hidden({"command": "harness run --runs /home/ann/runs --set a.b=1/2", "see": "https://host.org/a/b"})
    {'command': 'harness run --runs <path> --set a.b=1/2', 'see': 'https://host.org/a/b'}
    """
    if isinstance(value, str):
        return _PATH.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {key: hidden(one) for key, one in value.items()}
    return [hidden(one) for one in value] if isinstance(value, list) else value


def _without_names(value: Any) -> Any:
    """Return a JSON value without the names of this host and user, where they stand as words of their own."""
    if isinstance(value, str):
        for name, word in _names().items():
            value = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", word, value)
        return value
    if isinstance(value, dict):
        return {key: _without_names(one) for key, one in value.items()}
    return [_without_names(one) for one in value] if isinstance(value, list) else value


def _names() -> dict[str, str]:
    host = socket.gethostname()
    names = {host: "<host>", host.partition(".")[0]: "<host>"}
    with suppress(OSError, KeyError, ImportError):  # A process may have no user that the system knows.
        names[getpass.getuser()] = "<user>"
    return {name: word for name, word in names.items() if len(name) > _SHORTEST}
