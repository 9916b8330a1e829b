"""How long a store may keep the harness waiting: a bound for each call, and none for a store that was found away.

A call to MLflow's client can last for minutes (its own retries) or for ever (a server that accepts and never answers).
Each is made on a thread of its own, which is left behind when its time is over. What a call takes beyond a second
counts against the patience with its store, a quick answer restores it, and a store that used it up is left alone for
some minutes: whoever asks hears at once that it is away.
"""

import logging
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from harness.errors import UsageError, brief
from harness.secrets import first_line, without_secrets

SECONDS = "HARNESS_TRACKING_TIMEOUT"
_DEFAULT = 10.0
_QUICK = 1.0
_LEFT_ALONE = 300.0
# Files may take longer by their size: a link slower than this is as good as none.
_BYTES_A_SECOND = 1e6
_DOWNLOAD = 600.0
_ATTEMPTS = 3
# MLflow's own: it tries again for four minutes, and each try waits for two.
# The address that MLflow would print at the end of a run has its password, and standard output may be JSON.
_OWN = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_LOGGERS = {"mlflow.store.db.utils": logging.CRITICAL, "urllib3.connectionpool": logging.ERROR}

# How urllib3 says at the end of a long line what was the matter, and how SQLAlchemy does in the midst of several.
_CAUSE = re.compile(r"Caused by \w+\(['\"](?P<http>.*?)['\"]\)|\(\w+\.(?:\w+\.)*\w+\) (?P<sql>.+)")

# How SQLite, PostgreSQL and MySQL say that a row is there already; MLflow looks for it, then writes it.
_OVERTAKEN = re.compile(r"UNIQUE constraint failed|duplicate key value|Duplicate entry")

Result = TypeVar("Result")
_spent: dict[str, float] = {}
_away: dict[str, float] = {}


class StoreAway(UsageError):
    """The store did not answer in time; `known` where it was found away before, and was not asked again."""

    def __init__(self, uri: str, reason: str, known: bool = False) -> None:
        place = without_secrets(uri)
        super().__init__(
            f"The MLflow store {place} {reason}: start it, or name another by MLFLOW_TRACKING_URI or --runs."
        )
        self.reason, self.known = reason, known


def too_slow(uri: str) -> StoreAway:
    """Return the error of a store that used up the patience with it."""
    return StoreAway(uri, f"did not answer within {patience():g} s ({SECONDS} sets how long)")


def patience() -> float:
    """Return the seconds that a store which does not answer may take in all, of `HARNESS_TRACKING_TIMEOUT`.

    Raises `UsageError` where that is not a number above 0.
    """
    text = os.environ.get(SECONDS) or str(_DEFAULT)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(
            f"{SECONDS} is a number of seconds above 0, such as {_DEFAULT:g}, but got {brief(text)}."
        )
    return seconds


def time_for(files: Iterable[Path]) -> float:
    """Return the seconds that sending files or folders may take beyond the patience."""
    every = (file for path in files for file in (path.rglob("*") if path.is_dir() else [path]))
    return sum(file.stat().st_size for file in every if file.is_file()) / _BYTES_A_SECOND


def bounded(uri: str, work: Callable[[], Result], more: float = 0.0) -> Result:
    """Return what some work with a store returns, or raise `StoreAway` when it takes too long.

    Args:
        uri: the store, by which one that is away is known.
        work: what to do; where it takes too long it goes on unheard, and ends with the process.
        more: seconds that it may take beyond the patience, as an upload does.
    """
    _not_away(uri)
    began = time.monotonic()
    limit = max(patience() - _spent.get(uri, 0.0), 0.0) + more
    done: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
    threading.Thread(target=_do, args=(work, done), name="store", daemon=True).start()
    try:
        fine, value = done.get(timeout=limit)
    except Empty:
        _count(uri, limit - more)
        raise too_slow(uri) from None
    _count(uri, time.monotonic() - began - more)
    if not fine:
        if time.monotonic() - began > _QUICK and is_connection(value):
            _away[uri] = time.monotonic()
        raise value
    return value  # type: ignore[no-any-return]


def _do(work: Callable[[], Any], done: SimpleQueue[tuple[bool, Any]]) -> None:
    try:
        done.put((True, work()))
    except BaseException as error:
        done.put((False, error))


def _not_away(uri: str) -> None:
    if uri in _away and time.monotonic() - _away[uri] < _LEFT_ALONE:
        raise StoreAway(uri, "was away a moment ago and is not asked again yet", known=True)


def _count(uri: str, seconds: float) -> None:
    """Note how long a call took: a quick one restores the patience, a slow one uses it up."""
    if seconds <= _QUICK:
        _spent.pop(uri, None)
        _away.pop(uri, None)
        return
    _spent[uri] = _spent.get(uri, 0.0) + seconds
    if _spent[uri] >= patience():
        _spent.pop(uri)
        _away[uri] = time.monotonic()


def is_connection(error: BaseException) -> bool:
    """Whether an error of MLflow's client is about reaching the store, and not about what was asked of it."""
    code = str(getattr(error, "error_code", ""))
    return code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE") or isinstance(error, OSError)


def warn(log: logging.Logger, error: Exception, text: str, *values: Any) -> None:
    """Log a warning of an error about a store; of one that is known to be away that has been said."""
    known = isinstance(error, StoreAway) and error.known
    log.log(logging.DEBUG if known else logging.WARNING, text, *values)


def reason(error: Exception) -> str:
    """Return what a line can say of an error about a store: of a connection, what became of it in the end.

    >>> reason(OSError("/api: Max retries exceeded (Caused by ConnectError('port=9: [Errno 111] refused'))"))
    '[Errno 111] refused'
    """
    if isinstance(error, StoreAway):
        return error.reason
    if cause := _CAUSE.search(str(error)):
        return without_secrets(cause["sql"] or cause["http"].rpartition(": ")[2]).rstrip(".")
    return first_line(error).rstrip(".")


def noted(error: Exception) -> str:
    """Return what a record keeps of an error about a store: its type, and what `reason` says."""
    return f"{type(error).__name__}: {reason(error)}"


class Client:
    """MLflow's client, each of whose calls is `bounded`, and repeated where another process was a moment quicker.

    Runs that begin together note the same dataset: what one of them has written, the other finds the next time.
    """

    def __init__(self, uri: str) -> None:
        for name, value in {**_OWN, "MLFLOW_HTTP_REQUEST_TIMEOUT": str(math.ceil(patience()))}.items():
            os.environ.setdefault(name, value)
        for name, level in _LOGGERS.items():
            logging.getLogger(name).setLevel(level)
        from mlflow import MlflowClient

        kind = "rest" if uri.startswith(("http://", "https://")) else "sqlalchemy"
        import_module(f"mlflow.store.tracking.{kind}_store")  # takes seconds, which are not the store's
        self._uri = uri
        self._client = bounded(uri, partial(MlflowClient, tracking_uri=uri))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *given, **named: bounded(
            self._uri, partial(_unless_overtaken, partial(method, *given, **named)), _more(name, given)
        )


def _unless_overtaken(work: Callable[[], Result]) -> Result:
    """Return what work on a store returns; do it again where it failed because of a row written meanwhile."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except Exception as error:
            if not _OVERTAKEN.search(str(error)):
                raise
    return work()


def _more(name: str, given: tuple[Any, ...]) -> float:
    """Return the time that moving files takes: uploads by their size, downloads are of an unknown one."""
    if name in ("log_artifact", "log_artifacts"):
        return time_for([Path(given[1])])
    return _DOWNLOAD if name == "download_artifacts" else 0.0
