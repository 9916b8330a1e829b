"""Bring a recorded run back to life: the trained method on its backbone, ready to encode."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.compute.devices import inference
from harness.config.sections import RunConfig
from harness.errors import HarnessError, UsageError
from harness.evaluate.encoder import Encoder
from harness.files import file_hash
from harness.images.decoding import Pixels, decode
from harness.inference.gallery import Hit, find_images, open_gallery
from harness.inference.relevance import Relevance, relevance
from harness.methods import Method
from harness.presets.resolve import build_stored
from harness.record import WEIGHTS, Record, RunFolder, find_run
from harness.run.backbone import load_backbone, was_called
from harness.run.job import build_method
from harness.train.checkpoint import load_weights


class Trained:
    """A trained run as a model.

    Attributes:
        record: what is known of the run.
        config: its configuration.
        method: the adapted backbone with the chosen weights, folded, in evaluation mode.
        encoder: embeds as the run's own test did.
    """

    def __init__(self, folder: RunFolder, *, device: str = "auto") -> None:
        self.folder, self.record = folder, finished(folder)
        self.config: RunConfig = build_stored(self.record.config)
        self.engine = inference(self.config.train.precision, device)
        named = folder.backbone(self.config.backbone)
        clip = load_backbone(named, seed=self.config.seed, runs=folder.path.parent)
        _same_backbone(self.record, clip.identity.as_dict(), folder.path.parent)
        method = build_method(self.config, clip)
        if method.trained:
            load_weights(method, folder.weights())
        self.method: Method = method.to(self.engine.device).eval()
        self.method.fold()
        self.encoder = Encoder(self.method, self.config, self.engine)

    def encode_image(self, paths: Sequence[str | Path], batch_size: int = 64) -> Tensor:
        """Embed image files as L2-normalised float32 rows [n_image, dim]; raise `ImageError` naming a bad file."""
        parts = [
            self.encode_pixels([self.decode(path) for path in paths[i : i + batch_size]])
            for i in range(0, len(paths), batch_size)
        ]
        return torch.cat(parts) if parts else torch.empty(0, self.method.clip.embed_dim)

    def encode_text(self, captions: Sequence[str], batch_size: int = 256) -> Tensor:
        """Embed captions as L2-normalised float32 rows [n_caption, dim]."""
        parts = [
            self._encode_captions(captions[i : i + batch_size]) for i in range(0, len(captions), batch_size)
        ]
        return torch.cat(parts) if parts else torch.empty(0, self.method.clip.embed_dim)

    def search(self, query: str, folder: str | Path, top: int = 10) -> list[Hit]:
        """Return the `top` images of a folder for a description, most similar first; each image is encoded once."""
        place = Path(folder)
        gallery = open_gallery(self, find_images(place), place)
        return gallery.rank(self.encode_text([query]), top)[0]

    def weights_identity(self) -> str:
        """Return the SHA-256 of what decides an embedding: the run's identity, its trained weights, its autocast."""
        digest = hashlib.sha256(self.record.identity.encode())
        if self.engine.mixed_precision != "no":
            digest.update(self.engine.mixed_precision.encode())
        if self.method.trained:
            known = self.record.weights_sha256 or file_hash(self.folder.file(WEIGHTS))
            digest.update(bytes.fromhex(known))
        return digest.hexdigest()

    def similarity(self, captions: Sequence[str], paths: Sequence[str | Path]) -> Tensor:
        """Return cosine similarities of captions and image files [n_caption, n_image]."""
        return self.encode_text(captions) @ self.encode_image(paths).T

    def relevance(self, caption: str, path: str | Path) -> Relevance:
        """Return which patches of an image file and which words of a caption carry their similarity."""
        return relevance(self.encoder, torch.from_numpy(self.decode(path)), caption)

    def decode(self, path: str | Path) -> Pixels:
        """Return an image file's pixels as the run sees them, uint8 [3, height, width]; raise `ImageError`."""
        backbone = self.config.backbone
        assert backbone.interpolation is not None
        return decode(Path(path), backbone.image_size, backbone.interpolation)

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Tensor:
        """Embed decoded images, each uint8 [3, height, width], as L2-normalised float32 rows [n_image, dim]."""
        return self.encoder.encode_pixels(torch.stack([torch.from_numpy(image) for image in pixels])).cpu()

    def _encode_captions(self, captions: Sequence[str]) -> Tensor:
        return self.encoder.encode_tokens(self.method.clip.tokenize(list(captions))).cpu()


def load(run: str | Path, *, device: str = "auto") -> Trained:
    """Return a finished run as a model; `run` is a folder, a name, or the beginning of a name or identity."""
    return Trained(find_run(str(run)), device=device)


def finished(folder: RunFolder) -> Record:
    """Return the record of a finished run that has a model; raise `UsageError` that names what to do for another."""
    record = folder.read()
    if record is None:
        raise UsageError(f"{folder.path} holds no run record.")
    if record.status != "finished":
        raise UsageError(
            f"The run {record.name} is {record.status}, not finished: `harness runs resume {record.name}`."
        )
    if record.scored:
        raise UsageError(
            f"The run {record.name} was scored from {record.scored}, not trained here: there is no model to load."
        )
    return record


def _same_backbone(record: Record, found: dict[str, Any], runs: Path) -> None:
    noted, start = record.backbone.get("sha256"), record.config["backbone"].get("init_from")
    if noted != found.get("sha256") and not (start and was_called(noted, start, record.started, runs)):
        raise HarnessError(
            f"The run {record.name} was trained on other backbone weights than those found now "
            f"({noted} against {found.get('sha256')}): put the first ones back."
        )
