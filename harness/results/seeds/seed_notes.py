"""What must stand below a table about seeds: what is known of them, from how many results, and where nothing is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.errors import listed, many
from harness.evaluate.per_identity import Persons, persons_key
from harness.evaluate.variance import SeedVariance, shared
from harness.pages.tables import MARK
from harness.pages.theme import INK
from harness.results.run_table import UNTRAINED
from harness.results.seeds.over_seeds import PERSONS_ONLY
from harness.results.seeds.shared_seeds import MARKED, by_data

Row = Mapping[Any, Any]
MARK_WORDS = f"{MARK} {MARKED}"
MARK_NOTE = f"{MARK_WORDS}."
# What the intervals of a report's figures cover, said once for all reports.
COVERED = "95 % intervals over identities and, where it is known what another seed would change, over seeds"


def seed_notes(rows: Sequence[Row], persons: Mapping[str, Persons]) -> list[str]:
    """Return what is known of seeds, where results share it, and the results of which nothing is.

    Args:
        rows: the results of a table, with their seeds combined.
        persons: the results per identity, by `persons_key`.
    """
    trained = [row for row in rows if row["rule"] != UNTRAINED]
    groups = by_data(row for row in trained if persons_key(row) in persons)
    told = [_told([persons[persons_key(row)] for row in group]) for group in groups]
    sharing = [found for group, found in zip(groups, told, strict=True) if len(group) > 1 and found]
    unknown = [row for row in rows if row["interval"] == PERSONS_ONLY]
    notes = (
        [_shared_by_all(sharing[0]) if len(groups) == 1 else _shared_in_groups(sharing)] if sharing else []
    )
    if unknown:
        names = listed(list(dict.fromkeys(str(row["label"]) for row in unknown)))
        whose = "" if len(unknown) == len(trained) else f" of {names}"
        notes.append(f"{MARK_NOTE} Nothing tells what another seed{whose} would change.")
    return notes


def any_marked(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the note on the mark, where some row's difference has it."""
    return (MARK_NOTE,) if any(row["persons_only"] for row in rows) else ()


def legend_entry(shown: bool) -> dict[str, dict[str, Any]]:
    """Return the mark as an entry of a figure's legend, where the figure has it."""
    return {MARK_WORDS: {"marker": "", "color": INK}} if shown else {}


def _told(results: Iterable[Persons]) -> list[SeedVariance]:
    """Return what the results of several seeds say of them; nothing of seeds that answer alike."""
    own = (one.seed_variance("R1") for one in results)
    return [one for one in own if one is not None and one.freedom]


def _shared_by_all(found: Sequence[SeedVariance]) -> str:
    freedoms = [one.freedom for one in found]
    several = many(len(freedoms), "result") + " of several seeds"
    return (
        f"What another seed would change is estimated from all results of the table together: {several}, "
        f"{many(sum(freedoms) + len(freedoms), 'seed')}, {_freedom([sum(freedoms)])}; {_deviation([found])}."
    )


def _shared_in_groups(groups: Sequence[Sequence[SeedVariance]]) -> str:
    freedoms = [sum(one.freedom for one in group) for group in groups]
    return (
        "What another seed would change is estimated from all results of the same training and test data together: "
        f"{_freedom(freedoms)} each; {_deviation(groups)}."
    )


def _freedom(freedoms: Sequence[int]) -> str:
    low, high = min(freedoms), max(freedoms)
    words = many(high, "degree") + " of freedom"
    return words if low == high else f"{low:,} to {words}"


def _deviation(groups: Sequence[Sequence[SeedVariance]]) -> str:
    """Return the standard deviation of a seed's R@1, as all results of a group know it."""
    pooled = [shared([*group, None])[-1] for group in groups]
    ends = [f"{100 * one.value**0.5:.1f}" for one in pooled if one is not None]
    low, high = min(ends, key=float), max(ends, key=float)
    return f"standard deviation {low if low == high else f'{low} to {high}'} points of R@1"
