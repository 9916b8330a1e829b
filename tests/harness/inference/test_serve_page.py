"""The page to search with in a real browser: typing, keys, the map, two widths, and the end by Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.inference.serve_page import PAGE, SCRIPT

ROOT = Path(__file__).resolve().parents[3]
TAB, ENTER, ESCAPE = ("Tab", "Tab", 9), ("Enter", "Enter", 13), ("Escape", "Escape", 27)


def test_the_script_uses_what_the_page_has():
    named = set(re.findall(r"byId\('([a-z-]+)'\)", SCRIPT)) | set(re.findall(r"'(map-[a-z]+)'", SCRIPT))
    assert named == set(re.findall(r'id="([a-z-]+)"', PAGE)) - {"hint"}


@pytest.fixture(scope="module")
def driver():
    """`tests/browser.py`."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("browser", ROOT / "tests" / "browser.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.browser() is None:
        pytest.skip(f"no browser here: looked for {', '.join(module.NAMES)}")
    return module


@pytest.fixture
def served(world, twins, tmp_path, untracked):
    """The command itself on two quick runs, its process and its address."""
    from harness.run.run import run

    names = [
        run(world.quick(twins, method), runs=tmp_path / "runs").name
        for method in ("linear_probe", "zero_shot")
    ]
    words = ["search", "--serve", "--runs", str(tmp_path / "runs"), "--device", "cpu"]
    words += [word for name in names for word in ("--run", name)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    yield process, next(line for line in process.stdout if line.startswith("page: ")).split()[1]
    process.kill()
    process.wait()


@pytest.mark.slow
def test_a_person_searches_by_keys_alone(driver, served, tmp_path):
    process, address = served
    page = driver.Page(tmp_path / "profile")
    try:
        page.ask("Page.navigate", url=address)
        page.until(
            "document.activeElement?.id === 'text' && document.querySelectorAll('main section').length === 2"
        )
        page.ask("Input.insertText", text="a woman in a red <b>coat</b>")
        page.until("document.querySelectorAll('main section:nth-child(2) li').length === 12")
        assert re.match(
            r"12 images, \d+ ms and \d+ ms$", page.value("document.getElementById('status').textContent")
        )
        page.until("document.querySelector('li img').naturalWidth > 0")
        page.press(*TAB)
        assert page.value("document.activeElement.getAttribute('aria-label')").startswith(
            "Rank 1, similarity"
        )
        page.press(*ENTER)
        page.until("document.querySelectorAll('#map-patches td').length > 6")
        assert page.value("document.getElementById('map-words').textContent").split() == [
            *("a", "woman", "in", "a", "red", "<b>coat</b>")
        ]
        page.until("document.getElementById('map-tinted').naturalWidth > 0")
        for width, dark in ((390, False), (1400, True)):
            page.look(tmp_path / f"{width}.png", width, 900, dark)
            assert page.value("document.documentElement.scrollWidth <= innerWidth")
            assert page.value(
                "document.getElementById('map').scrollWidth <= document.getElementById('map').offsetWidth"
            )
        page.press(*ESCAPE)
        page.until("!document.getElementById('map').open")
        assert page.value("document.activeElement.tagName") == "BUTTON"
        answer = page.value(
            f"fetch({json.dumps(address)} + 'search', {{method: 'POST', body: '{{}}'}}).then(found => found.status)"
        )
        assert answer == 415
    finally:
        page.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert process.stdout.read().splitlines()[-1] == "Stopped."
