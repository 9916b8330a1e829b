"""Plug-ins by name, told from their files and from metadata: neither they nor their contract is imported for it."""

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import HarnessError, UsageError, unknown
from harness.paths import included

# The registries whose contract is imported, by package.
IMPORTED: dict[str, Any] = {}
# How a file says that it needs a library that is no dependency of the harness.
_NEEDS = re.compile(rb'^NEEDS = "(\w+)"', re.MULTILINE)


def plugin_path(folder: str) -> list[str]:
    """Return the folders of a kind of plug-in: inside `harness/` in a wheel or beside it in a checkout, and the user's.

    Raises `UsageError` for a folder of the user's that is not there or has no plug-ins, and for a name that two
    folders have.
    """
    here = Path(__file__).resolve().parents[1]
    places = [here / folder, here.parent / folder, *(place / folder for place in included())]
    found = [place for place in places if place.is_dir()]
    files: dict[str, Path] = {}
    for file in (file for place in found for file in sorted(place.glob("[!_]*.py"))):
        if (first := files.setdefault(file.stem, file)) != file:
            raise UsageError(f"{file} has the name of {first}: rename yours.")
    return [str(place) for place in found]


class Said(NamedTuple):
    """What the file of a plug-in says of itself: its docstring; bases and plain attributes of its registered class."""

    docstring: str
    bases: list[str]
    values: dict[str, Any]

    @property
    def title(self) -> str:
        """The first line of the docstring."""
        return self.docstring.partition("\n")[0]


class Plugins:
    """The plug-ins of one kind by name, from files and metadata: neither they nor their contract is imported.

    Third parties add theirs through the entry-point group that has the package's name
    (`harness.methods`, `harness.datasets`, `harness.reports`).
    """

    def __init__(self, kind: str, package: str, path: list[str]) -> None:
        self.kind, self.package, self.path = kind, package, path
        self._entries: dict[str, EntryPoint] | None = None

    def names(self) -> list[str]:
        """Return all names in alphabetical order, without importing a plug-in.

        What needs a library that is not installed is left out (`waiting`).
        """
        files = {file.stem for file in self._files()} - self.waiting().keys()
        return sorted({*files, *self._entry_points(), *self._registered()})

    def known(self, name: str) -> str:
        """Return a name as its file is called (`-` counts as `_`).

        Raises `UsageError` with the nearest match for an unknown one, and for one that needs a missing library.
        """
        name = name.replace("-", "_")
        if (library := self.waiting().get(name)) is not None:
            raise UsageError(
                f"The {self.kind} {name} needs the library {library}, which is not installed: pip install {library}"
            )
        if name not in self.names():
            raise unknown(self.kind, name, self.names())
        return name

    def waiting(self) -> dict[str, str]:
        """Return the plug-ins that need a library which is not installed, with its name: `NEEDS = "..."` in a file."""
        return {name: library for name, library in self.needing().items() if not _installed(library)}

    def needing(self) -> dict[str, str]:
        """Return the plug-ins that need a library beside the harness's, installed or not, with its name."""
        return {file.stem: library for file in self._files() if (library := _needs(file)) is not None}

    def _files(self) -> Iterator[Path]:
        return (file for place in self.path for file in Path(place).glob("[!_]*.py"))

    def third_parties(self) -> list[str]:
        """Return the names of the plug-ins that other packages add, without importing them."""
        return sorted(self._entry_points())

    def said(self, name: str) -> Said | None:
        """Return what the file of a plug-in says of itself; None where there is no such file.

        Raises `HarnessError` for a file that cannot be read.
        """
        file = self.file(name)
        if file is None:
            return None
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError, OSError) as error:
            raise HarnessError(f"The {self.kind} {name!r} cannot be read: {file}: {error}") from error
        return Said(ast.get_docstring(tree) or "", *_registered_class(tree))

    def file(self, name: str) -> Path | None:
        """Return the file of a plug-in in one of the known folders, None where there is none."""
        return next((file for place in self.path if (file := Path(place) / f"{name}.py").is_file()), None)

    def _registered(self) -> Iterable[str]:
        found = IMPORTED.get(self.package)
        return found._registered() if found else ()

    def _entry_points(self) -> dict[str, EntryPoint]:
        if self._entries is None:
            self._entries = dict(_entry_points_of(self.package))
        return self._entries


@cache
def _entry_points_of(package: str) -> tuple[tuple[str, EntryPoint], ...]:
    """Return the entry points of a group; the metadata of every installed package are read once for it."""
    return tuple((entry.name, entry) for entry in entry_points(group=package))


def plugins(folder: str) -> Plugins:
    """Return the plug-ins of a folder, `methods`, `datasets` or `reports`, by name; their contract may be heavy."""
    package, places = f"harness.{folder}", plugin_path(folder)
    imported = IMPORTED[package].path if package in IMPORTED else []
    return Plugins(folder.removesuffix("s"), package, list(dict.fromkeys([*places, *imported])))


def plugin_class(folder: str, name: str) -> type[Any]:
    """Return a plug-in's class, whose contract is imported only now; raise `UsageError` for an unknown name."""
    package = f"harness.{folder}"
    if package not in IMPORTED:
        plugins(folder).known(name)
        import_module(package)
    found: type[Any] = IMPORTED[package].get(name)
    return found


def _registered_class(tree: ast.Module) -> tuple[list[str], dict[str, Any]]:
    """Return the bases of a file's registered class, and its attributes that are plain values."""
    for node in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        if any(ast.unparse(decorator) == "register" for decorator in node.decorator_list):
            return [ast.unparse(base) for base in node.bases], dict(_plain_values(node))
    return [], {}


def _plain_values(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    for part in node.body:
        target = part.targets[0] if isinstance(part, ast.Assign) else getattr(part, "target", None)
        if isinstance(part, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name) and part.value:
            with suppress(ValueError):
                yield target.id, ast.literal_eval(part.value)


def _installed(library: str) -> bool:
    """Return whether a library can be imported; a mere folder of its name in the current one is none."""
    spec = find_spec(library)
    return spec is not None and spec.origin is not None


@lru_cache
def _needs(file: Path) -> str | None:
    """Return the library that a plug-in's file says it needs."""
    try:
        found = _NEEDS.search(file.read_bytes())
    except OSError:
        return None
    return found[1].decode() if found else None
