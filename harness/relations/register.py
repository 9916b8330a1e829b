"""Read the register of training sets whose persons, pictures or captions occur in a test set."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from harness.config.strict_yaml import read_yaml
from harness.errors import DataError, brief

FILE = Path(__file__).with_name("relations.yaml")
# What of a test set was met, in words that follow the name of the training set.
KINDS = {
    "persons": "shows persons of",
    "pictures": "holds pictures of",
    "captions": "has captions made from those of",
}
_NAME, _LINK = re.compile(r"[a-z0-9][a-z0-9_]*"), re.compile(r"https://\S+")


class Relation(BaseModel):
    """Training sets that meet test sets; a dataset does not meet itself.

    Attributes:
        trained, tested: names of datasets.
        kind: one of `KINDS`.
        what: how that comes, in one sentence without its full stop.
        sources: addresses that say so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    trained: list[str]
    tested: list[str]
    kind: Literal["persons", "pictures", "captions"]
    what: str
    sources: list[str]

    @field_validator("trained", "tested", "sources")
    @classmethod
    def _has_some(cls, value: list[str]) -> list[str]:
        if not value or len(set(value)) < len(value):
            raise ValueError(f"expected some, each once, found {brief(value)}")
        return value

    @field_validator("trained", "tested")
    @classmethod
    def _are_names(cls, value: list[str]) -> list[str]:
        if wrong := [name for name in value if not _NAME.fullmatch(name)]:
            raise ValueError(f"expected names in lower case, found {brief(wrong[0])}")
        return value

    @field_validator("sources")
    @classmethod
    def _are_links(cls, value: list[str]) -> list[str]:
        if wrong := [text for text in value if not _LINK.fullmatch(text)]:
            raise ValueError(f"expected https:// addresses, found {brief(wrong[0])}")
        return value

    def words(self, trained: str, tested: str) -> str:
        """Return in one sentence, without its full stop, how a training set meets a test set."""
        return f"{trained} {KINDS[self.kind]} {tested}: {self.what} ({self.sources[0]})"


class Register(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    relations: list[Relation]


def read_register(file: Path) -> list[Relation]:
    """Return the relations of a file; raise `DataError` or `UsageError` that names the entry which is wrong."""
    values = read_yaml(file, what="register", holds="relations")
    try:
        return Register.model_validate(values).relations
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{file}: {place}: {first['msg'].removeprefix('Value error, ')}.") from error


@cache
def relations() -> tuple[Relation, ...]:
    """Return the relations that are known."""
    return tuple(read_register(FILE))


def meetings(trained: Iterable[str], tested: str) -> list[tuple[str, Relation]]:
    """Return each of some training sets that meets a test set, with how; unknown names meet none.

    >>> [(name, one.kind) for name, one in meetings(["cuhk", "rstp"], "icfg")]
    [('rstp', 'persons')]
    """
    return [
        (name, one)
        for name in trained
        for one in relations()
        if _plain(name) != tested and _plain(name) in one.trained and tested in one.tested
    ]


def related(dataset: str) -> list[tuple[str, Relation]]:
    """Return the other sets that a dataset meets as a test, in the order of the register."""
    known = dict.fromkeys(name for one in relations() for name in one.trained)
    return meetings(known, dataset)


def _plain(name: str) -> str:
    """Return a set's name as the register writes it.

    >>> _plain("SYNTH-PEDES")
    'synth_pedes'
    """
    return name.lower().replace("-", "_")
