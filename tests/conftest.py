"""Fixtures of several test folders."""

import gc
import importlib.util
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from harness.pages.theme import STYLE


def pytest_collectstart(collector):
    """Look for nothing to collect until all is imported: what libraries and test files make there stays."""
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Put the files with slow tests first, each whole: a worker that takes one last would keep the others waiting."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish(session):
    """Spare the collector what stays to the end anyway: libraries and tests, which it would look through each time."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory):
    """Yield a new folder for each test: pytest's own way to make one looks at all that are there."""
    base = tmp_path_factory.mktemp("places")
    return (base / str(number) for number in count())


@pytest.fixture(autouse=True)
def _own_places(_homes, monkeypatch):
    """Keep every test away from the user's own data, caches, runs and width of the terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)  # readline, when imported, exports 80 to child processes
    home = next(_homes)
    home.mkdir()
    for variable in ("HARNESS_DATA", "HARNESS_CACHE", "HARNESS_RUNS"):
        monkeypatch.setenv(variable, str(home / variable.lower()))


@pytest.fixture(scope="session")
def real_format() -> ModuleType:
    """Return the maker of small datasets in the real on-disk formats (`tests/real_format.py`)."""
    return _module("real_format")


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """Return `tests/world.py`: small twins and quick configs."""
    return _module("world")


@pytest.fixture(scope="session")
def twins(world, tmp_path_factory) -> Path:
    """Return a data root with a small twin of each dataset that has one."""
    return world.make_twins(tmp_path_factory.mktemp("twins"), ("icfg", "cuhk", "rstp"))


@pytest.fixture
def untracked(world) -> Iterator[None]:
    """Replace MLflow by nothing: for tests that are about the run itself."""
    with world.untracked():
        yield


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """Return `tests/fake_experiment.py`: tracked runs without training."""
    return _module("fake_experiment")


@pytest.fixture(scope="session")
def own_files() -> ModuleType:
    """Return `tests/own_files.py`: twins as someone would write them down."""
    return _module("own_files")


@pytest.fixture(scope="session")
def tracked(fake, tmp_path_factory) -> Path:
    """Return a folder of records with a store that is laid out already, which takes seconds."""
    runs = tmp_path_factory.mktemp("tracked")
    fake.experiment(runs, "laid-out")
    return runs


@pytest.fixture
def experiment(fake, tracked, monkeypatch, request):
    """Return a new, empty experiment of that store, named after the test; publishing writes to it."""
    return fake.experiment(tracked, request.node.name, monkeypatch)


@pytest.fixture(scope="session")
def postgres() -> Iterator[object]:
    """Return a running PostgreSQL server (`tests/postgres.py`); without one the test is skipped."""
    with _module("postgres").serving() as server:
        yield server


@pytest.fixture
def database(postgres) -> str:
    """Return the URL of an empty database, with its password."""
    return postgres.create()


@pytest.fixture
def no_kernel(monkeypatch) -> None:
    """Run a report's cells in this process: for tests that are about what is written, not about the kernel."""

    def run(notebook, path):
        monkeypatch.chdir(path.parent)
        monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
        names = {}
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                exec(cell["source"], names)
        pyplot.close("all")
        path.write_text(nbformat.writes(notebook))

    from matplotlib import pyplot

    monkeypatch.setattr("harness.reporting.make.execute", run)
    monkeypatch.setitem(STYLE, "savefig.dpi", 40)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Return an empty data root that is read."""
    root = tmp_path / "data"
    root.mkdir()
    monkeypatch.setenv("HARNESS_DATA", str(root))
    return root


@pytest.fixture
def twin(twins, monkeypatch):
    """Let the small twins be read."""
    monkeypatch.setenv("HARNESS_DATA", str(twins))
    return twins / "synthetic"
