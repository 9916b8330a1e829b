"""Which R@1 values the two measures need, measured and kept on disk as they come."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.compression.layer_probes import Probe, SplitProbe
from harness.analysis.compression.measures import STEPS, next_points
from harness.analysis.compression.partial_towers import PARTS, TOWERS, Module
from harness.errors import DataError
from harness.files import read_json, write_json
from harness.listener import Listener
from harness.record import RunFolder

FILE = "compression_points.json"
_REMOVED = "removed"
_ROUNDING = 9
_AT_ONCE = 64
log = logging.getLogger(__name__)


class Points:
    """What is known of one split, by module and share of its training.

    Attributes:
        passed: layers passed for it, in passes of a whole side of the split.
        naive: the same if every value had taken a full pass of its tower.

    Args:
        folder: of the run.
        split: whose values these are.
        facts: what they depend on; values measured under others are forgotten.
        fresh: forget all values of the split.
    """

    def __init__(
        self, folder: RunFolder, split: str, facts: Mapping[str, Any], *, fresh: bool = False
    ) -> None:
        self._file, self._split = folder.file(FILE), split
        self._all: dict[str, Any] = _known(self._file)
        if fresh or self._all.get(split, {}).get("facts") != dict(facts):
            self._all[split] = {"facts": dict(facts), "passed": 0.0, "naive": 0.0, "R1": None, "values": {}}
        self._own: dict[str, Any] = self._all[split]

    @property
    def recall(self) -> float:
        """R@1 with nothing changed."""
        return float(self._own["R1"])

    @property
    def passed(self) -> float:  # noqa: D102
        return float(self._own["passed"])

    @property
    def naive(self) -> float:  # noqa: D102
        return float(self._own["naive"])

    def begin(self, recall: float, passed: float) -> None:
        """Note R@1 with nothing changed, if it is not known, and the layers passed for it, which nothing saves."""
        if self._own["R1"] is None:
            self._own["R1"] = recall
        self._own["passed"] += passed
        self._own["naive"] += passed

    def add(self, values: Mapping[Probe, float], passed: float, naive: int) -> None:
        """Keep values on disk, with the layers passed for them."""
        for probe, value in values.items():
            self._own["values"].setdefault(probe.module.key, {})[_key(probe)] = value
        self._own["passed"] += passed
        self._own["naive"] += naive
        write_json(self._file, self._all)

    def value(self, probe: Probe) -> float | None:
        """Return a value, or None when it was not measured."""
        found = self._own["values"].get(probe.module.key, {}).get(_key(probe))
        return None if found is None else float(found)

    def known(self, probe: Probe) -> float:
        """Return a value that was measured."""
        value = self.value(probe)
        assert value is not None
        return value

    def within(self, module: Module, epsilon: float) -> dict[int, bool]:
        """Return of each share tried, in hundredths, whether R@1 falls by less than `epsilon` points."""
        values = self._own["values"].get(module.key, {})
        tried = {int(share): value for share, value in values.items() if share != _REMOVED}
        found = {share: round(self.recall - value, _ROUNDING) < epsilon for share, value in tried.items()}
        return found | ({STEPS: True} if found else {})


def modules(probe: SplitProbe) -> list[Module]:
    """Return all modules of both towers."""
    sizes = {name: len(tower.blocks) for name, tower in probe.towers.items()}
    return [
        Module(name, layer, part) for name in TOWERS for layer in range(1, sizes[name] + 1) for part in PARTS
    ]


def measure(probe: SplitProbe, points: Points, epsilon: float, listener: Listener) -> None:
    """Measure R@1 without each module, then with shares of its training until its C² is known."""
    every = modules(probe)
    _pass(probe, points, [Probe(module) for module in every], "without each module", listener)
    moved = [module for module in every if probe.blends[module.tower].moves(module)]
    while wanted := [
        Probe(module, kept) for module in moved for kept in next_points(points.within(module, epsilon))
    ]:
        _pass(probe, points, wanted, "with part of a module's training", listener)


def _pass(probe: SplitProbe, points: Points, wanted: Sequence[Probe], stage: str, listener: Listener) -> None:
    """Measure what is wanted and not known, tower by tower, and keep it."""
    for tower in TOWERS:
        left = [one for one in wanted if one.module.tower == tower and points.value(one) is None]
        left.sort(key=lambda one: one.module.layer)
        for some in (left[place : place + _AT_ONCE] for place in range(0, len(left), _AT_ONCE)):
            listener.on_stage(f"{tower} tower {stage}: {len(some)} values of R@1")
            before = probe.layer_forwards
            values = probe.measure(tower, some, listener.on_count)
            naive = len(some) * len(probe.towers[tower].blocks)
            points.add(dict(zip(some, values, strict=True)), probe.layer_forwards - before, naive)


def _key(probe: Probe) -> str:
    return _REMOVED if probe.kept is None else str(probe.kept)


def _known(file: Path) -> dict[str, Any]:
    """Return what was measured before; nothing, with a warning, where that cannot be read."""
    try:
        known: dict[str, Any] = read_json(file, of=dict) if os.path.lexists(file) else {}
    except DataError as error:
        log.warning("measured anew: %s", str(error).rpartition(": ")[0])
        return {}
    return {split: one for split, one in known.items() if isinstance(one, dict) and "values" in one}
