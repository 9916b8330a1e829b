"""Which dataset a checkpoint is from, by the rows of its identity classifier: one for each person of training."""

from harness.clip.model import load_clip
from harness.config.sections import RunConfig
from harness.datasets import DATASETS
from harness.errors import UsageError, listed, many
from harness.methods import METHODS

_TRAINED_ON, _WITH_VAL = "the persons of training", "the persons of training and validation"

Shape = tuple[int, ...]


def follow_from_persons(config: RunConfig) -> list[str]:
    """Return the names of a method's tensors that have a row for each person of training."""
    one, two = (_shapes(config.fitted(n)) for n in (1, 2))
    return [name for name in one if one[name] != two.get(name) and one[name][:1] == (1,)]


def told_origin(config: RunConfig, rows: int, persons: int, file: object) -> str:
    """Say what a checkpoint was trained on, by the rows of its classifier.

    Args:
        config: what it is imported as.
        rows: rows of its classifier.
        persons: how many the dataset that it is imported for has in training.
        file: where it was read, for messages.

    Raises `UsageError` where the rows are those of another dataset.
    """
    name = config.dataset.name
    own = {persons: _TRAINED_ON} | _counts(name)
    if said := _said(own, rows):
        return f"the classifier has {rows:,} rows: {said} of {name}."
    others = [dataset for dataset in DATASETS.usable() if dataset.name != name]
    for other in others:
        if said := _said(_counts(other.name), rows):
            raise UsageError(
                f"{file} was trained on {other.title}: its classifier has {rows:,} rows, {said} of {other.name}, and "
                f"{name} has {persons:,}. Name the dataset that it is from: --dataset {other.name}."
            )
    known = [f"{other.name} {min(counts):,}" for other in others if (counts := _counts(other.name))]
    return (
        f"warning: the classifier has {rows:,} rows, but {name} trains on {many(persons, 'person')}, and no other "
        f"dataset that is known on so many ({listed(known)}): what the checkpoint was trained on is not known."
    )


def _said(counts: dict[int, str], rows: int) -> str | None:
    """Return in words which of some numbers of persons a classifier has as rows, or one row less than it has."""
    if rows in counts:
        return counts[rows]
    return f"{counts[rows - 1]} and one more" if rows - 1 in counts else None


def _counts(name: str) -> dict[int, str]:
    """Return how many persons are published of a dataset's training, alone and with validation, and what they are."""
    expected = DATASETS.get(name).expected
    if "train" not in expected:
        return {}
    train = expected["train"].identities
    with_val = {train + expected["val"].identities: _WITH_VAL} if "val" in expected else {}
    return {train: _TRAINED_ON} | with_val


def _shapes(config: RunConfig) -> dict[str, Shape]:
    method = METHODS.get(config.method.name)(load_clip(config.backbone, device="meta"), config.method)
    return {name: tuple(value.shape) for name, value in method.state_dict().items()}
