"""Which of several results nobody beats at a lower cost."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pareto_front(costs: Sequence[float], scores: Sequence[float]) -> NDArray[np.bool_]:
    """Say of each result whether no other costs at most as much and scores at least as high, one of both truly.

    Equal results stand or fall together; a result without cost or score (not a number) is never on the front.

    >>> pareto_front([1, 2, 3], [50, 60, 55]).tolist()
    [True, True, False]
    """
    cost, score = np.asarray(costs, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    cheaper_or_equal = cost[None, :] <= cost[:, None]
    better_or_equal = score[None, :] >= score[:, None]
    strictly = (cost[None, :] < cost[:, None]) | (score[None, :] > score[:, None])
    beaten = (cheaper_or_equal & better_or_equal & strictly).any(axis=1)
    front: NDArray[np.bool_] = ~beaten & np.isfinite(cost) & np.isfinite(score)
    return front
