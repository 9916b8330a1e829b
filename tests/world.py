"""A small world for tests of whole runs: a twin of few persons, and configs that finish in a second or two."""

import shutil
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from harness.config.sections import RunConfig
from harness.datasets import DATASETS
from harness.presets.resolve import resolve
from harness.track import mlflow_store

IDENTITIES = {"icfg": 30, "cuhk": 36, "rstp": 36, "ufine": 30, "ufine3c": 8}
# A small model, a quarter of the pixels and few steps: most tests are about the run, and not about what it learns.
QUICK = (
    "backbone.name=tiny-2x64-2x64",
    "backbone.pretrained=null",
    "backbone.image_size=[48,16]",
    "backbone.text_length=64",
    "train.epochs=2",
    "train.batch_size=16",
)


def without_epochs() -> list[str]:
    """Return the quick settings for who chooses the number of epochs."""
    return [text for text in QUICK if not text.startswith("train.epochs")]


@contextmanager
def untracked():
    """Replace MLflow by nothing, also for what the tests of a module share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_store.Store, "__init__", _refuse)
        yield


def _refuse(self, *arguments, **options):
    raise ConnectionError("no store in this test")


def make_twins(root: Path, names: tuple[str, ...] = ("icfg",)) -> Path:
    """Put small twins below `root`, which a test may change, and return it; a process draws each once."""
    for name in names:
        shutil.copytree(f"{_drawn(name).name}/synthetic", root / "synthetic", dirs_exist_ok=True)
    return root


@cache
def _drawn(name: str) -> TemporaryDirectory[str]:
    from harness.twins.writer import write_twin

    folder = TemporaryDirectory(prefix="twin-")
    write_twin(DATASETS.get(name), Path(folder.name), identities=IDENTITIES[name], workers=1)
    return folder


@cache
def _resolve(method: str, dataset: str, overrides: tuple[str, ...]) -> RunConfig:
    # Weights that ship are of the model as it ships.
    shipped = any(text.startswith("backbone.pretrained=") for text in overrides)
    own = [text for text in QUICK if not (shipped and text.startswith("backbone.name="))]
    return resolve(method, dataset, synthetic=True, overrides=(*own, *overrides))


def quick(data: Path, method: str = "linear_probe", dataset: str = "icfg", *overrides: str) -> RunConfig:
    """Return a config that trains a method for two short epochs on a small twin."""
    return _resolve(method, dataset, (f"dataset.root={data}", *overrides))
