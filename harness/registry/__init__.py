"""Find plug-ins by file name: `methods/cskt.py` is the method `cskt`. Listing imports none of them."""

import inspect
import logging
import sys
import traceback
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Generic, TypeVar, get_origin

from harness.errors import HarnessError, UsageError
from harness.registry.plug_ins import IMPORTED, Plugins

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
_LONGEST = 400


def located(error: BaseException, file: str | Path | None) -> str:
    """Return what an exception says, in one line, with the line of a plug-in's file that it came through last."""
    said = " ".join(str(error).split())
    said = said if len(said) <= _LONGEST else said[:_LONGEST] + "..."
    told = f"{type(error).__name__}: {said}" if said else type(error).__name__
    frames = [] if file is None else traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if file is not None and Path(frame.filename) == Path(file)]
    if not own:
        return told
    inside = "" if own[-1].name == "<module>" else f", in {own[-1].name}"
    return f"{told} ({Path(own[-1].filename).name}, line {own[-1].lineno}{inside})"


class Registry(Plugins, Generic[T]):
    """The plug-ins of one kind, imported only when asked for; `base` is the contract that their classes keep."""

    def __init__(self, kind: str, package: str, path: list[str], base: type | None = None) -> None:
        super().__init__(kind, package, path)
        self.base = base
        self._classes: dict[str, type[T]] = {}
        self._skipped: set[str] = set()
        IMPORTED.setdefault(package, self)

    def get(self, name: str) -> type[T]:
        """Return the class called `name` (`-` counts as `_`); raise `UsageError` with the nearest match."""
        name = name.replace("-", "_")
        if name not in self._classes:
            self._import(self.known(name))
        return self._classes[name]

    def take(self, file: Path) -> type[T]:
        """Import the plug-in that a file defines, wherever it lies, and return its class.

        Raises `UsageError` for a file that is not there or has a name that none can have or another has, and
        `HarnessError`, with the line, for a fault in it.
        """
        file, name = file.absolute(), file.stem
        if not file.is_file():
            raise UsageError(f"{file} is no file: give the path of a {self.kind}'s .py file.")
        if file.suffix != ".py" or not name.isidentifier() or name.startswith("_"):
            raise UsageError(
                f"{file} cannot be a {self.kind}: name the file NAME.py, of letters, digits and _, a letter first."
            )
        if any((known := Path(place) / file.name).is_file() and known.samefile(file) for place in self.path):
            return self.get(name)
        if name in self.names():
            raise UsageError(f"{file} has the name of another {self.kind}, {name}: rename yours.")
        self._import(name, file)
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

    def register(self, cls: type[C]) -> type[C]:
        """Class decorator: enter `cls` under the name of its file."""
        name = cls.__module__.rpartition(".")[2]
        other = self._classes.get(name)
        if (
            other is not None
            and other.__module__ == cls.__module__
            and other.__qualname__ != cls.__qualname__
        ):
            raise UsageError(
                f"{other.__qualname__} and {cls.__qualname__} are both registered: leave one {self.kind} in this file, "
                "and move the other to a file of its own."
            )
        if other is not None and other.__qualname__ != cls.__qualname__:
            raise UsageError(
                f"The {self.kind} {name!r} is defined twice, by {_path(other)} and by {_path(cls)}: rename one."
            )
        cls.name = name  # type: ignore[attr-defined]
        self._classes[name] = cls  # type: ignore[assignment]
        return cls

    def enter(self, name: str, cls: type[T]) -> None:
        """Make a class that has no file of its own known in this process."""
        self._classes[name] = cls

    def _import(self, name: str, file: Path | None = None) -> None:
        entry = None if file else self._entry_points().get(name)
        place = f" of {entry.value}" if entry else f" of {file}" if file else ""
        try:
            loaded = entry.load() if entry else self._module(name, file)
        # A plug-in is another's code: whatever it raises, it alone is left out.
        except (Exception, SystemExit) as error:
            self._classes.pop(name, None)
            raise HarnessError(
                f"The {self.kind} {name!r}{place} cannot be imported: {located(error, file or self.file(name))}"
            ) from error
        if entry and isinstance(loaded, type):
            loaded.name = name  # type: ignore[attr-defined]
            self._classes[name] = loaded
        if name not in self._classes:
            raise HarnessError(
                f"The file of the {self.kind} {name!r}{place} registers no class: put @register above "
                f"{self._meant(loaded)}."
            )
        cls = self._classes[name]
        if file and self.base is not None and not issubclass(cls, self.base):
            del self._classes[name]
            raise HarnessError(
                f"The {self.kind} {name!r}{place} is no {self.base.__name__}: let its class extend the one of "
                f"{self.package}."
            )
        if missing := list(self._missing(cls)):
            del self._classes[name]
            raise HarnessError(
                f"The {self.kind} {name!r}{place} cannot be used: its class lacks {', '.join(missing)}."
            )

    def _module(self, name: str, file: Path | None) -> ModuleType:
        """Import a plug-in's module from a folder that is known, or from a file."""
        if file is None:
            return import_module(f"{self.package}.{name}")
        spec = spec_from_file_location(f"{self.package}.{name}", file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[spec.name] = module = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[spec.name]
            raise
        return module

    def _meant(self, module: object) -> str:
        """Return which class of a module looks like the plug-in, with its line."""
        for found in vars(module).values() if isinstance(module, ModuleType) else ():
            own = isinstance(found, type) and found.__module__ == getattr(module, "__name__", None)
            if own and self.base is not None and issubclass(found, self.base):
                return f"class {found.__name__} (line {inspect.getsourcelines(found)[1]})"
        return "the class"

    def _missing(self, cls: type) -> Iterator[str]:
        """Yield what a class lacks of its contract: class attributes without a default, and abstract methods."""
        for part in inspect.getmro(self.base) if self.base else ():
            for name, kind in inspect.get_annotations(part).items():
                origin: object = get_origin(kind)
                if origin is ClassVar and not hasattr(cls, name):
                    yield name
            yield from (name for name in getattr(part, "__abstractmethods__", ()) if _is_abstract(cls, name))

    def _registered(self) -> Iterable[str]:
        return self._classes


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _is_abstract(cls: type, name: str) -> bool:
    return getattr(getattr(cls, name, None), "__isabstractmethod__", not hasattr(cls, name))
