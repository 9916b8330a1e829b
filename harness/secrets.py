"""Texts without secrets: whatever an exception or an address says goes through here before it is shown, stored or sent.

Two things count as secret. What a form shows: the password of a URL or a connection string, a token or signature in
a query, an `Authorization` header. And what the environment and the command line hold: the values of variables named
like `..._TOKEN`, and the passwords of all addresses there, in any quoting. A value that may as well be a word of the
text is left: under five signs, or under eight that are all small letters, all capitals or all digits. A value of five
to seven signs, or of one kind of sign, must stand alone; a longer one is found inside words, too.
"""

import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

_HIDDEN = "***"
_NAMES = re.compile(
    r"(PASSWORD|PASSWD|PASSPHRASE|TOKEN|SECRET|CREDENTIALS?|KEY|_PWD|_PASS|_PAT)$", re.IGNORECASE
)
_WORD = (
    r"(?:[\w.-]*(?:password|passwd|passphrase|api_?key|access_?key|secret_?key|client_?secret)"
    r"|(?:\w+[_-])?(?:auth|access|refresh|api|session|security|bearer)[_-]?token|x-amz-(?:signature|credential)"
    r"|token|secret|pwd|sig|signature)"
)
_END = r"(?!://|[\"'][,:)\]}\s])"
# Each ends where another begins, so that no sign is looked through twice.
_USER = re.compile(
    r"(?P<kind>\w{0,12})(?P<start>://|(?P<coded>%3A%2F%2F))"
    rf"(?P<user>(?:{_END}(?(coded)(?!%3A%2F%2F))\S)*)(?P<at>@|%40)",
    re.IGNORECASE,
)
_SPACED = re.compile(r"(://[^:/@\s]*:)(?!\d{1,5}\b)[^\s@][^@\n\"'<>]{0,80}@")
_PAIR = re.compile(
    rf"(?<![\w.-])(?P<name>{_WORD}(?:=|%3D)|[\w-]*(?:password|passwd)\s+=\s*)"
    r"(?P<value>'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|\\\"(?:(?!\\\").)*\\\"|(?:(?!%26|\\[\"'])[^&\s\"'<>])*)",
    re.IGNORECASE,
)
_ITEM = re.compile(
    rf"(?P<name>[\"']{_WORD}[\"']\s*:\s*)(?P<quote>[\"'])(?:(?!(?P=quote))[^\\\n]|\\.)*(?P=quote)",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?P<name>\b(?i:authorization)[\"']?\s*[:=]\s*[\"']?)(?:(?i:bearer|basic|token)\s+)?[^\s\"',}]+"
    r"|(?P<word>\b(?i:bearer|basic)\s+)(?=\S*(?:\d|[a-z][A-Z]))[\w+/=.~-]{8,}"
)
_ADDRESS = re.compile(r"\s*(?:--?[\w-]+=)?[\w.-]*?\+?(?P<kind>\w+)://", re.IGNORECASE)
_TOKEN = re.compile(r"\b(?:hf_|gh[pousr]_|github_pat_|glpat-|dapi)[A-Za-z0-9_-]{16,}")
_LONG, _SHORT, _PART = 8, 5, 3
# No address has a longer user with password, nor more signs in it that may be its end.
_MOST_USER, _MOST_ENDS = 1000, 16


def without_secrets(text: object) -> str:
    """Return a text, or what an exception says, with `***` in place of each secret.

    >>> without_secrets("postgresql://me:sec/r@t@host/studies?sslpassword=secret")
    'postgresql://me:***@host/studies?sslpassword=***'
    >>> without_secrets("https://t0ken@host/a?token=abc and host=h password='a b' port=1")
    'https://***@host/a?token=*** and host=h password=*** port=1'
    """
    shown = str(text)
    known = _known()
    if known is not None:
        shown = known.sub(_HIDDEN, shown)
    if "@" in shown or "%40" in shown:
        shown = _SPACED.sub(rf"\1{_HIDDEN}@", _USER.sub(_without_user, shown))
    shown = _PAIR.sub(rf"\g<name>{_HIDDEN}", shown)
    shown = _ITEM.sub(rf"\g<name>\g<quote>{_HIDDEN}\g<quote>", shown)
    return _TOKEN.sub(_HIDDEN, _HEADER.sub(rf"\g<name>\g<word>{_HIDDEN}", shown))


def first_line(error: BaseException) -> str:
    """Return the first line of what an exception says, without secrets; its type where it says nothing."""
    return (without_secrets(error).strip().splitlines() or [type(error).__name__])[0]


def error_facts(error: BaseException) -> dict[str, str]:
    """Return an exception as plain values without secrets: type, message and traceback."""
    text = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": without_secrets(error),
        "traceback": without_secrets(text),
    }


def cleared(value: Any) -> Any:
    """Return a JSON value with each of its texts without secrets."""
    if isinstance(value, Mapping):
        return {key: cleared(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [cleared(one) for one in value]
    return without_secrets(value) if isinstance(value, str) else value


def _without_user(found: re.Match[str]) -> str:
    """Hide the password of an address; on a web server the name, too, which may be a token."""
    user, colon, *_ = [*re.split(r"(:|%3A)", found["user"], maxsplit=1, flags=re.IGNORECASE), ""]
    start = found["kind"] + found["start"]
    if found["kind"].lower().endswith(("http", "https")):
        is_path = not colon and "/" in user
        return found[0] if is_path or not found["user"] else f"{start}{_HIDDEN}{found['at']}"
    return f"{start}{user}{colon}{_HIDDEN}{found['at']}" if colon else found[0]


def _known() -> re.Pattern[str] | None:
    """Return what finds the secrets of the environment and of this command, or None where there is none."""
    return _finder(frozenset(os.environ.items()), tuple(map(str, sys.argv)))


@lru_cache(maxsize=8)
def _finder(environment: frozenset[tuple[str, str]], words: tuple[str, ...]) -> re.Pattern[str] | None:
    whole, parts = set(), set()
    for name, value in environment:
        if _NAMES.search(name) and not _is_file(value):
            whole.add(value.strip())
    for text in (*(value for _, value in environment), *words):
        for secret in _secrets_of(text):
            whole |= {secret, unquote(secret)}
            parts |= set(re.split(r"[/?#:@]", secret)) - {secret}
    patterns = [(secret, _anywhere(secret)) for secret in whole] + [(part, _as_part(part)) for part in parts]
    longest_first = sorted(
        (found for found in patterns if found[1]), key=lambda found: (-len(found[0]), found)
    )
    return re.compile("|".join(pattern for _, pattern in longest_first)) if longest_first else None


def _is_file(value: str) -> bool:
    return value.startswith(("/", "~")) and os.path.exists(os.path.expanduser(value))


def _secrets_of(text: str) -> Iterator[str]:
    """Yield what may be a password in a text that is an address, an option with one, or a connection string."""
    found = _ADDRESS.match(text)
    if found is None:
        pairs = _PAIR.finditer(text) if "password" in text and "host" in text else ()
        values = (pair["value"] for pair in pairs)
        yield from (value[1:-1].replace("\\", "") if value[:1] == "'" else value for value in values)
        return
    rest = text[found.end() :][:_MOST_USER]
    for at in [place for place, sign in enumerate(rest) if sign == "@"][:_MOST_ENDS]:
        user, colon, password = rest[:at].partition(":")
        if found["kind"].lower() in ("http", "https") and password in ("", "x-oauth-basic"):
            yield "" if "/" in user else user
        elif colon:
            yield password
    yield from {value for _, value in re.findall(rf"[?&]({_WORD})=([^&]+)", text, re.IGNORECASE)}


def _anywhere(secret: str) -> str:
    """Return the pattern of a secret that is no plain word, in any quoting; an empty text for one that may be."""
    kinds = sum(
        any(map(is_of, secret))
        for is_of in (str.islower, str.isupper, str.isdigit, lambda sign: not sign.isalnum())
    )
    if len(secret) < _SHORT or (len(secret) < _LONG and kinds < 2):
        return ""
    pattern = _quoted(secret)
    return pattern if len(secret) >= _LONG and kinds >= 2 else _alone(pattern)


def _as_part(part: str) -> str:
    """Return the pattern of a piece that a library cuts from a password with signs of an address in it."""
    if found := _anywhere(part):
        return found
    return rf"(?<=['\"]){_quoted(part)}(?=['\"@])" if len(part) >= _PART else ""


def _alone(pattern: str) -> str:
    return rf"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{{2}})){pattern}(?!\w)"


def _quoted(secret: Iterable[str]) -> str:
    return "".join(map(_sign, secret))


def _sign(sign: str) -> str:
    """Return the pattern of one sign as it is, in a URL, in JSON, in Python, in HTML, or for a shell."""
    if sign.isascii() and sign.isalnum():
        return sign
    inner = "".join(f"%{byte:02x}" for byte in sign.encode("utf-8", "surrogatepass"))
    ways = [re.escape(sign), f"(?i:{inner})"]
    ways += {
        " ": [r"\+"],
        "&": ["&amp;", r"\\u0026"],
        "<": ["&lt;"],
        ">": ["&gt;"],
        '"': ["&quot;", "&#34;", r"\\\""],
        "'": ["&#39;", "&#x27;", r"\\'", r"'\"'\"'"],
        "\\": [r"\\\\"],
    }.get(sign, [])
    if not sign.isascii():
        ways.append("(?i:" + "".join(f"\\\\u{unit:04x}" for unit in _units(sign)) + ")")
    return f"(?:{'|'.join(sorted(ways, key=len, reverse=True))})"


def _units(sign: str) -> list[int]:
    """Return a sign's units in UTF-16, as JSON writes them."""
    data = sign.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[place : place + 2]) for place in range(0, len(data), 2)]
