"""How many layers of a tower something acts in, counted from the bottom, on backbones of any depth."""

from typing import Annotated, Literal

from pydantic import Field

from harness.errors import UsageError
from harness.limits import MOST

Word = Literal["all", "most", "half", "first"]
Depth = Annotated[int, Field(ge=1, le=MOST)] | Word
WORDS: tuple[Word, ...] = ("first", "half", "most", "all")
_SHARES = {"all": 1.0, "most": 0.75, "half": 0.5, "first": 0.0}


def layers_within(depth: Depth, layers: int, field: str) -> int:
    """Return how many of a tower's `layers` a depth names: a number, or a share rounded down, at least one.

    Raises `UsageError` naming the config field for a number beyond the layers.

    >>> [layers_within(depth, 12, "prompt_depth") for depth in (7, "first", "half", "most", "all")]
    [7, 1, 6, 9, 12]
    """
    if isinstance(depth, str):
        return max(1, int(layers * _SHARES[depth]))
    if depth > layers:
        raise UsageError(
            f"method.{field}={depth} is more than the {layers} layers there are: choose 1 to {layers}, or "
            f"{', '.join(WORDS[:-1])} or {WORDS[-1]}."
        )
    return depth
