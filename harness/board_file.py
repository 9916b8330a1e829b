"""The `board.yaml` of a board: what it is called, who answers for it, and the protocols that results must fit."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.config.faults import explain
from harness.config.strict_yaml import read_yaml
from harness.errors import UsageError
from harness.results.flags import FLAGS, NO
from harness.results.panels import Facts
from harness.results.run_table import UNTRAINED

BOARD_FILE = "board.yaml"
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be one line of text")
    return text


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise ValueError("must be up to 61 small letters, digits and hyphens: it names a page")
    return text


Line = Annotated[str, Field(max_length=300), AfterValidator(_line)]


class Protocol(BaseModel):
    """One page of the board: results on one test set, under conditions that are the same for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_slug)] = Field(
        description="Names the page: small letters and hyphens."
    )
    title: Line = Field(description="What the page is called.")
    dataset: Line = Field(description="The test set, as `harness data list` names it.")
    synthetic: bool = Field(False, description="Whether it is the synthetic twin of the dataset.")
    facts: dict[str, Line] = Field(
        {},
        description="What each result must have, as a report says what all rows share: `image size: 64×64`.",
    )

    def unlike(self, row: Mapping[str, Any], facts: Facts) -> list[str]:
        """Return what a result has otherwise, in words; nothing where it fits.

        Args:
            row: of the result.
            facts: what it fixes. A method that trains nothing fixes less, and what it leaves open fits.
        """
        pairs = [("dataset", self.dataset, str(row["tested_on"]))]
        pairs += [("synthetic", str(self.synthetic).lower(), str(bool(row["synthetic"])).lower())]
        for name, text in self.facts.items():
            is_open = row["rule"] == UNTRAINED and name not in FLAGS.values()
            pairs.append((name, text, facts.get(name, text if is_open else NO)))
        return [f"{name} is {found}, not {text}" for name, text, found in pairs if found != text]


class BoardFile(BaseModel):
    """What `board.yaml` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Line = Field(description="What the board is called.")
    contact: Line = Field(description="Who answers for it: a name, an address, or both.")
    about: str = Field("", max_length=4000, description="What the board is for, in a few sentences.")
    protocols: tuple[Protocol, ...] = Field(min_length=1, description="One page each, in this order.")
    claims: bool = Field(
        True, description="Show what papers publish on a dataset, apart from what is measured."
    )

    @model_validator(mode="after")
    def _each_once(self) -> "BoardFile":
        names = [one.name for one in self.protocols]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two protocols are called {twice[0]}")
        return self


def read_board_file(folder: Path) -> BoardFile:
    """Return what the `board.yaml` of a folder says; raise `UsageError` in one line for a file that is none."""
    file = folder / BOARD_FILE
    values = read_yaml(file, what="board", holds=f"the keys {', '.join(BoardFile.model_fields)}")
    try:
        return BoardFile.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"The board {file}: {' '.join(explain(error).split())}") from error
