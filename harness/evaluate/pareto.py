"""Which of several results no other beats in all objectives."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pareto_front(objectives: Sequence[Sequence[float]]) -> NDArray[np.bool_]:
    """Say of each result whether no other is at least as high in all objectives and higher in one.

    Equal results are on the front together or not at all; one with a value that is not finite never is.

    Args:
        objectives: one list for each objective, of the value of each result [n_objective, n_result]; higher is
            better, so costs come negated.

    >>> pareto_front([[-1, -2, -3], [50, 60, 55]]).tolist()
    [True, True, False]
    """
    values = np.asarray(objectives, dtype=np.float64)
    one, other = values[:, :, None], values[:, None, :]
    at_least, higher = np.all(other >= one, axis=0), np.any(other > one, axis=0)
    beaten = np.any(at_least & higher, axis=1)
    front: NDArray[np.bool_] = np.logical_and(~beaten, np.isfinite(values).all(axis=0))
    return front
