"""Several datasets under one name, `cuhk+icfg`: of a joint training, or of what a system was trained on elsewhere."""

from collections.abc import Iterable

SIGN = "+"


def join_sets(names: Iterable[str | None]) -> str:
    """Return the name of all datasets that are given; None and an empty name stand for nothing.

    >>> join_sets(["cuhk", None]), join_sets(["cuhk", "icfg+rstp"])
    ('cuhk', 'cuhk+icfg+rstp')
    """
    return SIGN.join(name for name in names if name)


def split_sets(name: str) -> list[str]:
    """Return the datasets of such a name, of an ordinary one itself.

    >>> split_sets("cuhk+icfg"), split_sets("cuhk")
    (['cuhk', 'icfg'], ['cuhk'])
    """
    return name.split(SIGN)
