"""No text keeps a secret, in whatever quoting a library repeats it, and no harmless text loses a word."""

import html
import json
import re
import shlex
import time
from urllib.parse import quote, quote_plus

import pytest
from sqlalchemy.engine import make_url

from harness.secrets import _finder, cleared, error_facts, first_line, without_secrets

PASSWORDS = (
    "s3cr3t-Word",
    "p@ss/w#rd?1",
    "a:b@c:d/e",
    "50%off%2F1",
    "two words 2",
    "ünï1cödé",
    "q\"u'o\\te9",
    "x&y=z;1<2>",
)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "HARNESS_STORAGE", "MY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.argv", ["harness"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:secret@host/d", "postgresql://me:***@host/d"),
        ("postgresql://me:s/e#c:r@t@host/d", "postgresql://me:***@host/d"),
        ("postgresql://me:two words@host/d", "postgresql://me:***@host/d"),
        ("mysql+pymysql://me:s%40c@h/d?ssl=1", "mysql+pymysql://me:***@h/d?ssl=1"),
        (
            "at http://me:pw@h:5000/a, not at http://you:pw@h/b",
            "at http://***@h:5000/a, not at http://***@h/b",
        ),
        ("https://t0k3n@host/x", "https://***@host/x"),
        ("https://t0k3n:@host/x", "https://***@host/x"),
        ("postgresql%3A%2F%2Fme%3Asecret%40host", "postgresql%3A%2F%2Fme%3A***%40host"),
        ("url: /a?b=c&token=xyz&d=e (Caused", "url: /a?b=c&token=***&d=e (Caused"),
        ("/d?sslpassword=xyz&password=abc", "/d?sslpassword=***&password=***"),
        ("a%3Fpassword%3Dabc%26b%3D1", "a%3Fpassword%3D***%26b%3D1"),
        ("host=h password=abc dbname=d", "host=h password=*** dbname=d"),
        ("host=h password = 'a b' dbname=d", "host=h password = *** dbname=d"),
        ("{'host': 'h', 'password': 'a b'}", "{'host': 'h', 'password': '***'}"),
        ('{"token": "a\\"b", "x": 1}', '{"token": "***", "x": 1}'),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("sent Basic bWU6c2VjcmV0 to h", "sent Basic *** to h"),
        ("with hf_abcdefghijklmnop1234", "with ***"),
    ],
)
def test_a_form_shows_its_secret(text, shown):
    assert without_secrets(text) == shown
    assert without_secrets(shown) == shown, "twice is as once"


@pytest.mark.parametrize(
    "text",
    [
        "https://host/a@b",
        "git+ssh://git@github.com/a",
        "postgresql://me@host/d",
        "sqlite:////a b/x.db",
        "http://127.0.0.1:5000/#/experiments/1 by me@host",
        '{"uri":"http://h:80/x","mail":"me@x"}',
        "sorted(rows, key=len), page_token=token",
        "basic training of token classification",
        "The password of the storage has an @ in it: write %40 for @.",
        "--set train.mask_token=3",
        "R@1  45.2 [40.1, 50.3]",
    ],
)
def test_harmless_text_stays(text):
    assert without_secrets(text) == text


def quotings(secret):
    return {
        secret,
        quote(secret, safe=""),
        re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")),
        quote(secret, safe=" +"),
        quote(secret),
        quote_plus(secret),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        shlex.quote(secret),
    }


@pytest.mark.parametrize("secret", PASSWORDS)
@pytest.mark.parametrize("place", ["token", "url", "option"])
def test_a_known_secret_is_found_wherever_it_stands_in_any_quoting(secret, place, monkeypatch):
    url = f"postgresql://me:{quote(secret, safe='')}@host/studies"
    if place == "token":
        monkeypatch.setenv("MY_TOKEN", secret)
    elif place == "url":
        monkeypatch.setenv("HARNESS_STORAGE", url)
    else:
        monkeypatch.setattr("sys.argv", ["harness", "worker", "mine", f"--storage={url}"])
    assert make_url(url).password == secret
    for text in quotings(secret):
        said = f"before {text} after"
        assert text not in without_secrets(said), text
        assert without_secrets(said) in ("before *** after", "before '***' after")


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_that_was_not_quoted_is_found_too(password, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{password}@host:5000/store")
    assert password not in without_secrets(f"cannot reach http://me:{password}@host:5000/store: refused")
    assert password not in without_secrets(f"wrong host 'x{password}y'")


def test_the_pieces_that_a_library_cuts_from_a_password_are_found(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:sec/ret@host")
    assert without_secrets("invalid literal for int() with base 10: 'sec'").endswith("'***'")
    assert "ret" not in without_secrets("could not resolve 'ret@host'")


@pytest.mark.parametrize("value", ["a", "1", "12", "true", "icfg", "train", "1234567"])
def test_a_value_that_may_be_a_word_of_the_text_blanks_nothing(value, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", value)
    monkeypatch.setenv("HARNESS_STORAGE", f"postgresql://me:{value}@host/d")
    said = "training on icfg, seed 1: true, 1234567 a train 12"
    assert without_secrets(said) == said
    assert without_secrets(f"at postgresql://me:{value}@host/d") == "at postgresql://me:***@host/d"


@pytest.mark.parametrize(("value", "inside"), [("postgres", "postgresql://host"), ("hunter2", "xhunter2x")])
def test_a_plain_or_short_value_must_stand_alone(value, inside, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", value)
    assert without_secrets(f"{inside} and {value}.") == f"{inside} and ***."


def test_a_variable_that_names_a_file_or_the_folder_hides_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_KEY", str(tmp_path))
    monkeypatch.setenv("PWD", str(tmp_path))
    assert without_secrets(tmp_path) == str(tmp_path)


def test_errors_and_values_are_cleared_whole(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "s3cr3t-Word")

    def fail():
        raise ValueError("s3cr3t-Word is wrong\nmore")

    with pytest.raises(ValueError, match="wrong") as caught:
        fail()
    facts = error_facts(caught.value)
    assert facts["message"] == "*** is wrong\nmore"
    assert "in fail" in facts["traceback"]
    assert "s3cr3t-Word" not in facts["traceback"].replace('raise ValueError("s3cr3t-Word', "")
    assert first_line(caught.value) == "*** is wrong"
    assert first_line(KeyError()) == "KeyError"
    assert cleared({"a": ["s3cr3t-Word", 1, None]}) == {"a": ["***", 1, None]}


PARTS = (
    *(
        "a:a@",
        "://",
        "%3A%2F%2F",
        "://a:",
        "%3A%2F%2Fa",
        "'",
        '"',
        '\\"',
        "\\",
        "{",
        "}",
        "@",
        "%40",
        "\n",
        " ",
        " : ",
    ),
    *(
        "password=",
        "password='",
        "password ",
        "'password': '",
        '"token":"',
        "?token=x",
        "&token=",
        "%26",
        "secret:",
    ),
    *(
        "a",
        "-",
        "a-",
        "a.",
        "_",
        "x-",
        "auth-",
        "token_",
        "api-api-",
        "Authorization: ",
        "Bearer ",
        "bearer aB1",
        "hf_",
    ),
)
ROOMS = ("{}", "@ {}", "{}@")


def seconds(text):
    """Return the time of this process that a text takes, at best of three."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        without_secrets(text)
        taken.append(time.process_time() - start)
    return min(taken)


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_a_text_of_twice_the_length_takes_twice_the_work(part):
    """Growth by the square would be a factor of four, which three tells from the unrest of a busy machine."""
    for room in ROOMS:
        once, twice, fourfold = (room.format(part * (n // len(part))) for n in (4_000, 8_000, 16_000))
        if seconds(fourfold) > 0.05:
            pairs = ((once, twice), (twice, fourfold))
            growth = [seconds(longer) / seconds(shorter) for shorter, longer in pairs]
            assert min(growth) < 3, (room, part, growth)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["a:a@", "://", "%3A%2F%2F", "'", "{", "_"])
def test_a_text_of_a_megabyte_takes_seconds(part):
    assert seconds(part * (2**20 // len(part)) + "@") < 10


@pytest.mark.parametrize(
    "value", ["postgresql://" + "a:a@" * 5_000, "https://" + "/:@" * 300, "http://" + "?token=a&" * 5_000]
)
def test_an_address_of_any_length_is_looked_through_at_once(value):
    start = time.process_time()
    _finder(frozenset({("HARNESS_STORAGE", value)}), ("harness", value))
    assert time.process_time() - start < 3
