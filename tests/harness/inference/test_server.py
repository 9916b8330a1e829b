"""The page to search with: it answers this machine's own page alone, and hostile requests end as one line."""

import http.client
import json
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from harness.errors import UsageError
from harness.images.decoding import ImageError
from harness.inference.desk import Desk, Seat
from harness.inference.gallery import Gallery
from harness.inference.relevance import PatchMap, Relevance, Word, WordMap
from harness.inference.server import serving

HOSTILE = '<img src=x onerror=alert(1)>"\x1b[31m.png'


class Model:
    """Stands for a run that takes the length of a text for its meaning; notices two threads at once."""

    def __init__(self):
        self.method = SimpleNamespace(clip=SimpleNamespace(text_length=77))
        config = {"method": {"name": "cskt"}, "dataset": {"name": "icfg"}}
        self.record = SimpleNamespace(name="<b>run</b>", config=config, synthetic=True)
        self.seen, self.busy, self.overlapped = [], False, False

    def encode_text(self, captions):
        self.overlapped |= self.busy
        self.busy = True
        time.sleep(0.002)
        self.seen += captions
        self.busy = False
        return torch.eye(4)[[len(captions[0]) % 4]]

    def relevance(self, caption, path):
        if not path.is_file():
            raise ImageError("gone")
        words = [Word(word, 0.1) for word in caption.split()]
        return Relevance(PatchMap(torch.eye(2), 0.5, 0.1), WordMap(words, 0.5, 0.2, 0))


@pytest.fixture
def served(tmp_path):
    """A server of four pictures, with its model and a function that asks it."""
    files = [tmp_path / name for name in ("a.png", "b.png", HOSTILE, "d.png")]
    for file in files:
        Image.fromarray(np.full((30, 10, 3), 90, np.uint8)).save(file, format="PNG")
    model = Model()
    desk = Desk([Seat(model, tmp_path, Gallery(files, torch.eye(4))) for _ in range(2)])
    with serving(desk) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        port = server.server_address[1]

        def ask(path, value=None, *, method=None, body=None, own=True, **headers):
            named = {"Content-Type": "application/json"} if value is not None or body is not None else {}
            named |= {name.replace("_", "-"): text for name, text in headers.items()}
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            sent = body if body is not None else None if value is None else json.dumps(value)
            target = f"/{server.token}/{path}" if own else path
            link.request(method or ("GET" if sent is None else "POST"), target, sent, named)
            answer = link.getresponse()
            found = answer.read()
            link.close()
            kind = answer.headers["Content-Type"]
            return answer, json.loads(found) if kind == "application/json" else found

        yield SimpleNamespace(ask=ask, model=model, files=files, server=server, port=port)
        server.shutdown()
        thread.join()


def test_a_text_is_ranked_by_each_run_and_hostile_paths_are_text(served):
    answer, found = served.ask("search", {"text": "  a red\x1b[31m\n coat", "top": 2})
    assert (answer.status, found["read"]) == (200, "a red coat")
    assert [len(run["hits"]) for run in found["runs"]] == [2, 2]
    assert served.model.seen == ["a red coat"] * 2
    first = found["runs"][0]["hits"][0]
    assert (first["rank"], first["similarity"], first["image"]) == (1, 1.0, 2)
    assert first["path"] == '<img src=x onerror=alert(1)>".png'
    assert served.ask("search", {"text": " \n"})[1] == {"read": "", "runs": [None, None]}


def test_the_page_fetches_nothing_from_elsewhere_and_writes_text_alone(served):
    answer, page = served.ask("")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"//" not in page.replace(b"<!doctype", b"")
    script = served.ask("page.js")[1].decode()
    assert not [
        word
        for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(")
        if word in script
    ]
    assert served.ask("about")[1]["runs"][0]["run"] == "<b>run</b>"
    assert served.server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1.evil.example:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_page_elsewhere_gets_nothing(served, headers):
    """Not by a name that points here, and not by a request across sites."""
    named = {name: text.format(port=served.port) for name, text in headers.items()}
    for value in (None, {"text": "a red coat"}):
        answer, found = served.ask("about" if value is None else "search", value, **named)
        assert answer.status == 403
        assert list(found) == ["error"]
    assert served.model.seen == []
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_page_itself_may_ask(served):
    own = {
        "Host": f"localhost:{served.port}",
        "Origin": f"http://127.0.0.1:{served.port}",
        "Sec_Fetch_Site": "same-origin",
    }
    assert served.ask("search", {"text": "x"}, **own)[0].status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/about",
        "/wrong/about",
        "/wrong/search",
        "//about",
        "/%00/about",
        "/%C3%BC/about",
    ],
)
def test_nobody_asks_without_the_token(served, path):
    assert served.ask(path, own=False)[0].status == 404


@pytest.mark.parametrize(
    "path",
    [
        "image/0/../../../../etc/passwd",
        "image/0/..%2f..%2fetc%2fpasswd",
        "image/0//etc/passwd",
        "image/0/4",
        "image/2/0",
        "image/0/-1",
        "image/0/1e0",
        "image/0/" + "9" * 5000,
        "image/0/%C2%B2",
        "image/0",
        "../about",
        "page.js/",
        "search",
    ],
)
def test_there_is_nothing_but_pictures_by_number(served, path):
    answer, found = served.ask(path)
    assert answer.status == 404
    assert list(found) == ["error"]


def test_pictures_are_small_copies_and_one_that_is_gone_is_told(served):
    answer, found = served.ask("image/1/0")
    assert (answer.status, answer.headers["Content-Type"], found[:2]) == (200, "image/jpeg", b"\xff\xd8")
    served.files[0].unlink()
    assert served.ask("image/1/0")[0].status == 404
    answer, found = served.ask("relevance", {"text": "a coat", "run": 0, "image": 0})
    assert (answer.status, found["error"]) == (404, "This picture cannot be read any more.")


def test_a_map_has_its_picture_words_and_sentences(served):
    _, found = served.ask("relevance", {"text": "a <b>coat</b>", "run": 1, "image": 2})
    assert [one["word"] for one in found["words"]] == ["a", "<b>coat</b>"]
    assert found["picture"].startswith("data:image/jpeg;base64,")
    assert found["summary"][0].startswith("The patches carry +0.400 (80 %)")


@pytest.mark.parametrize("text", ["word " * 20_000, "a" * 100_000, "\ud800\x00\x1b]0;x\x07 coat", "‮coat"])
def test_any_text_is_answered_and_no_more_of_it_is_read_than_a_tower_takes(served, text):
    answer, found = served.ask("search", {"text": text})
    assert answer.status == 200
    assert len(found["read"]) <= 4_000
    assert len(found["read"].split()) <= 77
    assert not any(ord(sign) < 32 or sign == "‮" for sign in found["read"])
    found["read"].encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("[]", 400),
        ('{"text": 3}', 400),
        ('{"text": "x", "top": "many"}', 400),
        ('{"text": "x", "text": "y"}', 400),
        ("[" * 50_000, 400),
        (b"\xff\xfe", 400),
        ("x" * (2**20 + 1), 413),
    ],
)
def test_what_is_no_question_is_refused(served, body, status):
    answer, found = served.ask("search", body=body)
    assert answer.status == status
    assert list(found) == ["error"]
    assert served.ask("search", {"text": "x"})[0].status == 200


def test_a_refusal_is_read_by_who_still_sends(served):
    size = 2**24
    head = (
        f"POST /{served.server.token}/search HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as link:
        link.sendall(head.encode())
        link.recv(1, socket.MSG_PEEK)  # it has answered
        link.sendall(b"x" * size)
        link.shutdown(socket.SHUT_WR)
        assert link.makefile("rb").readline().split()[1] == b"413"


def test_a_form_of_another_page_cannot_ask(served):
    answer, _ = served.ask("search", body='{"text": "x"}', Content_Type="text/plain")
    assert answer.status == 415
    assert served.ask("search", method="PUT", body="{}")[0].status == 501


def test_many_at_once_are_all_answered_and_a_model_is_used_by_one(served):
    answers = []
    threads = [
        threading.Thread(
            target=lambda n=n: answers.append(served.ask("search", {"text": "x" * n})[1]["read"])
        )
        for n in range(1, 17)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, answers)) == list(range(1, 17))


def test_one_run_is_used_by_one_thread_at_a_time(served):
    seat = served.server.desk.seats[0]
    desk = Desk([seat])
    threads = [threading.Thread(target=desk.search, args=("x", 1)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not served.model.overlapped


def test_no_thread_outlives_the_server(tmp_path):
    model, begun = Model(), threading.Event()

    def slowly(captions):
        begun.set()
        time.sleep(0.5)
        return torch.eye(4)[:1]

    model.encode_text = slowly
    desk = Desk([Seat(model, tmp_path, Gallery([tmp_path / "a.png"], torch.eye(4)[:1]))])
    before = set(threading.enumerate())
    with serving(desk) as server:
        loop = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        loop.start()
        links = [http.client.HTTPConnection(*server.server_address[:2], timeout=10) for _ in range(2)]
        links[0].request("GET", f"/{server.token}/about")
        links[0].getresponse().read()
        kind = {"Content-Type": "application/json"}
        links[1].request("POST", f"/{server.token}/search", json.dumps({"text": "a coat"}), kind)
        assert begun.wait(10)
        server.shutdown()
        loop.join()
        # The first connection is kept open, as a browser does, and the second waits for its answer.
        assert len(set(threading.enumerate()) - before) == 2
    assert set(threading.enumerate()) <= before


def test_a_port_that_is_taken_is_one_message(served):
    with (
        pytest.raises(UsageError, match=f"Port {served.port} of 127.0.0.1 is taken"),
        serving(Desk([]), served.port),
    ):
        pass
