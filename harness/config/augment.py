"""Config sections of image and text augmentation."""

from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from harness.config.fields import Section, setting

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


def _ascending(area: tuple[float, float]) -> tuple[float, float]:
    if area[0] > area[1]:
        raise ValueError("needs two shares of the area, the smaller first, between 0 and 1")
    return area


_Share = Annotated[float, Field(ge=0, le=1)]
Shares = Annotated[tuple[_Share, _Share], AfterValidator(_ascending)]


class PoolConfig(Section):
    """TBPS-CLIP's image operations and how strong they are; recipes `pool` and `stack` use them."""

    operations: tuple[ImageOperation, ...] = setting(
        POOL, "operations to draw from, or to stack in this order"
    )
    draws: int = setting(2, "operations drawn for each image, with replacement", ge=1, le=64)
    crop_area: float = setting(0.9, "smallest share of the area that resized_crop keeps", gt=0, le=1)
    erase_area: Shares = setting((0.1, 0.2), "smallest and largest share that erasing takes")
    jitter: float = setting(0.1, "color_jitter: brightness, contrast, saturation change by up to", ge=0, le=1)
    hue: float = setting(0.1, "hue_jitter: hue turns by up to this part of the circle", ge=0, le=0.5)
    degrees: float = setting(15.0, "rotation: largest angle either way", ge=0, le=180)
    blur_kernel: int = setting(3, "gaussian_blur: width of the kernel in pixels, odd", ge=1, le=4095)

    @field_validator("operations")
    @classmethod
    def _some(cls, operations: tuple[ImageOperation, ...]) -> tuple[ImageOperation, ...]:
        if not operations:
            raise ValueError(
                f"name at least one operation, of {', '.join(get_args(ImageOperation))}; for no augmentation take "
                "recipe flip_crop_erase with flip, pad and erase at 0"
            )
        return operations

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
    synonyms_index: str | None = setting(
        None, "SHA-256 of the table in synonyms, filled in when it is read", identity="changed"
    )

    @property
    def replaces_words(self) -> bool:
        """Whether any operation asks for synonyms."""
        return bool(self.synonym_replacement or self.random_insertion or self.eda)

    @model_validator(mode="after")
    def _follows(self) -> Self:
        if self.synonyms_index and not self.synonyms:
            raise ValueError("synonyms_index follows from synonyms: set that, or neither")
        return self


# Recipes whose operations are not flip, pad and erase.
_OWN_OPERATIONS = {"recipe": ("pool", "stack", "auto", "rand", "trivial")}


class AugmentConfig(Section):
    """What happens to training images and captions, per sample on whole batches."""

    flip: float = setting(0.5, "probability of a horizontal flip", ge=0, le=1, inert=_OWN_OPERATIONS)
    pad: int = setting(
        10,
        "pixels of zero padding before the random crop back to size; 0 switches it off",
        ge=0,
        le=4096,
        inert=_OWN_OPERATIONS,
    )
    erase: float = setting(0.5, "probability of erasing a rectangle", ge=0, le=1, inert=_OWN_OPERATIONS)
    erase_area: Shares = setting(
        (0.02, 0.4), "smallest and largest erased share of the area", inert=_OWN_OPERATIONS
    )
    mask_words: float = setting(
        0.0, "share of a caption's word pieces that are drawn for masking; CSKT 0, IRRA 0.15", ge=0, le=1
    )
    recipe: Literal["flip_crop_erase", "pool", "stack", "auto", "rand", "trivial"] = setting(
        "flip_crop_erase",
        "images: flip, pad and erase above (IRRA, CSKT); operations drawn from a pool, or all of it (TBPS-CLIP); "
        "torchvision's AutoAugment, RandAugment or TrivialAugment",
        identity="changed",
    )
    pool: PoolConfig = setting(
        PoolConfig(),
        "operations of the recipes pool and stack",
        identity="changed",
        inert={"recipe": ("flip_crop_erase", "auto", "rand", "trivial")},
    )
    views_from: Literal["files", "store"] = setting(
        "files",
        "self-supervised views are cropped from the image files, decoded each time, or from the store's resized images",
        identity="changed",
    )
    text: TextAugmentConfig = setting(
        TextAugmentConfig(), "augmentation of training captions", identity="changed"
    )
