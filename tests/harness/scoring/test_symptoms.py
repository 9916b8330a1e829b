"""What is seen in scores: a naive loop agrees, and each mistake is found without taking good scores for one."""

import numpy as np
import pytest

from harness.errors import DataError
from harness.scoring.symptoms import Seen, check_finite, check_sense, joined, look, tie_note

DRAWS = np.random.default_rng(5)


def problem(n_identity=40, per_identity=3, lift=2.0, seed=1):
    draws = np.random.default_rng(seed)
    identities = np.arange(n_identity).repeat(per_identity)
    right = identities[:, None] == identities[None, :]
    return (draws.normal(size=right.shape) + lift * right).astype(np.float32), identities


def test_what_is_seen_is_that_of_a_naive_loop():
    scores = np.round(DRAWS.normal(size=(9, 8)), 1).astype(np.float32)
    scores[4] = 2.5
    asked, identities = np.arange(9) % 3, np.array([0, 0, 1, 1, 1, 2, 2, 2])
    seen = joined([look(scores[:4], asked[:4], identities), look(scores[4:], asked[4:], identities)])
    for row, one in enumerate(scores.astype(np.float64)):
        right = one[identities == asked[row]]
        wrong = one[identities != asked[row]]
        gap = 0 if one.std() == 0 else (right.mean() - wrong.mean()) / one.std()
        assert seen.lift[row] == pytest.approx(gap, abs=1e-9)
        assert (seen.right[row], seen.wrong[row]) == (right.max(), wrong.max())
        assert seen.share[row] == len(right) / 8
    tied = [
        one[identities == a].max() == one[identities != a].max() for one, a in zip(scores, asked, strict=True)
    ]
    assert seen.tied == sum(tied) >= 1


def test_good_scores_pass_as_similarities_and_their_negatives_as_distances():
    scores, identities = problem()
    seen = look(scores, identities, identities)
    check_sense(seen, identities, "s", distance=False, ordered=False)
    turned = look(-scores, identities, identities)
    with pytest.raises(DataError, match=r"expected similarities, found .* lower .*: give --distance"):
        check_sense(turned, identities, "s", distance=False, ordered=True)
    with pytest.raises(DataError, match=r"expected distances, found .* higher .*: leave out --distance"):
        check_sense(turned, identities, "s", distance=True, ordered=False)


@pytest.mark.parametrize("seed", range(12))
def test_another_order_is_chance_and_a_weak_system_is_not(seed):
    weak, identities = problem(lift=0.6, seed=seed)
    check_sense(look(weak, identities, identities), identities, "s", distance=False, ordered=False)
    few, own = problem(n_identity=6, lift=2.5, seed=seed)
    check_sense(look(few, own, own), own, "s", distance=False, ordered=False)


def test_chance_is_an_error_unless_lists_said_the_order():
    scores, identities = problem()
    shuffled = scores[np.random.default_rng(1).permutation(len(scores))]
    seen = look(shuffled, identities, identities)
    with pytest.raises(DataError, match=r"found chance \(R@1 \d+\.\d\d, by chance 2\.50\)"):
        check_sense(seen, identities, "s", distance=False, ordered=False)
    check_sense(seen, identities, "s", distance=False, ordered=True)


def test_what_is_not_finite_is_named_and_counted():
    scores = np.zeros((3, 4), np.float32)
    check_finite(scores, 0, "s")
    scores[1, 2], scores[2, 0] = np.nan, np.inf
    with pytest.raises(DataError, match=r"found nan for caption 11, image 2 \(from 0\), and 1 more"):
        check_finite(scores, 10, "s")


def test_ties_are_counted_with_what_they_do_to_r1():
    seen = Seen(np.zeros(4), np.array([1.0, 2, 3, 3]), np.array([1.0, 1, 3, 4]), np.full(4, 0.5))
    said = tie_note(seen, "float16")
    assert "2 captions of 4" in said
    assert "R@1 is 25.00, and would be 75.00" in said
    assert "scores are float16, which rounds" in said
    assert "float16" not in tie_note(seen, "float32")
    assert tie_note(Seen(seen.lift, seen.right + 0.5, seen.wrong, seen.share), "float16") is None
