"""Encode a split with a method and measure retrieval in both directions."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from harness.captions.vocabulary import caption_features, vocabulary
from harness.compute.devices import Accelerator, agreed, autocast
from harness.compute.distributed import deal, gather
from harness.config.sections import RunConfig
from harness.data.loading import Split
from harness.evaluate.intervals import bootstrap_intervals, intra_identity_correlation, share_bounds
from harness.evaluate.per_identity import ALL_METRICS, query_values
from harness.evaluate.ranking import DIRECTIONS, rank_directions, summarise_directions
from harness.images.augment import Augment
from harness.methods import Method

PROTOCOL_VERSION = 1
TOP = 10

Queries = dict[str, Any]


@dataclass(frozen=True)
class Embeddings:
    """L2-normalised float32 embeddings of a split: images [n_image, dim], captions [n_caption, dim]."""

    image: Tensor
    text: Tensor
    image_seconds: float
    text_seconds: float


@dataclass(frozen=True)
class Evaluation:
    """Metrics in percent by `direction/name`, and what each query contributed."""

    metrics: dict[str, float]
    queries: Queries


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


def measure(embeddings: Embeddings, split: Split, *, detail: bool = False) -> Evaluation:
    """Measure retrieval of a split from its embeddings.

    With `detail` the queries also name the `TOP` most similar gallery items of each, best first, and what each
    caption speaks of: all that galleries and slices of a test need. Validation goes without.
    """
    owners = {"t2i": split.caption_identities, "i2t": split.identities}
    results = rank_directions(
        embeddings.image, embeddings.text, owners["i2t"], owners["t2i"], top=TOP if detail else 0
    )
    queries: Queries = {}
    for direction, result in results.items():
        queries[f"{direction}/identity"] = owners[direction].numpy()
        queries[f"{direction}/rank"] = result.first_rank.numpy()
        queries[f"{direction}/AP"] = result.ap.numpy()
        queries[f"{direction}/INP"] = result.inp.numpy()
        queries[f"{direction}/n_right"] = result.n_right.numpy()
        if result.top is not None:
            queries[f"{direction}/top"] = result.top.numpy()
    return Evaluation(summarise_directions(results), queries | (_spoken(split) if detail else {}))


def _spoken(split: Split) -> Queries:
    """Return what each caption speaks of, and the names that its bits stand for."""
    features = {f"t2i/{name}": values for name, values in caption_features(split.pairs.captions).items()}
    return features | {f"words/{name}": names for name, names in vocabulary().items()}


def intervals(queries: Queries, replicates: int) -> dict[str, tuple[float, float]]:
    """Return the 95 % interval of each metric from a bootstrap over identities, in percent."""
    found: dict[str, tuple[float, float]] = {}
    for direction in DIRECTIONS:
        columns = np.stack([query_values(queries, name, direction) for name in ALL_METRICS], axis=1)
        ends = bootstrap_intervals(columns, queries[f"{direction}/identity"], replicates=replicates)
        n_identity = len(np.unique(queries[f"{direction}/identity"]))
        for name, interval in zip(ALL_METRICS, ends, strict=True):
            low, high = share_bounds(interval, n_identity)
            found[f"{direction}/{name}"] = (100 * low, 100 * high)
    return found


def correlation(queries: Queries) -> float:
    """Return how alike the t2i R@1 outcomes of one identity's captions are (ANOVA estimator)."""
    return intra_identity_correlation(query_values(queries, "R1"), queries["t2i/identity"])


def _unit(rows: Tensor) -> Tensor:
    return normalize(rows.float(), dim=-1)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result, time.perf_counter() - start
