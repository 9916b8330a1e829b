"""Optuna's relational storage, opened so that many processes may use it at once; what cannot be opened is one message.

SQLite serves one machine, any SQLAlchemy URL of a server many. The schema is made by whoever opens the storage first,
under a lock: Optuna's own way fails when two do so at once.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from harness.addresses import sqlite_file, sqlite_url
from harness.errors import HarnessError, UsageError, brief
from harness.files import held, replaced
from harness.places import is_there, told_fault
from harness.secrets import first_line, without_secrets

HEARTBEAT = 30
_SILENT_BEATS = 4
_LOCK_WAIT = 120.0
_SCHEMA_LOCK, _QUEUE_LOCK = 0x6861726E657373, 0x6861726E657374
PATIENCE = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
EXAMPLES = (
    "--storage takes an SQLAlchemy URL such as sqlite:///optuna.db or "
    "postgresql+psycopg://user:password@host/database."
)
GONE = (SQLAlchemyError, optuna.exceptions.StorageInternalError)

Stale = Callable[[optuna.Study, FrozenTrial], None]


def shown(url: str) -> str:
    """Return a storage URL without its password; of one that cannot be read only its beginning.

    >>> shown("postgresql://me:secret@host/studies?password=secret")
    'postgresql://me:***@host/studies?password=***'
    """
    try:
        make_url(url)
    except (SQLAlchemyError, ValueError):
        return brief(url.partition(":")[0] + ":..." if ":" in url else url)
    return without_secrets(url)


def open_storage(
    url: str, stale: Stale | None = None, heartbeat: int = HEARTBEAT
) -> optuna.storages.RDBStorage:
    """Open a storage whose trials count as dead when their worker misses four heartbeats.

    Raises `UsageError` naming the URL, its password left out, when it cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with reachable(url), experimental(), _laid_out(url):
        return optuna.storages.RDBStorage(
            _literal(url),
            engine_kwargs=_options(_parse(url)),
            heartbeat_interval=heartbeat,
            grace_period=_SILENT_BEATS * heartbeat,
            heartbeat_stale_trial_callback=stale,
        )


def study_names(url: str) -> list[str]:
    """Return the names of all studies of a storage, in alphabetical order."""
    with reachable(url):
        return sorted(optuna.get_all_study_names(open_storage(url)))


def _file(url: str) -> Path | None:
    """Return the file of a storage in SQLite; None for a server, or one in memory."""
    _parse(url)
    return sqlite_file(url)


def may_exist(url: str) -> bool:
    """Return False where an SQLite file is not there yet; of other storages nothing is known before they are opened."""
    with reachable(url):
        file = _file(url)
    return file is None or is_there(file)


@contextmanager
def alone(url: str) -> Iterator[None]:
    """Hold an SQLite storage for one process: it lets two read a state before either changes it; servers lock rows."""
    file = _file(url)
    if file is None:
        yield
        return
    with _locked(file):
        yield


@contextmanager
def exclusive(url: str) -> Iterator[None]:
    """Hold a storage for one process among all machines while it reads the queue and adds to it."""
    parsed = _parse(url)
    if parsed.get_backend_name() == "postgresql":
        with _advisory_lock(parsed, _QUEUE_LOCK):
            yield
    else:
        with alone(url):
            yield


@contextmanager
def reachable(url: str) -> Iterator[None]:
    """Turn the errors of a storage that cannot be reached into one `UsageError`."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"The study storage {shown(url)} cannot be opened, because its driver is missing: {first_line(error)} "
            "PostgreSQL's comes with pip install 'person-retrieval-harness[postgres]', as postgresql+psycopg://."
        ) from error
    except (SQLAlchemyError, OSError, RuntimeError) as error:
        reason = first_line(error)
        raise UsageError(f"The study storage {shown(url)} cannot be opened: {reason}. {EXAMPLES}") from error


@contextmanager
def lost(place: str) -> Iterator[None]:
    """Turn a storage that goes away during work, or whose place is full, into one message."""
    try:
        yield
    except GONE as error:
        if (fault := told_fault(error)) is not None:
            raise fault from error
        reason = first_line(error.__cause__ or error)
        raise HarnessError(
            f"The study storage {place} was lost: {reason} Results so far are kept; run the same command to resume "
            "once it is back."
        ) from error


@contextmanager
def experimental() -> Iterator[None]:
    """Silence Optuna's notes on parts that it calls experimental: the harness tests what it uses of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _literal(url: str) -> str:
    """Return a URL as Optuna takes it: a template, whose braces stand for themselves when doubled."""
    return url.replace("{", "{{").replace("}", "}}")


def _parse(url: str) -> URL:
    """Read a URL; neither a message nor its cause repeats what may be a password."""
    try:
        url.encode()
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise UsageError(f"The study storage {shown(url)} is not an SQLAlchemy URL. {EXAMPLES}") from None
    if "@" in (parsed.host or ""):
        raise UsageError(
            f"The password of the study storage {shown(url)} has an @ in it: write %40 for @, %3A for : and %2F for /."
        )
    return parsed


def _options(url: URL) -> dict[str, Any]:
    """Return how to connect: patient with a busy file, not with a server that is gone, and by one clock for all."""
    kind = url.get_backend_name()
    if kind == "sqlite":
        return {"connect_args": {"timeout": _LOCK_WAIT}}
    if kind != "postgresql":
        return {"pool_pre_ping": True}
    patience = PATIENCE if url.get_driver_name().startswith("psycopg") else {}
    given = {key: value for key, value in patience.items() if key not in url.query}
    return {"connect_args": given, "pool_pre_ping": True, "pool_events": [(_by_utc, "connect")]}


def _by_utc(connection: Any, _: object) -> None:
    """Let a connection keep time without summer time: Optuna writes heartbeats as local times of the session."""
    connection.cursor().execute("SET TIME ZONE 'UTC'")
    connection.commit()


@contextmanager
def _laid_out(url: str) -> Iterator[None]:
    """Let one process at a time open a storage, which makes its tables; SQLite files get theirs beforehand."""
    file, parsed = _file(url), _parse(url)
    if file is not None:
        _lay_out(file)
    if parsed.get_backend_name() != "postgresql":
        yield
        return
    with _advisory_lock(parsed, _SCHEMA_LOCK):
        yield


@contextmanager
def _advisory_lock(url: URL, key: int) -> Iterator[None]:
    """Hold one of PostgreSQL's named locks; the server frees it when the connection ends, however it ends."""
    engine = create_engine(url, **_options(url))
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            yield
    finally:
        engine.dispose()


def _lay_out(file: Path) -> None:
    """Make a new SQLite file beside its place and rename it, one process at a time: Optuna's own way is neither."""
    with _locked(file):
        if not file.exists():
            with replaced(file) as temporary:
                optuna.storages.RDBStorage(_literal(sqlite_url(temporary))).remove_session()


def _locked(file: Path) -> AbstractContextManager[None]:
    return held(file.with_name(f".{file.name}.lock"), "give another --storage")
