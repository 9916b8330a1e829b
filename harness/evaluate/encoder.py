"""Encode a split with a method and measure retrieval in both directions."""

import time
from collections.abc import Callable, Mapping, Sized
from functools import partial
from typing import Any

import torch
from torch import Tensor

from harness.clip.injection import TowerName
from harness.compute.devices import Accelerator, Inference, agreed, autocast
from harness.compute.precision import tf32, unit
from harness.compute.transfer import Transfers
from harness.config.sections import RunConfig
from harness.data.loading import Split
from harness.errors import HarnessError
from harness.evaluate.collapse import check_embeddings, check_finite
from harness.evaluate.frozen_rows import Keeper, Rows, Source, Work, all_rows
from harness.evaluate.measure import Embeddings, Evaluation, measure
from harness.images.augment import Augment
from harness.method_parts.frozen import FrozenPart
from harness.methods import Method

Encode = Callable[[Tensor], Tensor]
_FOLD_ROWS = 8


class Encoder:
    """The one way from pixels and captions to a method's embeddings: of splits, of files and of texts alike.

    Everything is encoded in evaluation mode, under the run's autocast, with the run's normalisation; float32 is true
    float32 on any device. What the frozen parts of towers give of a split is computed once where `keep` was asked to.

    An accelerator is not waited for batch by batch: embeddings stay on it as float32 [n, dim] until all are there, and
    reading is at most two batches ahead, so that three batches of pixels are in pinned memory.

    Attributes:
        method: what embeds.
        engine: device, precision and processes.
        batch_size: rows encoded at once.
        pixels: the run's image recipe, of which encoding normalises alone.
    """

    def __init__(self, method: Method, config: RunConfig, engine: Accelerator | Inference) -> None:
        self.method, self.engine, self.batch_size = method, engine, config.eval.batch_size
        backbone = config.backbone
        assert backbone.normalisation is not None
        self.pixels = Augment(config.train.augment, backbone.image_size, backbone.normalisation)
        self._normalisation = backbone.normalisation
        self._transfers = Transfers(engine.device)
        self._kept: dict[tuple[str, str], dict[TowerName, Rows]] = {}

    @torch.inference_mode()
    def encode(self, split: Split) -> Embeddings:
        """Embed all images and captions of a split; every process takes a share and gets all."""
        self.method.eval()
        image, image_seconds = _timed(lambda: self._embed(split, "image"))
        text, text_seconds = _timed(lambda: self._embed(split, "text"))
        return Embeddings(unit(image), unit(text), image_seconds, text_seconds)

    @torch.inference_mode()
    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """Embed images, uint8 [n, 3, height, width], as L2-normalised float32 rows [n, dim] on the device."""
        self.method.eval()
        parts = [
            self._pixels(part, self.method.encode_image).float() for part in pixels.split(self.batch_size)
        ]
        return check_finite(unit(torch.cat(parts)), "image")

    @torch.inference_mode()
    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Embed token ids [n, length] as L2-normalised float32 rows [n, dim] on the device."""
        self.method.eval()
        parts = [
            self._tokens(part, self.method.encode_text).float() for part in tokens.split(self.batch_size)
        ]
        return check_finite(unit(torch.cat(parts)), "caption")

    @torch.inference_mode()
    def keep(
        self, split: Split, parts: Mapping[TowerName, FrozenPart], keeper: Keeper
    ) -> dict[TowerName, Rows]:
        """Compute once what the frozen parts of towers give of a split; encoding it starts from there until `fold`.

        Returns the rows of those that the keeper has room for: of images [n_image, ...] and captions [n_caption, ...].
        """
        self.method.eval()
        found = {
            tower: keeper.keep(
                self._part(split, tower, part),
                Source(split, tower, part.reads, self.method.clip, self._normalisation),
            )
            for tower, part in parts.items()
        }
        kept = {tower: rows for tower, rows in found.items() if rows is not None}
        self._kept[split.dataset, split.name] = kept
        return kept

    def fold(self, sample: Split) -> None:
        """Fold the method for inference; raise `HarnessError` when embeddings of a few rows of a split change by it.

        They are compared without autocast, whose rounding would hide a fold that is wrong.
        """
        rows = torch.arange(min(_FOLD_ROWS, len(sample.images), len(sample.tokens)))
        pixels, tokens = sample.images.read(rows), sample.tokens[rows]
        engine, self.engine = self.engine, Inference(self.engine.device, "no", self.engine.is_main_process)
        try:
            before = self.encode_pixels(pixels), self.encode_tokens(tokens)
            self.method.fold()
            self._kept.clear()
            after = self.encode_pixels(pixels), self.encode_tokens(tokens)
        finally:
            self.engine = engine
        change = max(float((old - new).norm(dim=1).max()) for old, new in zip(before, after, strict=True))
        if not change <= self._tolerance():
            raise HarnessError(
                f"Folding the method {self.method.name} for inference changes its embeddings by {change:.2g}: its "
                "`fold` must leave them as they are."
            )

    def _tolerance(self) -> float:
        """Return how far folding may move an embedding of length 1: by the rounding of the type of its weights.

        Right folds of twelve layers were measured to move one by 5e-7, and by 0.002 where weights are float16.
        """
        return 1e-4 if all(p.dtype == torch.float32 for p in self.method.parameters()) else 0.01

    def _embed(self, split: Split, tower: TowerName) -> Tensor:
        """Embed all images or captions of a split [n, dim], from what is kept of them where something is."""
        kept = self._kept.get((split.dataset, split.name), {}).get(tower)
        if kept is not None:
            return all_rows(self._from_kept(split, tower, kept)).float()
        if tower == "image":
            return all_rows(self._from_pixels(split, self.method.encode_image)).float()
        return all_rows(self._from_tokens(split, self.method.encode_text)).float()

    def _part(self, split: Split, tower: TowerName, part: FrozenPart) -> Work:
        """Return what computes the frozen part of a tower; streams of captions have the length of the longest."""
        if tower == "image":
            return self._from_pixels(split, part.compute)
        if not part.gives_streams:
            return self._from_tokens(split, part.compute)
        tokens = self.method.clip.cut(split.tokens)
        return Work(_all(tokens), lambda rows: self._run(part.compute, tokens[rows]), self.batch_size)

    def _from_pixels(self, split: Split, encode: Encode) -> Work:
        images = split.images

        def compute(rows: Tensor) -> Tensor:
            room = self._transfers.room((len(rows), 3, *images.size), torch.uint8)
            return self._pixels(images.read(rows, room), encode)

        return Work(_all(images), compute, self.batch_size)

    def _from_tokens(self, split: Split, encode: Encode) -> Work:
        """Encode captions from short to long, so that each batch is cut to little more than it needs."""
        order = split.tokens.argmax(dim=1).argsort(stable=True)
        return Work(order, lambda rows: self._tokens(split.tokens[rows], encode), self.batch_size)

    def _from_kept(self, split: Split, tower: TowerName, kept: Rows) -> Work:
        finish, tokens = partial(self.method.from_frozen, tower), self.method.clip.cut(split.tokens)
        if tower == "image":
            return Work(_all(split.images), lambda rows: self._run(finish, kept[rows]), self.batch_size)
        return Work(_all(tokens), lambda rows: self._run(finish, kept[rows], tokens[rows]), self.batch_size)

    def _pixels(self, pixels: Tensor, encode: Encode) -> Tensor:
        return self._run(lambda sent: encode(self.pixels.normalise(sent)), pixels)

    def _tokens(self, tokens: Tensor, encode: Encode) -> Tensor:
        return self._run(encode, self.method.clip.cut(tokens))

    def _run(self, encode: Callable[..., Tensor], *given: Tensor) -> Tensor:
        with autocast(self.engine), tf32(False):
            return encode(*map(self._transfers.send, given))


def evaluate(encoder: Encoder, split: Split, *, detail: bool = False) -> tuple[Evaluation, Embeddings]:
    """Encode a split and measure it, in `detail` as `measure` says; all processes return the first one's numbers.

    Raises `HarnessError` for embeddings that are not finite, or all alike.
    """
    embeddings = encoder.encode(split)
    check_embeddings(embeddings.image, embeddings.text, split)
    measured = measure(embeddings, split, detail=detail) if encoder.engine.is_main_process else None
    shared: Evaluation = agreed(measured)
    return shared, embeddings


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result, time.perf_counter() - start


def _all(rows: Sized) -> Tensor:
    return torch.arange(len(rows))
