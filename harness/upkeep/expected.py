"""Which figures are expected of which results: the contents of an `expected.yaml`."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from harness.errors import brief
from harness.limits import LARGEST_SEED, MOST_ROWS, MOST_SEEDS
from harness.metric_names import ALL_METRICS, DIRECTIONS

FIGURES = tuple(f"{way}/{name}" for way in DIRECTIONS for name in ALL_METRICS)
# How a run is described where it is not named; a run that is named needs none of them.
_DESCRIBED = ("dataset", "synthetic", "presets", "set", "seeds", "rerun")


def _line(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("must be printable text on one line")
    return text


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


Line = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_line)]
Percent = Annotated[float, Field(ge=0, le=100)]
Seed = Annotated[int, Field(ge=-LARGEST_SEED, le=LARGEST_SEED)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(_Part):
    """Where a figure should be, in percent: `value` and how far `within` it may lie, or `between` two ends.

    Attributes:
        value: what it was.
        within: how far it may lie from that, in points.
        between: lowest and highest value.
    """

    value: Percent | None = None
    within: Percent | None = None
    between: tuple[Percent, Percent] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Figure":
        around = self.value is not None and self.within is not None
        if around == (self.between is not None) or (self.value is None) != (self.within is None):
            raise ValueError("must be either value and within, or between")
        if self.between and self.between[0] > self.between[1]:
            raise ValueError(f"between must have the lower end first, but got {brief(list(self.between))}")
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value that is as expected.

        >>> Figure(value=30.5, within=1.5).ends, Figure(between=(29.0, 31.5)).ends
        ((29.0, 32.0), (29.0, 31.5))
        """
        if self.between is not None:
            return self.between
        assert self.value is not None
        assert self.within is not None
        return self.value - self.within, self.value + self.within


class Result(_Part):
    """A result and what is expected of it; of several seeds the mean.

    Attributes:
        name: what it is called here.
        run: name of the run, or the beginning of it; else the run is found by what follows.
        method: registry name, of the run or runs with these settings.
        dataset: registry name.
        synthetic: whether it is on the synthetic twin.
        presets: presets in order; paths are relative to this file.
        set: config overrides by dotted key.
        seeds: a run for each.
        bundle: zip file that the runs are read from, relative to this file; else they are in the folder of the runs.
        tested_on: another dataset that the runs were tested on (`harness evaluate`).
        rerun: whether it is trained and tested again whenever it is checked, instead of read.
        expect: figures by name, as `t2i/R1`; as a list of names alone, `harness check --write` fills them in.
    """

    name: Line
    run: Line | None = None
    method: Line | None = None
    dataset: Line | None = None
    synthetic: bool = False
    presets: tuple[Line, ...] = ()
    set: dict[Line, Any] = {}
    seeds: tuple[Seed, ...] = Field((1,), min_length=1, max_length=MOST_SEEDS)
    bundle: Line | None = None
    tested_on: Line | None = None
    rerun: bool = False
    expect: dict[str, Figure] | tuple[str, ...] = Field(min_length=1)

    @field_validator("expect", mode="before")
    @classmethod
    def _are_figures(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple | dict):
            raise ValueError("must be figures by name, or a list of names")
        if wrong := [name for name in value if name not in FIGURES]:
            raise ValueError(f"has no figure {brief(wrong[0])}: known are {', '.join(FIGURES)}")
        if len(set(value)) < len(value):
            raise ValueError("names a figure twice")
        return value

    @field_validator("set")
    @classmethod
    def _are_plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key, one in value.items():
            if not all(map(_is_scalar, one if isinstance(one, list) else [one])):
                raise ValueError(f"{key} must be a number, a word, true, false, null or a list of such")
        return value

    @field_validator("seeds")
    @classmethod
    def _once(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("names a seed twice")
        return value

    @model_validator(mode="after")
    def _can_be_found(self) -> "Result":
        if self.run is not None:
            if more := [name for name in ("method", *_DESCRIBED) if name in self.model_fields_set]:
                raise ValueError(f"names its run: leave {more[0]} out")
        elif self.method is None or self.dataset is None:
            raise ValueError("needs method and dataset, or the name of its run")
        if self.rerun and (self.bundle or self.tested_on):
            other = "bundle" if self.bundle else "tested_on"
            raise ValueError(f"is run again, which no {other} can be: leave one of both out")
        return self

    @property
    def figures(self) -> dict[str, Figure | None]:
        """The figures by name; None for one that is not filled in yet."""
        return dict(self.expect) if isinstance(self.expect, dict) else dict.fromkeys(self.expect)


class Expected(_Part):
    """Figures that results should have: `harness check` reads or runs them again and compares.

    Attributes:
        results: results by name, each with what is expected of it.
    """

    results: tuple[Result, ...] = Field(min_length=1, max_length=MOST_ROWS)

    @model_validator(mode="after")
    def _names_differ(self) -> "Expected":
        names = [result.name for result in self.results]
        if twice := [name for place, name in enumerate(names) if name in names[:place]]:
            raise ValueError(f"has the name {brief(twice[0])} twice")
        return self
