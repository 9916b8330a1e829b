"""What of a tower is below everything that is trained: it gives the same in every epoch, so it can be computed once."""

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol, get_args

from torch import Tensor, nn

from harness.clip.injection import Injection, TowerName
from harness.clip.towers.passing import finish_streams, streams
from harness.config.augment import AugmentConfig, TextAugmentConfig
from harness.config.sections import TrainConfig
from harness.method_parts.batch import Given, Views

TOWERS: tuple[TowerName, ...] = get_args(TowerName)


_EMBEDDINGS = 2  # dimensions of embeddings; streams have four


class FrozenPart:
    """The part of a tower that training leaves as it is: all of it, or all but an injection that only reads there.

    It gives embeddings, float32 [n, dim], or the streams that the injection reads and what the last block gives
    [n, n_streams, length, width].

    Args:
        clip: the `harness.clip.model.Clip`.
        tower: of which tower.
        injection: what reads its streams; None where nothing does.
    """

    def __init__(self, clip: Any, tower: TowerName, injection: Injection | None) -> None:
        self._clip, self._tower, self._injection = clip, tower, injection

    @property
    def gives_streams(self) -> bool:
        """Whether streams are given, and not embeddings."""
        return self._injection is not None

    @property
    def reads(self) -> tuple[int, ...]:
        """Which streams are read beside the last, as `Injection.reads` has them."""
        return self._injection.reads if self._injection else ()

    def compute(self, inputs: Tensor) -> Tensor:
        """Return what it gives of normalised images [n, 3, height, width] or token ids [n, length]."""
        if self._injection is not None:
            return streams(self._clip.towers[self._tower], inputs, self.reads)
        image = self._tower == "image"
        embedded: Tensor = self._clip.encode_image(inputs) if image else self._clip.encode_text(inputs)
        return embedded.float()

    def finish(self, given: Given, tokens: Tensor | None = None) -> Tensor:
        """Return the tower's embeddings [n, dim] of what it gave; streams of captions need their ids [n, length]."""
        if self._injection is None:
            assert isinstance(given, Tensor)
            return given
        read = given.unbind(dim=1) if isinstance(given, Tensor) else given
        return finish_streams(self._clip.towers[self._tower], read, tokens, self._injection)


def given_to_batch(rows: Tensor, length: int | None = None) -> Given:
    """Return rows of what a frozen part gave as a batch has them: streams apart, so that none is copied to be read.

    `length` cuts streams to so many places.
    """
    if rows.dim() == _EMBEDDINGS:
        return rows
    return tuple(stream[:, :length].contiguous() for stream in rows.unbind(dim=1))


def frozen_part(clip: Any, tower: TowerName, injection: Injection | None) -> FrozenPart | None:
    """Return the frozen part of a tower; None where something below its end is trained, or acts on what is there."""
    trained = any(parameter.requires_grad for parameter in _parameters(clip.model, tower))
    acts = injection is not None and injection.acts_inside
    return None if trained or acts else FrozenPart(clip, tower, injection)


def _parameters(model: nn.Module, tower: TowerName) -> Iterator[nn.Parameter]:
    of_image = {id(parameter) for parameter in model.get_submodule("visual").parameters()}
    return (p for p in model.parameters() if (id(p) in of_image) == (tower == "image"))


class Tuned(Protocol):
    """What is read here of a `harness.methods.Method`."""

    trained: ClassVar[bool]

    def views(self) -> Views:
        """Return its further views."""

    def frozen_part(self, tower: TowerName) -> FrozenPart | None:
        """Return a tower's frozen part."""


def frozen_parts(method: Tuned, train: TrainConfig) -> dict[TowerName, FrozenPart]:
    """Return the frozen parts that a training keeps of splits that stay as they are, by tower."""
    if train.keep_frozen == "off" or not method.trained:
        return {}
    parts = {tower: method.frozen_part(tower) for tower in TOWERS}
    return {tower: part for tower, part in parts.items() if part is not None}


def kept_in_training(method: Tuned, train: TrainConfig) -> list[TowerName]:
    """Return the towers whose frozen part is given the same in every epoch, so that it need not run in steps."""
    if method.views() != Views():
        return []
    fixed = {"image": _leaves_images(train.augment), "text": _leaves_captions(train.augment)}
    return [tower for tower in frozen_parts(method, train) if fixed[tower]]


def _leaves_images(augment: AugmentConfig) -> bool:
    return augment.recipe == "flip_crop_erase" and not (augment.flip or augment.pad or augment.erase)


def _leaves_captions(augment: AugmentConfig) -> bool:
    return augment.text == TextAugmentConfig() and not augment.mask_words
