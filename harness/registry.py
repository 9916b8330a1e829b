"""Find plug-ins by file name: `methods/cskt.py` is the method `cskt`. Listing imports none of them."""

import inspect
import logging
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import ClassVar, Generic, TypeVar, get_origin

from harness.errors import HarnessError, UsageError, unknown
from harness.paths import included

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
log = logging.getLogger(__name__)


def plugin_path(folder: str) -> list[str]:
    """Return the folders of a kind of plug-in: inside `harness/` in a wheel or beside it in a checkout, and the user's.

    Raises `UsageError` for a folder of the user's that is not there or has no plug-ins, and for a name that two
    folders have.
    """
    here = Path(__file__).resolve().parent
    places = [here / folder, here.parent / folder, *(place / folder for place in included())]
    found = [place for place in places if place.is_dir()]
    files: dict[str, Path] = {}
    for file in (file for place in found for file in sorted(place.glob("[!_]*.py"))):
        if (first := files.setdefault(file.stem, file)) != file:
            raise UsageError(f"{file} has the name of {first}: rename yours.")
    return [str(place) for place in found]


class Registry(Generic[T]):
    """The plug-ins of one kind, known by name and imported only when asked for.

    Third parties add theirs through the entry-point group that has the package's name
    (`harness.methods`, `harness.datasets`, `harness.reports`). `base` is the contract that their classes keep.
    """

    def __init__(self, kind: str, package: str, path: list[str], base: type | None = None) -> None:
        self.kind, self.package, self.path, self.base = kind, package, path, base
        self._classes: dict[str, type[T]] = {}
        self._entries: dict[str, EntryPoint] | None = None
        self._skipped: set[str] = set()

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

    def find(self, name: str) -> type[T] | None:
        """Return the class called `name`; None where it is not installed, or faulty, which a warning says once."""
        if name not in self.names():
            return None
        try:
            return self.get(name)
        except HarnessError as error:
            if name not in self._skipped:
                self._skipped.add(name)
                log.warning("skipped: %s", error)
            return None

    def usable(self) -> list[type[T]]:
        """Return the classes of all plug-ins in alphabetical order; each faulty one is skipped with a warning."""
        return [found for name in self.names() if (found := self.find(name)) is not None]

    def third_parties(self) -> list[str]:
        """Return the names of the plug-ins that other packages add, without importing them."""
        return sorted(self._entry_points())

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
        place = f" of {entry.value}" if entry else ""
        try:
            loaded = load()
        # A plug-in is another's code: whatever it raises, it alone is left out.
        except (Exception, SystemExit) as error:
            said = " ".join(str(error).split())
            raise HarnessError(
                f"The {self.kind} {name!r}{place} cannot be imported: {type(error).__name__}: {said}"
            ) from error
        if entry and isinstance(loaded, type):
            loaded.name = name  # type: ignore[attr-defined]
            self._classes[name] = loaded
        if name not in self._classes:
            raise HarnessError(
                f"The file of the {self.kind} {name!r}{place} registers no class: put @register above the class."
            )
        if missing := list(self._missing(self._classes[name])):
            del self._classes[name]
            raise HarnessError(
                f"The {self.kind} {name!r}{place} cannot be used: its class lacks {', '.join(missing)}."
            )

    def _missing(self, cls: type) -> Iterator[str]:
        """Yield what a class lacks of its contract: class attributes without a default, and abstract methods."""
        for part in inspect.getmro(self.base) if self.base else ():
            for name, kind in inspect.get_annotations(part).items():
                origin: object = get_origin(kind)
                if origin is ClassVar and not hasattr(cls, name):
                    yield name
            yield from (name for name in getattr(part, "__abstractmethods__", ()) if _is_abstract(cls, name))

    def _entry_points(self) -> dict[str, EntryPoint]:
        # Reads the metadata of every installed package, so once is enough.
        if self._entries is None:
            self._entries = {entry.name: entry for entry in entry_points(group=self.package)}
        return self._entries


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _is_abstract(cls: type, name: str) -> bool:
    return getattr(getattr(cls, name, None), "__isabstractmethod__", not hasattr(cls, name))
