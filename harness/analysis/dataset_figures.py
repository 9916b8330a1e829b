"""Draw a dataset: the distributions in its splits, what captions name, image shapes, and a few identities."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.dataset_profile import Arrays, Profile
from harness.captions.vocabulary import named_by
from harness.datasets import SPLITS
from harness.pages.tables import cut_text
from harness.pages.theme import COLOURS, FAINT, INK, WIDTH, Looks, drawn, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

_DASHES = {"train": "-", "val": ":", "test": "--"}
LOOKS: Looks = {
    "train": {"color": COLOURS[0], "marker": "o"},
    "val": {"color": COLOURS[2], "marker": "D"},
    "test": {"color": COLOURS[1], "marker": "s"},
}
ENDS = 2  # tokens for the beginning and the end of a caption


def most_words(profile: Profile) -> int:
    """Return how many words fit into the tokens of a caption at best, one token a word."""
    return profile.text_length - ENDS


def words_frame(captions: Arrays) -> "DataFrame":
    """Return the share of captions, in percent, that name each colour and garment, in all and by split."""
    from pandas import DataFrame

    lines = []
    for kind in ("colours", "garments"):
        for name, says in named_by(captions[kind], captions[f"{kind}_names"]).items():
            line: dict[str, Any] = {"kind": kind, "name": name, "all": _percent(says)}
            line |= {split: _percent(says[captions["split"] == place]) for place, split in enumerate(SPLITS)}
            lines.append(line)
    return DataFrame(lines).sort_values(
        ["kind", "all"], ascending=[True, False], kind="stable", ignore_index=True
    )


def _percent(says: Any) -> float:
    return 100 * float(says.mean()) if len(says) else float("nan")


def silent_shares(captions: Arrays) -> dict[str, float]:
    """Return the share of captions, in percent, that name no colour, and no garment, of those known."""
    return {kind: _percent(captions[kind] == 0) for kind in ("colours", "garments")}


def draw_counts(profile: Profile, captions: Arrays, images: Arrays) -> "Figure":
    """Draw the numbers of words per caption, images per identity and captions per image, by split."""
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(1, 3, figsize=(WIDTH, 3.3), layout="constrained")
    panels = (
        (captions["n_words"], captions["split"], "words per caption", "share of captions (%)"),
        (images["person_images"], images["person_split"], "images per identity", "share of identities (%)"),
        (images["n_captions"], images["split"], "captions per image", "share of images (%)"),
    )
    for axes, (values, splits, x, y) in zip(grid, panels, strict=True):
        _draw_shares(axes, values, splits)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
    if len(captions["n_words"]) and captions["n_words"].max() > 0.7 * most_words(profile):
        grid[0].axvline(most_words(profile), color=INK, linestyle="--", linewidth=1)
    legend_below(figure, {split: LOOKS[split] for split in profile.found}, ())
    return _titled(figure, profile, "distributions")


def _draw_shares(axes: "Axes", values: Any, splits: Any) -> None:
    """Draw the share of each value in its split as a staircase; wide ranges in at most 40 steps."""
    from matplotlib.ticker import MaxNLocator

    if not len(values):
        return
    low, high = int(values.min()), int(values.max())
    step = max(1, -(-(high - low + 1) // 40))
    edges = np.arange(low, high + step + 1, step) - 0.5
    for place, split in enumerate(SPLITS):
        own = values[splits == place]
        if len(own):
            weights = np.full(len(own), 100 / len(own))
            axes.hist(own, bins=edges.tolist(), weights=weights, **_line(split))
    if high - low < 8:
        axes.set_xticks(range(low, high + 1))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _line(split: str) -> dict[str, Any]:
    return {"histtype": "step", "linewidth": 1.6, "color": LOOKS[split]["color"], "linestyle": _DASHES[split]}


def draw_shapes(profile: Profile, images: Arrays) -> "Figure":
    """Draw the sizes of images with lines of equal shape, and how tall they are for their width."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(WIDTH, 3.4), layout="constrained")
    height, width, splits = (images[key] for key in ("height", "width", "measured_split"))
    for place, split in enumerate(SPLITS):
        own = splits == place
        left.plot(width[own], height[own], linestyle="", markersize=2.5, alpha=0.4, **LOOKS[split])
        if own.any():
            weights = np.full(int(own.sum()), 100 / own.sum())
            right.hist(
                height[own] / width[own], bins=_shape_edges(height / width), weights=weights, **_line(split)
            )
    if len(width):
        _draw_rays(left, (width.min(), width.max()), (height.min(), height.max()))
    left.set(xlabel="width (pixels)", ylabel="height (pixels)")
    right.set(xlabel="aspect ratio (height / width)", ylabel="share of images (%)")
    legend_below(figure, {split: LOOKS[split] for split in profile.found}, ())
    return _titled(figure, profile, f"image shapes ({profile.n_there:,} of {profile.n_images:,} images)")


def _shape_edges(shapes: Any) -> list[float]:
    low, high = float(shapes.min()), float(shapes.max())
    return [float(edge) for edge in np.linspace(low, high if high > low else low + 0.1, 31)]


def _draw_rays(axes: "Axes", width: tuple[float, float], height: tuple[float, float]) -> None:
    """Show the range of sizes with the lines of three shapes, named where they leave it."""
    ends = [(0.85 * low, 1.1 * high) for low, high in (width, height)]
    axes.set(xlim=ends[0], ylim=ends[1])
    for shape in (1, 2, 3):
        right = min(ends[0][1], ends[1][1] / shape)
        axes.plot([0, right], [0, shape * right], color=FAINT, linewidth=1, zorder=1)
        if right > ends[0][0] and shape * right > ends[1][0]:
            place = (0.97 * right, shape * 0.97 * right)
            axes.annotate(f"{shape}:1", place, (-3, 0), textcoords="offset points", fontsize=8, ha="right")


def draw_words(profile: Profile, captions: Arrays) -> "Figure":
    """Draw how many captions name each colour and each garment."""
    from matplotlib import pyplot

    rows = words_frame(captions)
    silent = silent_shares(captions)
    tall = 1.2 + 0.2 * max((rows["kind"] == kind).sum() for kind in silent)
    figure, grid = pyplot.subplots(1, 2, figsize=(WIDTH, tall), layout="constrained")
    for axes, kind in zip(grid, silent, strict=True):
        own = rows[rows["kind"] == kind]
        axes.barh(range(len(own)), own["all"], height=0.66, color="#D5E3EE", zorder=1)
        for split in profile.found:
            axes.plot(own[split], range(len(own)), linestyle="", markersize=4, alpha=0.85, **LOOKS[split])
        axes.set_yticks(range(len(own)), own["name"])
        axes.set_ylim(len(own) - 0.4, -0.6)
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"captions that name it (%) · {silent[kind]:.1f} % name none")
        axes.set_title(kind)
    legend_below(figure, {split: LOOKS[split] for split in profile.found}, ())
    return _titled(figure, profile, "what captions name")


def draw_sheet(profile: Profile, pictures: Arrays) -> "Figure":
    """Draw a few identities: their pictures in their own shape, and a caption of the first."""
    from matplotlib import pyplot

    n = max(len(profile.persons), 1)
    figure, grid = pyplot.subplots(
        n, 2, figsize=(WIDTH, 0.5 + 1.42 * n), squeeze=False, width_ratios=(1.15, 1), layout="constrained"
    )
    begin = 0
    for (left, right), person in zip(grid, profile.persons, strict=False):
        own = pictures["pictures"][begin : begin + person.n_images]
        begin += person.n_images
        left.imshow(np.concatenate(list(own), axis=1))
        left.set_anchor("W")
        words = textwrap.wrap(cut_text(person.caption, 420), 62)
        head = f"{person.split} · identity {person.identity}"
        right.text(0, 1, head, va="top", fontweight="bold", fontsize=8.5, transform=right.transAxes)
        right.text(0, 0.84, "\n".join(words), va="top", fontsize=8.5, transform=right.transAxes)
    for axes in grid.flat:
        axes.set_axis_off()
    return _titled(figure, profile, "some identities, chosen at random, and a caption of the first image")


def _titled(figure: "Figure", profile: Profile, what: str) -> "Figure":
    figure.suptitle(drawn(f"{profile.heading} · {what}", 100), x=0.01, ha="left", fontweight="bold")
    return figure
