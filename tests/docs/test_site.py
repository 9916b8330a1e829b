"""The built site: nothing is loaded from another host, and the reference is made from the code."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
# What makes a browser fetch something; a link that is followed by a person is none.
LOADING = {"src", "srcset", "data", "poster", "background"}


class Loads(HTMLParser):
    """Collects what a page loads."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in LOADING or (tag == "link" and name == "href"):
                self.found.append(value or "")
            elif name == "style":
                self.found += addresses(value)


def addresses(css):
    """What a style sheet loads."""
    return re.findall(r"url\(\s*['\"]?([^'\")]+)", css or "") + re.findall(
        r"@import\s+['\"]([^'\"]+)", css or ""
    )


def foreign(text, css=False):
    """What a page or style sheet loads from another host."""
    loads = Loads()
    if not css:
        loads.feed(text)
    found = [*loads.found, *(addresses(text) if css else [])]
    return [address for address in found if re.match(r"(https?:)?//", address)]


def test_what_is_loaded_from_elsewhere_is_seen():
    page = '<link rel="stylesheet" href="https://a/b.css"><script src="//c/d.js"></script><a href="https://e">f</a>'
    assert foreign(page) == ["https://a/b.css", "//c/d.js"]
    assert foreign(
        "@import 'https://a'; p {background: url(http://b)} q {background: url(c.png)}", css=True
    ) == [
        "http://b",
        "https://a",
    ]


def test_each_command_and_option_is_in_the_reference():
    from docs.generate.command_line import command_line

    page = command_line()
    for name in COMMANDS:
        assert f"## harness {name}\n" in page
    assert "### harness runs list\n" in page
    assert "| `-m, --method TEXT` |" in page
    assert "[default: demo-out]" in page.replace("\\", "")


def test_each_setting_is_in_the_reference_with_its_default_and_its_ends():
    from docs.generate.settings import settings
    from harness.config.sections import RunConfig, TrainConfig

    page = settings()
    for name, section in RunConfig.model_fields.items():
        if name != "method":
            fields = getattr(section.annotation, "model_fields", {})
            assert all(f"`{name}.{field}" in page for field in fields)
    assert (
        f"| `train.epochs` | `{TrainConfig().epochs}` | passes over the training pairs | at least 0 |" in page
    )
    assert "`train.prefetch` ○ | `true`" in page
    assert "`train.augment." in page
    assert "| `auto`, `fp32`, `bf16`, `fp16`, `pure-fp16` |" in page


def test_datasets_suites_and_reports_are_in_the_reference():
    from docs.generate.plugins import datasets, suites_and_reports
    from harness.datasets import DATASETS
    from harness.reports import REPORTS

    page = datasets()
    assert all(f"\n## {name}\n" in page for name in DATASETS.names())
    assert "| train | 3,102 | 34,674 | 34,674 |" in page
    page = suites_and_reports()
    assert all(f"| `{name}" in page for name in [*REPORTS.names(), "main_results"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly: MkDocs looks at links and anchors."""
    if importlib.util.find_spec("material") is None:
        if os.environ.get("HARNESS_REQUIRE_DOCS"):
            pytest.fail("MkDocs Material is missing: make docs installs it")
        pytest.skip("needs MkDocs Material: make docs installs it")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_the_site_loads_nothing_from_other_hosts(site):
    pages, styles = sorted(site.rglob("*.html")), sorted(site.rglob("*.css"))
    assert len(pages) > 12
    assert styles
    found = {
        str(file.relative_to(site)): foreign(file.read_text(), css=file.suffix == ".css")
        for file in [*pages, *styles]
    }
    assert not {name: addresses for name, addresses in found.items() if addresses}
    assert all("Content-Security-Policy" in page.read_text() for page in pages)


@pytest.mark.slow
def test_the_methods_are_counted(site):
    from harness.methods import METHODS

    page = (site / "reference" / "methods.html").read_text()
    text = re.sub(r"<[^>]+>", "", page)
    assert "12,117,888" in text
    for method in METHODS.usable():
        assert f'id="{method.name}"' in page
