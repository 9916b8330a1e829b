"""Addresses of databases and servers: how they may be written down, and whether a server answers."""

import re
import ssl
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from harness.errors import UsageError

_USER = re.compile(r"(://[^:/@\s]*:)\S*@")
_QUERY = re.compile(r"([?&](?:ssl)?password=)[^&\s]*")


def without_password(text: str) -> str:
    """Return an address, or a text that holds some, without passwords.

    >>> without_password("postgresql://me:sec/r@t@host/studies?sslpassword=secret")
    'postgresql://me:***@host/studies?sslpassword=***'
    """
    return _QUERY.sub(r"\1***", _USER.sub(r"\1***@", text))


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
