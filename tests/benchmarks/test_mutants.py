"""The driver of deliberate changes: which it makes, that tests notice them, and what it says of those they do not."""

import json
import os
import subprocess

import pytest

from benchmarks import mutants
from benchmarks.mutant_copy import Copy, conformance, importers, own_tests
from benchmarks.mutations import mutations

SOURCE = b'''"""Docstring with 1 and not and."""
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    N = 1


def price(n: Literal[3], bulk: int = 10, tax=False) -> float:
    """1 + 1."""
    if not n or n < 0 and bulk:
        raise ValueError(f"{n + 1} \xc3\xb6" + "x")
    total = n * 2.5  # \xc3\xb6
    total -= 1
    note(total)
    return (total) + bulk
'''


def test_each_kind_of_change_is_made_once_and_nothing_else_is_touched():
    made = [(one.kind, *one.lines(SOURCE)) for one in mutations(SOURCE)]
    assert [(kind, after) for kind, _, after in made] == [
        ("constant", "def price(n: Literal[3], bulk: int = 11, tax=False) -> float:"),
        ("constant", "def price(n: Literal[3], bulk: int = 10, tax=True) -> float:"),
        ("not removed", "if n or n < 0 and bulk:"),
        ("and / or", "if not n and n < 0 and bulk:"),
        ("comparison", "if not n or n <= 0 and bulk:"),
        ("constant", "if not n or n < 1 and bulk:"),
        ("and / or", "if not n or n < 0 or bulk:"),
        ("statement removed", "pass"),
        ("arithmetic", "total = n / 2.5  # ö".replace("  ", " ")),
        ("constant", "total = n * 5.0  # ö".replace("  ", " ")),
        ("statement removed", "pass"),
        ("constant", "total -= 2"),
        ("statement removed", "pass"),
        ("return None", "return None"),
        ("arithmetic", "return (total) - bulk"),
    ]
    for one in mutations(SOURCE):
        changed = one.of(SOURCE)
        compile(changed, "x", "exec")
        same = [a == b for a, b in zip(SOURCE.splitlines(), changed.splitlines(), strict=True)]
        assert same.count(False) == 1


@pytest.fixture
def project(tmp_path):
    """Return a checkout of two modules: one tested well, one hardly."""
    root = tmp_path / "project"
    files = {
        "shop/__init__.py": "",
        "shop/well.py": "def grown(n):\n    return n > 17\n",
        "shop/hardly.py": "def grown(n):\n    return n > 17\n",
        "tests/shop/test_well.py": "from shop.well import grown\n\n\ndef test_grown():\n"
        "    assert [grown(17), grown(18)] == [False, True]\n",
        "tests/shop/test_others.py": "from shop.hardly import grown\n\n\ndef test_grown():\n    assert grown(99)\n",
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\n',
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def test_tests_are_those_laid_out_as_the_module_and_those_that_import_it(project):
    assert own_tests(project, "shop/well.py") == "tests/shop/test_well.py"
    assert importers(project, "shop/well.py") == []
    assert own_tests(project, "shop/hardly.py") is None
    assert importers(project, "shop/hardly.py") == ["tests/shop/test_others.py"]
    assert conformance(project, "shop/hardly.py") == []
    (project / "tests/shop/test_conformance.py").touch()
    assert conformance(project, "shop/hardly.py") == ["tests/shop/test_conformance.py", "-k", "hardly"]


def call(project, *options):
    """Run the driver as a command and return its code, what it says, and its result."""
    code = (
        "import sys; from pathlib import Path; from benchmarks import mutants; mutants.HEAVY = ('pytest',);"
        "mutants.machine = dict; sys.exit(mutants.main(sys.argv[2:], Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [mutants.sys.executable, "-c", code, str(project), *options],
        cwd=mutants.ROOT,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    file = project / mutants.RESULT
    return done.returncode, done.stdout + done.stderr, json.loads(file.read_text()) if file.exists() else None


@pytest.mark.slow
def test_what_no_test_notices_is_named_and_what_is_listed_is_not_counted(project):
    before = {path: path.read_bytes() for path in project.rglob("*.py")}
    code, said, result = call(project, "--modules", "shop", "--count", "99")
    assert code == 1, said
    scores = {row["name"]: (row["value"], row["holds"]) for row in result["claims"]}
    assert scores == {
        "changes noticed, all modules": (pytest.approx(100 * 4 / 6), False),
        "shop/hardly.py (3 changes)": (pytest.approx(100 / 3), None),
        "shop/well.py (3 changes)": (100.0, None),
    }
    assert [(one["file"], one["line"], one["after"]) for one in result["facts"]["unnoticed"]] == [
        ("shop/hardly.py", 2, "return n >= 17"),
        ("shop/hardly.py", 2, "return n > 18"),
    ]
    assert "UNNOTICED shop/hardly.py:2: return n > 17  ->  return n >= 17" in said
    listed = project / mutants.EQUIVALENT
    listed.parent.mkdir(parents=True)
    entry = {
        "file": "shop/hardly.py",
        "before": "return n > 17",
        "after": "return n >= 17",
        "reason": "none is 17",
    }
    listed.write_text(json.dumps([entry]))
    code, said, result = call(project, "--modules", "shop", "--count", "99", "--resume", "--minutes", "1")
    assert (code, len(result["facts"]["noticed"])) == (1, 4), said
    assert [one["after"] for one in result["facts"]["unnoticed"]] == ["return n > 18"]
    assert "0 of the draw are left" in said
    test = project / "tests/shop/test_others.py"
    test.write_text(test.read_text() + "    assert grown(18)\n")
    code, said, result = call(project, "--again")
    assert (code, result["facts"]["unnoticed"], len(result["facts"]["noticed"])) == (0, [], 5), said
    assert before.keys() >= set(project.rglob("*.py"))
    assert {path: path.read_bytes() for path in before if path != test} == {
        path: text for path, text in before.items() if path != test
    }
    listed.write_text(json.dumps([entry | {"before": "gone"}]))
    code, said, _ = call(project, "--modules", "shop")
    assert code == 1
    assert "lists lines that are gone; remove them: shop/hardly.py: gone" in said


@pytest.mark.slow
def test_a_draw_is_tried_in_portions(project):
    draw = ("--modules", "shop", "--count", "99")
    code, said, result = call(project, *draw, "--minutes", "0")
    assert (code, result["facts"]["changes"]) == (0, 0)
    assert "6 of the draw are left" in said
    code, said, whole = call(project, *draw, "--resume")
    assert (code, whole["facts"]["changes"]) == (1, 6), said
    assert whole["command"] == "python -m benchmarks.mutants --modules shop --count 99 --seed 0"
    code, said, _ = call(project, *draw, "--seed", "1", "--resume")
    assert code == 1
    assert "is of another draw" in said


def test_the_draw_follows_its_seed_and_is_even(project):
    files = mutants.files_of(project, ["shop.well", "shop/hardly.py"])
    assert files == ["shop/well.py", "shop/hardly.py"]
    one, same = (mutants.sample(project, files, 4, 3, set()) for _ in range(2))
    assert one == same
    assert [change.file for change in one] == ["shop/well.py"] * 2 + ["shop/hardly.py"] * 2
    with pytest.raises(SystemExit, match=r"no module shop\.none"):
        mutants.files_of(project, ["shop.none"])


@pytest.mark.slow
def test_tests_that_never_end_are_ended(project, tmp_path):
    (project / "tests/shop/test_well.py").write_text("def test_it():\n    while True:\n        pass\n")
    copy = Copy(project, tmp_path)
    code, seconds = copy.test(["tests/shop/test_well.py"], 1.0)
    assert code is None
    assert 1.0 <= seconds < 30
