"""The house as drawn in ARCHITECTURE.md: floors, no circles, plug-ins apart."""

import ast
import tomllib
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from harness.registry import PARTS

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / "harness"
PLUGINS = ("methods", "datasets", "reports")

# From top to bottom: a package or module of `harness/` imports only what stands further down.
FLOORS = (
    "__main__",
    "cli",
    "board",
    "reporting",
    "analysis suites api",
    "upkeep",
    "bundle",
    "inference sweep reports scoring board_file",
    "results run pretrain conformance",
    "evaluate train presets",
    "data queue methods",
    "twins track method_parts",
    "clip images captions pages datasets record",
    "own relations",
    "config compute files registry addresses",
    "file_kinds places",
    "paths",
    "errors limits listener metric_names strict_json secrets",
)
OWNERS = {"mlflow": {"track"}, "optuna": {"queue", "sweep"}, "accelerate": {"compute"}}
MOST_FILES, MOST_LINES, MOST_MODULES = 15, 300, 18
MOST_UNTESTED = 80
# Reports named after what they are about, of which the engine speaks for itself.
SUBJECTS = {"compare", "dataset", "few_shot", "run", "sweep"}


def engine():
    """Every file of `harness/` by its dotted name."""
    files = {}
    for file in sorted(HARNESS.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files


MODULES = engine()


@cache
def nodes(file):
    """All nodes of a file's syntax tree, parsed once for all tests."""
    return tuple(ast.walk(ast.parse(file.read_text())))


def imported(file):
    """All modules of the harness that a file imports: in functions and under TYPE_CHECKING, too."""
    for node in nodes(file):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room(module):
    """The package or module of `harness/` that a dotted name belongs to."""
    return module.split(".")[1] if "." in module else "harness"


def internal(file):
    return {name for name in imported(file) if name in MODULES and name != "harness"}


def test_every_package_and_module_is_on_one_floor():
    placed = " ".join(FLOORS).split()
    found = {
        entry.stem
        for entry in HARNESS.iterdir()
        if entry.suffix == ".py" or (entry / "__init__.py").is_file()
    }
    assert sorted(placed) == sorted(found - {"__init__"})


def test_imports_go_downwards():
    floor = {name: level for level, names in enumerate(FLOORS) for name in names.split()}
    wrong = [
        f"{module} imports {other}"
        for module, file in MODULES.items()
        for other in internal(file)
        if module != "harness" and room(module) != room(other) and floor[room(module)] >= floor[room(other)]
    ]
    assert not wrong


@pytest.mark.parametrize("of", [lambda module: module, room], ids=["files", "packages"])
def test_there_are_no_circles(of):
    graph: dict[str, set[str]] = {}
    for module, file in MODULES.items():
        if module != "harness":
            graph.setdefault(of(module), set()).update(of(other) for other in internal(file))
    order = TopologicalSorter({name: others - {name} for name, others in graph.items()}).static_order()
    assert set(order) >= graph.keys()


def test_a_listing_is_short_and_no_file_long():
    assert len(list(HARNESS.glob("*.py"))) <= MOST_MODULES
    sizes = Counter(file.parent for file in MODULES.values() if file.name != "__init__.py")
    assert not [
        folder
        for folder, n in sizes.items()
        if n > MOST_FILES and folder not in (HARNESS, HARNESS / "cli" / "commands")
    ]
    plugins = [file for kind in PLUGINS for file in (ROOT / kind).glob("*.py")]
    long = [
        file.name for file in [*MODULES.values(), *plugins] if len(file.read_text().splitlines()) > MOST_LINES
    ]
    assert long == ["tbps_clip.py"]


def own_test(module, file):
    """Where the tests of a module belong: as it lies, those of a package in its own folder."""
    folder = file.parent.relative_to(ROOT)
    return ROOT / "tests" / folder / f"test_{module.rpartition('.')[2]}.py"


def test_every_module_of_some_length_is_named_by_a_test_file_of_its_own_or_of_its_package():
    tests = ROOT / "tests" / "harness"
    named = {
        top: {name for file in (tests / top).rglob("test_*.py") for name in imported(file)}
        for top in {room(module) for module in MODULES}
        if (tests / top).is_dir()
    }
    at_the_root = {name for file in tests.glob("test_*.py") for name in imported(file)}
    bare = [
        module
        for module, file in MODULES.items()
        if len(file.read_text().splitlines()) > MOST_UNTESTED
        and not own_test(module, file).is_file()
        and module not in (at_the_root if module.count(".") < 2 else set()) | named.get(room(module), set())
    ]
    assert not bare


def test_every_package_is_installed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {name for name, file in MODULES.items() if file.name == "__init__.py"}
    assert sorted(listed) == sorted(found | {f"harness.{kind}" for kind in PLUGINS})


@pytest.mark.parametrize("kind", PLUGINS)
def test_plug_in_folders_have_no_init(kind):
    assert not (ROOT / kind / "__init__.py").exists()


@pytest.mark.parametrize("kind", PLUGINS)
def test_plug_ins_import_their_contract_and_their_parts_and_never_one_another(kind):
    allowed = {f"harness.{kind}", *(f"harness.{part}" for part in PARTS[kind])}
    for file in (ROOT / kind).glob("*.py"):
        names = {name for name in imported(file) if name.split(".")[0] == "harness"}
        assert not {name for name in names if ".".join(name.split(".")[:2]) not in allowed}, file.name
        assert not names & {f"harness.{k}.{f.stem}" for k in PLUGINS for f in (ROOT / k).glob("*.py")}


@pytest.mark.parametrize("kind", PLUGINS)
def test_the_engine_names_no_plug_in(kind):
    names = {file.stem for file in (ROOT / kind).glob("[!_]*.py")} - SUBJECTS
    for file in MODULES.values():
        docstrings = {id(node.value) for node in nodes(file) if isinstance(node, ast.Expr)}
        words = {n.value for n in nodes(file) if isinstance(n, ast.Constant) and id(n) not in docstrings}
        assert not names & {word for word in words if isinstance(word, str)}, file


@pytest.mark.parametrize("library", OWNERS)
def test_one_package_owns_a_library(library):
    users = {
        room(module)
        for module, file in MODULES.items()
        if any(name.split(".")[0] == library for name in imported(file))
    }
    assert users == OWNERS[library]


def test_only_the_tracking_package_touches_mlflow_and_its_client():
    plugins = [file for kind in PLUGINS for file in (ROOT / kind).glob("*.py")]
    for file in [*(file for module, file in MODULES.items() if room(module) != "track"), *plugins]:
        assert "mlflow" not in {name.split(".")[0] for name in imported(file)}, file
        assert "client" not in {node.attr for node in nodes(file) if isinstance(node, ast.Attribute)}, file
