"""The sections of a run's configuration: each field carries its default, help and search range in one place."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, model_validator

from harness.config.augment import AugmentConfig
from harness.config.fields import Section, setting
from harness.config.pixels import Interpolation, Normalisation, read_size
from harness.limits import LARGEST_SEED

# More would be taken from the memory, or take days, before anything could say so.
Side = Annotated[int, Field(ge=1, le=4096)]
_MOST_PIXELS = 2**20


def _seen_at_once(size: tuple[int, int]) -> tuple[int, int]:
    if size[0] * size[1] > _MOST_PIXELS:
        raise ValueError(f"an image of {size[0]}x{size[1]} pixels has more than {_MOST_PIXELS:,}")
    return size


Size = Annotated[tuple[Side, Side], BeforeValidator(read_size), AfterValidator(_seen_at_once)]


class MethodConfig(Section):
    """What every method's config has; a method file extends it with its own fields.

    `held` names fields without a search range, which a sweep leaves alone unless asked otherwise.
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
    file: str | None = setting(None, "annotation file of your own data, as --data gives it", identity=False)
    images: str | None = setting(None, "folder that the paths in this file start from", identity=False)
    columns: str | None = setting(
        None, "which of its columns is what: image=NAME,person=NAME", identity=False
    )
    shares: str | None = setting(
        None, "percent of its persons that train, validate and test where it names no splits", identity=False
    )
    joined: str | None = setting(
        None,
        "further datasets that are trained on together with this one, joined by +, as --dataset cuhk+icfg+rstp gives "
        "them; persons are kept apart",
        identity="changed",
    )
    mixture: str = setting(
        "size",
        "which share of a joint training's pairs each dataset has: size, each pair once an epoch; equal; or numbers "
        "such as cuhk=2,icfg=1",
        identity="changed",
    )
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
    few_shot_seed: int = setting(
        0,
        "seed of the choice of few_shot images, or of few_shot_persons",
        ge=0,
        le=LARGEST_SEED,
        identity="changed",
        inert={"few_shot": (1.0,), "few_shot_persons": (0,)},
    )
    few_shot_persons: int = setting(
        0,
        "train on so many persons with all their images: the first of an order that depends on few_shot_seed alone; 0 "
        "takes all",
        ge=0,
        identity="changed",
    )
    noise: float = setting(
        0.0,
        "share of the training captions that go to other training images (noisy correspondence); which ones depends on "
        "the data and noise_seed alone",
        ge=0,
        le=1,
        identity="changed",
    )
    noise_seed: int = setting(
        0,
        "seed of the choice of noise captions",
        ge=0,
        le=LARGEST_SEED,
        identity="changed",
        inert={"noise": (0.0,)},
    )
    noise_file: str | None = setting(
        None,
        "index file of noisy correspondence, as RDE publishes them, in place of noise: a .npy of the caption that each "
        "training pair has",
        identity=False,
    )
    noise_index: str | None = setting(
        None, "SHA-256 of the indices in noise_file, filled in when it is read", identity="changed"
    )
    on_bad_image: Literal["fail", "skip"] = setting("fail", "what an unreadable image does to the run")
    store: Literal["disk", "off"] = setting(
        "disk", "keep decoded images in a store, or decode each time", identity=False
    )

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.few_shot < 1 and self.few_shot_persons:
            raise ValueError(
                "few_shot takes a share of the images and few_shot_persons a number of persons: leave one of them out"
            )
        if self.joined and (self.few_shot_persons or self.noise or self.noise_file):
            raise ValueError(
                "few_shot_persons, noise and noise_file are about one dataset, and several are joined: leave them out"
            )
        if not self.joined and self.mixture != "size":
            raise ValueError(
                "mixture is about several datasets, and there is one: leave it out, or join more by +"
            )
        if self.noise and self.noise_file:
            raise ValueError("noise draws captions and noise_file names them: leave one of them out")
        if self.noise_index and not self.noise_file:
            raise ValueError("noise_index follows from noise_file: set that, or neither")
        return self


class BackboneConfig(Section):
    """The CLIP that a method adapts, and what it is fed."""

    name: str = setting("ViT-B-16-quickgelu", "open_clip model name, or `tiny` for the shipped one")
    pretrained: str | None = setting("openai", "open_clip pretrained tag; none for random weights")
    weights: str | None = setting(None, "local weight file, in place of the tag", identity=False)
    image_size: Size = setting((384, 128), "height and width in pixels")
    text_length: int | None = setting(
        None,
        "tokens per caption; default: what the model was trained on (CLIP 77, SigLIP 64) or the dataset asks for; more "
        "than the model's are interpolated",
        ge=4,
        le=4096,
    )
    interpolation: Interpolation | None = setting(
        None, "how images are resized; default: bilinear, or what the tag was trained on where that squashed"
    )
    train_interpolation: Literal["same"] | Interpolation = setting(
        "same",
        "how training images are resized, where otherwise than those of val and test",
        identity="changed",
    )
    normalisation: Normalisation | None = setting(
        None,
        "channel mean and deviation: CLIP's, ImageNet's, 0.5 each (half), or none (unit: 0 to 1); default: what the "
        "tag was trained on",
    )
    captions: Literal["as_written", "cleaned"] = setting(
        "as_written",
        'what a caption is before it is tokenised: as the tokeniser cleans it, or lower-cased, without . ! " ( ) * # : '
        "; ~ and cut to 77 words, as TBPS-CLIP does",
        identity="changed",
    )
    quick_gelu: bool | None = setting(
        None,
        "activation of the transformers, QuickGELU or GELU; default: as the weights say, else as the model's name "
        "has it",
        identity="changed",
    )
    init_from: str | None = setting(
        None, "a finished run whose trained towers are the start, in place of CLIP's own", identity="changed"
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
    tf32: bool = setting(
        False,
        "round what is multiplied in float32 to TF32 on CUDA, in training alone: several times faster where precision "
        "is fp32; evaluation stays exact",
        identity="changed",
    )
    compile: bool = setting(
        False,
        "compile the towers for training with torch.compile: the same but for rounding, after minutes of preparation; "
        "captions are padded to multiples of 16 tokens, so that few lengths are compiled, for which text dropout draws "
        "other numbers",
        identity="changed",
    )
    checkpoint_activations: bool = setting(
        False,
        "keep no activations inside the blocks of the towers, and compute them once more in the backward pass: less "
        "memory, a third more time",
        identity="changed",
    )
    fused: Literal["auto", "always", "never"] = setting(
        "auto",
        "step Adam, AdamW and SGD in one kernel, the same but for rounding; auto: on CUDA; always: on a processor too",
        identity="changed",
    )
    prefetch: bool = setting(
        True,
        "make the next batch while the current one is learned from, on CUDA on a stream of its own",
        identity=False,
    )
    keep_frozen: Literal["auto", "disk", "memory", "off"] = setting(
        "auto",
        "compute once what a tower gives below everything that is trained, where images or captions are not augmented: "
        "in memory up to 1 GiB, beyond it on disk (auto: on a processor alone); the same but for rounding",
        identity="changed",
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
    max_loss: float = setting(1e4, "a loss beyond this stops the run as failed", gt=0, le=1e30)
    checkpoint_seconds: float = setting(600, "time between checkpoints inside an epoch", identity=False, gt=0)

    @property
    def compared(self) -> int:
        """The pairs that are compared at once; parts of an earlier run may not divide its batches."""
        return -(-self.batch_size // self.accumulation)


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


class RunConfig(Section):
    """Everything that decides a result."""

    method: SerializeAsAny[MethodConfig]
    dataset: DatasetConfig
    backbone: BackboneConfig = BackboneConfig()
    train: TrainConfig = TrainConfig()
    eval: EvalConfig = EvalConfig()
    seed: int = setting(
        1, "seed of initialisation, data order and augmentation", ge=-LARGEST_SEED, le=LARGEST_SEED
    )

    def fitted(self, n_identities: int) -> "RunConfig":
        """Return the config with what its method takes from the training data."""
        return self.model_copy(update={"method": self.method.fitted(n_identities)})

    def on_data(self, root: str | None) -> "RunConfig":
        """Return the same config with the datasets in another folder; None means the default place."""
        return self.model_copy(update={"dataset": self.dataset.model_copy(update={"root": root})})


SECTIONS = tuple(RunConfig.model_fields)
