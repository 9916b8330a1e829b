"""What a check is, what it may find, and how an answer is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.method_parts.frozen import TOWERS

if TYPE_CHECKING:
    from harness.conformance.bench import Bench

State = Literal["passed", "failed", "does not apply", "not reached"]


class Fault(Exception):
    """A check failed: what was found in place of what must hold, and how to fix it."""

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(found)
        self.found, self.fix = found, fix


@dataclass(frozen=True)
class Check:
    """One thing that must hold.

    Attributes:
        name: what it is called.
        holds: what must hold, in a sentence.
        run: looks whether it does; raises `Fault` where it does not.
        needs: earlier checks without which it would say nothing, or the same once more.
        applies: returns why it says nothing of a method, or None.
    """

    name: str
    holds: str
    run: Callable[["Bench"], None]
    needs: tuple[str, ...] = ()
    applies: Callable[["Bench"], str | None] = lambda _: None


@dataclass(frozen=True)
class Result:
    """The answer of one check.

    Attributes:
        check: its name.
        holds: what must hold.
        state: whether it does.
        found: what was found instead, where it failed.
        fix: what to do then.
        why: why it does not apply, or was not reached.
        seconds: processor time that it took.
    """

    check: str
    holds: str
    state: State
    found: str | None = None
    fix: str | None = None
    why: str | None = None
    seconds: float = 0.0


def only_trained(bench: "Bench") -> str | None:
    """Return why what is about training does not apply, or None."""
    return None if bench.method_class.trained else "the method says trained = False"


def only_frozen(bench: "Bench") -> str | None:
    """Return why what is about frozen parts of towers does not apply, or None."""
    try:
        method = bench.make()
    except (Exception, SystemExit):  # which an earlier check tells of
        return None
    parts = [method.frozen_part(tower) for tower in TOWERS]
    return (
        None
        if any(part is not None for part in parts)
        else "something is trained, or acts, inside both towers"
    )
