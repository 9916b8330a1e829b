"""What is told of a system that was not trained here: its name, its paper, and under which protocol it was made."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.config.values import content_hash
from harness.errors import UsageError, brief
from harness.limits import LARGEST_SEED, MOST
from harness.registry.set_names import join_sets

NOT_TOLD: Literal["not told"] = "not told"
UNTRAINED = "untrained"
# Where a record's data say which file was scored (`sha256`), and how it was read (`read_as`).
SCORES = "scores"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,59}")
_LINK = re.compile(r"https?://[^\s\"'<>\\^`{}|]{3,300}")
_WORDS = "a letter or digit, then up to 59 more of letters, digits and _ . + -"


class Told(BaseModel):
    """What is told of a system; a field that is left out is shown as not told.

    Attributes:
        method: its name in tables.
        paper: address of its paper.
        rule: how its epoch was chosen; `untrained` where nothing was.
        trained_on: names of the sets that it learned from; by default that of the test, as not told.
        train_pairs: (caption, image) pairs of training.
        unlabelled_test: whether it used captions or images of the test split without their labels.
        reranked: how many first images of each caption were ranked again; 0 for none.
        rerank_seconds: what that takes for a caption.
        reranked_by: how all images were ranked again here, in words; None where they were not.
        image_size: height and width in pixels.
        text_length: tokens of a caption.
        backbone: its name.
        parameters, trainable: how many it has, and how many of them were trained.
        seed: of its training, so that several of one system make one result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    paper: str | None = None
    rule: Literal["val", "last", "oracle", "untrained", "not told"] = NOT_TOLD
    trained_on: tuple[str, ...] = ()
    train_pairs: int | None = Field(None, ge=0, le=MOST)
    unlabelled_test: Literal["yes", "no", "not told"] = NOT_TOLD
    reranked: int | None = Field(None, ge=0, le=MOST)
    rerank_seconds: float | None = Field(None, ge=0, le=1e9, allow_inf_nan=False)
    reranked_by: str | None = None
    image_size: tuple[int, int] | None = None
    text_length: int | None = Field(None, ge=1, le=MOST)
    backbone: str | None = None
    parameters: int | None = Field(None, ge=0, le=10**15)
    trainable: int | None = Field(None, ge=0, le=10**15)
    seed: int = Field(1, ge=-LARGEST_SEED, le=LARGEST_SEED)

    @field_validator("method", "backbone", "trained_on")
    @classmethod
    def _is_name(cls, value: Any) -> Any:
        for name in value if isinstance(value, tuple) else [value]:
            if name is not None and not _NAME.fullmatch(name):
                raise ValueError(f"expected {_WORDS}, found {brief(name)}")
        return value

    @field_validator("paper")
    @classmethod
    def _is_link(cls, value: str | None) -> str | None:
        if value is not None and not _LINK.fullmatch(value):
            raise ValueError(f"expected an address that begins with https://, found {brief(value)}")
        return value

    def config(self, dataset: dict[str, Any]) -> dict[str, Any]:
        """Return what a run's record has as its config.

        Args:
            dataset: its section of the config, with name and place.
        """
        size = list(self.image_size) if self.image_size else None
        return {
            "method": {"name": self.method, "paper": self.paper},
            "dataset": dataset | {"val": NOT_TOLD, "train_on": NOT_TOLD, "trained_on": self._trained_on},
            "backbone": {
                "name": self.backbone or NOT_TOLD,
                "image_size": size,
                "text_length": self.text_length,
                "interpolation": None,
                "normalisation": None,
            },
            "train": {"epochs": None, "batch_size": None},
            "eval": {
                "rule": self.rule,
                "unlabelled_test": self.unlabelled_test,
                "reranked": self.reranked,
                "rerank_seconds": self.rerank_seconds,
                **({"reranked_by": self.reranked_by} if self.reranked_by else {}),
            },
            "seed": self.seed,
        }

    @property
    def _trained_on(self) -> str | None:
        return join_sets(sorted(set(self.trained_on))) or None

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the run that tell of its protocol what an ordinary run has elsewhere."""
        found = {"harness.unlabelled_test": self.unlabelled_test, "harness.reranked": self._reranked}
        return found | ({"harness.trained_on": self._trained_on} if self._trained_on else {})

    @property
    def _reranked(self) -> str:
        if self.reranked_by:
            return self.reranked_by
        if self.reranked is None:
            return NOT_TOLD
        if not self.reranked:
            return "no"
        seconds = "" if self.rerank_seconds is None else f", {self.rerank_seconds:g} s a query"
        return f"the first {self.reranked:,}{seconds}"

    @property
    def accounting(self) -> dict[str, Any]:
        """What a record notes of costs: of parameters, where they are told."""
        counts = {"trainable": self.trainable, "total": self.parameters}
        known = {name: n for name, n in counts.items() if n is not None}
        return {"parameters": known} if known else {}


def told(**values: Any) -> Told:
    """Return what is told; raise `UsageError` in one line for what cannot be."""
    try:
        found = Told(**{name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{option}: {first['msg'].removeprefix('Value error, ')}.") from error
    if (found.trainable or 0) > (found.parameters if found.parameters is not None else 10**15):
        raise UsageError(f"--trainable {found.trainable:,} is more than --parameters {found.parameters:,}.")
    if found.rule == UNTRAINED and (found.trained_on or found.train_pairs or found.trainable):
        raise UsageError("--rule untrained says that nothing was trained: leave out what it was trained on.")
    return found


def identity_of(config: dict[str, Any], **parts: Any) -> str:
    """Return the identity of a scored run: what was told, what was scored, and on which data."""
    dataset = {
        key: value for key, value in config["dataset"].items() if key not in ("root", "file", "images")
    }
    return content_hash({"config": config | {"dataset": dataset}, **parts})
