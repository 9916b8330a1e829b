"""The kinds of the corpus by name, and one picture of a kind with its caption."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.pretrain.corpus.crowds import crowd
from harness.pretrain.corpus.draws import Draws
from harness.pretrain.corpus.paper_dolls import paper_doll
from harness.pretrain.corpus.pictograms import pictogram
from harness.pretrain.corpus.pictures import Make
from harness.pretrain.corpus.registers import caption
from harness.pretrain.corpus.scenes import scene
from harness.pretrain.corpus.things import accessory, garment, thing

KINDS: Mapping[str, Make] = {
    "garments": garment,
    "accessories": accessory,
    "things": thing,
    "scenes": scene,
    "pictograms": pictogram,
    "paper_dolls": paper_doll,
    "crowds": crowd,
}
PEOPLE = ("pictograms", "paper_dolls", "crowds")


def web_pair(kind: str, seed: int, index: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], str]:
    """Return pixels [height, width, 3] and caption number `index` of a kind: the same ones on every machine."""
    draws = Draws(f"{kind} {seed} {index}")
    picture = KINDS[kind](draws, size)
    return picture.pixels, caption(picture, draws)
