"""Small drawings as SVG within a page, in its own colours: an interval in a table's cell, and R@1 against a cost."""

from collections.abc import Mapping, Sequence
from math import ceil, log10
from typing import Any

from harness.pages.escaping import html_text

Row = Mapping[Any, Any]
_WIDE, _HIGH = 120, 16
_BOX = (52.0, 12.0, 348.0, 196.0)
_MARK = 4


def interval_bar(value: float | None, low: float | None, high: float | None, most: float) -> str:
    """Return a value with its interval on a scale from 0 to `most` percent; nothing where it is not known."""
    if any(one is None or one != one for one in (value, low, high)):
        return ""
    x, left, right = (_WIDE * (one or 0.0) / most for one in (value, low, high))
    return (
        f'<svg class="bar" viewBox="0 0 {_WIDE} {_HIGH}" width="{_WIDE}" height="{_HIGH}" aria-hidden="true">'
        f'<line class="axis" x1="0" y1="8" x2="{_WIDE}" y2="8"/>'
        f'<line class="reach" x1="{left:.1f}" y1="8" x2="{right:.1f}" y2="8"/>'
        f'<circle class="point" cx="{x:.1f}" cy="8" r="3.5"/></svg>'
    )


def cost_drawing(points: Sequence[tuple[int, str, float, float]], front: Sequence[int], name: str) -> str:
    """Return R@1 (percent) against a cost: each result by its number, those on the front joined.

    Args:
        points: of each result its number, name, cost and R@1.
        front: the numbers of those that none of no higher cost beats.
        name: of the cost and its unit.
    """
    known = [point for point in points if point[2] == point[2] and point[3] == point[3]]
    if not known:
        return ""
    costs, scores = [point[2] for point in known], [point[3] for point in known]
    logarithmic = min(costs) > 0 and max(costs) > 20 * min(costs)
    across = _scale(costs, _BOX[0] + 8, _BOX[2] - 8, logarithmic=logarithmic)
    up = _scale(scores, _BOX[3] - 10, _BOX[1] + 14, logarithmic=False)
    dots = [_dot(point, across(point[2]), up(point[3]), on_front=point[0] in front) for point in known]
    lowest, highest = min(scores), max(scores)
    axes = [
        f'<text class="tick" x="{_BOX[0] - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.1f}</text>'
        for value in dict.fromkeys((lowest, highest))
    ]
    sides = {min(costs): "start", max(costs): "end"}
    axes += [
        f'<text class="tick" x="{across(value):.1f}" y="{_BOX[3] + 15}" text-anchor="{side}">{_short(value)}</text>'
        for value, side in sides.items()
    ]
    label = html_text(f"{name}{', logarithmic' if logarithmic else ''}")
    return (
        f'<svg class="cost" viewBox="0 0 360 236" role="img" aria-label="{html_text(f"R@1 against {name}")}">'
        f'<path class="frame" d="M{_BOX[0]} {_BOX[1]}V{_BOX[3]}H{_BOX[2]}"/>{_stairs(known, front, across, up)}'
        f"{''.join(axes)}{''.join(dots)}"
        f'<text class="name" x="{(_BOX[0] + _BOX[2]) / 2:.0f}" y="{_BOX[3] + 33}">{label}</text>'
        f'<text class="name left" x="4" y="{_BOX[1] + 2}">R@1 (%)</text></svg>'
    )


def _dot(point: tuple[int, str, float, float], x: float, y: float, *, on_front: bool) -> str:
    """Return a result's mark, with its number where it is on the front and in words for a pointer."""
    number, label, cost, score = point
    words = html_text(f"{number} {label}: R@1 {score:.1f}, {cost:,.4g}")
    shown = f'<text x="{x:.1f}" y="{y - 7:.1f}">{number}</text>' if on_front else ""
    return (
        f'<g class="{"front" if on_front else "beaten"}"><title>{words}</title>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_MARK}"/>{shown}</g>'
    )


def _stairs(
    points: Sequence[tuple[int, str, float, float]], front: Sequence[int], across: Any, up: Any
) -> str:
    steps = sorted((cost, score) for number, _, cost, score in points if number in front)
    path = "".join(
        f"M{across(x):.1f} {up(y):.1f}" if not place else f"H{across(x):.1f}V{up(y):.1f}"
        for place, (x, y) in enumerate(steps)
    )
    return f'<path class="stairs" d="{path}"/>' if path else ""


def _scale(values: Sequence[float], start: float, end: float, *, logarithmic: bool) -> Any:
    """Return a function that places values of a range between two ends."""
    place = log10 if logarithmic else float
    low, high = place(min(values)), place(max(values))
    width = high - low or 1.0
    return lambda value: start + (end - start) * (place(value) - low) / width


def _short(value: float) -> str:
    """Return a number in few signs.

    >>> _short(133616), _short(2.5), _short(41_800_000)
    ('134k', '2.5', '41.8M')
    """
    for size, end in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{end}"
    return f"{value:.3g}"


def top_of(values: Sequence[float | None]) -> float:
    """Return the end of a scale that holds all values: a multiple of ten percent.

    >>> top_of([31.3, None, 38.9]), top_of([])
    (40.0, 10.0)
    """
    known = [value for value in values if value is not None and value == value]
    return float(min(100, max(10, 10 * ceil(max(known, default=0.0) / 10))))
