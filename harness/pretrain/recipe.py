"""The recipe of a tiny CLIP, and the limits within which one may ship."""

from typing import Any

from pydantic import Field

from harness.clip import tiny
from harness.clip.model import count_parameters
from harness.config.fields import Section
from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.pretrain.pairs import IMAGE_SIZE, shares_of

MOST_COST, MOST_BYTES = 1.5, 10_000_000
_BYTES_PER_VALUE, _EXPANSION = 2, 4


class PretrainConfig(Section):
    """What decides the weights of a tiny CLIP."""

    steps: int = Field(500, ge=1, description="optimiser steps")
    batch_size: int = Field(128, ge=2, description="pairs per step")
    lr: float = Field(1e-3, gt=0, description="learning rate after warm-up; falls to zero along a cosine")
    weight_decay: float = Field(0.05, ge=0, description="AdamW weight decay of matrices")
    warmup_steps: int = Field(30, ge=0, description="steps of linear warm-up")
    held_out: int = Field(1000, ge=2, description="unseen pictures of each kind for the retrieval figures")
    seed: int = Field(0, ge=0, description="seed of weights and pictures")
    mix: str = Field("shapes", description="kinds of pictures, and how often each is drawn")
    model: str = Field(tiny.NAME, description="the tiny CLIP, or one of other sizes")

    @property
    def command(self) -> str:
        """The command line that repeats this, without where the weights go."""
        words = [f"--steps {self.steps} --batch-size {self.batch_size} --seed {self.seed}"]
        for name in ("mix", "model", "lr", "warmup_steps", "held_out"):
            if getattr(self, name) != PretrainConfig.model_fields[name].default:
                words.append(f"--{name.replace('_', '-')} {getattr(self, name)}")
        return f"harness pretrain {' '.join(words)}"

    @property
    def backbone(self) -> BackboneConfig:
        """The model without weights."""
        return BackboneConfig(name=self.model, pretrained=None, image_size=IMAGE_SIZE)

    def differences(self, other: dict[str, Any]) -> str:
        """Say in which fields another config differs, as `steps 500 instead of 600`; empty for none."""
        own = self.model_dump()
        names = sorted(name for name in own.keys() | other.keys() if own.get(name) != other.get(name))
        return ", ".join(f"{name} {other.get(name)} instead of {own.get(name)}" for name in names)


def check(config: PretrainConfig) -> None:
    """Raise `UsageError` for an unknown kind or model, and for a model that is too large to ship."""
    shares_of(config.mix)
    if not tiny.is_tiny(config.model):
        raise UsageError(
            f"--model takes {tiny.NAME}, or sizes of it as tiny-5x160-3x128 (layers and width of the image tower, then "
            f"of the text tower), but got {config.model!r}."
        )
    cost, size = relative_cost(config.model), shipped_bytes(config)
    if cost > MOST_COST:
        raise UsageError(
            f"{config.model} takes {cost:.2f} times the operations of {tiny.NAME}, more than {MOST_COST}: take fewer "
            "layers or less width."
        )
    if size > MOST_BYTES:
        raise UsageError(f"{config.model} takes {size / 1e6:.1f} MB, more than 10 MB: take less width.")


def relative_cost(model: str) -> float:
    """Return how many operations the towers take for a picture and a caption of full length, as a share of `tiny`'s.

    >>> relative_cost("tiny")
    1.0
    """
    return _operations(model) / _operations(tiny.NAME)


def shipped_bytes(config: PretrainConfig) -> int:
    """Return how large the weights are as they ship."""
    return _BYTES_PER_VALUE * count_parameters(config.backbone)


def _operations(model: str) -> int:
    """Return the multiply-adds of both towers."""
    config = tiny.model_config(model)
    vision, text, joint = config["vision_cfg"], config["text_cfg"], config["embed_dim"]
    patch = vision["patch_size"]
    n_patch: int = IMAGE_SIZE[0] // patch * (IMAGE_SIZE[1] // patch)
    embedding: int = n_patch * 3 * patch * patch * vision["width"]
    towers = [(n_patch + 1, vision), (text["context_length"], text)]
    return embedding + sum(_of_tower(n, tower["layers"], tower["width"], joint) for n, tower in towers)


def _of_tower(n_tokens: int, layers: int, width: int, joint: int) -> int:
    """Return the multiply-adds of a transformer: projections and MLP, scores and their use, the joint space."""
    dense = (4 + 2 * _EXPANSION) * n_tokens * width * width
    return layers * (dense + 2 * n_tokens * n_tokens * width) + width * joint
