"""Addresses of databases and servers: how they may be written down, and whether a server answers."""

import ssl
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import urlopen

from harness.errors import UsageError


def sqlite_url(file: Path) -> str:
    """Return the SQLAlchemy URL of an SQLite file, whatever its path is made of.

    Where anything must be quoted the slashes are, too: MLflow makes the folders that it reads in a URL as it stands.

    >>> sqlite_url(Path("/runs/a b#1/mlflow.db")), sqlite_url(Path("/50 %/mlflow.db"))
    ('sqlite:////runs/a b#1/mlflow.db', 'sqlite:///%2F50 %25%2Fmlflow.db')
    """
    path = str(file)
    quoted = path.translate({ord(sign): quote(sign, safe="") for sign in "%?/"})
    return f"sqlite:///{quoted if set('%?') & set(path) else path}"


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite URL; None for another store, or one in memory.

    Raises `sqlalchemy.exc.ArgumentError` or `ValueError` for what is no SQLAlchemy URL.
    """
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def without_user(uri: str) -> str:
    """Return the address of a server without a user's name and password.

    >>> without_user("https://me:secret@host:5000/store")
    'https://host:5000/store'
    """
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def must_answer(uri: str) -> None:
    """Raise `UsageError` where no MLflow server is reached: MLflow itself would try again for minutes.

    A server that answers with a refusal, or whose certificate only MLflow's own settings trust, is reached.
    """
    base = without_user(uri)
    try:
        urlopen(f"{base.rstrip('/')}/health", timeout=5).close()
    except HTTPError:
        return
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return
        raise UsageError(
            f"The MLflow server {base} of MLFLOW_TRACKING_URI does not answer ({reason}): start it, or unset the "
            "variable to see the store beside the runs."
        ) from error
