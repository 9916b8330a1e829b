import numpy as np
import pytest

from harness.evaluate.pareto import pareto_front


def naive(costs, scores):
    front = []
    for i, (cost, score) in enumerate(zip(costs, scores, strict=True)):
        beaten = any(
            c <= cost and s >= score and (c < cost or s > score)
            for j, (c, s) in enumerate(zip(costs, scores, strict=True))
            if j != i
        )
        front.append(not beaten and cost == cost and score == score)
    return front


@pytest.mark.parametrize("seed", range(20))
def test_the_front_is_that_of_a_naive_loop_with_many_ties_and_gaps(seed):
    rng = np.random.default_rng(seed)
    costs, scores = rng.integers(0, 5, (2, 12)).astype(float)
    costs[rng.random(12) < 0.15] = np.nan
    scores[rng.random(12) < 0.15] = np.nan
    assert pareto_front([-costs, scores]).tolist() == naive(costs, scores)


def test_of_no_result_there_is_no_front():
    assert pareto_front([[], []]).tolist() == []


def test_three_objectives_count_alike_and_equal_results_share_the_front():
    points = np.array([[1, 1, 1], [2, 0, 1], [1, 1, 1], [1, 1, 0]], dtype=float)
    assert pareto_front(points.T).tolist() == [True, True, True, False]
