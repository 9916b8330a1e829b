"""The command that repeats a run: the recorded one, or one made of the config where that did another thing as well."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from harness.config.removed import without_removed
from harness.config.sections import RunConfig
from harness.data.own_data import OWN_SETTINGS
from harness.errors import HarnessError
from harness.own.own_files import SHARES
from harness.presets.resolve import build_stored, changed, override, resolve, usual_values
from harness.presets.stored import shipped_method, with_known_input
from harness.record import Record, sets_name

# Commands that make the run that they name, and those that make whatever is to be done.
_OWN, _OTHERS = ("run", "import", "score"), ("worker", "suite", "sweep", "runs", "check", "demo")
# What other options say.
_NAMED = ("method.name", "dataset.name", "dataset.joined", "dataset.synthetic", "dataset.root", "seed")
_OWN_OPTIONS = dict(zip(OWN_SETTINGS, ("--data", "--images", "--columns", "--shares"), strict=True))


def repeating_command(record: Record) -> str | None:
    """Return the command line that makes a run anew, None where it is not known.

    What a worker, a suite or a search made cannot be made by their command once all is done; such a run has a
    `harness run` of what its config has otherwise than the defaults.
    """
    words = (record.command or "").split()
    made_by = next((word for word in words if word in (*_OWN, *_OTHERS)), None)
    if record.scored or record.imported or made_by not in _OTHERS:
        return record.command
    try:
        return shlex.join(["harness", "run", *_options(without_removed(record.config))])
    except (HarnessError, ValidationError, LookupError, TypeError):
        return None


def data_options(data: Mapping[str, Any]) -> list[str]:
    """Return the options that name a config's dataset: a name, or the file of data of one's own and how it is read.

    The usual shares are left out: a config has them also where the file names its splits, beside which none are taken.
    """
    if not data.get("file"):
        return ["--dataset", sets_name({"dataset": data})]
    told = {option: data.get(key) for key, option in _OWN_OPTIONS.items()}
    if told["--shares"] == SHARES:
        del told["--shares"]
    return [word for option, value in told.items() if value for word in (option, str(value))]


def _options(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words after `harness run`; raises what is raised for a config that nothing here can make."""
    data = values["dataset"]
    yield from ("--method", str(values["method"]["name"]), *data_options(data))
    yield from ["--synthetic"] * bool(data.get("synthetic"))
    yield from ("--data-root", str(data["root"])) if data.get("root") else ()
    yield from ("--seed", str(values["seed"]))
    own = {f"dataset.{key}" for key in OWN_SETTINGS}
    for key, _, value in changed(*_configs(values)):
        if key not in own.union(_NAMED):
            yield from ("--set", override(key, value))


def _configs(values: Mapping[str, Any]) -> tuple[RunConfig, RunConfig]:
    """Return what a run has without settings of its own, and what this one has."""
    name, synthetic = sets_name(values), bool(values["dataset"].get("synthetic"))
    try:
        method = shipped_method(str(values["method"]["name"]))
    except LookupError:
        config = build_stored(values)
        return resolve(config.method.name, name, synthetic=synthetic), config
    plain = usual_values(method, name, synthetic=synthetic)
    one, other = (
        RunConfig(**{**part, "method": method.Config(**part["method"])}) for part in (plain, values)
    )
    return with_known_input(one, method), other
