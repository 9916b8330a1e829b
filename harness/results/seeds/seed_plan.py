"""How many seeds and identities it takes to see a difference in R@1, as the results tracked so far tell it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median
from typing import Any

from harness.errors import UsageError, many
from harness.evaluate.per_identity import Persons, persons_key
from harness.evaluate.power import MOST_IDENTITIES, MOST_SEEDS, Spread, spread
from harness.evaluate.variance import LIMIT, SeedVariance, identity_variance, influence
from harness.pages.tables import DASH
from harness.record import TWIN
from harness.results.panels import Panel, dataset_facts, on_own_dataset, split_panels
from harness.results.run_source import Source
from harness.results.run_table import UNTRAINED

POINTS = (0.5, 1.0, 2.0, 5.0)
_PLANNED = "R1"
TIMES = (1, 2, 4)
Row = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """What the results of one panel tell of the difference of two of them, both of which train something.

    Attributes:
        dataset: what they were trained and tested on.
        synthetic: whether that is a twin.
        protocol: the number of their panel.
        reasons: a sentence for each earlier panel of this data that they were kept out of.
        n_results: how many results there are.
        n_seeds: how many seeds they have, all together.
        n_pairs: how many pairs the variance over identities is the median of. 0 of a single result, which is taken as
            if another had nothing in common with it: then the variance is an upper bound.
        spread: what makes the difference of two vary, the other results as they are.
    """

    dataset: str
    synthetic: bool
    protocol: int
    reasons: tuple[str, ...]
    n_results: int
    n_seeds: int
    n_pairs: int
    spread: Spread

    @property
    def words(self) -> list[str]:
        """What the numbers mean and stand on, in sentences."""
        seeds = self.spread.seeds
        over = (
            f"over identities the median of {many(self.n_pairs, 'pair')}"
            if self.n_pairs
            else "over identities an upper bound, as if another result had nothing in common with this one"
        )
        return [
            "Seen: the 95 % interval of the difference excludes zero in 80 of 100 comparisons.",
            f"Measured on {many(self.n_results, 'result')}, {many(self.n_seeds, 'seed')} in all: {over}; from seed "
            f"to seed a standard deviation of {100 * seeds.value**0.5:.1f} points, and at its upper limit "
            f"{100 * seeds.limit**0.5:.1f} ({100 * LIMIT:.0f} %, {many(seeds.freedom, 'degree')} of freedom), which "
            "the larger number of a cell is for.",
            *self.reasons,
        ]

    def as_dict(self, points: Sequence[float], n_seed: int) -> Row:
        """Return what it is and what each difference takes, as JSON-able values."""
        names = ("dataset", "synthetic", "protocol", "n_results", "n_seeds", "n_pairs")
        head: Row = {name: getattr(self, name) for name in names}
        seeds = self.spread.seeds
        head |= {"n_identities": self.spread.n_identity, "freedom": seeds.freedom}
        head |= {"seed_sd": 100 * seeds.value**0.5, "seed_sd_limit": 100 * seeds.limit**0.5}
        return head | {"words": self.words, "needs": self.needs(points, n_seed)}

    def needs(self, points: Sequence[float], n_seed: int) -> list[Row]:
        """Return what each difference in points takes, as JSON-able values.

        Args:
            points: true differences in R@1.
            n_seed: seeds per method for which identities are counted.

        Seeds are counted for the test set's own number of identities, for twice and for four times as many; `text`
        has the answer at the estimate of what seeds change and at its upper limit.
        """
        n = self.spread.n_identity
        return [
            {
                "points": one,
                "seeds": [{"n_identities": times * n} | self._seeds(one, times * n) for times in TIMES],
                "identities": {"n_seeds": n_seed} | self._identities(one, n_seed),
            }
            for one in points
        ]

    def _seeds(self, points: float, n_identity: int) -> Row:
        n, most = (one.seeds_needed(points / 100, n_identity) for one in self._both)
        return {"text": _text(n, most, MOST_SEEDS), "n_seeds": _found(n, MOST_SEEDS)}

    def _identities(self, points: float, n_seed: int) -> Row:
        n, most = (one.identities_needed(points / 100, n_seed) for one in self._both)
        return {"text": _text(n, most, MOST_IDENTITIES), "n_identities": _found(n, MOST_IDENTITIES)}

    @property
    def _both(self) -> tuple[Spread, Spread]:
        return self.spread, self.spread.at_limit()


def plan_seeds(source: Source) -> tuple[list[Measured], list[str]]:
    """Return what the tracked results of each dataset and protocol tell, and of which data they tell nothing.

    Raises `UsageError` without any result, and where no result has several seeds.
    """
    runs = source.single_runs
    if not len(runs):
        where = f" on {' or '.join(source.datasets)}" if source.datasets else ""
        begin = f"--dataset {source.datasets[0]}" if source.datasets else "--dataset icfg"
        raise UsageError(
            f"No finished run{where} is tracked yet: `harness run --method linear_probe {begin} --synthetic --seeds 3`."
        )
    panels = own_panels(source)
    found = {panel.number: measure(panel, panels) for panel in panels}
    known = [one for one in found.values() if one is not None]
    if not known:
        name = next(iter(runs["tested_on"]))
        twin = " --synthetic" if all(runs["synthetic"]) else ""
        raise UsageError(
            "No result has several seeds yet, which would tell what another seed changes: "
            f"`harness run --method linear_probe --dataset {name}{twin} --seeds 3`."
        )
    untold = [
        f"{panel.facts['dataset']}, {panel.facts['data']}" for panel in panels if not found[panel.number]
    ]
    return known, list(dict.fromkeys(untold))


def measure(panel: Panel, panels: Sequence[Panel] = ()) -> Measured | None:
    """Return what a panel's results tell of the difference of two; None where none has several seeds.

    `panels` are all panels in their order, so that those of the same data are named.
    """
    rows = [row for row in panel.records if row["rule"] != UNTRAINED and persons_key(row) in panel.persons]
    seeds = {persons_key(row): panel.seeds(_PLANNED)[persons_key(row)] for row in rows}
    known = [one for one in seeds.values() if one is not None and one.freedom]
    if not known:
        return None
    pool = min(known, key=lambda one: (-one.freedom, one.between))
    pairs = [
        found
        for one, other in combinations(seeds, 2)
        if (found := pair_spread(panel.persons, (one, other), seeds)) is not None
    ]
    persons = next(panel.persons[key] for key, one in seeds.items() if one is not None and one.freedom)
    return Measured(
        panel.facts["dataset"],
        panel.facts["data"] == TWIN,
        panel.number,
        tuple(reason for one, reason in zip(panels, panel.reasons, strict=False) if _same_data(one, panel)),
        len(rows),
        sum(row["n_seeds"] for row in rows),
        len(pairs),
        _typical(pairs, pool) if pairs else _alone(persons, pool),
    )


def _same_data(one: Panel, other: Panel) -> bool:
    return all(one.facts[name] == other.facts[name] for name in ("data", "dataset"))


def pair_spread(
    persons: Mapping[str, Persons], keys: tuple[str, str], seeds: Mapping[str, SeedVariance | None]
) -> Spread | None:
    """Return what makes the difference of two results in R@1 vary, in shares; None where it cannot be known.

    Args:
        persons: the results per identity, by `persons_key`.
        keys: the two results.
        seeds: the variance of one seed of each (`shared_seeds`).
    """
    a, b = (persons.get(key) for key in keys)
    if a is None or b is None or not a.same_test_set(b):
        return None
    return spread(a.of(_PLANNED), b.of(_PLANNED), a.sizes, (seeds.get(keys[0]), seeds.get(keys[1])))


def own_panels(source: Source) -> list[Panel]:
    """Return the tracked results of each dataset on its own test set, one panel for each protocol."""
    runs = source.single_runs
    results, persons = source.combined(on_own_dataset(runs) if len(runs) else runs)
    return split_panels(results, dataset_facts, persons) if len(results) else []


def _typical(pairs: Sequence[Spread], pool: SeedVariance) -> Spread:
    others = int(median(one.others for one in pairs))
    identities = median(one.identities for one in pairs)
    return replace(pairs[0], identities=identities, seeds=pool, n_sides=2, others=others)


def _alone(persons: Persons, pool: SeedVariance) -> Spread:
    """Return the spread of a result and another that has nothing in common with it."""
    sums = persons.of(_PLANNED)
    own = identity_variance(influence(sums.mean(axis=0), persons.sizes)).value
    return Spread(max(2 * (own - pool.within / len(sums)), 0.0), len(persons.sizes), pool, 2)


def _text(n: int | None, at_limit: int | None, most: int) -> str:
    """Return a number with how large it may be where seeds change more than is estimated."""
    if n is None:
        return DASH
    if n > most:
        return f">{most:,}"
    if at_limit is None or at_limit > most:
        return f"{n:,} or more"
    return f"{n:,} to {at_limit:,}" if at_limit > n else f"{n:,}"


def _found(n: int | None, most: int) -> int | None:
    return None if n is None or n > most else n
