"""Synthetic twins: rendered pedestrians with grammar-made captions, in the on-disk format of a real dataset."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.twins.marker import MARKER_FILE, Marker, read_marker
    from harness.twins.writer import twin_folder, write_twin

__all__ = ["MARKER_FILE", "Marker", "read_marker", "twin_folder", "write_twin"]

_HOMES = {"write_twin": "writer", "twin_folder": "writer"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'marker')}"), name)
