"""Search as one types: one or two runs and their gallery, ready to answer, from several threads at once."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.images.decoding import ImageError, Pixels, thumbnail
from harness.inference.gallery import Gallery, find_images, open_gallery
from harness.inference.model import Trained
from harness.inference.page import data_uri, shown
from harness.inference.relevance_look import MAP_WORDS, as_dict, strengths, summary, tinted, word_text
from harness.inference.search import own_images
from harness.listener import Listener
from harness.pages.escaping import visible
from harness.paths import runs_root
from harness.record import find_run

MOST_TOP = 60
# Of a longer text no tower reads more; a tokeniser takes long for a word of 100,000 letters.
_MOST_SIGNS = 4_000
_THUMBNAIL = (432, 288)


class NotThere(Exception):
    """What was asked for does not exist: no run or image of that number, or a picture that is gone."""


@dataclass
class Seat:
    """One run with its gallery; a model is used by one thread at a time."""

    trained: Trained
    place: Path
    gallery: Gallery
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.numbers = {path: number for number, path in enumerate(self.gallery.files)}

    def about(self) -> dict[str, Any]:
        """Return what the page says of it."""
        record = self.trained.record
        return {
            "run": record.name,
            "method": record.config["method"]["name"],
            "dataset": record.config["dataset"]["name"],
            "synthetic": record.synthetic,
            "images": len(self.gallery.files),
            "unreadable": len(self.gallery.bad),
            "gallery": visible(str(self.place)),
        }


class Desk:
    """Answers what the page asks; every answer is a value that JSON can hold."""

    def __init__(self, seats: Sequence[Seat], first: str = "") -> None:
        self.seats, self.first = list(seats), first

    def about(self) -> dict[str, Any]:
        """Return which runs search, in what, and with which words the page begins."""
        return {"runs": [seat.about() for seat in self.seats], "first": self.first, "maps": MAP_WORDS}

    def search(self, text: str, top: int) -> dict[str, Any]:
        """Return each run's ranking for a text, with its milliseconds; an empty text finds nothing."""
        read = self.readable(text)
        return {
            "read": read,
            "runs": [self._ranked(seat, read, top) if read else None for seat in self.seats],
        }

    def readable(self, text: str) -> str:
        """Return of a text what can be read: visible, in one line, as many words as the longest text tower takes."""
        longest = max(seat.trained.method.clip.text_length for seat in self.seats)
        whole = visible(text.encode("utf-8", "replace").decode())
        return " ".join(whole.split()[:longest])[:_MOST_SIGNS]

    def _ranked(self, seat: Seat, text: str, top: int) -> dict[str, Any]:
        start = time.perf_counter()
        with seat.lock:
            hits = seat.gallery.rank(seat.trained.encode_text([text]), max(1, min(top, MOST_TOP)))[0]
        found = [
            {
                "rank": hit.rank,
                "similarity": hit.similarity,
                "image": seat.numbers[hit.path],
                "path": visible(shown(hit.path, seat.place)),
            }
            for hit in hits
        ]
        return {"hits": found, "ms": 1000 * (time.perf_counter() - start)}

    def picture(self, run: int, image: int) -> Pixels:
        """Return a small picture of an image of a gallery, RGB uint8 [height, width, 3]; raise `NotThere`."""
        pixels = thumbnail(self._file(run, image), _THUMBNAIL)
        if pixels is None:
            raise NotThere("This picture cannot be read any more.")
        return pixels

    def relevance(self, text: str, run: int, image: int) -> dict[str, Any]:
        """Return which patches and words carry a match, with the tinted picture; raise `NotThere`."""
        pixels, seat = self.picture(run, image), self.seats[run]
        try:
            with seat.lock:
                found = seat.trained.relevance(self.readable(text), self._file(run, image))
        except ImageError as error:
            raise NotThere("This picture cannot be read any more.") from error
        words = zip(found.caption.words, strengths(found.caption.words), strict=True)
        told = [{"word": word_text(word), "carries": word.carries, "strength": each} for word, each in words]
        picture = data_uri(tinted(pixels, found.picture.patches))
        return as_dict(found) | {"words": told, "summary": summary(found), "picture": picture}

    def _file(self, run: int, image: int) -> Path:
        if not (0 <= run < len(self.seats) and 0 <= image < len(self.seats[run].gallery.files)):
            raise NotThere("There is no such image.")
        return self.seats[run].gallery.files[image]


def open_desk(
    names: Sequence[str],
    *,
    gallery: str | Path | None = None,
    first: str = "",
    runs: str | Path | None = None,
    data_root: str | None = None,
    device: str = "auto",
    listener: Listener | None = None,
) -> Desk:
    """Load one or two runs and the gallery that both search: a folder, by default the first one's own test split."""
    listener, seats, found = listener or Listener(), [], None
    for name in names:
        trained = Trained(find_run(name, runs_root(runs).path), device=device)
        if found is None:
            found = (
                (Path(gallery), find_images(Path(gallery)))
                if gallery
                else own_images(trained, data_root, listener)
            )
        place, files = found
        seats.append(Seat(trained, place, open_gallery(trained, files, place, listener)))
    return Desk(seats, first)
