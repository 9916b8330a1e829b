"""Settings that do not go together: each is right by itself, and a run would not do what they say."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from harness.config.fields import inert_where
from harness.config.sections import RunConfig, TrainConfig
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.methods import Method


def check_rule(config: RunConfig, method_class: "type[Method]") -> None:
    """Raise `UsageError` when the selection rule cannot be applied to what the run evaluates."""
    if not method_class.trained:
        return
    data = config.dataset
    validates = data.val == "holdout" or (data.val == "own" and data.train_on == "train")
    if config.eval.rule == "val" and not validates:
        raise UsageError(
            "Without a validation split the rule `val` cannot choose an epoch: "
            "use --set eval.rule=last, or keep a validation split (--val holdout, --train-on train)."
        )
    if config.eval.rule == "oracle" and not config.eval.test_each_epoch:
        raise UsageError(
            "The rule `oracle` looks at the test split every epoch, which biases the result: "
            "if that is what you want, add --set eval.test_each_epoch=true."
        )


def check_parts(train: TrainConfig) -> None:
    """Raise `UsageError` where parts of a batch would be of unlike size, or of one pair, which has no negatives."""
    size, parts = train.batch_size, train.accumulation
    if parts > 1 and (size % parts or size < 2 * parts):
        fitting = [str(n) for n in range(2, size // 2 + 1) if size % n == 0]
        raise UsageError(
            f"train.accumulation={parts} cannot split a batch of {size} pairs into equal parts of two or more: "
            + (f"use one of {', '.join(fitting)}." if fitting else "use another train.batch_size.")
        )


def check_acts(config: RunConfig, given: Iterable[str]) -> None:
    """Raise `UsageError` for a setting that was given and changes nothing beside the others.

    Equal results would have two names, and who sets it believes that it acts. What a preset or a recipe brings is not
    asked, nor what a search draws.

    Args:
        config: all settings.
        given: keys that somebody set, such as `train.augment.erase`.
    """
    for key in sorted(given):
        section: Any = config
        prefix, reasons = "", []
        for name in key.split("."):
            field = type(section).model_fields[name]
            where = inert_where(field)
            beside = {other: getattr(section, other) for other in where}
            if where and all(value in where[other] for other, value in beside.items()):
                reasons.append(
                    " and ".join(f"{prefix}{one} is {_shown(value)}" for one, value in beside.items())
                )
            section, prefix = getattr(section, name), f"{prefix}{name}."
        if reasons and section != field.default:
            raise UsageError(
                f"{key} changes nothing where {reasons[0]}: set that otherwise, or leave {key} out."
            )


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
