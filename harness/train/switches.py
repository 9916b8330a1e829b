"""The settings that make a step cheaper without changing what it computes: where they hold, and how they are set."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from harness.clip.plain_models import plain_models
from harness.clip.tower_calls import tower_calls
from harness.compute.compiling import check_compiler, compiling
from harness.compute.precision import tf32
from harness.config.sections import TrainConfig
from harness.errors import UsageError, listed
from harness.method_parts.frozen import TOWERS, kept_in_training
from harness.methods import Method

# Where towers are compiled, captions have a multiple of so many tokens, or the model's length.
CAPTION_STEP = 16


def check_switches(method: Method, train: TrainConfig) -> None:
    """Raise `UsageError` for a setting of towers or views that has nothing to act on."""
    if train.augment.views_from == "store" and not method.views().contrast:
        raise UsageError(
            f"train.augment.views_from=store changes nothing for {method.name} as it is set here, which asks for no "
            "self-supervised views: leave it out."
        )
    for name in ("compile", "checkpoint_activations"):
        if not getattr(train, name):
            continue
        if not method.trained or len(kept_in_training(method, train)) == len(TOWERS):
            raise UsageError(
                f"train.{name}=true changes nothing for {method.name}, whose towers do not run in training: "
                "leave it out."
            )
        if not method.clip.injectable:
            raise UsageError(
                f"train.{name}=true needs a backbone of two plain transformers, which "
                f"{method.clip.identity.name} is not: leave it out, or choose one of {listed(plain_models())}."
            )


class Switches:
    """The settings of one training; its towers are compiled once.

    Raises `UsageError` where there is nothing to compile with.
    """

    def __init__(self, method: Method, train: TrainConfig, device: torch.device) -> None:
        check_switches(method, train)
        if train.compile:
            check_compiler(device)
        self._train, self._clip = train, method.clip
        self._calls = tower_calls(compile=train.compile, checkpoint=train.checkpoint_activations)

    @contextmanager
    def steps(self) -> Iterator[None]:
        """Make the context in which steps are taken; validation is outside, on the towers as they are."""
        with tf32(self._train.tf32), self._clip.called_by(self._calls):
            if not self._train.compile:
                yield
                return
            with compiling():
                yield
