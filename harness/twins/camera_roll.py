"""Take a batch of pictures, write them and say what they show: the work of one process."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from PIL import Image

from harness.datasets import Look, Speech
from harness.twins.drawing.details import PLAIN, choose_details
from harness.twins.drawing.photograph import photograph
from harness.twins.drawing.views import draw_view
from harness.twins.plan import Order
from harness.twins.speech.captions import Caption, write_captions
from harness.twins.speech.closer import look_closely
from harness.twins.speech.sight import Sight, see


def develop(
    images: Path, looks: Mapping[str, Look], speech: Speech, orders: Sequence[Order]
) -> list[list[str]]:
    """Write the ordered pictures below `images` and return the captions of each."""
    texts = []
    for order in orders:
        picture, quality, captions, _ = take(order, looks[order.source], speech)
        _save(picture, images / order.image, quality)
        texts.append([caption.text for caption in captions])
    return texts


def take(order: Order, look: Look, speech: Speech) -> tuple[Image.Image, int, list[Caption], Sight]:
    """Take one picture; return it with its JPEG quality, its captions and what it shows."""
    random = Random(order.seed)
    if order.n_caption is not None:
        speech = replace(speech, captions=order.n_caption, extra=0.0)
    view = draw_view(look, order.facing, random)
    details = choose_details(order.person, order.body_seed) if look.fine else PLAIN
    picture, parts = photograph(order.person, order.body_seed, view, look, details)
    sight = see(order.person, view, parts)
    if look.fine:
        sight = look_closely(order.person, details, view, parts, sight)
    return picture, view.light.quality, write_captions(sight, speech, random), sight


def _save(picture: Image.Image, file: Path, quality: int) -> None:
    if file.suffix == ".jpg":
        picture.save(file, quality=quality)
    elif file.suffix == ".png":
        picture.save(file, compress_level=1)
    else:
        picture.save(file)
