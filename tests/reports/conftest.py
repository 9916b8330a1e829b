"""A tracked run with all that a report about it can show."""

import numpy as np
import pytest

from harness.captions.vocabulary import COLOURS, GARMENTS
from harness.record import RunFolder
from harness.track.publish import publish

N_PERSONS, N_CAPTIONS = 40, 3


def whole_queries(skill, seed):
    """Return per-query results as a test leaves them: ranks, first ten, words, both directions."""
    rng = np.random.default_rng(seed)
    identity = np.arange(N_PERSONS).repeat(N_CAPTIONS)
    n = len(identity)
    rank = np.where(rng.random(n) < skill, 1, rng.integers(2, 40, n))
    top = rng.integers(0, n, (n, 10)).astype(np.int32)
    right = top // N_CAPTIONS == identity[:, None]
    top = np.where(right, (top + N_CAPTIONS) % n, top)
    for row in np.flatnonzero(rank <= 10):
        top[row, rank[row] - 1] = identity[row] * N_CAPTIONS
    colours = (1 << (identity % len(COLOURS))).astype(np.uint32)
    both = {
        "rank": rank,
        "AP": 1 / rank,
        "INP": 1 / rank,
        "identity": identity,
        "n_right": np.full(n, N_CAPTIONS),
    }
    arrays = {f"{way}/{name}": values for way in ("t2i", "i2t") for name, values in both.items()}
    words = {"t2i/n_words": rng.integers(5, 60, n).astype(np.uint16), "t2i/colours": colours}
    words |= {"t2i/garments": (identity % 2 + 1).astype(np.uint32)}
    names = {"words/colours": np.array(list(COLOURS)), "words/garments": np.array(list(GARMENTS))}
    return arrays | words | names | {"t2i/top": top, "i2t/top": top}


def sample_of(seed, dim=16):
    """Return a sample of embeddings in which the garment of a person can be read off, and nothing else."""
    rng = np.random.default_rng(seed)
    identity = np.arange(N_PERSONS).repeat(N_CAPTIONS)
    rows = rng.normal(size=(len(identity), dim))
    rows[:, 0] += 6 * (identity % 2)
    place = np.arange(len(identity), dtype=np.int32)
    kinds = {"image": rows.astype(np.float16), "text": rows[::-1].astype(np.float16)}
    return kinds | {"identity": identity, "place": place, "caption": place}


@pytest.fixture
def whole_run(experiment, fake):
    """Return a function that publishes a run with per-query results, epochs and embeddings, and returns its record."""

    def publish_one(method="cskt", skill=0.4, seed=1, embeddings=True, **more):
        made, _ = fake.record(method, "icfg", 100 * skill, seed=seed, **more)
        arrays = whole_queries(skill, seed)
        folder = RunFolder(experiment.runs / made.name)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.write_queries(arrays)
        if embeddings:
            folder.write_queries(sample_of(seed), "embeddings.npz")
        made.selection = {"epoch": 2, "rule": "val"}
        folder.write(made)
        made.tracking = publish(made, folder, experiment)
        rows = [
            {"epoch": epoch, "train/loss": 3.0 / epoch, "val/t2i/R1": 10.0 * epoch} for epoch in (1, 2, 3)
        ]
        experiment.log(made.tracking["run_id"], rows)
        return made

    return publish_one
