"""Encode a split with a method and measure retrieval in both directions."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from harness.compute.devices import Accelerator, agreed, autocast
from harness.compute.distributed import deal, gather
from harness.config.sections import RunConfig
from harness.data.loading import Split
from harness.evaluate.measure import Embeddings, Evaluation, measure
from harness.images.augment import Augment
from harness.methods import Method


class Encoder:
    """Encodes splits with one method; embeddings of a frozen backbone are computed once per split and kept."""

    def __init__(self, method: Method, config: RunConfig, engine: Accelerator) -> None:
        self.method, self.engine, self.batch_size = method, engine, config.eval.batch_size
        backbone = config.backbone
        self.pixels = Augment(config.train.augment, backbone.image_size, backbone.normalisation)
        self._frozen: dict[tuple[str, str], tuple[Tensor, Tensor]] = {}

    @torch.inference_mode()
    def encode(self, split: Split) -> Embeddings:
        """Embed all images and captions of a split; every process takes a share and gets all."""
        self.method.eval()
        if self.method.caches_embeddings:
            return self._encode_cached(split)
        image, image_seconds = _timed(lambda: self._images(split, self.method.encode_image))
        text, text_seconds = _timed(lambda: self._captions(split, self.method.encode_text))
        return Embeddings(_unit(image), _unit(text), image_seconds, text_seconds)

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

    def _encode_cached(self, split: Split) -> Embeddings:
        (image, text), seconds = _timed(lambda: self.frozen(split))
        image, text = self.method.head_image(image), self.method.head_text(text)
        return Embeddings(_unit(image), _unit(text), seconds / 2, seconds / 2)

    def _images(self, split: Split, encode: Callable[[Tensor], Tensor]) -> Tensor:
        def part(rows: Tensor) -> Tensor:
            pixels = split.images.read(rows).to(self.engine.device)
            return encode(self.pixels.normalise(pixels))

        return self._rows(torch.arange(len(split.images)), part)

    def _captions(self, split: Split, encode: Callable[[Tensor], Tensor]) -> Tensor:
        """Encode captions from short to long, so that each batch is cut to little more than it needs."""
        order = split.tokens.argmax(dim=1).argsort(stable=True)
        rows = self._rows(
            order, lambda rows: encode(self.method.clip.cut(split.tokens[rows]).to(self.engine.device))
        )
        back = torch.empty_like(rows)
        back[order.to(rows.device)] = rows
        return back

    def _rows(self, order: Tensor, encode: Callable[[Tensor], Tensor]) -> Tensor:
        with autocast(self.engine):
            parts = [encode(rows).float() for rows in deal(order).split(self.batch_size)]
        return gather(torch.cat(parts), len(order))


def evaluate(encoder: Encoder, split: Split, *, detail: bool = False) -> tuple[Evaluation, Embeddings]:
    """Encode a split and measure it, in `detail` as `measure` says; all processes return the first one's numbers."""
    embeddings = encoder.encode(split)
    measured = measure(embeddings, split, detail=detail) if encoder.engine.is_main_process else None
    shared: Evaluation = agreed(measured)
    return shared, embeddings


def _unit(rows: Tensor) -> Tensor:
    return normalize(rows.float(), dim=-1)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result, time.perf_counter() - start
