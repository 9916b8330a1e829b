"""What a bundle holds: the names of its files, how much of them is taken, and its list of contents."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import DataError

FORMAT = 1
CONTENTS, RESULTS, PERSONS, ABOUT, RUNS = "bundle.json", "results.json", "persons.npz", "ABOUT.txt", "runs"
_RUN = r"[A-Za-z0-9][\w.+-]{0,200}"
NAMES = re.compile(
    rf"bundle\.json|results\.json|persons\.npz|ABOUT\.txt"
    rf"|runs/{_RUN}/(?:record\.json|history\.json|queries\.npz|transfer/\w{{1,80}}(?:-\w{{1,80}})*\.(?:json|npz))"
)
# A run on 20,000 captions takes 2 MB packed and 6 MB unpacked; these are a hundred times that.
MOST_FILES, MOST_BYTES, MOST_IN_ALL, MOST_PACKING = 20_000, 512 << 20, 4 << 30, 200
ABOUT_TEXT = """\
Runs of text-based person retrieval, packed by the person retrieval harness so that others can check them.

    harness runs verify THIS.zip     recomputes every figure, interval and test from the per-query results
    harness runs import THIS.zip     puts the runs beside your own

runs/NAME/record.json   settings, versions, hashes of data and pictures, costs, metrics and intervals
runs/NAME/history.json  validation by epoch
runs/NAME/queries.npz   of each query: person, rank of the first right item, AP, INP, the ten best-scored items
runs/NAME/transfer/     the same of tests on other datasets
results.json            seeds combined, ranks, and the difference of each two results
persons.npz             what the queries of each person add up to, for each result

There is no picture and no caption in it, and no path, host or user of the machine it was made on: which data were read
is said by hashes (fingerprint: the annotation; pictures: each split's files). NumPy files are read without pickles.
"""


class RunEntry(BaseModel):
    """One run of a bundle.

    Attributes:
        name: of the run and of its folder below `runs/`.
        weights_sha256: of its weights, which are not in the bundle; None where it stored none.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    weights_sha256: str | None = None


class Contents(BaseModel):
    """The list of a bundle's contents.

    Attributes:
        format: of the bundle.
        harness: version that wrote it.
        created: when, ISO 8601 in UTC.
        runs: what is known of each run beside its record.
        files: the SHA-256 of every other file, by name.
    """

    model_config = ConfigDict(extra="forbid")

    format: int
    harness: str
    created: str
    runs: list[RunEntry] = Field(min_length=1)
    files: dict[str, str]


def parse_contents(values: Any, where: str) -> Contents:
    """Return the list of contents; raise `DataError` for one that is none, or of a later format."""
    if isinstance(values, dict) and isinstance(values.get("format"), int) and values["format"] > FORMAT:
        raise DataError(
            f"{where} is a bundle of format {values['format']}, and this harness reads up to {FORMAT}: "
            "install a newer harness."
        )
    try:
        return Contents.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise DataError(f"{where} has a {CONTENTS} that is none ({place}: {first['msg']}).") from error
