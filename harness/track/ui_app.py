"""MLflow's own pages with an experiment's results as the first one, and with the Assistant panel shut.

MLflow has no setting for either: its first page is a general one, and a browser that comes to a local server for the
first time has the panel opened, and pages of language models shown beside a run (what it remembers of both is in the
browser's storage, seen in MLflow 3.17). So `harness ui` serves MLflow's app as one of its `mlflow.app` plug-ins, with
one script in its page that fills what the browser does not know yet, and goes to the results where an address names no
page.
Who opens the panel has it open.
"""

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import harness

VARIABLE = "HARNESS_UI_FIRST_PAGE"
NAME = "person-retrieval-harness"
# Its own names, and what it would write: the panel was opened once, and pages are those of training.
_KNOWN = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.workflowType_v1": '"machine_learning"',
}
_SCRIPT = """<script>
try {
  for (const [key, value] of Object.entries(%s)) localStorage.getItem(key) ?? localStorage.setItem(key, value)
} catch {}
if (!location.hash) location.replace(%s)
</script>"""
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class FirstPage:
    """An ASGI app whose page at `/` has the script; all else is the app's own."""

    def __init__(self, app: App, address: str) -> None:
        self.app, self.script = app, script(address).encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        # The whole page each time: MLflow's own may be in the browser's cache.
        scope = {**scope, "headers": [one for one in scope["headers"] if not one[0].startswith(b"if-")]}
        started: Message = {}
        body = b""

        async def gather(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                started.update(message)
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await self._answer(started, body, send)

        await self.app(scope, receive, gather)

    async def _answer(self, started: Message, body: bytes, send: Send) -> None:
        page = body.replace(b"<head>", b"<head>" + self.script, 1)
        dropped = (b"content-length", b"etag", b"last-modified", b"cache-control")
        headers = [one for one in started["headers"] if one[0].lower() not in dropped]
        headers += [(b"content-length", str(len(page)).encode()), (b"cache-control", b"no-store")]
        await send({**started, "headers": headers})
        await send({"type": "http.response.body", "body": page})


def script(address: str) -> str:
    """Return the script that goes to an address, be it as hostile as it likes."""
    known, first = (json.dumps(value).replace("<", "\\u003c") for value in (_KNOWN, address))
    return _SCRIPT % (known, first)


def make_app() -> FirstPage:
    """Return MLflow's app with its first page; uvicorn calls this."""
    from mlflow.server.fastapi_app import app

    return FirstPage(app, os.environ.get(VARIABLE, "#/"))


def plug_in(folder: Path) -> dict[str, str]:
    """Make the app known to an MLflow server that is given the returned variables; none to one that has no such app.

    MLflow looks for apps among installed packages, so the folder gets the description of one, which is on the path of
    that server alone.
    """
    if find_spec("mlflow.server.fastapi_app") is None:
        return {}
    about = folder / f"{NAME.replace('-', '_')}_pages-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}-pages\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[mlflow.app]\n{NAME} = {__name__}:{make_app.__name__}\n")
    places = [str(folder), str(Path(harness.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, places))}
