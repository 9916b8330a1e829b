"""The sections of a run's configuration: each field carries its default, help and search range in one place."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator
from pydantic.fields import FieldInfo


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
    default: Any,
    help: str,
    *,
    search: Range | Choice | None = None,
    identity: bool | Literal["changed"] = True,
    **limits: Any,
) -> Any:
    """Declare a config field.

    Args:
        default: the value when nothing else is said.
        help: one line for `--help`, the docs and the MLflow page.
        search: the range that a sweep draws from; None keeps the field out of sweeps.
        identity: False for a field that cannot change a result (workers, paths): it stays out of the run's hash.
            `changed` for a field that came later: only another value than the default enters the hash, so runs made
            before it keep theirs.
        limits: pydantic's own limits (`ge`, `le`, `gt`, ...).
    """
    extra: dict[str, Any] = {"search": search.model_dump() if search else None, "identity": identity}
    return Field(default, description=help, json_schema_extra=extra, **limits)


class Section(BaseModel):
    """A frozen part of the configuration; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class MethodConfig(Section):
    """What every method's config has; a method file extends it with its own fields.

    `held` names fields without a search range, which a sweep leaves alone unless it is told otherwise.
    """

    held: ClassVar[tuple[str, ...]] = ()
    name: str = setting("", "registry name of the method")

    def fitted(self, n_identities: int) -> Self:
        """Return the config with what follows from the training data; default: nothing does.

        A field that is filled here is `identity=False`: the data are part of a run's identity by themselves.
        """
        return self


class DatasetConfig(Section):
    """Which pictures and captions a run learns from and is tested on."""

    name: str = setting("", "registry name of the dataset")
    synthetic: bool = setting(False, "use the synthetic twin, made on first use, instead of the real data")
    root: str | None = setting(None, "folder that holds the datasets", identity=False)
    val: Literal["own", "holdout", "none"] = setting(
        "own", "validation: the dataset's own split, an identity-disjoint 10 % of train, or none"
    )
    train_on: Literal["train", "train+val"] = setting("train", "splits that training sees")
    few_shot: float = setting(
        1.0,
        "share of the training images that a run learns from; which ones depends on few_shot_seed alone",
        gt=0,
        le=1,
        identity="changed",
    )
    few_shot_seed: int = setting(0, "seed of the choice of few_shot images", ge=0, identity="changed")
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
    train_interpolation: Literal["same", "bilinear", "bicubic"] = setting(
        "same",
        "how training images are resized, where otherwise than those of val and test",
        identity="changed",
    )
    normalisation: Literal["clip", "imagenet"] = setting("clip", "channel mean and deviation")
    captions: Literal["as_written", "cleaned"] = setting(
        "as_written",
        'what a caption is before it is tokenised: as the tokeniser cleans it, or lower-cased, without . ! " ( ) * # : '
        "; ~ and cut to 77 words, as TBPS-CLIP does",
        identity="changed",
    )
    init_from: str | None = setting(
        None, "a finished run whose trained towers are the start, in place of CLIP's own", identity="changed"
    )


ImageOperation = Literal[
    "resized_crop",
    "erasing",
    "grayscale",
    "color_jitter",
    "horizontal_flip",
    "rotation",
    "gaussian_blur",
    "hue_jitter",
    "vertical_flip",
]
POOL: tuple[ImageOperation, ...] = (
    "resized_crop",
    "erasing",
    "grayscale",
    "color_jitter",
    "horizontal_flip",
    "rotation",
)


class PoolConfig(Section):
    """TBPS-CLIP's image operations and how strong they are; recipes `pool` and `stack` use them."""

    operations: tuple[ImageOperation, ...] = setting(
        POOL, "operations to draw from, or to stack in this order"
    )
    draws: int = setting(2, "operations drawn for each image, with replacement", ge=1)
    crop_area: float = setting(0.9, "smallest share of the area that resized_crop keeps", gt=0, le=1)
    erase_area: tuple[float, float] = setting((0.1, 0.2), "smallest and largest share that erasing takes")
    jitter: float = setting(0.1, "color_jitter: brightness, contrast, saturation change by up to", ge=0, le=1)
    hue: float = setting(0.1, "hue_jitter: hue turns by up to this part of the circle", ge=0, le=0.5)
    degrees: float = setting(15.0, "rotation: largest angle either way", ge=0, le=180)
    blur_kernel: int = setting(3, "gaussian_blur: width of the kernel in pixels, odd", ge=1)

    @field_validator("operations")
    @classmethod
    def _some(cls, operations: tuple[ImageOperation, ...]) -> tuple[ImageOperation, ...]:
        if not operations:
            raise ValueError(
                f"name at least one operation, of {', '.join(get_args(ImageOperation))}; for no augmentation take "
                "recipe flip_crop_erase with flip, pad and erase at 0"
            )
        return operations

    @field_validator("erase_area")
    @classmethod
    def _ascending_shares(cls, area: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= area[0] <= area[1] <= 1:
            raise ValueError("needs two shares of the area, the smaller first, between 0 and 1")
        return area

    @field_validator("blur_kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"needs an odd width, such as {kernel - 1} or {kernel + 1}")
        return kernel


class TextAugmentConfig(Section):
    """What happens to training captions, before they are tokenised; all off unless asked for."""

    back_translation: float = setting(
        0.0, "probability that a caption is replaced by its back translation", ge=0, le=1
    )
    synonym_replacement: float = setting(0.0, "share of the words replaced by a synonym", ge=0, le=1)
    random_insertion: float = setting(0.0, "share of the words of which a synonym is inserted", ge=0, le=1)
    random_swap: float = setting(0.0, "share of the words that change places with another", ge=0, le=1)
    random_deletion: float = setting(0.0, "probability of each word to be dropped", ge=0, le=1)
    eda: float = setting(
        0.0, "strength of one of the four word operations, drawn for each caption (EDA)", ge=0, le=1
    )
    synonyms: str | None = setting(None, "file of synonyms in place of the shipped table")


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
    recipe: Literal["flip_crop_erase", "pool", "stack", "auto", "rand", "trivial"] = setting(
        "flip_crop_erase",
        "images: flip, pad and erase above (IRRA, CSKT); operations drawn from a pool, or all of it (TBPS-CLIP); "
        "torchvision's AutoAugment, RandAugment or TrivialAugment",
        identity="changed",
    )
    pool: PoolConfig = setting(PoolConfig(), "operations of the recipes pool and stack", identity="changed")
    views_from: Literal["files", "store"] = setting(
        "files",
        "self-supervised views are cropped from the image files, decoded each time, or from the store's resized images",
        identity="changed",
    )
    text: TextAugmentConfig = setting(
        TextAugmentConfig(), "augmentation of training captions", identity="changed"
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
    drop_last: bool = setting(
        False, "leave out an epoch's last batch where it is smaller than the others", identity="changed"
    )
    part_size: int = setting(
        0,
        "pairs embedded at a time, with the loss still over the whole batch (gradient caching): less memory, twice "
        "the forward passes; 0 embeds all at once",
        ge=0,
        identity="changed",
    )
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

    def fitted(self, n_identities: int) -> "RunConfig":
        """Return the config with what its method takes from the training data."""
        return self.model_copy(update={"method": self.method.fitted(n_identities)})

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
    """Return a section's values without the fields that cannot change a result, and later ones left as they are."""
    return _kept(section, without_free=True)


def recorded_values(config: RunConfig) -> dict[str, Any]:
    """Return what a record says of a config, JSON-able: all but later fields left as they are.

    So a run's settings read alike, whether the field existed when it was made or not.
    """
    kept: dict[str, Any] = json.loads(json.dumps(_kept(config, without_free=False), default=_plain))
    return kept


def is_free(field: FieldInfo) -> bool:
    """Say whether a field cannot change a result, such as a folder."""
    return _identity(field) is False


def free_keys(section: type[Section], prefix: str = "") -> set[str]:
    """Return the dotted keys of the config fields that cannot change a result.

    >>> sorted(free_keys(RunConfig))
    ['backbone.weights', 'dataset.root', 'dataset.store', 'train.checkpoint_seconds']
    """
    found = set()
    for name, field in section.model_fields.items():
        if is_free(field):
            found.add(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found |= free_keys(field.annotation, f"{prefix}{name}.")
    return found


def later_defaults(section: type[Section], prefix: str = "", later: bool = False) -> dict[str, Any]:
    """Return the defaults of the fields that came later, by dotted key: what a record leaves out has these.

    >>> later_defaults(RunConfig)["backbone.captions"]
    'as_written'
    """
    found: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        came = later or _identity(field) == "changed"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found |= later_defaults(field.annotation, f"{prefix}{name}.", came)
        elif came:
            found[prefix + name] = json.loads(json.dumps(field.default, default=_plain))
    return found


def _identity(field: FieldInfo) -> Any:
    extra = field.json_schema_extra
    return extra.get("identity") if isinstance(extra, dict) else True


def _kept(section: Section, *, without_free: bool) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        rule, value = _identity(field), getattr(section, name)
        if (rule is False and without_free) or (rule == "changed" and value == field.default):
            continue
        kept[name] = _kept(value, without_free=without_free) if isinstance(value, Section) else value
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
