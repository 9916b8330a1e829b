"""What embeddings encode: a map of them in the plane, and which attributes a linear probe predicts.

The probe learns from captions: an image has an attribute when its first caption names it. It is trained on some
identities and tested on others, so it cannot succeed by recognising an identity.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.captions.vocabulary import named_by
from harness.evaluate.intervals import cluster_sums, share_interval
from harness.evaluate.variance import influence, variance_of

if TYPE_CHECKING:
    from pandas import DataFrame

_FOLDS = 5
MIN_PERSONS = 15
_MOST_ATTRIBUTES = 16
Arrays = Mapping[str, Any]


def attributes(sample: Arrays, queries: Arrays) -> dict[str, NDArray[np.bool_]]:
    """Return which sampled images have each colour and garment by their first caption [n_image].

    Args:
        sample: a run's `embeddings.npz`.
        queries: its `queries.npz`; without the words of captions there are no attributes.

    Only those that at least `MIN_PERSONS` identities have and as many have not; the most even ones first.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    for kind in ("colours", "garments"):
        if f"t2i/{kind}" not in queries:
            continue
        masks = np.asarray(queries[f"t2i/{kind}"])[np.asarray(sample["caption"])]
        found |= named_by(masks, queries[f"words/{kind}"])
    known = {name: has for name, has in found.items() if _n_even(has, sample["identity"]) >= MIN_PERSONS}
    order = sorted(known, key=lambda name: abs(float(known[name].mean()) - 0.5))
    return {name: known[name] for name in order[:_MOST_ATTRIBUTES]}


def probe(sample: Arrays, queries: Arrays, *, seed: int = 0) -> "DataFrame":
    """Return how well a linear probe predicts each attribute from image embeddings of identities not trained on.

    One row an attribute: `attribute`, `share` of images that have it, `n_persons`, `accuracy` balanced between having
    it and not (50 is chance) with its 95 % interval over identities, in percent.
    """
    from pandas import DataFrame

    features, identities = np.asarray(sample["image"], dtype=np.float32), np.asarray(sample["identity"])
    rows = [
        {"attribute": name, "share": 100 * float(has.mean()), "n_persons": len(np.unique(identities))}
        | _read_off(features, has, identities, seed)
        for name, has in attributes(sample, queries).items()
    ]
    columns = ["attribute", "share", "n_persons", "accuracy", "accuracy_low", "accuracy_high"]
    return DataFrame(rows, columns=columns)


def lay_out(sample: Arrays, how: str = "pca", *, seed: int = 0) -> NDArray[np.float64]:
    """Return places in the plane for the sampled images and then their captions [2 * n, 2].

    Args:
        sample: a run's `embeddings.npz`.
        how: `pca`, which keeps directions, or `tsne`, which keeps neighbours.
        seed: of the map.

    Images and captions are centred separately, because CLIP puts them in different regions whatever they show.
    """
    parts = [np.asarray(sample[kind], dtype=np.float64) for kind in ("image", "text")]
    rows = np.concatenate([part - part.mean(axis=0) for part in parts])
    if how == "pca":
        from sklearn.decomposition import PCA

        return np.asarray(PCA(2, random_state=seed).fit_transform(rows))
    from sklearn.manifold import TSNE

    near = min(30.0, (len(rows) - 1) / 3)
    return np.asarray(
        TSNE(2, perplexity=near, init="pca", random_state=seed).fit_transform(rows), dtype=np.float64
    )


def _read_off(features: Any, has: NDArray[np.bool_], identities: Any, seed: int) -> dict[str, float]:
    """Return the balanced accuracy of predictions for held-out identities, with its interval."""
    right = _predict(features, has, identities, seed) == has
    sums, sizes = cluster_sums(np.stack([right & has, has, right & ~has, ~has], axis=1), identities)
    right_with, with_it, right_without, without = sums.T
    moved = (influence(right_with, with_it) + influence(right_without, without)) / 2
    accuracy = float(right_with.sum() / with_it.sum() + right_without.sum() / without.sum()) / 2
    ends = share_interval(accuracy, variance_of(moved), len(sizes))
    return {"accuracy": 100 * accuracy, "accuracy_low": 100 * ends.low, "accuracy_high": 100 * ends.high}


def _predict(features: Any, has: NDArray[np.bool_], identities: Any, seed: int) -> NDArray[np.bool_]:
    """Return predictions for every image by probes that saw none of its identity's images."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    predicted = np.zeros(len(has), dtype=bool)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(features, has, identities):
        if len(np.unique(has[train])) < 2:
            predicted[test] = has[train][0]
            continue
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.1, max_iter=500, class_weight="balanced")
        )
        predicted[test] = model.fit(features[train], has[train]).predict(features[test])
    return predicted


def _n_even(has: NDArray[np.bool_], identities: Any) -> int:
    """Return how many identities have an attribute or how many have not, whichever is less."""
    persons = np.asarray(identities)
    return min(len(np.unique(persons[has])), len(np.unique(persons[~has])))
