"""Addresses of databases and servers as they may be written down."""

import re

_USER = re.compile(r"(://[^:/@\s]*:)\S*@")
_QUERY = re.compile(r"([?&](?:ssl)?password=)[^&\s]*")


def without_password(text: str) -> str:
    """Return an address, or a text that holds some, without passwords.

    >>> without_password("postgresql://me:sec/r@t@host/studies?sslpassword=secret")
    'postgresql://me:***@host/studies?sslpassword=***'
    """
    return _QUERY.sub(r"\1***", _USER.sub(r"\1***@", text))
