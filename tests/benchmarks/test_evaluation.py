"""The baseline of the evaluation benchmark and the harness find the same, so that their times may be compared."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.common import claim
from benchmarks.evaluation import closest, draw, full_argsort, without_ties
from harness.evaluate.ranking import rank_queries

PROBLEM = draw(190, 83, 19)


def test_integer_scores_without_ties_give_identical_values():
    problem = without_ties(PROBLEM)
    scores = problem.queries @ problem.gallery.T
    assert all(len(row.unique()) == len(row) for row in scores)
    ours, theirs = rank_queries(*problem), full_argsort(*problem, dtype=torch.float64)
    assert torch.equal(ours.first_rank, theirs.first_rank)
    assert torch.equal(ours.inp, theirs.inp)
    torch.testing.assert_close(ours.ap, theirs.ap, rtol=0, atol=1e-12)


def test_drawn_embeddings_give_values_that_agree():
    ours, theirs = rank_queries(*PROBLEM), full_argsort(*PROBLEM)
    assert 0.05 < ours.ap.mean() < 0.95
    torch.testing.assert_close(ours.ap, theirs.ap, rtol=0, atol=1e-6)


def test_a_tie_is_seen_as_the_explanation_of_a_difference():
    wrong = (PROBLEM.gallery_identities != PROBLEM.query_identities[0]).nonzero()[0]
    right = (PROBLEM.gallery_identities == PROBLEM.query_identities[0]).nonzero()[0]
    gallery = PROBLEM.gallery.clone()
    gallery[wrong] = gallery[right]
    assert closest(PROBLEM, 0) > 0
    assert closest(PROBLEM._replace(gallery=gallery), 0) == 0


@pytest.mark.parametrize(
    ("value", "bounds", "holds"),
    [
        (15.0, {"at_least": 15}, True),
        (14.9, {"at_least": 15}, False),
        (3.6, {"at_most": 3.5}, False),
        (9.0, {}, None),
        (None, {"at_least": 15}, None),
    ],
)
def test_a_claim_holds_only_within_its_bound(value, bounds, holds):
    assert claim("speed", value, **bounds)["holds"] is holds
