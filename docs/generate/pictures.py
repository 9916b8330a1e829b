"""`make pictures`: the pictures of README and gallery, from runs on a synthetic twin with the tiny CLIP that ships."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

PICTURES = Path(__file__).resolve().parents[1] / "pictures"
_WORK = Path(".demo")
_METHODS = ("zero_shot", "linear_probe", "cskt", "full_finetune")
_TWIN = ("--dataset", "icfg")
_SHOWN = "full_finetune-icfg-twin"
# Where a report has the figure, how wide the picture is, how many colours it keeps, and which of its bands: the
# heading, one query of the best, the median and the worst, and the legend with the last.
_TAKEN = {
    "leaderboard": ("leaderboard/figures/leaderboard-1.png", 1200, 48, None),
    "gallery": ("run/figures/gallery.png", 1000, 128, (0, 1, 4, 9)),
}
_LINE = 0.9


def main() -> None:
    """Run the methods, make both reports and keep a small copy of a figure of each."""
    _harness("run", *(word for name in _METHODS for word in ("--method", name)), *_TWIN, "--synthetic")
    # A second seed of the cheapest method tells how far seeds are apart.
    _harness("run", "--method", "linear_probe", *_TWIN, "--synthetic", "--seeds", "2")
    _harness("report", "leaderboard", *_TWIN, "--out", str(_WORK / "leaderboard"))
    _harness("report", "run", _SHOWN, "--out", str(_WORK / "run"))
    take(_WORK)


def take(reports: Path) -> None:
    """Write a small copy of each figure of the reports below a folder into docs/pictures."""
    PICTURES.mkdir(exist_ok=True)
    for name, (figure, width, colours, kept) in _TAKEN.items():
        with Image.open(reports / figure) as picture:
            whole = on_white(picture)
            part = whole if kept is None else stacked([bands(whole)[place] for place in kept])
            small(part, width, colours).save(PICTURES / f"{name}.png", optimize=True)


def on_white(picture: Image.Image) -> Image.Image:
    """Return a picture without transparency."""
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A") if "A" in picture.getbands() else None)
    return white


def bands(picture: Image.Image) -> list[Image.Image]:
    """Return the parts of a picture between the thin lines that cross it, each with the line above it."""
    pixels = np.asarray(picture.convert("L"))
    crossed = (pixels < 250).mean(axis=1) > _LINE
    starts = [row for row in range(1, len(crossed)) if crossed[row] and not crossed[row - 1]]
    ends = [*starts, picture.height]
    return [
        picture.crop((0, top, picture.width, bottom)) for top, bottom in zip([0, *starts], ends, strict=True)
    ]


def stacked(parts: Sequence[Image.Image]) -> Image.Image:
    """Return pictures of one width below one another."""
    whole = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    return whole


def small(picture: Image.Image, width: int, colours: int) -> Image.Image:
    """Return a picture of at most `width` pixels in so many colours."""
    if picture.width > width:
        height = round(picture.height * width / picture.width)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _harness(*words: str) -> None:
    env = {"HARNESS_DATA": str(_WORK / "data"), "HARNESS_CACHE": str(_WORK / "cache"), **os.environ}
    command = [sys.executable, "-m", "harness", *words, "--runs", str(_WORK / "runs")]
    subprocess.run(command, env=env, check=True)


if __name__ == "__main__":
    main()
