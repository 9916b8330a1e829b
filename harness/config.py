"""The sections of a run's configuration: each field carries its default, help and search range in one place."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny


class Range(BaseModel):
    """A numeric search range, ends included; `log` draws it on a logarithmic scale."""

    model_config = ConfigDict(frozen=True)
    low: float
    high: float
    log: bool = False


class Choice(BaseModel):
    """A search range of named values."""

    model_config = ConfigDict(frozen=True)
    values: tuple[Any, ...]


def setting(
    default: Any, help: str, *, search: Range | Choice | None = None, identity: bool = True, **limits: Any
) -> Any:
    """Declare a config field.

    Args:
        default: the value when nothing else is said.
        help: one line for `--help`, the docs and the MLflow page.
        search: the range that a sweep draws from; None keeps the field out of sweeps.
        identity: False for a field that cannot change a result (workers, paths): it stays out of the run's hash.
        limits: pydantic's own limits (`ge`, `le`, `gt`, ...).
    """
    extra: dict[str, Any] = {"search": search.model_dump() if search else None, "identity": identity}
    return Field(default, description=help, json_schema_extra=extra, **limits)


class Section(BaseModel):
    """A frozen part of the configuration; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class MethodConfig(Section):
    """What every method's config has; a method file extends it with its own fields."""

    name: str = setting("", "registry name of the method")


class DatasetConfig(Section):
    """Which pictures and captions a run learns from and is tested on."""

    name: str = setting("", "registry name of the dataset")
    synthetic: bool = setting(False, "use the synthetic twin, made on first use, instead of the real data")
    root: str | None = setting(None, "folder that holds the datasets", identity=False)
    val: Literal["own", "holdout", "none"] = setting(
        "own", "validation: the dataset's own split, an identity-disjoint 10 % of train, or none"
    )
    train_on: Literal["train", "train+val"] = setting("train", "splits that training sees")
    on_bad_image: Literal["fail", "skip"] = setting("fail", "what an unreadable image does to the run")
    store: Literal["disk", "off"] = setting(
        "disk", "keep decoded images in a store, or decode each time", identity=False
    )


class BackboneConfig(Section):
    """The CLIP that a method adapts, and what it is fed."""

    name: str = setting("ViT-B-16-quickgelu", "open_clip model name, or `tiny` for the shipped one")
    pretrained: str | None = setting("openai", "open_clip pretrained tag; none for random weights")
    weights: str | None = setting(None, "local weight file, in place of the tag", identity=False)
    image_size: tuple[int, int] = setting((384, 128), "height and width in pixels")
    text_length: int = setting(77, "tokens per caption; beyond 77 the positions are interpolated", ge=4)
    interpolation: Literal["bilinear", "bicubic"] = setting("bilinear", "how images are resized")
    normalisation: Literal["clip", "imagenet"] = setting("clip", "channel mean and deviation")


class AugmentConfig(Section):
    """What happens to training images and captions, per sample on whole batches."""

    flip: float = setting(0.5, "probability of a horizontal flip", ge=0, le=1)
    pad: int = setting(
        10, "pixels of zero padding before the random crop back to size; 0 switches it off", ge=0
    )
    erase: float = setting(0.5, "probability of erasing a rectangle", ge=0, le=1)
    erase_area: tuple[float, float] = setting((0.02, 0.4), "smallest and largest erased share of the area")
    mask_words: float = setting(
        0.0, "share of a caption's word pieces that are drawn for masking; CSKT 0, IRRA 0.15", ge=0, le=1
    )


class TrainConfig(Section):
    """The training loop."""

    epochs: int = setting(60, "passes over the training pairs", ge=0)
    batch_size: int = setting(64, "pairs per optimiser step over all processes and accumulated parts", ge=1)
    accumulation: int = setting(1, "parts a batch is split into; each part is its own set of negatives", ge=1)
    precision: Literal["auto", "fp32", "bf16", "fp16", "pure-fp16"] = setting(
        "auto",
        "auto: bf16 where supported, else fp16 with scaling on CUDA, fp32 on CPU; pure-fp16: as CSKT released",
    )
    augment: AugmentConfig = setting(AugmentConfig(), "augmentation of training images and captions")
    patience: int = setting(
        0, "stop after this many validations without a better one; 0 never stops early", ge=0
    )
    max_loss: float = setting(1e4, "a loss beyond this stops the run as failed", gt=0)
    checkpoint_seconds: float = setting(600, "time between checkpoints inside an epoch", identity=False, gt=0)


class EvalConfig(Section):
    """Selection and test."""

    rule: Literal["val", "last", "oracle"] = setting(
        "val", "which epoch is tested: best on validation, the last, or (flagged) best on test"
    )
    test_each_epoch: bool = setting(
        False, "evaluate the test split every epoch; allows the oracle rule, biases results"
    )
    every: int = setting(1, "epochs between validations", ge=1)
    batch_size: int = setting(256, "images or captions per encoding step", ge=1)
    replicates: int = setting(10_000, "bootstrap replicates over identities", ge=100)


class RunConfig(Section):
    """Everything that decides a result."""

    method: SerializeAsAny[MethodConfig]
    dataset: DatasetConfig
    backbone: BackboneConfig = BackboneConfig()
    train: TrainConfig = TrainConfig()
    eval: EvalConfig = EvalConfig()
    seed: int = setting(1, "seed of initialisation, data order and augmentation")

    def on_data(self, root: str | None) -> "RunConfig":
        """Return the same config with the datasets in another folder; None stands for the default place."""
        return self.model_copy(update={"dataset": self.dataset.model_copy(update={"root": root})})


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one level with dotted keys.

    >>> flatten({"train": {"epochs": 3}, "seed": 1})
    {'train.epochs': 3, 'seed': 1}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def identity_values(section: Section) -> dict[str, Any]:
    """Return a section's values without the fields that cannot change a result."""
    kept: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("identity") is False:
            continue
        value = getattr(section, name)
        kept[name] = identity_values(value) if isinstance(value, Section) else value
    return kept


def content_hash(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON: equal content, equal hash, whatever the key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be hashed")
