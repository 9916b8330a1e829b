"""A page to search with, served to this machine alone: on 127.0.0.1, below an address that nobody can guess.

Every request must name this host (a page elsewhere that has its own name point here does not), must come from the page
itself, and must know the token in the address. Texts come as JSON, which no form of another page can send.
"""

import io
import json
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from harness.errors import UsageError
from harness.inference.desk import Desk, NotThere
from harness.inference.serve_page import PAGE, SCRIPT, SERVE_STYLE
from harness.secrets import without_secrets
from harness.strict_json import read_json_text

HOST = "127.0.0.1"
_MOST_BYTES, _IDLE_SECONDS, _LINGER_SECONDS, _CLOSING_SECONDS = 2**20, 30, 5, 10
_FILES = {
    "": ("text/html", PAGE),
    "page.css": ("text/css", SERVE_STYLE),
    "page.js": ("text/javascript", SCRIPT),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
log = logging.getLogger(__name__)


class Refused(Exception):
    """A request that is not answered: its status, and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Server(ThreadingHTTPServer):
    """Answers each connection in a thread of its own, none of which outlives the server.

    The interpreter aborts if it ends while one of them computes, or holds the lock of an output.
    """

    # The base class would wait for a browser that keeps its connection open; `server_close` here cuts it off.
    daemon_threads, block_on_close = True, False
    # A page asks for all its pictures at once; what waits longer in the queue than it is long is turned away.
    request_queue_size = 128

    def __init__(self, desk: Desk, port: int | None = None) -> None:
        self.desk, self.token = desk, secrets.token_urlsafe(24)
        self._connections: dict[socket.socket, threading.Thread] = {}
        try:
            super().__init__((HOST, port or 0), _Handler)
        except OSError as error:
            raise UsageError(
                f"Port {port} of {HOST} is taken: choose another with --port, or leave it out."
            ) from error

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_address[1]}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread that `server_close` knows."""
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        self._connections[request] = thread
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection, and forget it."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.pop(request, None)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection when its client has read the answer, or after five seconds.

        Closing while the client still sends would reset the connection, and a refusal be lost with it.
        """
        until = time.monotonic() + _LINGER_SECONDS
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            while (left := until - time.monotonic()) > 0:
                request.settimeout(left)
                if not request.recv(2**16):
                    break
        self.close_request(request)

    def server_close(self) -> None:
        """Free the port, shut what browsers keep open, and wait for answers that are being computed."""
        super().server_close()
        still = list(self._connections.items())
        for connection, _ in still:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        until = time.monotonic() + _CLOSING_SECONDS
        for _, thread in still:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away."""


@contextmanager
def serving(desk: Desk, port: int | None = None) -> Iterator[Server]:
    """Yield a server that listens and is not yet run; its port is free again afterwards."""
    server = Server(desk, port)
    try:
        yield server
    finally:
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version, server_version, sys_version = "HTTP/1.1", "harness", ""
    timeout = _IDLE_SECONDS
    server: Server

    def do_GET(self) -> None:
        """Send the page, what it needs, or a picture."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Answer a search."""
        self._answer(self._post)

    def log_message(self, format: str, *values: Any) -> None:
        """Keep texts and the token out of the terminal."""

    def _answer(self, make: Callable[[str], tuple[str, bytes]]) -> None:
        status = HTTPStatus.OK
        try:
            kind, body = make(self._path())
        except Refused as error:
            status, (kind, body) = error.status, _json({"error": str(error)})
        except NotThere as error:
            status, (kind, body) = HTTPStatus.NOT_FOUND, _json({"error": str(error)})
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except Exception as error:
            log.warning("a search failed: %s", without_secrets(error))
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            kind, body = _json({"error": "This did not work; the terminal says why."})
        self._send(status, kind, body)

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in (_HEADERS | {"Content-Type": kind, "Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        if status != HTTPStatus.OK:
            # What is left of a refused request is not read as the next one.
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _path(self) -> str:
        """Return what is asked for below the token; raise `Refused` for who may not ask."""
        port = self.server.server_address[1]
        hosts = {f"{name}:{port}" for name in (HOST, "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in hosts or (
            origin is not None and origin not in {f"http://{host}" for host in hosts}
        ):
            raise Refused(HTTPStatus.FORBIDDEN, "This page answers to itself alone.")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            raise Refused(HTTPStatus.FORBIDDEN, "This page answers to itself alone.")
        _, token, *rest = self.path.split("/", 2)
        if not rest or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(
                HTTPStatus.NOT_FOUND, "There is nothing here: open the address that the terminal shows."
            )
        return rest[0]

    def _get(self, path: str) -> tuple[str, bytes]:
        if path in _FILES:
            kind, text = _FILES[path]
            return f"{kind}; charset=utf-8", text.encode()
        if path == "about":
            return _json(self.server.desk.about())
        parts = path.split("/")
        if parts[0] == "image" and len(parts) == 3:
            return "image/jpeg", _jpeg(self.server.desk.picture(_number(parts[1]), _number(parts[2])))
        raise Refused(HTTPStatus.NOT_FOUND, "There is nothing here.")

    def _post(self, path: str) -> tuple[str, bytes]:
        if path not in ("search", "relevance"):
            raise Refused(HTTPStatus.NOT_FOUND, "There is nothing here.")
        asked = self._asked()
        text, desk = asked.get("text"), self.server.desk
        if not isinstance(text, str):
            raise Refused(HTTPStatus.BAD_REQUEST, "text must be a text.")
        if path == "search":
            return _json(desk.search(text, _whole(asked, "top", 12)))
        return _json(desk.relevance(text, _whole(asked, "run", 0), _whole(asked, "image", 0)))

    def _asked(self) -> dict[str, Any]:
        """Read the JSON object that was sent."""
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send application/json.")
        length = _number(self.headers.get("Content-Length", ""))
        if not 0 <= length <= _MOST_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {_MOST_BYTES:,} bytes.")
        try:
            asked = read_json_text(self.rfile.read(length).decode())
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, "This is no JSON.") from error
        if not isinstance(asked, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "Send a JSON object.")
        return asked


def _number(text: str) -> int:
    """Return a number of few plain digits; -1, which nothing has, of anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _whole(asked: dict[str, Any], name: str, default: int) -> int:
    value = asked.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a whole number.")
    return value


def _json(value: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(value).encode()


def _jpeg(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
