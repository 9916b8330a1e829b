"""What the coverage benchmark draws has the share, the correlation and the spread of seeds that it is asked for."""

import numpy as np
import pytest

from benchmarks.simulated_results import draw_methods, draw_precisions, truth_of
from harness.evaluate.variance import seed_variance


def test_hits_have_the_share_the_correlation_and_the_seeds_asked_for():
    rng = np.random.default_rng(0)
    (a, b), sizes = draw_methods(rng, 0.75, 0.3, 20_000, [40, 1], [0.02, 0.0])
    assert a.shape == (40, 20_000)
    assert b.shape == (1, 20_000)
    assert (sizes.min(), sizes.max()) == (2, 12)
    assert ((a >= 0) & (a <= sizes)).all()
    mean = b.sum() / sizes.sum()
    assert mean == pytest.approx(0.75, abs=0.01)
    # Pairs of captions of one person are both hits as often as the correlation says.
    pairs = (b[0] * (b[0] - 1)).sum() / (sizes * (sizes - 1)).sum()
    assert (pairs - mean**2) / (mean * (1 - mean)) == pytest.approx(0.3, abs=0.02)
    assert seed_variance(a, sizes).value ** 0.5 == pytest.approx(0.02, rel=0.25)


def test_methods_share_most_persons_and_one_alone_has_them_all():
    rng = np.random.default_rng(0)
    (a, b), sizes = draw_methods(rng, 0.5, 0.6, 20_000, [1, 1], [0.0, 0.0])
    shares = a[0] / sizes, b[0] / sizes
    # Each takes three persons in ten from elsewhere, so that both have the same difficulty of about half.
    assert 0.3 < np.corrcoef(*shares)[0, 1] < 0.6


@pytest.mark.parametrize("last", [False, True])
def test_precisions_lie_within_0_and_1_and_their_truth_is_that_of_many_persons(last):
    cell = {"depth": 2.0, "between": 1.0, "within": 1.0, "last": last}
    sums, sizes = draw_precisions(np.random.default_rng(5), n_identity=50_000, **cell)
    assert ((sums > 0) & (sums <= sizes)).all()
    assert sums.sum() / sizes.sum() == pytest.approx(truth_of(**cell), rel=0.02)
