"""What README and CONTRIBUTING show is true: commands parse, Python blocks run, links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from harness.cli.main import cli

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("RESULTS.md", "README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "benchmarks/README.md")


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def commands():
    lines = [
        line.split("#")[0].strip() for block in blocks("README.md", "bash") for line in block.splitlines()
    ]
    inline = re.findall(r"`(harness [^`]+)`", (ROOT / "README.md").read_text())
    inline = [text for text in inline if "|" not in text]
    return sorted({line for line in [*lines, *inline] if line.startswith("harness ")})


@pytest.mark.parametrize("line", commands())
def test_each_command_of_the_readme_parses(line):
    words = shlex.split(line)[1:]
    assert parse(cli, words).name in words


def parse(command, arguments):
    """Parse as the command line does, without calling the command, which is returned."""
    context = command.make_context(command.name, list(arguments), resilient_parsing=False)
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if rest:
            _, sub, more = command.resolve_command(context, rest)
            return parse(sub, more)
    return command


def test_the_python_block_of_the_readme_runs(world, twins, tmp_path, untracked, monkeypatch):
    from harness.run.run import run

    run(world.quick(twins), runs=tmp_path)
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path))
    (block,) = blocks("README.md", "python")
    names: dict[str, object] = {}
    exec(block, names)
    assert len(names["table"]) == 1
    assert names["text"].shape == (1, names["model"].method.clip.embed_dim)


def test_the_method_of_contributing_trains(world, twins, tmp_path, untracked, monkeypatch):
    from harness.methods import METHODS
    from harness.run.run import run

    block = blocks("CONTRIBUTING.md", "python")[0]
    (tmp_path / "shown_method.py").write_text(block)
    monkeypatch.setattr(METHODS, "path", [*METHODS.path, str(tmp_path)])
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("shown_method")
    record = run(world.quick(twins, "shown_method"), runs=tmp_path / "runs")
    assert 0 < record.accounting["parameters"]["trainable"] < record.accounting["parameters"]["total"]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.slow
def test_the_method_of_contributing_passes_its_test(tmp_path):
    (example,) = blocks("CONTRIBUTING.md", "python")
    file = tmp_path / "attention_tuning.py"
    file.write_text(example)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "methods", "test", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 passed, 1 does not apply" in " ".join(done.stdout.split())
    assert example.startswith('"""')
