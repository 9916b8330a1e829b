"""R@1 of a split with one module of a trained method taken away or partly set back, many modules in one pass.

A tower's batch goes through its layers once; at each layer every probe of that layer leaves from the stream that has
come so far and goes on to the end alone. Nothing is kept of a batch but that one stream, the one of the probe under
way and two numbers for each probe and query, so memory does not grow with the split beyond
`8 bytes * probes * queries`, the embeddings of the split and one copy of a layer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from harness.analysis.compression.partial_towers import Blend, Module, PartialTower
from harness.clip.injection import TowerName
from harness.compute.devices import autocast
from harness.compute.precision import unit
from harness.data.loading import Split
from harness.evaluate.encoder import Encoder

OTHER: dict[TowerName, TowerName] = {"text": "image", "image": "text"}
Progress = Callable[[int, int], None]


class Probe(NamedTuple):
    """A module, and the hundredths of its training that are kept; None takes the module away."""

    module: Module
    kept: int | None = None


class Tally:
    """The best right and the best wrong score of each query so far, for several probes at once.

    A query is answered when its best right score is larger: ties count against the model, and so do scores that are
    not numbers, as in `harness.evaluate.ranking`.
    """

    def __init__(self, n_probes: int, n_queries: int, device: torch.device) -> None:
        self.right = torch.full((n_probes, n_queries), -torch.inf, device=device)
        self.wrong = torch.full((n_probes, n_queries), -torch.inf, device=device)

    def add(self, probe: int, scores: Tensor, same: Tensor, queries: Tensor | slice) -> None:
        """Take in scores [n, m] of some `queries` and some of the gallery; `same` tells which are right [n, m]."""
        none = torch.full_like(scores, -torch.inf)
        right = torch.where(same & ~scores.isnan(), scores, none).amax(dim=1)
        wrong = torch.where(same, none, scores.nan_to_num(torch.inf, torch.inf, -torch.inf)).amax(dim=1)
        self.right[probe, queries] = torch.maximum(self.right[probe, queries], right)
        self.wrong[probe, queries] = torch.maximum(self.wrong[probe, queries], wrong)

    def recall(self) -> list[float]:
        """Return R@1 of each probe in percent."""
        return [float(share) for share in 100 * (self.right > self.wrong).double().mean(dim=1)]


class SplitProbe:
    """A trained method on a split, text to image.

    Attributes:
        towers: both towers in parts, which count what passes through them.
        blends: both towers' layers between start and end of the training.
        embeddings: of both sides with nothing changed, L2-normalised float32 [n, dim].
    """

    def __init__(
        self,
        encoder: Encoder,
        split: Split,
        start: Mapping[TowerName, Sequence[Mapping[str, Tensor]]],
    ) -> None:
        self.encoder, self.split = encoder, split
        self.method, self.engine, self.batch_size = encoder.method, encoder.engine, encoder.batch_size
        self._owners = {"text": split.caption_identities, "image": split.identities}
        self._owners = {name: owners.to(self.engine.device) for name, owners in self._owners.items()}
        whole_towers = self.method.clip.towers
        self.towers: dict[TowerName, PartialTower] = {
            "text": PartialTower(whole_towers["text"], self.method.text_injection),
            "image": PartialTower(whole_towers["image"], self.method.image_injection),
        }
        self.blends = {name: Blend(whole_towers[name], start[name]) for name in self.towers}
        whole = encoder.encode(split)
        self.embeddings: dict[TowerName, Tensor] = {"text": whole.text, "image": whole.image}
        for name, tower in self.towers.items():
            tower.passed += 2 * len(tower.blocks) * len(self.embeddings[name])

    @property
    def layer_forwards(self) -> float:
        """How often one layer was passed, in passes of a whole side of the split."""
        sizes = {"text": len(self.split.owners), "image": len(self.split.images)}
        return sum(tower.passed / 2 / sizes[name] for name, tower in self.towers.items())

    def recall(self) -> float:
        """Return t2i R@1 in percent with nothing changed."""
        tally = Tally(1, len(self.split.owners), self.engine.device)
        for rows in self._order("text").split(self.batch_size):
            self._score(tally, "text", 0, rows, self.embeddings["text"][rows])
        return tally.recall()[0]

    @torch.inference_mode()
    def measure(self, tower: TowerName, probes: Sequence[Probe], progress: Progress) -> list[float]:
        """Return t2i R@1 in percent under each probe of one tower, from one pass over its side of the split."""
        tally = Tally(len(probes), len(self.split.owners), self.engine.device)
        batches = self._order(tower).split(self.batch_size)
        for done, rows in enumerate(batches, start=1):
            for place, embeddings in self._walk(tower, self._inputs(tower, rows), probes):
                self._score(tally, tower, place, rows, embeddings)
            progress(done, len(batches))
        return tally.recall()

    def _walk(self, name: TowerName, inputs: Tensor, probes: Sequence[Probe]) -> Iterator[tuple[int, Tensor]]:
        """Yield the place of each probe and the embeddings [n, dim] under it, layer by layer."""
        tower = self.towers[name]
        last = max(probe.module.layer for probe in probes)
        with autocast(self.engine):
            x, ends = tower.begin(inputs)
        for layer in range(last):
            with autocast(self.engine):
                x = tower.enter(layer, x)
                u = tower.attend(layer, x)
            for place, probe in enumerate(probes):
                if probe.module.layer == layer + 1:
                    with autocast(self.engine):
                        changed = tower.onward(layer + 1, self._changed(probe, x, u))
                        embeddings = self._head(name, tower.finish(changed, ends))
                    yield place, embeddings
            if layer + 1 < last:
                with autocast(self.engine):
                    x = tower.feed(layer, u)

    def _changed(self, probe: Probe, x: Tensor, u: Tensor) -> Tensor:
        """Return what a layer gives under a probe, from what it reads and its own stream after attention."""
        tower, part = self.towers[probe.module.tower], probe.module.part
        layer, block = probe.module.layer - 1, self._block(probe)
        if block is None:
            return tower.feed(layer, x) if part == "SA" else {"FF": u, "Whole": x}[part]
        after = u if part == "FF" else tower.attend(layer, x, block)
        return tower.feed(layer, after, block)

    def _block(self, probe: Probe) -> nn.Module | None:
        if probe.kept is None:
            return None
        return self.blends[probe.module.tower](probe.module, probe.kept / 100)

    def _head(self, name: TowerName, rows: Tensor) -> Tensor:
        head = self.method.head_text if name == "text" else self.method.head_image
        return unit(head(rows))

    def _order(self, name: TowerName) -> Tensor:
        """Return the places of a side's rows; captions from short to long, so that batches are cut well."""
        if name == "image":
            return torch.arange(len(self.split.images))
        return self.split.tokens.argmax(dim=1).argsort(stable=True)

    def _inputs(self, name: TowerName, rows: Tensor) -> Tensor:
        if name == "text":
            return self.method.clip.cut(self.split.tokens[rows]).to(self.engine.device)
        return self.encoder.pixels.normalise(self.split.images.read(rows).to(self.engine.device))

    def _score(self, tally: Tally, name: TowerName, place: int, rows: Tensor, embeddings: Tensor) -> None:
        """Compare a batch of one side with the other side as it is."""
        captions, images = self._owners["text"], self._owners["image"]
        scores = embeddings.float() @ self.embeddings[OTHER[name]].T
        where = rows.to(scores.device)
        if name == "text":
            tally.add(place, scores, captions[where, None] == images, where)
        else:
            tally.add(place, scores.T, captions[:, None] == images[where], slice(None))
