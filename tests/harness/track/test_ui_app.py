"""MLflow's page with our script: it is the whole page, nothing else is touched, and MLflow finds the app."""

import asyncio
import sys
from importlib.metadata import distributions
from pathlib import Path

import mlflow.server

from harness.track import ui_app
from harness.track.ui_app import FirstPage, plug_in, script

PAGE = b"<!doctype html><html><head><title>MLflow</title></head></html>"


def ask(path, method="GET", headers=()):
    """Answer one request by an app whose page comes in two parts; return the status, headers, body and what it saw."""
    seen, said = [], []

    async def app(scope, receive, send):
        seen.append(scope)
        kept = [(b"content-type", b"text/html"), (b"content-length", b"62"), (b"etag", b"a")]
        await send({"type": "http.response.start", "status": 200, "headers": kept})
        await send({"type": "http.response.body", "body": PAGE[:9], "more_body": True})
        await send({"type": "http.response.body", "body": PAGE[9:]})

    async def send(message):
        said.append(message)

    scope = {"type": "http", "path": path, "method": method, "headers": list(headers)}
    asyncio.run(FirstPage(app, "#/experiments/1/runs")(scope, None, send))
    body = b"".join(message.get("body", b"") for message in said)
    return dict(said[0]["headers"]), body, seen[0]


def test_the_first_page_has_the_script_before_all_others_and_is_never_a_browsers_old_one():
    headers, body, seen = ask("/", headers=[(b"if-none-match", b"a"), (b"host", b"127.0.0.1")])
    assert body.startswith(b"<!doctype html><html><head><script>")
    assert b"#/experiments/1/runs" in body
    assert body.endswith(b"<title>MLflow</title></head></html>")
    assert headers[b"content-length"] == str(len(body)).encode()
    assert (headers[b"cache-control"], b"etag" in headers) == (b"no-store", False)
    assert seen["headers"] == [(b"host", b"127.0.0.1")]


def test_all_else_is_mlflows_own():
    for path, method in (
        ("/ajax-api/2.0/mlflow/runs/get", "GET"),
        ("/static-files/x.js", "GET"),
        ("/", "POST"),
    ):
        headers, body, _ = ask(path, method)
        assert (body, headers[b"etag"]) == (PAGE, b"a")


def test_an_address_cannot_leave_the_script():
    text = script('#/x"</script><script>alert(1)</script>')
    assert text.count("</script>") == 1
    assert text.count("<script>") == 1


def test_mlflow_finds_the_app_in_the_folder_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    first, harness_place, mine = plug_in(tmp_path)["PYTHONPATH"].split(":")
    assert (first, mine) == (str(tmp_path), "/mine")
    assert (Path(harness_place) / "harness" / "track").is_dir()
    (found,) = [one for package in distributions(path=[first]) for one in package.entry_points]
    assert (found.group, found.name) == ("mlflow.app", ui_app.NAME)
    assert found.load() is ui_app.make_app
    monkeypatch.setattr(ui_app, "find_spec", lambda name: None)
    assert plug_in(tmp_path / "older") == {}
    assert sys.modules["harness.track.ui_app"] is ui_app


def test_the_browsers_storage_is_called_as_this_release_of_mlflow_calls_it():
    """A release that calls it otherwise opens its panel again: this says so."""
    built = Path(mlflow.server.__file__).parent / "js" / "build" / "static" / "js"
    (main,) = built.glob("main.*.js")
    text = main.read_text(encoding="utf-8")
    for name in ui_app._KNOWN:
        assert f'key:"{name.removesuffix("_v1")}",version:1' in text
