"""A gallery: images of a folder as a run's embeddings, kept beside the other caches, so that each is encoded once.

What is kept of an image goes by its path in the gallery and the state of its file (size, times of modification and
change, inode): only a changed or new file is encoded again. One safetensors file holds one gallery as one run's weights
see it; deleting it is safe.
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
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from harness.errors import DataError, many
from harness.files import replaced
from harness.images.decoding import ImageError, Pixels
from harness.images.file_hashes import file_state
from harness.listener import Listener
from harness.paths import cache_root

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
# Raise when the same file would be seen otherwise than before.
_FORMAT = 2
BATCH = 64
_SAVE_SECONDS = 30.0
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
        embeddings: their L2-normalised embeddings [n_image, dim].
        bad: the unreadable images and what is wrong with each.
        encoded: how many were encoded now rather than remembered.
    """

    files: list[Path]
    embeddings: Tensor
    bad: list[tuple[Path, str]] = field(default_factory=list)
    encoded: int = 0

    def rank(self, queries: Tensor, top: int = 10) -> list[list[Hit]]:
        """Return the `top` images for each query embedding [n_query, dim], the most similar first, ties by path."""
        # The last bits depend on an image's place in its batch; copies of one image are to tie.
        similarity = (queries @ self.embeddings.T).round(decimals=6)
        order = similarity.argsort(dim=1, descending=True, stable=True)[:, :top]
        values = similarity.gather(1, order)
        return [
            [
                Hit(rank, value, self.files[place])
                for rank, (place, value) in enumerate(zip(*row, strict=True), 1)
            ]
            for row in zip(order.tolist(), values.tolist(), strict=True)
        ]


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
    rows = {key: known[key] for key in keys if key in known}
    new = [(key, file) for key, file in zip(keys, files, strict=True) if key not in rows]
    bad: list[tuple[Path, str]] = []
    if new:
        listener.on_stage(f"encoding {len(new):,} of {many(len(files), 'image')}")
        try:
            _encode(model, new, rows, bad, place, listener)
        finally:
            if rows.keys() != known.keys():
                _save(place, rows)
    usable = [(key, file) for key, file in zip(keys, files, strict=True) if key in rows]
    if not usable:
        raise DataError(f"None of the {len(files)} images of {folder} can be read, such as: {bad[0][1]}")
    stacked = torch.from_numpy(np.stack([rows[key] for key, _ in usable]))
    return Gallery([file for _, file in usable], stacked, bad, len(new) - len(bad))


def cache_file(model: Model, folder: Path) -> Path:
    """Return where a gallery's embeddings by one run's weights are kept."""
    text = f"{_FORMAT}\n{model.weights_identity()}\n{os.path.abspath(folder)}"
    digest = hashlib.sha256(os.fsencode(text)).hexdigest()
    return cache_root().path / "galleries" / f"{digest[:40]}.safetensors"


def _encode(
    model: Model,
    new: Sequence[tuple[bytes, Path]],
    rows: dict[bytes, Row],
    bad: list[tuple[Path, str]],
    place: Path,
    listener: Listener,
) -> None:
    """Encode images into `rows`, naming unreadable ones in `bad`; threads decode the next batch meanwhile."""
    saved = time.monotonic()
    done = 0
    for batch in _decoded(model, new):
        good = [(key, pixels) for key, _, pixels in batch if not isinstance(pixels, str)]
        bad += [(file, fault) for _, file, fault in batch if isinstance(fault, str)]
        if good:
            embedded = model.encode_pixels([pixels for _, pixels in good]).numpy()
            rows.update(zip((key for key, _ in good), embedded, strict=True))
        done += len(batch)
        listener.on_count(done, len(new))
        if time.monotonic() - saved > _SAVE_SECONDS:
            _save(place, rows)
            saved = time.monotonic()


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
    return hashlib.sha256(os.fsencode(f"{os.path.relpath(file, folder)}\0{state}")).digest()


def _load(place: Path) -> dict[bytes, Row]:
    if not place.is_file():
        return {}
    try:
        tensors = load_file(place)
        keys, rows = tensors["keys"], tensors["embeddings"]
        return {key.tobytes(): row for key, row in zip(keys, rows, strict=True)}
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        log.warning("%s cannot be read (%s): the gallery is encoded again", place, error)
        return {}


def _save(place: Path, rows: dict[bytes, Row]) -> None:
    if not rows:
        return
    keys = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), -1)
    with replaced(place) as temporary:
        save_file({"keys": keys.copy(), "embeddings": np.stack(list(rows.values()))}, temporary)
