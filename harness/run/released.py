"""Read a checkpoint that a method's authors released as the method's own tensors, all of them or an error."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from harness.clip.architecture import IMAGE_POSITIONS, TEXT_POSITIONS
from harness.clip.model import load_clip
from harness.clip.weight_files import (
    read_weights,
    refuse_empty,
    refuse_not_finite,
    refuse_whole_numbers,
    state_hash,
)
from harness.config.sections import RunConfig
from harness.config.values import content_hash
from harness.errors import UsageError, listed
from harness.file_kinds import Kind, what_is
from harness.files import file_hash
from harness.methods import METHODS
from harness.run.backbone import TOWERS
from harness.run.trained_persons import follow_from_persons

_MOST_NAMED = 3
_POSITIONS = tuple(TOWERS + name for name in (*IMAGE_POSITIONS, *TEXT_POSITIONS))

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Checkpoint:
    """An authors' checkpoint under the names of its method here, in float32.

    Attributes:
        file: where it was read.
        sha256: of the file.
        towers: weights of the backbone, by open_clip's names.
        rest: what the method has beside the backbone.
        absent: names that only training needs and that the file does not hold as the config has them.
        classified: rows of its identity classifier, one for each person of training; None without one.
    """

    file: Path
    sha256: str
    towers: dict[str, Tensor]
    rest: dict[str, Tensor]
    absent: list[str]
    classified: int | None = None

    @property
    def hash(self) -> str:
        """SHA-256 of all tensors, whatever file they came in."""
        return content_hash([state_hash(self.towers), state_hash(self.rest)])

    @property
    def said(self) -> str:
        """The file and its hash, for records."""
        return f"{self.file.name} (sha256 {self.sha256[:16]})"


class Expected(NamedTuple):
    """Shapes of the tensors that a method and its backbone have, and names of those that only training needs."""

    shapes: dict[str, Shape]
    optional: set[str]


def look_for(file: Path) -> None:
    """Raise `UsageError` where there is no file, before anything is read or said."""
    if what_is(file) is Kind.MISSING:
        raise UsageError(f"There is no checkpoint at {file}: check the path.")


def read_checkpoint(config: RunConfig, file: Path) -> Checkpoint:
    """Read an authors' file; nothing in it is executed.

    Raises `UsageError` unless it holds every tensor that the config describes and no other, and `DataError` where it
    cannot be read safely. What only training needs may be missing.
    """
    read = read_weights(file).state
    refuse_not_finite(read, file)
    state = {name: value.float() if value.is_floating_point() else value for name, value in read.items()}
    refuse_empty(state, file)
    found = METHODS.get(config.method.name).imported(state)
    expected = expected_tensors(config)
    unfit = {name for name, shape in expected.shapes.items() if not _fits(name, found.get(name), shape)}
    _refuse(config, file, found, expected, unfit - expected.optional)
    kept = {name: value.contiguous() for name, value in found.items() if name not in unfit}
    refuse_whole_numbers(kept, {name for name in kept if not name.endswith("num_batches_tracked")}, file)
    return Checkpoint(
        file,
        file_hash(file),
        towers={n.removeprefix(TOWERS): value for n, value in kept.items() if n.startswith(TOWERS)},
        rest={name: value for name, value in kept.items() if not name.startswith(TOWERS)},
        absent=sorted(unfit),
        classified=next((len(found[name]) for name in follow_from_persons(config) if name in found), None),
    )


def expected_tensors(config: RunConfig) -> Expected:
    """Return what a checkpoint must hold; raise `UsageError` for a backbone that no released one is fine-tuned from."""
    method_class = METHODS.get(config.method.name)
    clip = load_clip(config.backbone, device="meta")
    if not clip.identity.quick_gelu:
        raise UsageError(
            f"Released checkpoints are fine-tuned from OpenAI's CLIP, whose activation is QuickGELU, and "
            f"{config.backbone.name} has another: choose a backbone.name that ends in -quickgelu."
        )
    towers = {TOWERS + name: tuple(value.shape) for name, value in clip.model.state_dict().items()}
    own = method_class(clip, config.method).state_dict().items()
    rest = {name: tuple(value.shape) for name, value in own if not name.startswith(TOWERS)}
    optional = {name for name in rest if name.split(".")[0] in method_class.training_only}
    return Expected(towers | rest, optional)


def _fits(name: str, value: Tensor | None, shape: Shape) -> bool:
    """Say whether a tensor can be taken; tables of positions may be of another length."""
    if value is None:
        return False
    start = 1 if name in _POSITIONS and value.dim() == len(shape) else 0
    return tuple(value.shape)[start:] == shape[start:]


def _refuse(
    config: RunConfig, file: Path, found: dict[str, Tensor], expected: Expected, unfit: Iterable[str]
) -> None:
    """Raise `UsageError` when tensors are missing, of another shape, or unknown."""
    missing = sorted(name for name in unfit if name not in found)
    reshaped = [
        f"{name} {list(found[name].shape)} instead of {list(expected.shapes[name])}"
        for name in sorted(unfit)
        if name in found
    ]
    unknown = sorted(found.keys() - expected.shapes.keys())
    parts = [_some(missing, "missing"), _some(reshaped, "of another shape"), _some(unknown, "unknown")]
    if any(parts):
        raise UsageError(
            f"{file} does not contain what {config.method.name} has on {config.backbone.name}: "
            f"{'; '.join(filter(None, parts))}. Is it a checkpoint of this method, and do --preset and --set say what "
            "it was trained with?"
        )


def _some(names: Sequence[str], what: str) -> str:
    noun = "tensor" if len(names) == 1 else "tensors"
    return f"{len(names)} {noun} {what} ({listed(names, _MOST_NAMED)})" if names else ""
