"""What is said of a config that cannot be: pydantic's complaints in words, and what no trial of a study may do."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ValidationError

from harness.config.sections import RunConfig
from harness.errors import UsageError, and_more, brief

_MOST_FAULTS = 5
_KINDS = ("constrained-", "literal[")
# What is said in place of pydantic's words, by the type of its error.
_LIST, _NUMBER = "must be a list in brackets, as [384,128]", "must be a number"
_SAID = {
    **dict.fromkeys(("tuple_type", "list_type", "set_type"), _LIST),
    **dict.fromkeys(("float_type", "float_parsing"), _NUMBER),
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "must be a whole number"
    ),
}


def explain(error: ValidationError, section: str = "") -> str:
    """Return pydantic's complaints about the values of a section, or of all, as one readable message."""
    told: dict[str, list[str]] = {}
    given = {}
    for item in error.errors():
        # Where a field takes one of several kinds, each has its complaint under the name of that kind.
        parts = [str(part) for part in item["loc"] if not str(part).startswith(_KINDS)]
        key = ".".join(filter(None, [section, *parts]))
        message = _SAID.get(item["type"], item["msg"].removeprefix("Value error, "))
        if item["type"] == "literal_error":
            message = f"must be {item['ctx']['expected']}"
        if key == "backbone.image_size" and message == _LIST:
            message = "must be height x width in pixels, as 384x128 or [384,128]"
        told.setdefault(key, []).append(message)
        # A rule between fields is reported for the whole section, whose values would drown the message.
        if not isinstance(item["input"], Mapping | BaseModel):
            given[key] = f", but got {brief(item['input'])}"
    lines = [
        ": ".join(filter(None, [key, " or ".join(_one_choice(messages))])) + given.get(key, "")
        for key, messages in told.items()
    ]
    return (
        "Wrong value in the configuration: "
        + "; ".join(lines[:_MOST_FAULTS])
        + and_more(len(lines), _MOST_FAULTS)
    )


def _one_choice(messages: Sequence[str]) -> list[str]:
    """Return what is said of each kind that a field takes so that it can stand after `or`."""
    first, *others = messages
    return [first, *(message.removeprefix("must be ") for message in others)]


def check_trial(config: RunConfig) -> None:
    """Raise `UsageError` when a config would let a study's trials be chosen by anything but validation."""
    if config.eval.test_each_epoch:
        raise UsageError(
            "eval.test_each_epoch=true looks at the test split, which a sweep must never see: "
            "leave it out (a preset may set it), and give it to the `harness run` of the best configuration."
        )
    if config.eval.rule != "val":
        raise UsageError(
            f"A sweep chooses on validation, so eval.rule must be val, but got {config.eval.rule!r}: leave it out."
        )
