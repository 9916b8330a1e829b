"""What sets a result apart from others of its dataset: where its training met the test, and what it did with it.

Most results have none of these flags; one that has never shares a table with one that has not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.registry.set_names import join_sets, split_sets
from harness.relations import meetings
from harness.track.run_row import RunRow

# What a run that was scored does not tell of itself, and the value of a flag that a result does not have.
NOT_TOLD, NO = "not told", "no"
TRAINED_ON = "several training sets"
# What keeps a result apart from all that are without it, by the column that has it.
FLAGS = {
    "unlabelled_test": "unlabelled test data used",
    "reranked": "re-ranked",
    "several": TRAINED_ON,
    "noise": "noisy captions",
    "gallery": "gallery resolution",
}
# Those that say how it was trained: what trains nothing may stand beside a result that has one.
OF_TRAINING = (TRAINED_ON, FLAGS["noise"])
# Columns of the flags that are a protocol's, which a report of its own compares with the usual one.
OF_PROTOCOL = ("several", "noise", "gallery")


def trained_on(run: RunRow) -> str:
    """Return what a run learned from: its dataset, or the sets that were told of one that was scored."""
    return run.tag("trained_on") or run.tag("dataset")


def flag_columns(run: RunRow, sets: Sequence[str]) -> dict[str, Any]:
    """Return what a row says of its flags: `scored` from which file, whether `training_told`, and one of each flag.

    Args:
        run: as it is tracked.
        sets: all that it learned from, those of a run that it started from included.
    """
    return {
        "scored": run.tag("scored"),
        "training_told": not run.tag("scored") or bool(run.tag("trained_on")),
        "unlabelled_test": run.tag("unlabelled_test") or NO,
        "reranked": run.tag("reranked") or NO,
        "several": join_sets(sets) if len(sets) > 1 else NO,
        "noise": noise_words(run.params),
    }


def noise_words(params: Mapping[str, str]) -> str:
    """Return which training captions a run's settings move to other images: a share and seed, or an index file.

    >>> noise_words({"dataset.noise": "0.2"}), noise_words({"dataset.noise_index": 64 * "a"}), noise_words({})
    ('20 % moved, seed 0', 'as in index file aaaaaaaaaaaa', 'no')
    """
    if (index := params.get("dataset.noise_index", str(None))) != str(None):
        return f"as in index file {index[:12]}"
    rate = float(params.get("dataset.noise", 0))
    return f"{100 * rate:g} % moved, seed {params.get('dataset.noise_seed', '0')}" if rate else NO


def flags(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the flags of a row, in words; none of most rows."""
    known = {name: _value(row.get(column)) for column, name in FLAGS.items()}
    return {name: value for name, value in known.items() if value != NO}


def _value(value: Any) -> str:
    """Return a flag as a row has it; none of a row that an earlier version wrote without it."""
    return NO if not value or value != value else str(value)


def known_text(text: str) -> str:
    """Return a parameter's text; in words where it was never told."""
    return NOT_TOLD if text == str(None) else text


def preprocessing(params: Mapping[str, str]) -> str:
    """Return how a run's pictures were resized and normalised."""
    parts = [known_text(params.get(f"backbone.{name}", "")) for name in ("interpolation", "normalisation")]
    return NOT_TOLD if set(parts) == {NOT_TOLD} else ", ".join(parts)


def shares_persons(trained: str, tested: str) -> bool:
    """Return whether any of some training sets is known to show persons of a test; unknown names show none."""
    return any(one.kind != "captions" for _, one in meetings(split_sets(trained), tested))


def met(sets: Sequence[str], tested: str) -> list[str]:
    """Return in words how training sets meet a test set, one line each; of most nothing is known."""
    return [one.words(name, tested) for name, one in meetings(sets, tested)]
