"""What a cluster asks of a job: a YAML file, read strictly, because every line of it ends in a script."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.config.strict_yaml import read_yaml
from harness.errors import UsageError, brief, nearest
from harness.limits import MOST_WORKERS

_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.,:+@/=\[\]-]*"
_NODE = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_OPTION = r"--[a-z][a-z-]*(=[A-Za-z0-9_.,:+@/=%*&|()\[\]-]+)?"
_CLOCK = r"(?:(\d{1,3})-)?(\d{1,4})(?::(\d{1,2}))?(?::(\d{1,2}))?"
_OURS = {
    "array", "begin", "chdir", "error", "job-name", "no-requeue", "open-mode", "output", "parsable", "requeue",
    "signal", "test-only", "wait", "wrap",
}  # fmt: skip
_KEYS = {"account", "cpus-per-task", "gpus", "gres", "mem", "nodelist", "partition", "qos", "time"}


def _word(text: str) -> str:
    if not re.fullmatch(_WORD, text):
        raise ValueError("must be one word of letters, digits and . , : + @ / = [ ] - _")
    return text


def _node(text: str) -> str:
    if not re.fullmatch(_NODE, text):
        raise ValueError("must be the name of one node")
    return text


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be one line of bash")
    if text.lstrip().startswith("#SBATCH"):
        raise ValueError("must be a line of bash: options of sbatch belong under `sbatch`")
    return text


def _extra(text: str) -> str:
    if not re.fullmatch(_OPTION, text):
        raise ValueError("must be one option with its value, as --constraint=a100")
    name = text[2:].partition("=")[0]
    if name in _OURS | _KEYS:
        whose = "has a key of its own in the profile" if name in _KEYS else "is set by the harness"
        raise ValueError(f"--{name} {whose}")
    return text


def seconds_of(time: str) -> int:
    """Return the seconds of a time limit as Slurm writes it; raise `ValueError` for anything else.

    >>> [seconds_of(text) for text in ("90", "10:30", "04:00:00", "1-12", "1-00:30")]
    [5400, 630, 14400, 129600, 88200]
    """
    found = re.fullmatch(_CLOCK, time, re.ASCII)
    if found is None:
        raise ValueError("must be a time as Slurm writes it: minutes, MM:SS, HH:MM:SS or DAYS-HH:MM:SS")
    days, *parts = found.groups()
    numbers = [int(part) for part in parts if part is not None]
    if days is None and len(numbers) < 3:
        numbers = [0, *numbers]
    hours, minutes, seconds = [*numbers, 0, 0][:3]
    return (int(days or 0) * 24 + hours) * 3600 + minutes * 60 + seconds


def _time(text: str) -> str:
    seconds_of(text)
    return text


def _pattern(pattern: str) -> Any:
    """Return what tells an editor the pattern of a text; its message is the validator's."""
    return Field(json_schema_extra={"pattern": f"^({pattern})$"})


Word = Annotated[str, AfterValidator(_word), _pattern(_WORD)]
Node = Annotated[str, AfterValidator(_node), _pattern(_NODE)]
Time = Annotated[str, AfterValidator(_time), _pattern(_CLOCK)]
Line = Annotated[str, AfterValidator(_line)]
Extra = Annotated[str, AfterValidator(_extra), _pattern(_OPTION)]


class Profile(BaseModel):
    """What a job of `--slurm` asks of the cluster, and what it does before it works.

    Attributes:
        partition: as the cluster calls it; by default the cluster's.
        account: whom the time is charged to.
        qos: quality of service, as the cluster calls it.
        gpus: 1 for a GPU in each job, which works on one run at a time.
        gpu_type: kind of GPU, as the cluster calls it.
        cpus: cores of each job.
        memory: of each job, as 32G.
        time: limit of each job as Slurm writes it, in quotes, as "04:00:00"; by default the partition's.
        stop_before: seconds before the limit at which a job stops at a checkpoint and queues itself again.
        restarts: how often a job queues itself again at most.
        jobs: how many jobs share the work, unless --workers says it.
        at_once: how many of them run at the same time at most.
        node: the one node that all jobs run on.
        setup: lines of bash that come first, as modules and a conda or virtual environment.
        python: the interpreter that has the harness, after `setup`; by default the one that submits.
        sbatch: further options of sbatch, as --constraint=a100.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    gpus: int = Field(0, ge=0, le=1)
    gpu_type: Word | None = None
    cpus: int | None = Field(None, ge=1, le=4096)
    memory: Word | None = None
    time: Time | None = None
    stop_before: int = Field(180, ge=1, le=65535)
    restarts: int = Field(100, ge=0, le=10_000)
    jobs: int = Field(1, ge=1, le=MOST_WORKERS)
    at_once: int | None = Field(None, ge=1, le=MOST_WORKERS)
    node: Node | None = None
    setup: list[Line] = []
    python: Line | None = None
    sbatch: list[Extra] = []

    @model_validator(mode="after")
    def _possible(self) -> "Profile":
        if self.time is not None and seconds_of(self.time) <= self.stop_before:
            raise ValueError(
                f"time {self.time} leaves nothing before stop_before, {self.stop_before} seconds"
            )
        if self.gpu_type is not None and not self.gpus:
            raise ValueError("gpu_type needs `gpus: 1`")
        return self

    def directives(self) -> list[str]:
        """Return the options of sbatch that the profile asks for."""
        kind = f"{self.gpu_type}:" if self.gpu_type else ""
        asked = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "nodelist": self.node,
            "gres": f"gpu:{kind}{self.gpus}" if self.gpus else None,
            "cpus-per-task": self.cpus,
            "mem": self.memory,
            "time": self.time,
        }
        return [*(f"--{key}={value}" for key, value in asked.items() if value is not None), *self.sbatch]


def load_profile(file: Path | None) -> Profile:
    """Return the profile of a file, without one the cluster's defaults; raise `UsageError` that names file and key."""
    known = list(Profile.model_fields)
    holds = f"the keys {', '.join(known)}"
    values = {} if file is None else read_yaml(file, what="Slurm profile", holds=holds)
    try:
        return Profile.model_validate(values)
    except ValidationError as error:
        item = error.errors(include_url=False)[0]
    place, key = ", ".join(map(str, item["loc"])), str(item["loc"][0]) if item["loc"] else ""
    if item["type"] == "extra_forbidden":
        raise UsageError(
            f"The Slurm profile {file} has an unknown key {brief(key)}.{nearest(key, known)} "
            f"Known: {', '.join(known)}."
        )
    said = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    got = f", but got {brief(item['input'])}" if place else ""
    quoted = " (put it in quotes)" if item["type"] == "string_type" else ""
    one = ": a job does one run at a time, on one GPU; `jobs` asks for more" if key == "gpus" else ""
    raise UsageError(
        f"The Slurm profile {file} has a wrong value: {place}{' ' * bool(place)}{said}{got}{quoted}{one}."
    )
