"""Curves as a small SVG file, drawn without a plotting library: a run's page shows them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from harness.pages.escaping import visible
from harness.pages.theme import COLOURS, FAINT, INK

_WIDE, _TALL = 300, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 30, 34
_MOST_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """One panel.

    Attributes:
        title: what the values are.
        points: step and value of each point, by ascending step.
        marked: the step that was chosen, None for none.
    """

    title: str
    points: Sequence[tuple[float, float]]
    marked: float | None = None


def draw_curves(curves: Sequence[Curve], across: str = "epoch") -> str:
    """Return curves side by side as SVG; its text is text whatever it holds.

    >>> draw_curves([Curve("loss < 1", [(1, 2.0), (2, 1.0)])]).count("loss &lt; 1")
    1
    """
    panels = [_panel(curve, number * _WIDE, across) for number, curve in enumerate(curves) if curve.points]
    size = f'width="{_WIDE * len(panels)}" height="{_TALL}" viewBox="0 0 {_WIDE * len(panels)} {_TALL}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11" fill="{INK}">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#FFFFFF"/>', *panels, "</svg>\n"])


def _panel(curve: Curve, left: float, across: str) -> str:
    points = _thinned(curve.points)
    x = _scale([step for step, _ in points], left + _LEFT, left + _WIDE - _RIGHT)
    y = _scale([value for _, value in points], _TALL - _BOTTOM, _TOP)
    placed = [(x(step), y(value)) for step, value in points]
    line = " ".join(f"{across_:.1f},{up:.1f}" for across_, up in placed)
    steps, values = ([point[axis] for point in points] for axis in (0, 1))
    parts = [
        _text(left + _LEFT, 18, curve.title, weight="bold"),
        *(
            _text(left + _LEFT - 5, y(value) + 4, f"{value:.4g}", "end")
            for value in {min(values), max(values)}
        ),
        *(_text(x(step), _TALL - _BOTTOM + 16, f"{step:g}", "middle") for step in {steps[0], steps[-1]}),
        _text(left + (_LEFT + _WIDE - _RIGHT) / 2, _TALL - 5, across, "middle"),
        f'<path d="M{left + _LEFT} {_TOP}V{_TALL - _BOTTOM}H{left + _WIDE - _RIGHT}" fill="none" stroke="{FAINT}"/>',
        f'<polyline points="{line}" fill="none" stroke="{COLOURS[0]}" stroke-width="2"/>',
        *(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="{COLOURS[0]}"/>'
            for a, b in placed
            if len(placed) <= 60
        ),
    ]
    chosen = [point for point in points if point[0] == curve.marked]
    for step, value in chosen[:1]:
        parts += [
            f'<circle cx="{x(step):.1f}" cy="{y(value):.1f}" r="6" fill="none" stroke="{COLOURS[1]}"/>',
            _text(left + _WIDE - _RIGHT, 18, f"chosen: {step:g}", "end"),
        ]
    return "\n".join(parts)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    every = -(-len(points) // _MOST_POINTS)
    kept = list(points[::every])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _scale(values: Sequence[float], start: float, end: float) -> Callable[[float], float]:
    low, high = min(values), max(values)
    if high == low:
        return lambda value: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    look = f'text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(visible(text))}</text>'
