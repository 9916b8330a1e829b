"""Encode a split with a method and measure retrieval in both directions."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from harness.compute.devices import Accelerator, Inference, agreed, autocast
from harness.compute.distributed import deal, gather
from harness.compute.precision import tf32, unit
from harness.compute.transfer import Transfers, sent
from harness.config.sections import RunConfig
from harness.data.loading import Split
from harness.errors import HarnessError
from harness.evaluate.collapse import check_embeddings, check_finite
from harness.evaluate.measure import Embeddings, Evaluation, measure
from harness.images.augment import Augment
from harness.methods import Method

Encode = Callable[[Tensor], Tensor]
_FOLD_ROWS = 8


class Encoder:
    """The one way from pixels and captions to a method's embeddings: of splits, of files and of texts alike.

    Everything is encoded in evaluation mode, under the run's autocast, with the run's normalisation; float32 is true
    float32 on any device. Embeddings of a frozen backbone are computed once per split and kept.

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
        self._transfers = Transfers(engine.device)
        self._frozen: dict[tuple[str, str], tuple[Tensor, Tensor]] = {}

    @torch.inference_mode()
    def encode(self, split: Split) -> Embeddings:
        """Embed all images and captions of a split; every process takes a share and gets all."""
        self.method.eval()
        if self.method.caches_embeddings:
            return self._encode_cached(split)
        image, image_seconds = _timed(lambda: self._images(split, self.method.encode_image))
        text, text_seconds = _timed(lambda: self._captions(split, self.method.encode_text))
        return Embeddings(unit(image), unit(text), image_seconds, text_seconds)

    @torch.inference_mode()
    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """Embed images, uint8 [n, 3, height, width], as L2-normalised float32 rows [n, dim] on the device."""
        self.method.eval()
        parts = [self._pixels(part, self.method.encode_image) for part in pixels.split(self.batch_size)]
        return check_finite(unit(torch.cat(parts)), "image")

    @torch.inference_mode()
    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Embed token ids [n, length] as L2-normalised float32 rows [n, dim] on the device."""
        self.method.eval()
        parts = [self._tokens(part, self.method.encode_text) for part in tokens.split(self.batch_size)]
        return check_finite(unit(torch.cat(parts)), "caption")

    @torch.inference_mode()
    def frozen(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the untouched backbone's embeddings: of images [n_image, dim] and captions [n_caption, dim]."""
        key = (split.dataset, split.name)
        if key not in self._frozen:
            clip = self.method.clip.eval()
            self._frozen[key] = (
                self._images(split, clip.encode_image),
                self._captions(split, clip.encode_text),
            )
        return self._frozen[key]

    def fold(self, sample: Split) -> None:
        """Fold the method for inference; raise `HarnessError` when embeddings of a few rows of a split change by it."""
        rows = torch.arange(min(_FOLD_ROWS, len(sample.images), len(sample.tokens)))
        pixels, tokens = sample.images.read(rows), sample.tokens[rows]
        before = self.encode_pixels(pixels), self.encode_tokens(tokens)
        self.method.fold()
        self._frozen.clear()
        after = self.encode_pixels(pixels), self.encode_tokens(tokens)
        change = max(float((old - new).abs().max()) for old, new in zip(before, after, strict=True))
        if not change <= self._tolerance():
            raise HarnessError(
                f"Folding the method {self.method.name} for inference changes its embeddings by {change:.2g}: its "
                "`fold` must leave them as they are."
            )

    def _tolerance(self) -> float:
        """Return how far folding may move an embedding of length 1: by the rounding of the type it is computed in."""
        half = self.engine.mixed_precision != "no" or any(
            p.dtype != torch.float32 for p in self.method.parameters()
        )
        return 0.05 if half else 1e-4

    def _encode_cached(self, split: Split) -> Embeddings:
        (image, text), seconds = _timed(lambda: self.frozen(split))
        image, text = self.method.head_image(image), self.method.head_text(text)
        return Embeddings(unit(image), unit(text), seconds / 2, seconds / 2)

    def _images(self, split: Split, encode: Encode) -> Tensor:
        images = split.images

        def read(rows: Tensor) -> Tensor:
            return images.read(rows, self._transfers.room((len(rows), 3, *images.size), torch.uint8))

        return self._rows(torch.arange(len(images)), lambda rows: self._pixels(read(rows), encode))

    def _captions(self, split: Split, encode: Encode) -> Tensor:
        """Encode captions from short to long, so that each batch is cut to little more than it needs."""
        order = split.tokens.argmax(dim=1).argsort(stable=True)
        rows = self._rows(order, lambda rows: self._tokens(split.tokens[rows], encode))
        back = torch.empty_like(rows)
        back[sent(order, rows.device)] = rows
        return back

    def _pixels(self, pixels: Tensor, encode: Encode) -> Tensor:
        with autocast(self.engine), tf32(False):
            return encode(self.pixels.normalise(self._transfers.send(pixels))).float()

    def _tokens(self, tokens: Tensor, encode: Encode) -> Tensor:
        with autocast(self.engine), tf32(False):
            return encode(self._transfers.send(self.method.clip.cut(tokens))).float()

    def _rows(self, order: Tensor, encode: Encode) -> Tensor:
        mine = deal(order)
        first, *others = mine.split(self.batch_size)
        part = encode(first)
        found = part.new_empty(len(mine), *part.shape[1:])
        found[: len(first)] = part
        for number, rows in enumerate(others, 1):
            start = number * self.batch_size
            found[start : start + len(rows)] = encode(rows)
        return gather(found, len(order))


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
