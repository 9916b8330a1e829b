"""How a backbone's towers are called: plainly, compiled, or with activations that are not kept but computed again."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from harness.clip.towers import passing
from harness.compute.compiling import compiled, forget_compiled


class TowerCalls(NamedTuple):
    """Both ways through a tower, with the arguments of the functions of `harness.clip.towers.passing`."""

    encode: Callable[..., Any]
    encode_places: Callable[..., Any]


PLAIN = TowerCalls(passing.encode, passing.encode_places)


def tower_calls(*, compile: bool, checkpoint: bool) -> TowerCalls:
    """Return the calls that give what the plain ones give, up to rounding.

    Args:
        compile: compile each; what was compiled for an earlier model is let go.
        checkpoint: keep no activations inside the blocks (`passing.encode(recompute=True)`).
    """
    calls = PLAIN
    if checkpoint:
        calls = TowerCalls(*(partial(call, recompute=True) for call in calls))
    if compile:
        forget_compiled()
        calls = TowerCalls(*(compiled(call) for call in calls))
    return calls
