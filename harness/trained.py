"""Bring a recorded run back to life: the trained method on its backbone, ready to encode."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.augment import Augment
from harness.checkpoint import load_weights
from harness.clip import load_clip
from harness.config import RunConfig
from harness.devices import accelerator
from harness.errors import HarnessError, UsageError
from harness.images import decode
from harness.methods import Method
from harness.record import WEIGHTS, Record, RunFolder, find_run
from harness.resolve import build
from harness.run import build_method


class Trained:
    """A trained run as a model.

    Attributes:
        record: what is known of the run.
        config: its configuration.
        method: the adapted backbone with the chosen weights, in evaluation mode.
    """

    def __init__(self, folder: RunFolder, *, device: str = "auto") -> None:
        self.folder, self.record = folder, _finished(folder)
        self.config: RunConfig = build(self.record.config)
        self.engine = accelerator(self.config.train.precision, device)
        clip = load_clip(self.config.backbone, seed=self.config.seed)
        _same_backbone(self.record, clip.identity.as_dict())
        method = build_method(self.config, clip)
        if method.trained:
            load_weights(method, folder.file(WEIGHTS))
        self.method: Method = method.to(self.engine.device).eval()
        backbone = self.config.backbone
        self._pixels = Augment(self.config.train.augment, backbone.image_size, backbone.normalisation)

    @torch.inference_mode()
    def encode_image(self, paths: Sequence[str | Path], batch_size: int = 64) -> Tensor:
        """Embed image files as L2-normalised float32 rows [n_image, dim]; raise `ImageError` naming a bad file."""
        parts = [self._encode_files(paths[i : i + batch_size]) for i in range(0, len(paths), batch_size)]
        return torch.cat(parts) if parts else torch.empty(0, self.method.clip.embed_dim)

    @torch.inference_mode()
    def encode_text(self, captions: Sequence[str], batch_size: int = 256) -> Tensor:
        """Embed captions as L2-normalised float32 rows [n_caption, dim]."""
        parts = [
            self._encode_captions(captions[i : i + batch_size]) for i in range(0, len(captions), batch_size)
        ]
        return torch.cat(parts) if parts else torch.empty(0, self.method.clip.embed_dim)

    def similarity(self, captions: Sequence[str], paths: Sequence[str | Path]) -> Tensor:
        """Return cosine similarities of captions and image files [n_caption, n_image]."""
        return self.encode_text(captions) @ self.encode_image(paths).T

    def _encode_files(self, paths: Sequence[str | Path]) -> Tensor:
        backbone = self.config.backbone
        pixels = [
            torch.from_numpy(decode(Path(p), backbone.image_size, backbone.interpolation)) for p in paths
        ]
        normal = self._pixels.normalise(torch.stack(pixels).to(self.engine.device))
        return self._unit(self.method.encode_image(normal))

    def _encode_captions(self, captions: Sequence[str]) -> Tensor:
        clip = self.method.clip
        tokens = clip.cut(clip.tokenize(list(captions))).to(self.engine.device)
        return self._unit(self.method.encode_text(tokens))

    def _unit(self, rows: Tensor) -> Tensor:
        return torch.nn.functional.normalize(rows.float(), dim=-1).cpu()


def load(run: str | Path, *, device: str = "auto") -> Trained:
    """Return a finished run as a model; `run` is a folder, a name, or the beginning of a name or identity."""
    return Trained(find_run(str(run)), device=device)


def _finished(folder: RunFolder) -> Record:
    record = folder.read()
    if record is None:
        raise UsageError(f"{folder.path} holds no run record.")
    if record.status != "finished":
        raise UsageError(
            f"The run {record.name} is {record.status}, not finished: `harness runs resume {record.name}`."
        )
    return record


def _same_backbone(record: Record, found: dict[str, Any]) -> None:
    if record.backbone.get("sha256") != found.get("sha256"):
        raise HarnessError(
            f"The run {record.name} was trained on other backbone weights than those found now "
            f"({record.backbone.get('sha256')} against {found.get('sha256')}): put the first ones back."
        )
