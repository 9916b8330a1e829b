"""Measure retrieval in both directions from a split's embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from harness.captions.vocabulary import caption_features, vocabulary
from harness.data.loading import Split
from harness.evaluate.intervals import intra_identity_correlation, share_intervals
from harness.evaluate.per_identity import query_values
from harness.evaluate.ranking import QueryResults, rank_directions, summarise_directions
from harness.metric_names import ALL_METRICS, DIRECTIONS

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


def measure(embeddings: Embeddings, split: Split, *, detail: bool = False) -> Evaluation:
    """Measure retrieval of a split from its embeddings.

    With `detail` the queries also name the `TOP` most similar gallery items of each, best first, and which words
    each caption names: all that galleries and slices of a test need. Validation needs neither.
    """
    owners = {"t2i": split.caption_identities, "i2t": split.identities}
    results = rank_directions(
        embeddings.image, embeddings.text, owners["i2t"], owners["t2i"], top=TOP if detail else 0
    )
    return evaluation(results, owners, split.pairs.captions if detail else None)


def evaluation(
    results: Mapping[str, QueryResults], owners: Mapping[str, Tensor], captions: Sequence[str] | None = None
) -> Evaluation:
    """Return what the queries of both directions found as metrics and arrays.

    Args:
        results: by direction, in the order of the queries.
        owners: identity of each query, by direction.
        captions: all captions, so that the words that each names are told as well; None tells none.
    """
    queries: Queries = {}
    for direction, result in results.items():
        queries[f"{direction}/identity"] = owners[direction].numpy()
        queries[f"{direction}/rank"] = result.first_rank.numpy()
        queries[f"{direction}/AP"] = result.ap.numpy()
        queries[f"{direction}/INP"] = result.inp.numpy()
        queries[f"{direction}/n_right"] = result.n_right.numpy()
        if result.top is not None:
            queries[f"{direction}/top"] = result.top.numpy()
    spoken = {} if captions is None else _spoken(captions)
    return Evaluation(summarise_directions(results), queries | spoken)


def _spoken(captions: Sequence[str]) -> Queries:
    """Return which words each caption names, and the names of its bits."""
    features = {f"t2i/{name}": values for name, values in caption_features(captions).items()}
    return features | {f"words/{name}": names for name, names in vocabulary().items()}


def metrics_of(queries: Queries) -> dict[str, float]:
    """Return each metric as the per-query results give it, in percent: what `measure` returned with them."""
    found: dict[str, float] = {}
    for direction in DIRECTIONS:
        values = {name: 100 * float(query_values(queries, name, direction).mean()) for name in ALL_METRICS}
        values["Rsum"] = sum(values[name] for name in ALL_METRICS if name.startswith("R"))
        found |= {f"{direction}/{name}": value for name, value in values.items()}
    return found | {"Rsum": found["t2i/Rsum"]}


def intervals(queries: Queries) -> dict[str, tuple[float, float]]:
    """Return the 95 % interval of each metric over identities, in percent."""
    found: dict[str, tuple[float, float]] = {}
    for direction in DIRECTIONS:
        columns = np.stack([query_values(queries, name, direction) for name in ALL_METRICS], axis=1)
        ends = share_intervals(columns, queries[f"{direction}/identity"])
        for name, one in zip(ALL_METRICS, ends, strict=True):
            found[f"{direction}/{name}"] = (100 * one.low, 100 * one.high)
    return found


def correlation(queries: Queries) -> float:
    """Return the intra-class correlation of the t2i R@1 outcomes of one identity's captions (ANOVA estimator)."""
    return intra_identity_correlation(query_values(queries, "R1"), queries["t2i/identity"])
