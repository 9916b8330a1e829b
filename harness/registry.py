"""Find plug-ins by file name: `methods/cskt.py` is the method `cskt`. Listing imports none of them."""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Generic, TypeVar

from harness.errors import HarnessError, UsageError, unknown

# What a plug-in of each kind may import of the harness beside its contract `harness.KIND`, and what stays in place for
# it: packages and modules of `harness`. The tests hold the plug-ins that ship to it.
PARTS = {
    "methods": ("method_parts", "clip", "captions", "compute", "config", "errors"),
    "datasets": ("errors",),
    "reports": (
        *("reporting", "results", "analysis", "evaluate", "pages", "datasets", "record"),
        *("config", "files", "errors", "metric_names"),
    ),
}
T = TypeVar("T")
C = TypeVar("C")


def plugin_path(folder: str) -> list[str]:
    """Return the folders of a kind of plug-in: inside `harness/` in a wheel, beside it in a checkout."""
    here = Path(__file__).resolve().parent
    places = [here / folder, here.parent / folder]
    return [str(place) for place in places if place.is_dir()]


class Registry(Generic[T]):
    """The plug-ins of one kind, known by name and imported only when asked for.

    Third parties add theirs through the entry-point group that has the package's name
    (`harness.methods`, `harness.datasets`, `harness.reports`).
    """

    def __init__(self, kind: str, package: str, path: list[str]) -> None:
        self.kind, self.package, self.path = kind, package, path
        self._classes: dict[str, type[T]] = {}
        self._entries: dict[str, EntryPoint] | None = None

    def names(self) -> list[str]:
        """Return all names in alphabetical order, without importing a plug-in."""
        files = (file.stem for place in self.path for file in Path(place).glob("[!_]*.py"))
        return sorted({*files, *self._entry_points(), *self._classes})

    def get(self, name: str) -> type[T]:
        """Return the class called `name` (`-` counts as `_`); raise `UsageError` with the nearest match."""
        name = name.replace("-", "_")
        if name not in self._classes:
            if name not in self.names():
                raise unknown(self.kind, name, self.names())
            self._import(name)
        return self._classes[name]

    def register(self, cls: type[C]) -> type[C]:
        """Class decorator: enter `cls` under the name of its file."""
        name = cls.__module__.rpartition(".")[2]
        other = self._classes.get(name)
        if other is not None and other.__qualname__ != cls.__qualname__:
            raise UsageError(
                f"The {self.kind} {name!r} is defined twice, by {_path(other)} and by {_path(cls)}: rename one."
            )
        cls.name = name  # type: ignore[attr-defined]
        self._classes[name] = cls  # type: ignore[assignment]
        return cls

    def _import(self, name: str) -> None:
        entry = self._entry_points().get(name)
        load: Callable[[], object] = entry.load if entry else lambda: import_module(f"{self.package}.{name}")
        try:
            loaded = load()
        except ImportError as error:
            raise HarnessError(f"The {self.kind} {name!r} cannot be imported: {error}") from error
        if entry and isinstance(loaded, type):
            loaded.name = name  # type: ignore[attr-defined]
            self._classes[name] = loaded
        if name not in self._classes:
            raise HarnessError(
                f"The file of the {self.kind} {name!r} registers no class: put @register above the class."
            )

    def _entry_points(self) -> dict[str, EntryPoint]:
        # Reads the metadata of every installed package, so once is enough.
        if self._entries is None:
            self._entries = {entry.name: entry for entry in entry_points(group=self.package)}
        return self._entries


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
