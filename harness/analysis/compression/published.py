"""The published C¹ and C² of TBPS-CLIP, as rows like those of a run's own result."""

from pathlib import Path
from typing import Any

from harness.analysis.compression.partial_towers import PARTS, TOWERS
from harness.config.strict_yaml import read_yaml

FILE = Path(__file__).with_name("published.yaml")


def published() -> dict[str, Any]:
    """Return title, source and note of the published heat maps, and their `modules` as a run's result has them.

    >>> found = published()
    >>> found["title"], found["modules"][0]
    ('TBPS-CLIP on CUHK-PEDES, ViT-B/16', {'tower': 'text', 'layer': 1, 'part': 'SA', 'C1': 1.0, 'C2': 0.9})
    """
    found = read_yaml(FILE, what="published heat maps", holds="title, source, note, text and image")
    modules = [
        {"tower": tower, "layer": layer, "part": part, "C1": values[place], "C2": values[place + len(PARTS)]}
        for tower in TOWERS
        for layer, values in enumerate(found[tower], start=1)
        for place, part in enumerate(PARTS)
    ]
    return {name: found[name] for name in ("title", "source", "note")} | {"modules": modules}
