"""Ranks, AP and INP against published vectors, a loop that follows the definition, and torchmetrics."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.evaluate import rank_counts
from harness.evaluate.rank_counts import (
    _by_comparing,
    _by_searching,
    _compare,
    _on_the_processor,
    _sort_and_look_up,
    count_below,
)
from harness.evaluate.ranking import (
    rank_by,
    rank_directions,
    rank_queries,
    summarise_directions,
    summary,
)

SCORES = torch.tensor(
    [
        [0.9, 0.1, 0.3, 0.7, 0.2, 0.5],
        [0.2, 0.8, 0.6, 0.4, 0.1, 0.3],
        [0.5, 0.4, 0.3, 0.2, 0.6, 0.1],
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    ]
)
IMAGES = torch.tensor([1, 1, 2, 2, 3, 3])
CAPTIONS = torch.tensor([1, 2, 3, 1])


def rank_scores(scores, asked, identities, **options):
    """Rank by given scores [n_query, n_gallery]."""
    return rank_by(lambda rows: scores[rows], asked, identities, **options)


def naive(scores, query_identities, gallery_identities):
    """Follow the definition item by item; returns first rank, AP and INP of each query."""
    rows = []
    for row, identity in zip(scores.tolist(), query_identities.tolist(), strict=True):
        right, wrong = [], []
        for score, other in zip(row, gallery_identities.tolist(), strict=True):
            same = other == identity
            value = (-math.inf if same else math.inf) if math.isnan(score) else score
            (right if same else wrong).append(value)
        right.sort(reverse=True)
        ranks = [1 + sum(w >= r for w in wrong) + before for before, r in enumerate(right)]
        precision = [(before + 1) / rank for before, rank in enumerate(ranks)]
        rows.append((ranks[0], sum(precision) / len(right), len(right) / ranks[-1]))
    return [torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True)]


def assert_same(results, expected):
    got = (results.first_rank.double(), results.ap, results.inp)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@st.composite
def problems(draw):
    """Scores full of ties, infinities and not-a-numbers, where every query has a right item."""
    identities = draw(st.lists(st.integers(-3, 4), min_size=1, max_size=14))
    asked = draw(st.lists(st.sampled_from(identities), min_size=1, max_size=9))
    value = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, math.nan, math.inf, -math.inf])
    n = len(asked) * len(identities)
    scores = torch.tensor(draw(st.lists(value, min_size=n, max_size=n))).view(len(asked), len(identities))
    return scores, torch.tensor(asked), torch.tensor(identities)


def test_text_to_image_gives_the_golden_values():
    results = rank_scores(SCORES, CAPTIONS, IMAGES)
    expected = torch.tensor([2 / 3, 7 / 12, 2 / 3, 4 / 15], dtype=torch.float64)
    torch.testing.assert_close(results.ap, expected)
    torch.testing.assert_close(results.inp, torch.tensor([1 / 3, 2 / 3, 1 / 3, 1 / 3], dtype=torch.float64))
    assert [100 * results.hits(k).mean().item() for k in (1, 2, 5)] == [50, 75, 100]
    values = summary(results)
    assert values["mAP"] == pytest.approx(54.583333, abs=1e-6)
    assert values["mINP"] == pytest.approx(41.666667, abs=1e-6)
    assert values["R1"] == 50
    assert values["Rsum"] == 250


def test_image_to_text_gives_the_golden_values():
    """The vector has one tie, which it decides for the model: a nudge does so here."""
    scores = SCORES.clone()
    scores[1, 3] += 0.01
    results = rank_scores(scores.T, IMAGES, CAPTIONS)
    expected = torch.tensor([0.75, 5 / 12, 1, 0.5, 1, 0.25], dtype=torch.float64)
    torch.testing.assert_close(results.ap, expected)
    assert [100 * results.hits(k).mean().item() for k in (1, 2, 4)] == pytest.approx([50, 200 / 3, 100])
    values = summary(results)
    assert values["mAP"] == pytest.approx(65.277778, abs=1e-6)
    assert values["mINP"] == pytest.approx(62.5)


def test_the_tie_of_the_golden_vector_counts_against_the_model():
    results = rank_scores(SCORES.T, IMAGES, CAPTIONS)
    expected = torch.tensor([0.75, 5 / 12, 1, 1 / 3, 1, 0.25], dtype=torch.float64)
    torch.testing.assert_close(results.ap, expected)
    assert results.first_rank.tolist() == [1, 3, 1, 3, 1, 4]


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from([1, 3, 1000]))
def test_scores_full_of_ties_are_ranked_as_defined(problem, chunk):
    scores, asked, identities = problem
    before = scores.clone()
    results = rank_scores(scores, asked, identities, chunk=chunk)
    assert_same(results, naive(scores, asked, identities))
    assert results.n_right.tolist() == [(identities == one).sum().item() for one in asked]
    torch.testing.assert_close(scores, before, equal_nan=True, rtol=0, atol=0)


@settings(max_examples=50, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_the_gallery_changes_nothing(problem, random):
    scores, asked, identities = problem
    order = list(range(len(identities)))
    random.shuffle(order)
    first = rank_scores(scores, asked, identities)
    second = rank_scores(scores[:, order], asked, identities[order])
    for name in ("first_rank", "ap", "inp"):
        assert torch.equal(getattr(first, name), getattr(second, name))


def naive_order(scores, query_identities, gallery_identities):
    """Sort each row by score; a wrong item before a right one of the same score, then by place."""
    orders = []
    for row, identity in zip(scores.tolist(), query_identities.tolist(), strict=True):
        keys = []
        for place, (score, other) in enumerate(zip(row, gallery_identities.tolist(), strict=True)):
            same = other == identity
            value = (-math.inf if same else math.inf) if math.isnan(score) else score
            keys.append((-value, same, place))
        orders.append([place for _, _, place in sorted(keys)])
    return torch.tensor(orders)


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from([1, 3, 1000]), st.integers(1, 15))
def test_the_best_items_are_those_of_a_sort_of_the_gallery_and_change_no_value(problem, chunk, top):
    scores, asked, identities = problem
    plain = rank_scores(scores, asked, identities, chunk=chunk)
    results = rank_scores(scores, asked, identities, chunk=chunk, top=top)
    assert plain.top is None
    assert results.top.dtype == torch.int32
    assert torch.equal(results.top.long(), naive_order(scores, asked, identities)[:, :top])
    for name in ("first_rank", "ap", "inp", "n_right"):
        assert torch.equal(getattr(results, name), getattr(plain, name))


def test_the_best_items_put_the_first_right_one_at_its_rank():
    torch.manual_seed(0)
    queries, gallery = torch.randint(-2, 3, (70, 6)).float(), torch.randint(-2, 3, (210, 6)).float()
    asked, identities = torch.arange(70) % 23, torch.arange(210) % 23
    results = rank_queries(queries, gallery, asked, identities, chunk=16, top=10)
    assert torch.equal(results.top.long(), naive_order(queries @ gallery.T, asked, identities)[:, :10])
    right = identities[results.top.long()] == asked[:, None]
    near = results.first_rank <= 10
    assert near.any()
    assert torch.equal(right.any(dim=1), near)
    assert torch.equal(right[near].byte().argmax(dim=1) + 1, results.first_rank[near])


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
@pytest.mark.parametrize(("n_query", "n_gallery", "n_identity"), [(1, 1, 1), (37, 101, 13), (64, 9, 4)])
def test_embeddings_are_ranked_like_their_product(n_query, n_gallery, n_identity, chunk):
    torch.manual_seed(0)
    queries, gallery = (torch.randint(-3, 4, (n, 8)).float() for n in (n_query, n_gallery))
    asked, identities = torch.arange(n_query) % n_identity, torch.arange(n_gallery) % n_identity
    results = rank_queries(queries, gallery, asked, identities, chunk=chunk)
    assert_same(results, naive(queries @ gallery.T, asked, identities))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_number_formats_are_ranked_without_new_ties(dtype):
    torch.manual_seed(0)
    queries, gallery = torch.randn(9, 64).to(dtype), torch.randn(40, 64).to(dtype)
    asked, identities = torch.arange(9) % 5, torch.arange(40) % 5
    expected = naive(queries.float() @ gallery.float().T, asked, identities)
    assert_same(rank_queries(queries, gallery, asked, identities), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same(rank_queries(queries.float(), gallery.float(), asked, identities), expected)


def test_products_are_full_precision_and_the_setting_is_put_back(monkeypatch):
    seen = []
    product = torch.mm
    monkeypatch.setattr(
        torch, "mm", lambda *a, **k: seen.append(torch.get_float32_matmul_precision()) or product(*a, **k)
    )
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        rank_queries(torch.eye(2), torch.eye(2), torch.tensor([1, 2]), torch.tensor([1, 2]))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == ["highest"]


def test_half_precision_scores_are_ranked_like_their_values():
    scores = torch.tensor([[0.5, 0.25, 0.5]], dtype=torch.float16)
    results = rank_scores(scores, torch.tensor([1]), torch.tensor([1, 1, 2]))
    assert_same(results, naive(scores.float(), torch.tensor([1]), torch.tensor([1, 1, 2])))


def test_a_collapsed_model_gets_the_worst_ranks():
    ones = torch.ones(6, 4)
    labels = torch.tensor([1, 1, 2, 2, 3, 3])
    results = rank_queries(ones, ones, labels, labels)
    assert results.first_rank.tolist() == [5] * 6
    assert summary(results)["R1"] == 0


def test_a_broken_query_ranks_last_and_a_broken_gallery_item_beats_everybody():
    eye, labels = torch.eye(3), torch.tensor([1, 2, 3])
    queries, gallery = eye.clone(), eye.clone()
    queries[0] = torch.nan
    assert rank_queries(queries, eye, labels, labels).first_rank.tolist() == [3, 1, 1]
    gallery[0] = torch.nan
    assert rank_queries(eye, gallery, labels, labels).first_rank.tolist() == [3, 2, 2]


def test_cutoffs_beyond_the_gallery_mean_all_of_it():
    results = rank_scores(torch.tensor([[0.0, 1.0]]), torch.tensor([1]), torch.tensor([1, 2]))
    assert summary(results) == {"R1": 0, "R5": 100, "R10": 100, "mAP": 50, "mINP": 50, "Rsum": 200}


def test_a_query_without_a_right_item_is_named():
    with pytest.raises(DataError, match=r"Query 1 \(identity 9\) .* 2 of 3 queries"):
        rank_scores(torch.zeros(3, 2), torch.tensor([1, 9, 8]), torch.tensor([1, 2]))


def test_no_query_at_all_is_an_error():
    with pytest.raises(DataError, match="no query"):
        rank_scores(torch.zeros(0, 2), torch.tensor([], dtype=torch.long), torch.tensor([1, 2]))


def hard_scores(n_row, n_gallery):
    """Scores full of ties, infinities and not-a-numbers."""
    scores = torch.randint(-9, 10, (n_row, n_gallery)).float()
    scores[torch.rand(scores.shape) < 0.1] = torch.nan
    scores[torch.rand(scores.shape) < 0.1] = torch.inf
    scores[torch.rand(scores.shape) < 0.1] = -torch.inf
    return scores


@pytest.mark.parametrize("n_threshold", [1, 5, 39, 127, 300])
@pytest.mark.parametrize("tile", [1, 50, 10**6])
def test_all_ways_of_counting_agree_with_a_comparison_of_all(n_threshold, tile, monkeypatch):
    monkeypatch.setitem(rank_counts._TILE, "cpu", tile)
    torch.manual_seed(n_threshold)
    scores = hard_scores(11, 97)
    thresholds = torch.randint(-9, 10, (11, n_threshold)).float()
    thresholds[:, ::4] = -torch.inf
    thresholds[:, ::7] = torch.inf
    thresholds = thresholds.sort(dim=1, descending=True).values
    expected = (scores[:, None] < thresholds[:, :, None]).sum(dim=2)
    for count in (_by_comparing, _by_searching):
        assert torch.equal(count(scores, thresholds, tile), expected)
    for count in (_compare, _sort_and_look_up):
        assert torch.equal(_on_the_processor(count, scores, thresholds), expected)
    assert torch.equal(count_below(scores, thresholds), expected)


@pytest.mark.parametrize("n_gallery", [1, 7, 8, 2039, 2040, 2041, 4096, 70_001])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_no_count_overflows(n_gallery, dtype):
    scores = torch.zeros(3, n_gallery, dtype=dtype)
    thresholds = torch.tensor([[1.0, 0.0, -1.0]], dtype=dtype).expand(3, 3)
    expected = torch.tensor([[n_gallery, 0, 0]]).expand(3, 3)
    for count in (_compare, _sort_and_look_up):
        assert torch.equal(_on_the_processor(count, scores, thresholds.contiguous()), expected)


@pytest.mark.parametrize("n_thread", [2, 3])
def test_threads_count_a_share_of_the_rows_each(n_thread, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_thread)
    torch.manual_seed(0)
    scores = hard_scores(7, 300)
    thresholds = torch.randint(-9, 10, (7, 50)).float().sort(dim=1, descending=True).values
    expected = (scores[:, None] < thresholds[:, :, None]).sum(dim=2)
    assert torch.equal(count_below(scores, thresholds), expected)
    assert torch.equal(count_below(scores[:1], thresholds[:1, :3]), expected[:1, :3])


@pytest.mark.parametrize("n_gallery", [40, 257, 1000])
@pytest.mark.parametrize("top", [1, 3, 10])
@pytest.mark.parametrize("levels", [3, 30, 10**6])
def test_the_best_items_of_large_galleries_are_those_of_a_sort(n_gallery, top, levels):
    """Here they are looked for in blocks; few levels make ties, also between blocks and at the last place."""
    torch.manual_seed(levels + n_gallery)
    scores = torch.randint(0, levels, (24, n_gallery)).float()
    some = scores[8:16]
    some[torch.rand(some.shape) < 0.02] = torch.nan
    some[torch.rand(some.shape) < 0.01] = torch.inf
    scores[16:, ::3] = -torch.inf
    identities = torch.arange(n_gallery) % 6
    results = rank_scores(scores.clone(), torch.arange(24) % 6, identities, chunk=10, top=top)
    assert torch.equal(results.top.long(), naive_order(scores, torch.arange(24) % 6, identities)[:, :top])


def test_many_right_items_are_ranked_as_defined():
    torch.manual_seed(0)
    scores = torch.randint(-20, 21, (5, 600)).float()
    asked, identities = torch.tensor([0, 1, 0, 1, 2]), (torch.arange(600) % 3).clamp(max=1)
    identities[7] = 2
    assert_same(rank_scores(scores, asked, identities, chunk=2), naive(scores, asked, identities))


def test_directions_are_named_and_are_transposes_of_each_other():
    torch.manual_seed(0)
    image, text = torch.randn(6, 16), torch.randn(4, 16)
    metrics = summarise_directions(rank_directions(image, text, IMAGES, CAPTIONS))
    scores = text @ image.T
    t2i, i2t = rank_scores(scores, CAPTIONS, IMAGES), rank_scores(scores.T, IMAGES, CAPTIONS)
    assert metrics == summarise_directions({"t2i": t2i, "i2t": i2t})
    assert metrics["Rsum"] == metrics["t2i/R1"] + metrics["t2i/R5"] + metrics["t2i/R10"]
    assert metrics["i2t/mAP"] == summary(i2t)["mAP"]


def test_average_precision_is_that_of_torchmetrics_on_positive_scores():
    from torchmetrics.functional.retrieval import retrieval_average_precision

    torch.manual_seed(0)
    scores = torch.randn(20, 50)
    asked, identities = torch.arange(20) % 7, torch.arange(50) % 7
    results = rank_scores(scores, asked, identities)
    shifted = scores - scores.min() + 1
    for row, identity, got in zip(shifted, asked, results.ap, strict=True):
        expected = retrieval_average_precision(row, identities == identity)
        assert got.item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_an_accelerator_gives_the_same_values():
    torch.manual_seed(0)
    queries, gallery = (torch.randint(-3, 4, (n, 32)).float() for n in (300, 500))
    asked, identities = torch.arange(300) % 50, torch.arange(500) % 50
    one = rank_queries(queries, gallery, asked, identities)
    other = rank_queries(queries.cuda(), gallery.cuda(), asked, identities)
    for name in ("first_rank", "ap", "inp", "n_right"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))


def test_scores_are_compared_in_their_own_precision():
    near = torch.tensor([[0.5, 0.5 + 1e-12]], dtype=torch.float64)
    asked, identities = torch.tensor([1]), torch.tensor([1, 2])
    assert rank_scores(near.clone(), asked, identities).first_rank.tolist() == [2]
    assert rank_scores(near.flip(1), asked, identities).first_rank.tolist() == [1]
    half = torch.tensor([[0.25, 0.5, 0.5, 0.125]], dtype=torch.float16)
    labels = torch.tensor([1, 2, 1, 1])
    found = rank_scores(half.clone(), asked, labels)
    assert (found.first_rank.tolist(), found.n_right.tolist()) == ([2], [3])
    assert found.ap.tolist() == pytest.approx(naive(half, asked, labels)[1][:1].tolist())
