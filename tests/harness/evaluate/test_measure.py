"""Metrics of a split from its embeddings, counted by hand in both directions; intervals and detail."""

import numpy as np
import pytest
import torch

from harness.captions.vocabulary import COLOURS
from harness.data.loading import Split
from harness.datasets import Pairs
from harness.errors import DataError
from harness.evaluate.measure import TOP, Embeddings, correlation, intervals, measure
from harness.metric_names import ALL_METRICS, DIRECTIONS

CAPTIONS = ["a red coat", "blue jeans", "a red and blue hat", "nothing"]
OWNERS = [0, 1, 2, 2]


def split(identities=(1, 1, 2), owners=OWNERS, captions=CAPTIONS):
    names = [f"{place}.jpg" for place in range(len(identities))]
    pairs = Pairs(names, list(identities), list(captions), list(owners))
    return Split("test", "icfg", None, torch.tensor(identities), torch.tensor(owners), None, pairs)


def embedded(image, text):
    rows = [torch.nn.functional.normalize(torch.tensor(each), dim=1) for each in (image, text)]
    return Embeddings(*rows, 0.0, 0.0)


# The first caption is nearest to image 2, which is of another person; all others to an image of their own.
IMAGES = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]
TEXTS = [[0.0, 1.0], [1.0, 0.0], [0.1, 1.0], [0.2, 1.0]]


def test_ranks_and_metrics_of_a_case_counted_by_hand():
    found = measure(embedded(IMAGES, TEXTS), split())
    q = found.queries
    assert q["t2i/rank"].tolist() == [2, 1, 1, 1]
    assert q["t2i/identity"].tolist() == [1, 1, 2, 2]
    assert q["t2i/n_right"].tolist() == [2, 2, 1, 1]
    assert q["t2i/AP"].tolist() == pytest.approx([(1 / 2 + 2 / 3) / 2, 1, 1, 1])
    assert q["t2i/INP"].tolist() == pytest.approx([2 / 3, 1, 1, 1])
    assert found.metrics["t2i/R1"] == 75
    assert found.metrics["t2i/R5"] == 100
    assert found.metrics["t2i/mAP"] == pytest.approx(100 * (7 / 12 + 3) / 4)
    assert q["i2t/identity"].tolist() == [1, 1, 2]
    # Image 2 has caption 0, of another person, before both of its own.
    assert q["i2t/rank"].tolist() == [1, 1, 2]
    assert found.metrics["i2t/R1"] == pytest.approx(200 / 3)


def test_detail_adds_the_first_items_and_what_captions_name_and_changes_no_number():
    short, whole = (measure(embedded(IMAGES, TEXTS), split(), detail=detail) for detail in (False, True))
    assert whole.metrics == short.metrics
    assert not {"t2i/top", "t2i/colours"} & short.queries.keys()
    assert whole.queries["t2i/top"].shape == (4, min(TOP, 3))
    assert whole.queries["t2i/top"][0].tolist() == [2, 1, 0]
    bits = whole.queries["t2i/colours"]
    names = whole.queries["words/colours"].tolist()
    assert names == list(COLOURS)
    said = [[name for place, name in enumerate(names) if int(value) >> place & 1] for value in bits]
    assert [sorted(each) for each in said] == [["red"], ["blue"], ["blue", "red"], []]
    assert whole.queries["t2i/n_words"].tolist() == [3, 2, 5, 1]


def test_equal_similarities_count_against_the_model():
    found = measure(embedded([[1.0, 0.0]] * 3, [[1.0, 0.0]] * 4), split())
    assert found.queries["t2i/rank"].tolist() == [2, 2, 3, 3]
    assert found.metrics["t2i/R1"] == 0


def test_a_query_without_a_match_is_an_error():
    with pytest.raises(DataError):
        measure(embedded(IMAGES, TEXTS), split(owners=[0, 1, 0, 1]))


def test_intervals_hold_each_metric_within_nothing_and_all():
    rng = np.random.default_rng(0)
    identities = np.arange(60).repeat(2)
    image = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(120, 8))).float(), dim=1)
    text = torch.nn.functional.normalize(
        image + 0.6 * torch.from_numpy(rng.normal(size=(120, 8))).float(), dim=1
    )
    many = split(identities.tolist(), list(range(120)), ["x"] * 120)
    found = measure(Embeddings(image, text, 0.0, 0.0), many)
    ends = intervals(found.queries)
    assert ends.keys() == {f"{way}/{name}" for way in DIRECTIONS for name in ALL_METRICS}
    for name, (low, high) in ends.items():
        assert 0 <= low < found.metrics[name] < high <= 100
    assert ends["t2i/R1"][1] - ends["t2i/R1"][0] > 5


def test_captions_of_a_person_that_succeed_together_are_fully_correlated():
    identity = np.arange(20).repeat(3)
    rank = np.where(identity % 2, 1, 9)
    queries = {"t2i/identity": identity, "t2i/rank": rank, "t2i/AP": 1 / rank, "t2i/INP": 1 / rank}
    assert correlation(queries) == pytest.approx(1)
    queries["t2i/rank"] = np.tile([1, 9, 9], 20)
    assert correlation(queries) <= 0
