"""The learning rate over epochs: linear warm-up, then half a cosine down to 0, in steps of whole epochs."""

from math import cos, pi


def learning_rate_factor(epoch: int, *, epochs: int, warmup_epochs: int, warmup_factor: float) -> float:
    """Return what a group's learning rate is multiplied by in `epoch`, counted from 1.

    Warm-up rises from `warmup_factor` in epoch 1 and reaches 1 in epoch `warmup_epochs + 1`; the cosine
    would be 0 one epoch after the last. A run of no more epochs than the warm-up has ends inside it.

    >>> from functools import partial
    >>> rate = partial(learning_rate_factor, epochs=60, warmup_epochs=5, warmup_factor=0.1)
    >>> [round(rate(epoch), 2) for epoch in (1, 2, 6, 31)]
    [0.1, 0.28, 1.0, 0.57]
    """
    assert 1 <= epoch <= epochs
    done = epoch - 1
    if done < warmup_epochs:
        return warmup_factor + (1 - warmup_factor) * done / warmup_epochs
    return 0.5 * (1 + cos(pi * (done - warmup_epochs) / (epochs - warmup_epochs)))
