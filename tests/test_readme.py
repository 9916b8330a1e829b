"""What README, CONTRIBUTING and the pages of docs/ show is true: commands parse, code runs, links lead somewhere."""

import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from harness.cli.main import cli
from harness.registry.plug_ins import Plugins
from harness.upkeep.expected_file import read_expected
from harness.upkeep.found import Results
from tests.forked_commands import ForkedCommands

ROOT = Path(__file__).resolve().parent.parent
DOCS = tuple(f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md")))
PAGES = (
    *("RESULTS.md", "README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "benchmarks/README.md"),
    *("examples/README.md", *DOCS),
)
SHOWN = ("README.md", "CONTRIBUTING.md", *DOCS)
# What blocks other than commands and output there are: each has a test below that runs it.
CODE = {
    "docs/bundle.md": ["yaml"],
    "docs/board.md": ["yaml"],
    "docs/cluster.md": ["yaml"],
    "docs/first-run.md": ["python"],
    "docs/data.md": ["yaml", "python", "json"],
    "docs/method.md": ["python"],
    "docs/score.md": ["python"] * 5,
    "docs/sweeps-and-suites.md": ["yaml"],
}
# Plug-ins and data that the pages make, which their commands name.
MADE = ("attention_tuning", "station", "street", "six_people")
# Other programs than ours, which a page may name without a test of their own.
PROGRAMS = {"export", "source", "mkdir", "mv", "git", "pip", "optuna-dashboard", "docker", "ssh"}


class Block(NamedTuple):
    """A fenced block of a page: its language and its text."""

    language: str
    text: str


@cache
def fenced(page):
    found = re.findall(
        r"^ *```(\w*)[^\n]*\n(.*?)^ *```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE
    )
    return [Block(*parts) for parts in found]


def blocks(page, language):
    return [block.text for block in fenced(page) if block.language == language]


def lines(page):
    """The lines of a page's command blocks, without comments."""
    return [
        line.split(" #")[0].strip()
        for block in blocks(page, "bash")
        for line in block.splitlines()
        if line.strip() and not line.startswith("#")
    ]


def own(line):
    """The words of a line that are a command of ours, without what sets variables or starts processes before it."""
    words = shlex.split(line)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if words[:1] == ["torchrun"]:
        words = words[words.index("-m") + 1 :]
    return words[1:] if words[:1] == ["harness"] else None


def commands():
    inline = {
        text
        for page in SHOWN
        for text in re.findall(r"`(harness [^`]+)`", (ROOT / page).read_text())
        if not re.search(r"\||\.\.\.|COMMAND|--help", text)
    }
    return sorted({*inline, *(line for page in SHOWN for line in lines(page) if own(line) is not None)})


@pytest.mark.parametrize("line", commands())
def test_each_command_that_is_shown_parses(line, monkeypatch):
    names = Plugins.names
    monkeypatch.setattr(Plugins, "names", lambda self: [*names(self), *MADE])
    words = own(line)
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


@pytest.mark.parametrize("page", SHOWN)
def test_each_block_is_a_command_output_or_code_that_a_test_runs(page):
    kinds = [block.language for block in fenced(page)]
    assert [kind for kind in kinds if kind not in ("bash", "text")] == CODE.get(page, [])
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in lines(page):
        words = shlex.split(line)
        known = own(line) is not None or words[0] in PROGRAMS
        assert known or (words[0] == "make" and words[1] in targets), line


def test_the_expected_figures_of_the_page_are_read_and_their_settings_are_known(tmp_path):
    file = tmp_path / "expected.yaml"
    file.write_text(blocks("docs/bundle.md", "yaml")[0])
    described = [result for result in read_expected(file).results if result.run is None]
    with Results(file, tmp_path) as results:
        configs = [config for result in described for config in results.configs(result)]
    assert [(config.method.name, config.seed) for config in configs] == [
        *(("cskt", seed) for seed in (1, 2, 3)),
        ("zero_shot", 1),
    ]


def test_all_methods_are_named_in_the_readme():
    named = set(re.findall(r"`(\w+)`", (ROOT / "README.md").read_text()))
    assert not {file.stem for file in (ROOT / "methods").glob("[!_]*.py")} - named


def test_the_python_block_of_the_first_run_runs(world, twins, tmp_path, untracked, monkeypatch):
    from harness.run.run import run

    run(world.quick(twins), runs=tmp_path)
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path))
    (block,) = blocks("docs/first-run.md", "python")
    names: dict[str, object] = {}
    exec(block, names)
    assert len(names["table"]) == 1
    assert names["text"].shape == (1, names["model"].method.clip.embed_dim)


def test_the_method_that_is_shown_trains(world, twins, tmp_path, untracked, monkeypatch):
    from harness.methods import METHODS
    from harness.run.run import run

    (block,) = blocks("docs/method.md", "python")
    (tmp_path / "shown_method.py").write_text(block)
    monkeypatch.setattr(METHODS, "path", [*METHODS.path, str(tmp_path)])
    monkeypatch.setattr(METHODS, "_classes", dict(METHODS._classes))
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("shown_method")
    record = run(world.quick(twins, "shown_method"), runs=tmp_path / "runs")
    assert 0 < record.accounting["parameters"]["trainable"] < record.accounting["parameters"]["total"]


def test_the_dataset_that_is_shown_is_read(tmp_path, monkeypatch):
    from harness.data.annotations import read_annotations
    from harness.datasets import DATASETS, count

    (file,), (annotation,) = blocks("docs/data.md", "python"), blocks("docs/data.md", "json")
    (tmp_path / "shown_dataset.py").write_text(file)
    monkeypatch.setattr(DATASETS, "path", [*DATASETS.path, str(tmp_path)])
    monkeypatch.setattr(DATASETS, "_classes", dict(DATASETS._classes))
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("shown_dataset")
    (tmp_path / "station").mkdir()
    (tmp_path / "station" / "station.json").write_text(annotation)
    samples = read_annotations(DATASETS.get("shown_dataset"), tmp_path)
    assert [sample.captions for sample in samples] == [
        tuple(one["captions"]) for one in json.loads(annotation)
    ]
    assert count(samples)["train"] == (2, 2, 3)


def test_the_data_of_ones_own_that_are_shown_are_read(tmp_path):
    from harness.data.annotations import read_annotations
    from harness.datasets import count, own_dataset
    from harness.own.described import read_described

    (description,), (rows,) = blocks("docs/data.md", "yaml"), blocks("docs/data.md", "text")
    (tmp_path / "dataset.yaml").write_text(description)
    (tmp_path / "street.csv").write_text(rows)
    dataset = own_dataset(read_described(tmp_path / "dataset.yaml"))
    samples = read_annotations(dataset, tmp_path)
    assert count(samples) == dataset.expected
    assert [sample.identity for sample in samples] == [0, 0, 1, 2]


def test_the_suite_that_is_shown_is_read(tmp_path):
    from harness.suites.suite_files import load_suite

    (block,) = blocks("docs/sweeps-and-suites.md", "yaml")
    (tmp_path / "rates.yaml").write_text(block)
    suite = load_suite(str(tmp_path / "rates.yaml"))
    assert [row.method for row in suite.rows] == ["lora", "linear_probe"]


def test_the_lines_that_save_similarities_and_lists_run(tmp_path, monkeypatch):
    import numpy
    import torch

    monkeypatch.chdir(tmp_path)
    scores = torch.arange(6.0).reshape(2, 3).half()
    names = {
        "similarity": scores,
        "sims_dict": {"BGE+TSE": scores},
        "sims_matrix": scores,
        "image_paths": ["/imgs/1.jpg"],
        "captions": ["a man"],
    }
    for block in blocks("docs/score.md", "python"):
        if "harness" not in block:
            exec(block, dict(names))
    for file in ("irra.npy", "rde.npy", "tbps_clip.npy"):
        assert numpy.array_equal(numpy.load(file), scores.float().numpy())
    assert json.loads(Path("lists.json").read_text()) == {"images": ["/imgs/1.jpg"], "captions": ["a man"]}


def test_the_profile_that_is_shown_is_read_and_is_that_of_the_examples(tmp_path):
    from harness.queue.slurm_profile import load_profile

    (block,) = blocks("docs/cluster.md", "yaml")
    (tmp_path / "cluster.yaml").write_text(block)
    shown = load_profile(tmp_path / "cluster.yaml")
    assert shown.directives()[0] == "--partition=gpu"
    assert shown == load_profile(ROOT / "examples" / "cluster" / "profile.yaml")


def test_the_function_that_is_shown_ranks_again(twin, tmp_path, monkeypatch):
    import numpy

    from harness.config.sections import DatasetConfig
    from harness.listener import Listener
    from harness.scoring.score import lists

    monkeypatch.chdir(tmp_path)
    own = lists(DatasetConfig(name="icfg", synthetic=True), "test", Listener())
    shape = len(own["captions"]), len(own["images"])
    numpy.save("first.npy", numpy.random.default_rng(1).normal(size=shape))
    (block,) = (text for text in blocks("docs/score.md", "python") if "harness" in text)
    names: dict[str, object] = {}
    exec(block, names)
    assert names["seconds"] > 0
    assert numpy.load("again.npz")["items"].shape == (shape[0], 2)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text()):
        # The reference is made when the site is built, and MkDocs looks at the links to it.
        if not target.startswith(("http", "reference/")):
            assert ((ROOT / page).parent / target).exists(), target


def walked(page):
    """The commands of a page in their order, but for what serves until it is stopped."""
    return [words for line in lines(page) if (words := own(line)) and words[0] not in ("demo", "ui")]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/first-run.md", "docs/method.md"])
def test_the_commands_of_a_page_run_one_after_another(page, twins, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HARNESS_DATA": str(twins)}
    for block in blocks("docs/method.md", "python") if page == "docs/method.md" else []:
        Path("mine/methods").mkdir(parents=True)
        Path("attention_tuning.py").write_text(block)
        Path("mine/methods/attention_tuning.py").write_text(block)
    with ForkedCommands(tmp_path, environment) as forked:
        for number, words in enumerate(walked(page)):
            log = tmp_path / f"{number}.log"
            if words[:2] != ["methods", "test"] and Path("mine").is_dir():
                # Plug-ins are found when a process starts.
                said, include = [sys.executable, "-m", "harness", *words], {"HARNESS_INCLUDE": "mine"}
                with log.open("w") as file:
                    code = subprocess.run(
                        said, env=environment | include, stdout=file, stderr=file, check=False
                    ).returncode
            else:
                code = forked.call(*words, log=log)["code"]
            assert code == 0, (words, log.read_text()[-4000:])
            if words[:2] == ["methods", "test"]:
                assert "24 passed, 1 does not apply" in " ".join(log.read_text().split())
