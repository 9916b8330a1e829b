"""Check the installation: versions, devices, stores, weights and data, each found or with a hint."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from harness import WAITING
from harness.clip.model import load_clip
from harness.clip.weights import find_cached
from harness.config.sections import BackboneConfig
from harness.data.annotations import locate
from harness.data.overview import chosen_place
from harness.datasets import DATASETS, PersonDataset
from harness.errors import HarnessError, many
from harness.paths import Place, cache_root, data_root, runs_root
from harness.run.provenance import PACKAGES, installed
from harness.secrets import without_secrets
from harness.twins.marker import read_marker


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `ok`, `missing` (works without it) or `broken`."""

    what: str
    state: str
    detail: str


def examine(root: str | None = None) -> list[Finding]:
    """Return all findings; never raises."""
    checks: list[Callable[[], Iterator[Finding]]] = [
        _versions,
        _torch,
        _places,
        _store,
        _weights,
        partial(_data, root),
    ]
    return [finding for check in checks for finding in _safely(check)]


def _safely(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check())
    except Exception as error:
        name = getattr(check, "func", check).__name__.strip("_")
        found.append(Finding(name, "broken", without_secrets(f"{type(error).__name__}: {error}")))
    return found


def _versions() -> Iterator[Finding]:
    for package in PACKAGES:
        version = installed(package)
        yield Finding(
            package, "ok" if version else "broken", version or f"not installed: pip install {package}"
        )


def _torch() -> Iterator[Finding]:
    import torch

    try:
        import torchvision

        torchvision.ops.nms  # noqa: B018
        yield Finding("torchvision loads", "ok", torchvision.__version__)
    except Exception as error:
        hint = "install torch and torchvision from the same index"
        yield Finding("torchvision loads", "broken", f"{error}: {hint}")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield Finding("devices", "ok", ", ".join(names) or "CPU only")
    waiting = [f"{name}={os.environ[name]}" for name in WAITING if name in os.environ]
    yield Finding("threads", "ok", f"{torch.get_num_threads()} a process, {', '.join(waiting)}")


def _places() -> Iterator[Finding]:
    for what, place in (("data", data_root()), ("cache", cache_root()), ("runs", runs_root())):
        existing = next(p for p in (place.path.resolve(), *place.path.resolve().parents) if p.exists())
        free = shutil.disk_usage(existing).free / 1e9
        yield Finding(f"{what} folder", "ok", f"{place}, {free:.0f} GB free")


def _store() -> Iterator[Finding]:
    from harness.track.mlflow_opening import tracking_uri
    from harness.track.mlflow_store import Store

    if tracking_uri().startswith("sqlite") and not runs_root().path.is_dir():
        yield Finding("MLflow store", "ok", f"{without_secrets(tracking_uri())}, made by the first run")
        return
    try:
        store = Store()
    except HarnessError as error:
        yield Finding("MLflow store", "broken", str(error))
        return
    yield Finding("MLflow store", "ok", f"{store.place}, {many(len(store.finished_runs()), 'finished run')}")


def _weights() -> Iterator[Finding]:
    tiny = BackboneConfig(name="tiny", pretrained="web", image_size=(96, 32))
    yield Finding("tiny CLIP", "ok", str(load_clip(tiny).identity.sha256)[:12])
    name, tag = BackboneConfig().name, str(BackboneConfig().pretrained)
    found = find_cached(name, tag)
    yield Finding(
        f"{name} {tag}", "ok" if found else "missing", str(found or "fetched on first use, when online")
    )


def _data(root: str | None) -> Iterator[Finding]:
    place = data_root(root)
    for name in DATASETS.names():
        try:
            yield _dataset(DATASETS.get(name), place)
        except HarnessError as error:
            yield Finding(f"data {name}", "broken", str(error))


def _dataset(dataset: type[PersonDataset], place: Place) -> Finding:
    """Tell real data from a synthetic twin by what lies there, whichever folder it lies in."""
    real, twins = [], []
    for root in (place.path, chosen_place(place, synthetic=True).path):
        if (found := locate(dataset, root)) is not None:
            marker = read_marker(found.folder)
            if marker is None:
                real.append(f"real data in {found.folder}")
            else:
                persons = many(marker.identities, "identity", "identities")
                twins.append(f"SYNTHETIC TWIN of {persons} in {found.folder}")
    hint = [] if real else [f"no real data in {place}: harness data info {dataset.name}"]
    return Finding(f"data {dataset.name}", "ok" if real else "missing", "; ".join([*real, *twins, *hint]))
