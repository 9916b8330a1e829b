"""Draw a study: values in order, what mattered, each key against the value, all keys at once, the expected best."""

from collections.abc import Sequence
from math import ceil, isfinite, log10
from typing import TYPE_CHECKING, Any

from harness.analysis.studies.tracked_study import TrackedStudy
from harness.config.fields import Choice, Range
from harness.pages.theme import COLOURS, FAINT, INK, WIDTH, Looks, drawn, legend_below, log_axis, short_number
from harness.sweep.space import Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

FINISHED, BEYOND, PRUNED, FAILED = "finished", "beyond a limit", "pruned (last value)", "failed"
BEST, _NEXT = "the best", "the next four"
_STATES: Looks = {
    FINISHED: {"color": COLOURS[0], "marker": "o"},
    BEYOND: {"color": COLOURS[3], "marker": "D"},
    PRUNED: {"color": COLOURS[0], "marker": "o", "markerfacecolor": "white"},
    FAILED: {"color": COLOURS[1], "marker": "x"},
}
_BEST_LOOK: dict[str, Any] = {"color": COLOURS[1], "marker": "*"}
_ACROSS, _MOST_SLICES, _MOST_UPRIGHTS, _N_BEST = 4, 24, 14, 5
LARGE = 10_000
_FLOOR = 0.03


def draw_history(study: TrackedStudy, trials: "DataFrame") -> "Figure":
    """Draw each objective's value of every trial in order, with the best so far as a staircase."""
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    n = len(study.objectives)
    figure, grid = pyplot.subplots(
        n, 1, figsize=(WIDTH, 0.9 + 2.6 * n), sharex=True, squeeze=False, layout="constrained"
    )
    for axes, objective in zip(grid[:, 0], study.objectives, strict=True):
        _draw_states(axes, trials, objective)
        stairs = trials[f"{objective} best so far"]
        axes.step(trials["number"], stairs, where="post", color=INK, linewidth=1.2, zorder=1)
        if stairs.notna().any():
            end = (trials["number"].iloc[-1], stairs.iloc[-1])
            axes.annotate("best so far", end, (0, 4), textcoords="offset points", ha="right", fontsize=8)
        axes.margins(y=0.12)
        axes.set_ylabel(drawn(objective, 24))
        if trials[objective].abs().max() >= LARGE:
            axes.yaxis.set_major_formatter(FuncFormatter(short_number))
    grid[-1, 0].set_xlabel("trial")
    grid[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure, {state: _STATES[state] for state in _STATES if (trials["state"] == state).any()}, ())
    return _titled(figure, study, "the value of each trial")


def draw_importance(study: TrackedStudy) -> "Figure":
    """Draw each searched key's share in the variance of the finished trials' values."""
    from matplotlib import pyplot

    shares = sorted(study.importance.items(), key=lambda item: item[1])
    figure, axes = pyplot.subplots(figsize=(WIDTH, 1.2 + 0.24 * len(shares)), layout="constrained")
    bars = axes.barh(range(len(shares)), [100 * share for _, share in shares], color=COLOURS[0], height=0.62)
    axes.bar_label(bars, [f"{100 * share:.0f} %" for _, share in shares], padding=3, fontsize=8)
    axes.set_yticks(range(len(shares)), [drawn(key, 40) for key, _ in shares])
    axes.set_xlabel(f"share in the variance of {drawn(study.objective, 24)} (%)")
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.08)
    return _titled(figure, study, "what mattered")


def draw_slices(study: TrackedStudy, trials: "DataFrame") -> "Figure":
    """Draw the value against each searched key, the most important first; logarithmic where the space is."""
    from matplotlib import pyplot

    chosen = _by_importance(study)[:_MOST_SLICES]
    n_rows = ceil(len(chosen) / _ACROSS)
    figure, grid = pyplot.subplots(
        n_rows,
        _ACROSS,
        figsize=(WIDTH, 0.9 + 1.95 * n_rows),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, axis in zip(grid.flat, chosen, strict=False):
        _draw_slice(axes, axis, study, trials)
    for axes in grid.flat[len(chosen) :]:
        axes.set_axis_off()
    for row in grid:
        row[0].set_ylabel(drawn(study.objective, 18))
    look = {
        state: _STATES[state] for state in _STATES if state != FAILED and (trials["state"] == state).any()
    }
    legend_below(figure, look | {BEST: _BEST_LOOK}, ())
    return _titled(figure, study, f"value against each key{_of(len(chosen), study)}")


def draw_parallel(study: TrackedStudy, trials: "DataFrame") -> "Figure":
    """Draw each finished trial as a line over all keys to its value, the best ones on top."""
    from matplotlib import pyplot

    chosen = [axis for axis in study.axes if axis in _by_importance(study)[:_MOST_UPRIGHTS]]
    rows = trials[trials["state"].isin((FINISHED, BEYOND))].sort_values(study.objective)
    low, high = rows[study.objective].min(), rows[study.objective].max()
    figure, axes = pyplot.subplots(figsize=(WIDTH, 4.4), layout="constrained")
    placed = [_heights(axis, rows[axis.key].tolist()) for axis in chosen]
    placed.append([(value - low) / ((high - low) or 1.0) for value in rows[study.objective]])
    best = -1 if study.best is None else study.best.number
    near = set(rows.loc[rows["state"] == FINISHED, "number"].tail(_N_BEST))
    for place, number in enumerate(rows["number"]):
        style = _line_style(number == best, number in near, len(rows))
        axes.plot(range(len(placed)), [heights[place] for heights in placed], **style)
    for place, axis in enumerate(chosen):
        _draw_upright(axes, place, _ticks(axis))
    _draw_upright(axes, len(chosen), [(0.0, f"{low:.1f}"), (1.0, f"{high:.1f}")])
    names = [_short_key(axis.key, study.axes) for axis in chosen]
    axes.set_xticks(range(len(placed)), [*names, drawn(study.objective, 18)], rotation=30, ha="right")
    axes.set_xlim(-0.1, len(placed) - 0.45)
    axes.tick_params(axis="x", length=0)
    axes.set_yticks([])
    axes.grid(visible=False)
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(False)
    look: Looks = {BEST: {"color": COLOURS[1], "marker": "_", "markeredgewidth": 3}}
    look |= {
        _NEXT: {"color": COLOURS[0], "marker": "_", "markeredgewidth": 2},
        "the others": {"color": FAINT, "marker": "_"},
    }
    legend_below(figure, look, ())
    return _titled(figure, study, f"all keys at once{_of(len(chosen), study)}")


def draw_expected_best(study: TrackedStudy, expected: "DataFrame") -> "Figure":
    """Draw the expected best of n trials with the band that holds four of five such searches."""
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator

    figure, axes = pyplot.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    axes.fill_between(
        expected["n"], expected["low"], expected["high"], color=COLOURS[0], alpha=0.15, linewidth=0
    )
    marker = "o" if len(expected) <= 60 else ""
    axes.plot(
        expected["n"], expected["expected"], color=COLOURS[0], marker=marker, markersize=3, linewidth=1.4
    )
    axes.set_xlabel("trials")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(f"expected best {drawn(study.objective, 24)}")
    return _titled(figure, study, "what n random trials would have found")


def draw_front(study: TrackedStudy, trials: "DataFrame") -> "Figure":
    """Draw the first objective against each other one, with the trials that none beats in all."""
    from matplotlib import pyplot

    others = study.objectives[1:]
    figure, grid = pyplot.subplots(
        1, len(others), figsize=(WIDTH, 3.6), sharey=True, squeeze=False, layout="constrained"
    )
    shine = trials["number"].isin(study.front)
    for axes, objective in zip(grid[0], others, strict=True):
        for state in (FINISHED, BEYOND):
            rows = trials[(trials["state"] == state) & ~shine]
            style = _STATES[state] | {"color": FAINT} if state == FINISHED else _STATES[state]
            axes.plot(rows[objective], rows[study.objective], linestyle="", markersize=5, **style)
        front = trials[shine].sort_values(objective)
        axes.margins(y=0.12)
        axes.plot(front[objective], front[study.objective], linestyle="", markersize=7, **_STATES[FINISHED])
        for row in front.to_dict("records"):
            place = (row[objective], row[study.objective])
            axes.annotate(str(row["number"]), place, (5, 3), textcoords="offset points", fontsize=8)
        axes.set_xlabel(drawn(objective, 30))
        if (trials[objective].dropna() > 0).all():
            log_axis(axes)
    grid[0][0].set_ylabel(drawn(study.objective, 24))
    look = {"on the front": _STATES[FINISHED], "dominated": _STATES[FINISHED] | {"color": FAINT}}
    legend_below(figure, look | {s: _STATES[s] for s in (BEYOND,) if (trials["state"] == s).any()}, ())
    return _titled(figure, study, "the Pareto front, with trial numbers")


def _by_importance(study: TrackedStudy) -> list[Axis]:
    """Return the axes, those of the largest importance first; in their own order where none is known."""
    return sorted(study.axes, key=lambda axis: -study.importance.get(axis.key, 0.0))


def _short_key(key: str, axes: Sequence[Axis]) -> str:
    """Return a key without its section where that is still unique."""
    short = key.rpartition(".")[2]
    return drawn(short if sum(axis.key.endswith(f".{short}") for axis in axes) < 2 else key, 24)


def _draw_states(axes: "Axes", trials: "DataFrame", objective: str) -> None:
    size = 6 if len(trials) <= 60 else 4
    for state, style in _STATES.items():
        rows = trials[trials["state"] == state]
        known = rows[rows[objective].notna()]
        axes.plot(known["number"], known[objective], linestyle="", markersize=size, zorder=3, **style)
        lost = rows.loc[rows[objective].isna(), "number"]
        if state == FAILED and len(lost):
            floor: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "zorder": 3}
            axes.plot(lost, [_FLOOR] * len(lost), linestyle="", markersize=size, **floor, **style)


def _draw_slice(axes: "Axes", axis: Axis, study: TrackedStudy, trials: "DataFrame") -> None:
    rows = trials[trials[study.objective].notna()]
    named = isinstance(axis.over, Choice)
    values = _heights(axis, rows[axis.key].tolist()) if named else rows[axis.key].astype(float).tolist()
    for state in (FINISHED, BEYOND, PRUNED):
        chosen = [place for place, one in enumerate(rows["state"]) if one == state]
        xs, ys = [values[place] for place in chosen], rows[study.objective].iloc[chosen]
        axes.plot(xs, ys, linestyle="", markersize=4, alpha=0.75, **_STATES[state])
    if study.best is not None:
        place = rows["number"].tolist().index(study.best.number)
        axes.plot(values[place], rows[study.objective].iloc[place], markersize=11, zorder=4, **_BEST_LOOK)
    if isinstance(axis.over, Choice):
        names = [drawn(str(value), 8) for value in axis.over.values]
        heights = [height for height, _ in _ticks(axis)]
        crowded = len("".join(names)) > 16
        axes.set_xticks(heights, names, rotation=30 if crowded else 0, ha="right" if crowded else "center")
        axes.set_xlim(-0.15, 1.15)
    else:
        _span(axes, axis.over, whole=all(float(value).is_integer() for value in values if isfinite(value)))
    axes.set_xlabel(_short_key(axis.key, study.axes), fontsize=8.5)
    axes.tick_params(labelsize=7.5)


def _span(axes: "Axes", over: Range, whole: bool) -> None:
    """Show the whole range that was searched, with few marks, and a little room for trials at its ends."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

    if not (over.log and over.low > 0):
        room = 0.05 * (over.high - over.low) or 1.0
        axes.set_xlim(over.low - room, over.high + room)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=whole))
        return
    wide = (over.high / over.low) ** 0.05
    axes.set_xlim(over.low / wide, over.high * wide)
    log_axis(axes)
    if over.high / over.low >= 100:
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        axes.xaxis.set_major_formatter(FuncFormatter(_power))


def _power(value: float, place: Any = None) -> str:
    return f"{value:.0e}" if value < 0.001 or value > 9999 else f"{value:g}"


def _heights(axis: Axis, values: Sequence[Any]) -> list[float]:
    """Return where values are between the ends of an axis, 0 to 1; NaN for those that are not on it."""
    if isinstance(axis.over, Choice):
        names = [str(value) for value in axis.over.values]
        last = max(len(names) - 1, 1)
        return [names.index(str(value)) / last if str(value) in names else float("nan") for value in values]
    low, high = axis.over.low, axis.over.high
    log = axis.over.log and low > 0
    span = log10(high / low) if log else high - low
    numbers = [float("nan") if value is None else float(value) for value in values]
    above = [log10(x / low) if log and x > 0 else x - low for x in numbers]
    return [x / (span or 1.0) if isfinite(x) else float("nan") for x in above]


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    """Return the marks of an axis: every named value, or both ends."""
    if isinstance(axis.over, Choice):
        heights = _heights(axis, axis.over.values)
        return [
            (height, drawn(str(value), 10)) for height, value in zip(heights, axis.over.values, strict=True)
        ]
    return [(0.0, short_number(axis.over.low)), (1.0, short_number(axis.over.high))]


def _draw_upright(axes: "Axes", place: int, ticks: Sequence[tuple[float, str]]) -> None:
    axes.plot([place, place], [0, 1], color=INK, linewidth=0.8, zorder=5)
    back = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
    for height, text in ticks:
        axes.text(place + 0.05, height, text, fontsize=7, va="center", zorder=6, bbox=back)


def _line_style(best: bool, near: bool, n: int) -> dict[str, Any]:
    if best:
        return {"color": COLOURS[1], "linewidth": 2.6, "zorder": 4}
    if near:
        return {"color": COLOURS[0], "linewidth": 1.4, "alpha": 0.9, "zorder": 3}
    return {"color": FAINT, "linewidth": 0.8, "alpha": 0.75 if n <= 60 else 0.4, "zorder": 2}


def _of(n: int, study: TrackedStudy) -> str:
    return f" · {n} of {len(study.axes)} keys" if n < len(study.axes) else ""


def _titled(figure: "Figure", study: TrackedStudy, what: str) -> "Figure":
    figure.suptitle(drawn(f"{study.title} · {what}", 100), x=0.01, ha="left", fontweight="bold")
    return figure
