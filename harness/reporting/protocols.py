"""Which protocol a result is of: the usual one, or another gallery, other captions, fewer persons, several sets."""

from collections.abc import Mapping
from typing import Any

from harness.config.values import content_hash
from harness.data.protocols.galleries import parse_test
from harness.datasets import DATASETS
from harness.errors import HarnessError
from harness.registry.set_names import split_sets
from harness.reporting.missing import evaluate_command, run_command
from harness.results.run_table import UNTRAINED

Row = Mapping[Any, Any]
USUAL = "usual"
# Settings that make a protocol; results that differ in nothing else are of one line.
NOISE = ("dataset.noise", "dataset.noise_seed", "dataset.noise_file", "dataset.noise_index")
PERSONS, SETS = "dataset.few_shot_persons", ("dataset.name", "dataset.joined", "dataset.mixture")
_VAL, _SHARE, _SEED = "dataset.val", "dataset.few_shot", "dataset.few_shot_seed"
_NONE = ("", "None", "0", "0.0")


def base_of(row: Row) -> str:
    """Return the dataset that a result was tested on, whatever was done to its pictures."""
    return parse_test(str(row["tested_on"]))[0]


def setting_of(row: Row) -> str:
    """Return the hash of all of a result but the seed and the protocol: who, how it is trained, and the test set."""
    config = {key: value for key, value in row["config"].items() if key not in (*NOISE, PERSONS, *SETS)}
    if config.get(_SHARE, "1.0") == "1.0":
        config.pop(_SEED, None)
    if config.get(_VAL) == "own":
        config[_VAL] = _usual_val(base_of(row))
    if row["rule"] == UNTRAINED:
        config = {key: value for key, value in config.items() if not key.startswith("dataset.")}
    who = [row.get(key) for key in ("method", "synthetic", "weights", "budget", "versions")]
    return content_hash([who, base_of(row), config])[:16]


def _usual_val(dataset: str) -> str:
    """Return how a dataset is validated on where nobody says otherwise, as each of a joint training is."""
    try:
        return DATASETS.get(dataset).default_val
    except HarnessError:
        return "own"


def changes_of(row: Row) -> list[tuple[int, float, str]]:
    """Return in what a result's protocol is not the usual one: the kind, a number to order by, and words."""
    config, found = row["config"], []
    gallery = parse_test(str(row["tested_on"]))[1]
    if gallery is not None:
        factors = gallery.factors
        found.append((0, float(100 * (len(factors) > 1) + max(factors)), gallery.words))
    if (index := str(config.get("dataset.noise_index"))) not in _NONE:
        found.append((1, 2.0, f"captions as in index file {index[:12]}"))
    elif (rate := str(config.get("dataset.noise"))) not in _NONE:
        seed = _seed(config.get("dataset.noise_seed"))
        found.append((1, float(rate), f"{100 * float(rate):g} % of the captions moved{seed}"))
    if (number := str(config.get(PERSONS))) not in _NONE:
        found.append((2, -float(number), f"{int(number):,} training persons{_seed(config.get(_SEED))}"))
    if len(split_sets(str(row["trained_on"]))) > 1 and row["rule"] != UNTRAINED:
        mixture = str(config.get("dataset.mixture", "size"))
        words = "" if mixture == "size" else f", mixed {mixture}"
        found.append((3, 0.0, f"trained on {row['trained_on']}{words}"))
    return found


def _seed(value: object) -> str:
    return "" if str(value) in _NONE else f", seed {value}"


def protocol_words(row: Row) -> str:
    """Return a result's protocol in words: `usual`, or what is not as usual."""
    return "; ".join(words for _, _, words in changes_of(row)) or USUAL


def is_of_protocol(row: Row) -> bool:
    """Say whether a result is of another protocol than the usual one."""
    return bool(changes_of(row))


def missing_commands(row: Row, other: Row) -> tuple[str, ...]:
    """Return the command that brings a result's setting under another result's protocol; none where none is known.

    Args:
        row: of the setting, with its `preset` and `departures`; best under the usual protocol, as its run is tested.
        other: of the protocol.
    """
    kinds = {kind for kind, _, _ in changes_of(other)}
    if kinds == {0}:
        return () if is_of_protocol(row) else (evaluate_command(row["runs"][0], [str(other["tested_on"])]),)
    if 0 in kinds or row["rule"] == UNTRAINED or str(other["config"].get("dataset.noise_index")) not in _NONE:
        return ()
    varied = {key: str(other["config"].get(key)) for key in (*NOISE[:2], PERSONS, _SEED, "dataset.mixture")}
    known = {key: value for key, value in varied.items() if value not in (*_NONE, "size")}
    return (setting_command(row, str(other["trained_on"]), known),)


def setting_command(row: Row, dataset: str, more: Mapping[str, str] | None = None) -> str:
    """Return the command that runs a result's setting on a dataset, or jointly on several, with more settings."""
    words = [
        word
        for key, value in {**row["departures"], **(more or {})}.items()
        for word in ("--set", f"{key}={value}")
    ]
    preset = ["--preset", str(row["preset"])] if row["preset"] else []
    return run_command(row["method"], dataset, bool(row["synthetic"]), *preset, *words)
