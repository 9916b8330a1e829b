"""Compare two results on the test sets that both were tested on: the difference, its certainty, the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import isnan
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, listed, many, unknown
from harness.evaluate.paired_difference import Difference, holm
from harness.evaluate.per_identity import Persons, persons_key
from harness.metric_names import METRICS
from harness.pages.tables import MARK
from harness.record import BEFORE_PICTURES
from harness.results.flags import NO
from harness.results.panels import Panel, conflicts, protocol_facts
from harness.results.run_source import Source
from harness.results.run_table import UNTRAINED
from harness.results.seeds.seed_lines import pair_line
from harness.results.seeds.shared_seeds import MARKED, data_of
from harness.track.mlflow_opening import NOTHING_TRACKED

if TYPE_CHECKING:
    from pandas import DataFrame

_CLAIMED = "R1"
LEVEL = 0.05
_MOST_OTHERS = 12
_REFUSED = (
    "data",
    "protocol version",
    "selection rule",
    "annotations of ",
    "test pictures of ",
    "unreadable test pictures of ",
)
Row = dict[str, Any]


@dataclass(frozen=True)
class Compared:
    """Two results on one test set.

    Attributes:
        tested_on: the test set.
        a, b: the results with their seeds combined, as `harness.results.seeds.over_seeds` gives them.
        differences: a minus b in points, by metric.
        p_holm: of no difference in R@1, adjusted for the number of test sets.
        plan: how many seeds or identities a difference of one point takes, in one sentence; empty where nothing varies.
    """

    tested_on: str
    a: Row
    b: Row
    differences: dict[str, Difference]
    p_holm: float
    plan: str = ""

    @property
    def verdict(self) -> str:
        """What may be claimed of R@1, in one sentence."""
        found, where = self.differences[_CLAIMED], self._where
        numbers = f"R@1 {found.estimate:+.1f} points [{found.low:+.1f}, {found.high:+.1f}]"
        if self.p_holm < LEVEL:
            better, worse = ("A", "B") if found.estimate > 0 else ("B", "A")
            mark = f" ({MARKED})" if found.persons_only else ""
            return f"On {where}, {better} is better than {worse}: {numbers}, p {_p(self.p_holm)}{mark}."
        if isnan(found.detectable):
            shown = numbers.split(" [")[0]
            return f"On {where}, A and B cannot be compared statistically: {shown} on a single identity."
        if found.detectable == 0 and found.estimate == 0:
            return f"On {where}, A and B have the same R@1 on every identity: there is no difference."
        if found.detectable == 0:
            return (
                f"On {where}, A and B are not significantly different: {numbers.split(' [')[0]} on each identity "
                f"alike, p {_p(self.p_holm)}: too few identities to tell."
            )
        return (
            f"On {where}, A and B are not significantly different: {numbers}, p {_p(self.p_holm)}; a "
            f"difference below {found.detectable:.1f} points would often be missed here."
        )

    @property
    def _where(self) -> str:
        """The test set, and how many of its images were left out: as many of both, or they are not compared."""
        n = self.a["left_out"]
        return (
            f"{self.tested_on} without {many(int(n), 'unreadable image')}" if n and n == n else self.tested_on
        )


@dataclass(frozen=True)
class Comparison:
    """Two results, what differs in their settings, and how they compare on each test set.

    Attributes:
        a, b: their names: one run, or the first of several seeds.
        n_seeds: how many seeds each has.
        settings: the config keys in which they differ, with both values.
        unlike: what else differs between their protocols, in words.
        tests: one entry for each test set of both.
        n_others: how many other results of the same data and backbone help to know what seeds change.
    """

    a: str
    b: str
    n_seeds: tuple[int, int]
    synthetic: bool
    settings: dict[str, tuple[str, str]]
    unlike: tuple[str, ...]
    tests: tuple[Compared, ...]
    n_others: int = 0

    @property
    def reach(self) -> str:
        """What the intervals cover, in one sentence."""
        if not self.trained_seeds:
            return "Neither trains anything: the intervals cover new identities."
        if any(test.differences[_CLAIMED].persons_only for test in self.tests):
            return (
                f"{MARK} The intervals cover {MARKED}. Repeat with --seeds 3, or track other methods' seeds."
            )
        others = many(self.n_others, "other result")
        known = f" What seeds change is estimated from {others} of the same data and backbone too."
        return f"The intervals cover new identities and new seeds.{known if self.n_others else ''}"

    @property
    def trained_seeds(self) -> list[int]:
        """How many seeds each side has that trains anything."""
        rows = (self.tests[0].a, self.tests[0].b)
        return [row["n_seeds"] for row in rows if row["rule"] != UNTRAINED]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        head = {
            name: getattr(self, name) for name in ("a", "b", "n_seeds", "synthetic", "settings", "unlike")
        }
        return head | {"reach": self.reach, "tests": [_test(test) for test in self.tests]}


def compare(source: Source, a: str, b: str) -> Comparison:
    """Compare two results of an experiment on the test sets that both were tested on.

    Args:
        source: where they are tracked.
        a, b: the name of a run, or its beginning, which means all its seeds; or the name of a group of seeds.

    Raises `UsageError` for an unknown name, for two names of one result, and for results that may not share a table:
    synthetic and real data, other test data, another metric protocol or another selection rule.
    """
    rows, persons = chosen(source, (a, b))
    sides = [rows[rows["condition"] == condition] for condition in dict.fromkeys(rows["condition"])]
    if len(sides) < 2:
        raise UsageError(f"{a!r} and {b!r} are seeds of the same result: name two different ones.")
    records = [_records(side) for side in sides]
    pairs = _pairs(*records)
    if not pairs:
        seen = " and ".join(", ".join(dict.fromkeys(row["tested_on"] for row in side)) for side in records)
        raise UsageError(
            f"{a} and {b} were tested on different datasets ({seen}): `harness evaluate RUN --dataset`."
        )
    unlike = sorted({line for pair in pairs for line in _unlike(*pair)})
    others, others_persons = _others(source, rows)
    panel = Panel(1, {}, [row for part in (*records, others) for row in part])
    panel.use(others_persons | persons)
    found = [_differences(*pair, panel) for pair in pairs]
    adjusted = holm([one[_CLAIMED].p_value for one in found])
    tests = [
        Compared(pair[0]["tested_on"], *pair, differences, float(p_value), _plan(pair, differences, panel))
        for pair, differences, p_value in zip(pairs, found, adjusted, strict=True)
    ]
    first = pairs[0]
    return Comparison(
        first[0]["runs"][0],
        first[1]["runs"][0],
        (first[0]["n_seeds"], first[1]["n_seeds"]),
        bool(first[0]["synthetic"]),
        _settings(*first),
        tuple(unlike),
        tuple(tests),
        len({row["condition"] for row in others}),
    )


def _pairs(a: Sequence[Row], b: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Return the results on each test set of both: those on the same pictures, else the newest of each."""
    found: dict[str, list[tuple[Row, Row]]] = {}
    for one, other in product(a, b):
        if one["tested_on"] == other["tested_on"]:
            found.setdefault(one["tested_on"], []).append((one, other))
    return [
        min(pairs, key=lambda pair: bool(pair[0]["pictures"] != pair[1]["pictures"]))
        for pairs in found.values()
    ]


def chosen(source: Source, names: Sequence[str]) -> tuple["DataFrame", dict[str, Persons]]:
    """Return the named results on all their test sets, in the order of the names, and each per identity."""
    runs = source.single_runs
    if not len(runs):
        raise UsageError(NOTHING_TRACKED)
    conditions = list(dict.fromkeys(_condition_of(source, name) for name in names))
    results, persons = source.combined(runs[runs["condition"].isin(conditions)])
    order = results["condition"].map(conditions.index)
    return results.loc[order.sort_values(kind="stable").index], persons


def _condition_of(source: Source, name: str) -> str:
    """Return the condition of the run or group of seeds of a name."""
    runs = source.single_runs
    fits = runs[runs["run"].str.startswith(name)]
    if not len(fits) and source.store is not None:
        groups = [group.id for group in source.store.finished_runs("group") if group.name == name]
        fits = runs[runs["group"].isin(groups)]
    if not len(fits):
        raise unknown("run", name, list(runs["run"]))
    if fits["condition"].nunique() > 1 and fits["run"].nunique() > 1:
        some = listed(list(dict.fromkeys(fits["run"])), 5)
        raise UsageError(f"{name!r} fits several results ({some}): write more of the name.")
    return str(fits["condition"].iloc[0])


def _unlike(a: Row, b: Row) -> list[str]:
    """Return how two protocols differ; raise `UsageError` where that forbids to compare them."""
    facts, other = protocol_facts(a), protocol_facts(b)
    lines = [
        (name, f"{name}: {facts.get(name, NO)} for A, {other.get(name, NO)} for B")
        for name in conflicts(facts, other)
    ]
    forbidden = [line for name, line in lines if name.startswith(_REFUSED)]
    if forbidden:
        raise UsageError(f"These results may not be compared: {'; '.join(forbidden)}.")
    budgets = [f"tuning budget: {a['budget']} for A, {b['budget']} for B"] * (a["budget"] != b["budget"])
    sides = (("A", a), ("B", b))
    before = [f"{side} was {BEFORE_PICTURES}" for side, row in sides if not row["pictures"]]
    scored = [f"{side} was scored, not trained here" for side, row in sides if row.get("scored")]
    return [line for _, line in lines] + scored + budgets + before


def _others(source: Source, rows: "DataFrame") -> tuple[list[Row], dict[str, Persons]]:
    """Return the newest other results of several seeds that share data, backbone and protocol with one of some."""
    runs, named = source.single_runs, set(rows["condition"])
    trained = [row for row in _records(rows) if row["rule"] != UNTRAINED]
    near = runs[
        [row["condition"] not in named and any(_alike(row, one) for one in trained) for row in _records(runs)]
    ]
    seeds = near.groupby("condition", sort=False)["seed"].nunique()
    several = seeds.index[seeds > 1][:_MOST_OTHERS]
    results, persons = source.combined(near[near["condition"].isin(several)])
    return [row for row in _records(results) if persons_key(row) in persons and row["n_seeds"] > 1], persons


def _records(rows: "DataFrame") -> list[Row]:
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def _alike(row: Mapping[Any, Any], one: Mapping[Any, Any]) -> bool:
    return data_of(row) == data_of(one) and not conflicts(protocol_facts(row), protocol_facts(one))


def _differences(a: Row, b: Row, panel: Panel) -> dict[str, Difference]:
    found = {name: panel.difference(a, b, name) for name in METRICS}
    known = {name: one for name, one in found.items() if one is not None}
    if len(known) < len(found):
        raise UsageError(
            f"The per-query results of {a['runs'][0]} or {b['runs'][0]} on {a['tested_on']} are not in MLflow, or are "
            "of other queries: `harness runs sync` sends what is missing."
        )
    return known


def _plan(pair: tuple[Row, Row], found: Mapping[str, Difference], panel: Panel) -> str:
    return pair_line(pair, panel.persons, panel.seeds(_CLAIMED)) if found[_CLAIMED].detectable > 0 else ""


def _settings(a: Row, b: Row) -> dict[str, tuple[str, str]]:
    """Return the config keys in which two results differ; keys that one method alone has are left out."""
    one, other = a["config"], b["config"]
    keys = sorted(key for key in one.keys() & other.keys() if one[key] != other[key])
    return {key: (one[key], other[key]) for key in keys}


def _test(test: Compared) -> dict[str, Any]:
    scores = {side: {name: row[name] for name in METRICS} for side, row in (("a", test.a), ("b", test.b))}
    differences = {name: asdict(one) for name, one in test.differences.items()}
    said = {name: getattr(test, name) for name in ("verdict", "plan", "p_holm")}
    said["n_identities"] = test.a["n_identities"]
    return {"tested_on": test.tested_on} | scores | {"differences": differences} | said


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"
