"""A gallery: images of a folder as a run's embeddings, kept beside the other caches, so that each is encoded once.

What is kept of an image goes by its path in the gallery and the state of its file (size, times of modification and
change, inode): only a changed or new file is encoded again. One safetensors file holds one gallery as one run's weights
see it, and is read where it lies; deleting it is safe.
"""

import hashlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from harness.errors import DataError, many
from harness.evaluate.top_items import best_items
from harness.images.decoding import ImageError, Pixels
from harness.images.file_hashes import file_state
from harness.inference.index_file import EMPTY, Index, read_index, write_index
from harness.listener import Listener
from harness.paths import cache_root

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
# Raise when the same file would be seen otherwise than before.
_FORMAT = 2
BATCH = 64
_SAVE_SECONDS, _SAVE_SHARE = 30.0, 20
# Rows read at once, which stay in the processor's cache, and queries whose similarities are held at once.
_PIECE, _QUERIES = 2_048, 16
Row = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
log = logging.getLogger(__name__)


class Model(Protocol):
    """What encodes a gallery: a trained run, see `harness.inference.model.Trained`."""

    def decode(self, path: str | Path) -> Pixels:
        """Return an image file's pixels, uint8 [3, height, width]; raise `ImageError`."""

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Tensor:
        """Embed decoded images as L2-normalised float32 rows [n_image, dim]."""

    def weights_identity(self) -> str:
        """Return what decides an embedding."""


@dataclass(frozen=True)
class Hit:
    """One image of a ranking: its rank from 1, its cosine similarity to the query and its file."""

    rank: int
    similarity: float
    path: Path


@dataclass(frozen=True)
class Gallery:
    """Images ready to be searched.

    Attributes:
        files: the readable images, in order of their paths.
        embeddings: L2-normalised embeddings, float32 or float16, in memory only as far as they are read [n_row, dim].
        bad: the unreadable images and what is wrong with each.
        encoded: how many were encoded now rather than remembered.
        rows: the row of each image [n_image]; None where the rows are those of the images.
    """

    files: list[Path]
    embeddings: Tensor
    bad: list[tuple[Path, str]] = field(default_factory=list)
    encoded: int = 0
    rows: Tensor | None = None

    @torch.inference_mode()
    def rank(self, queries: Tensor, top: int = 10) -> list[list[Hit]]:
        """Return the `top` images for each query embedding [n_query, dim], the most similar first, ties by path.

        NaN goes first. The embeddings are read once for a group of queries; besides those, memory is taken for one
        similarity an image and query of the group.
        """
        return [hits for part in queries.split(_QUERIES) for hits in self._rank(part, top)]

    def _rank(self, queries: Tensor, top: int) -> list[list[Hit]]:
        columns = queries.float().T
        similarity = columns.new_empty(len(self.embeddings), len(queries))
        held = columns.new_empty(_PIECE, len(columns))
        for piece, rows in zip(similarity.split(_PIECE), self.embeddings.split(_PIECE), strict=True):
            wide = rows if rows.dtype == torch.float32 else held[: len(rows)].copy_(rows)
            torch.mm(wide, columns, out=piece)
        return [self._hits(similarity[:, query], top) for query in range(len(queries))]

    def _hits(self, similarity: Tensor, top: int) -> list[Hit]:
        # The last bits depend on an image's place in its batch; copies of one image are to tie.
        own = similarity if self.rows is None else similarity[self.rows]
        values = own.round(decimals=6)[None]
        [places] = best_items(
            values, torch.zeros(len(self.files), dtype=torch.long), torch.ones(1), top
        ).long()
        found = zip(places.tolist(), values[0, places].tolist(), strict=True)
        return [Hit(rank, value, self.files[place]) for rank, (place, value) in enumerate(found, 1)]


def find_images(folder: Path) -> list[Path]:
    """Return all image files below a folder in order; raise `DataError` when there is no such folder or no image."""
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}: --gallery takes a folder of images.")
    found = [
        Path(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(_IMAGE_SUFFIXES)
    ]
    if not found:
        raise DataError(f"{folder} holds no images: looked for {', '.join(_IMAGE_SUFFIXES)} in it and below.")
    return sorted(found)


def open_gallery(
    model: Model, files: Sequence[Path], folder: Path, listener: Listener | None = None
) -> Gallery:
    """Return image files below a folder as embeddings, encoding those that the cache does not know as they are.

    Unreadable images are left out and named; raises `DataError` when none is left. An interrupted start resumes from
    what it has encoded.
    """
    listener = listener or Listener()
    place = cache_file(model, folder)
    known = _load(place)
    keys = [_key(file, folder) for file in files]
    if b"".join(keys) == known.keys:
        return Gallery(list(files), known.rows)
    row_of = known.place_of()
    new = [(key, file) for key, file in zip(keys, files, strict=True) if key not in row_of]
    bad: list[tuple[Path, str]] = []
    if new:
        listener.on_stage(f"encoding {len(new):,} of {many(len(files), 'image')}")
        _encode(model, new, _Keeper(place, keys), bad, listener)
        known = _load(place)
        row_of = known.place_of()
    usable = [(row_of[key], file) for key, file in zip(keys, files, strict=True) if key in row_of]
    if not usable:
        raise DataError(f"None of the {len(files)} images of {folder} can be read, such as: {bad[0][1]}")
    rows = torch.tensor([row for row, _ in usable])
    return Gallery([file for _, file in usable], known.rows, bad, len(new) - len(bad), rows)


def cache_file(model: Model, folder: Path) -> Path:
    """Return where a gallery's embeddings by one run's weights are kept."""
    text = f"{_FORMAT}\n{model.weights_identity()}\n{os.path.abspath(folder)}"
    digest = hashlib.sha256(os.fsencode(text)).hexdigest()
    return cache_root().path / "galleries" / f"{digest[:40]}.safetensors"


class _Keeper:
    """Holds what was encoded until the file has it, in order of the images; saving takes a small share of the time."""

    def __init__(self, place: Path, keys: Sequence[bytes]) -> None:
        self._place, self._keys = place, keys
        self._fresh: dict[bytes, Row] = {}
        self._wait, self._saved = _SAVE_SECONDS, time.monotonic()

    def add(self, keys: Sequence[bytes], rows: Row) -> None:
        """Take embeddings [n_row, dim]; save when the last time is long enough ago."""
        self._fresh.update(zip(keys, rows, strict=True))
        if time.monotonic() - self._saved > self._wait:
            self.save()

    def save(self) -> None:
        """Write what is known of the images, from the file and from now, and forget it."""
        if not self._fresh:
            return
        began = time.monotonic()
        known = _load(self._place)
        row_of = known.place_of()
        kept = [key for key in self._keys if key in row_of or key in self._fresh]
        dim = len(next(iter(self._fresh.values())))
        batches = (kept[start : start + _PIECE] for start in range(0, len(kept), _PIECE))
        parts = (
            np.stack(
                [self._fresh[key] if key in self._fresh else known.rows[row_of[key]].numpy() for key in batch]
            )
            for batch in batches
        )
        write_index(self._place, kept, parts, (len(kept), dim))
        self._fresh.clear()
        self._saved = time.monotonic()
        self._wait = max(_SAVE_SECONDS, _SAVE_SHARE * (self._saved - began))


def _encode(
    model: Model,
    new: Sequence[tuple[bytes, Path]],
    keeper: _Keeper,
    bad: list[tuple[Path, str]],
    listener: Listener,
) -> None:
    """Encode images and keep them, naming unreadable ones in `bad`; threads decode the next batch meanwhile."""
    done = 0
    try:
        for batch in _decoded(model, new):
            good = [(key, pixels) for key, _, pixels in batch if not isinstance(pixels, str)]
            bad += [(file, fault) for _, file, fault in batch if isinstance(fault, str)]
            if good:
                embedded = model.encode_pixels([pixels for _, pixels in good]).numpy()
                keeper.add([key for key, _ in good], embedded)
            done += len(batch)
            listener.on_count(done, len(new))
    finally:
        keeper.save()


def _decoded(
    model: Model, new: Sequence[tuple[bytes, Path]]
) -> Iterator[list[tuple[bytes, Path, Pixels | str]]]:
    def pixels(item: tuple[bytes, Path]) -> tuple[bytes, Path, Pixels | str]:
        try:
            return *item, model.decode(item[1])
        except ImageError as error:
            return *item, str(error)

    parts = [new[start : start + BATCH] for start in range(0, len(new), BATCH)]
    with ThreadPoolExecutor(os.cpu_count() or 1, "decode") as pool:
        ahead = [pool.submit(pixels, item) for item in parts[0]]
        for following in [*parts[1:], []]:
            present, ahead = ahead, [pool.submit(pixels, item) for item in following]
            yield [work.result() for work in present]


def _key(file: Path, folder: Path) -> bytes:
    """Return what an image is known by; a file that cannot be looked at is known by its path."""
    state = " ".join(map(str, file_state(file) or ()))
    return hashlib.sha256(os.fsencode(f"{_below(str(file), os.path.join(folder, ''))}\0{state}")).digest()


def _below(file: str, folder: str) -> str:
    """Return a path relative to a folder that ends with a slash; without asking the system, where it is plain."""
    rest = file.removeprefix(folder)
    return rest if rest != file and ".." not in rest else os.path.relpath(file, folder)


def _load(place: Path) -> Index:
    if not place.is_file():
        return EMPTY
    try:
        return read_index(place)
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read (%s): the gallery is encoded again", place, error)
        return EMPTY
