"""Keep results apart that no table may mix: synthetic from real, and one protocol from another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from harness.errors import listed, many
from harness.evaluate.intervals import METHOD
from harness.evaluate.paired_difference import Difference
from harness.evaluate.per_identity import Persons, difference, persons_key
from harness.metric_names import METRICS
from harness.record import BEFORE_PICTURES, BOOTSTRAP, REAL, TWIN
from harness.results.flags import FLAGS, NO, NOT_TOLD, OF_TRAINING, flags
from harness.results.labels import labels
from harness.results.run_table import UNTRAINED
from harness.results.seeds.over_seeds import certainty
from harness.results.seeds.seed_notes import seed_notes
from harness.results.seeds.shared_seeds import Seeds, shared_seeds

if TYPE_CHECKING:
    from pandas import DataFrame

_RULE = "selection rule"
Row = dict[str, Any]
Facts = dict[str, str]


@dataclass
class Panel:
    """Results that may share a table, the facts that they have in common, and why they are not in an earlier one.

    Attributes:
        number: counted from 1, in file names and references.
        rows: the results, with a `label` that names the method and, where needed, the settings that differ.
        facts: what holds for all rows, in words.
        reasons: one sentence for each earlier panel that the rows were kept out of.
        persons: the results per identity, by `persons_key`.
    """

    number: int
    facts: Facts
    records: list[Row] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    persons: Mapping[str, Persons] = field(default_factory=dict)
    _seeds: dict[str, Seeds] = field(default_factory=dict)
    _differences: dict[tuple[str, str, str], Difference | None] = field(default_factory=dict)

    def difference(
        self, one: Mapping[Any, Any], other: Mapping[Any, Any], metric: str = "R1"
    ) -> Difference | None:
        """Return one result minus another on the same identities, in points; None where they cannot be compared.

        What seeds change is known from all results of the panel that share data and backbone.
        """
        a, b = persons_key(one), persons_key(other)
        if (a, b, metric) not in self._differences:
            seeds = self.seeds(metric)
            known = seeds.get(a), seeds.get(b)
            found = difference(self.persons.get(a), self.persons.get(b), metric, known)
            self._differences[a, b, metric] = found
        return self._differences[a, b, metric]

    def seeds(self, metric: str = "R1") -> Seeds:
        """Return the variance of one seed of each result, by `persons_key`, as the panel's results share it."""
        if metric not in self._seeds:
            self._seeds[metric] = shared_seeds(self.records, self.persons, metric)
        return self._seeds[metric]

    def use(self, persons: Mapping[str, Persons]) -> None:
        """Take the results per identity, and with what all seeds tell make each result's intervals anew."""
        self.persons, self._seeds, self._differences = persons, {}, {}
        for row in self.records:
            key = persons_key(row)
            if key in persons:
                row |= certainty(persons[key], {name: self.seeds(name)[key] for name in METRICS})

    @property
    def rows(self) -> "DataFrame":
        """The results as a table, one row for each condition and test set."""
        from pandas import DataFrame

        return DataFrame(self.records)

    @property
    def title(self) -> str:
        """The number and the world, so that nobody takes a synthetic figure for a real one."""
        return f"Protocol {self.number} · {self.facts['data']}"

    def fits(self, facts: Facts) -> bool:
        """Say whether a row of these facts may join."""
        return not conflicts(self.facts, facts)

    def words(self) -> list[str]:
        """Return the reasons, what all rows share, and what holds of each dataset, as lines."""
        parts: dict[str, list[str]] = {}
        for name, value in self.facts.items():
            what, _, dataset = name.partition(" of ")
            if name != "data":
                parts.setdefault(dataset, []).append(f"{what} {value}")
        shared = f"All rows share: {'; '.join(parts.pop('', []))}."
        own = (f"{name}: {'; '.join(lines)}." for name, lines in parts.items())
        return [*self.reasons, shared, *own, *self.caveats()]

    def caveats(self) -> list[str]:
        """Return what must stand below every table of the results: faults of the data, versions, pictures, seeds."""
        lines = []
        kinds = (("test", "left_out", "tested_on"), ("training", "train_left_out", "trained_on"))
        for what, column, where in kinds:
            found = {row[where]: row[column] for row in self.records if _known(row.get(column))}
            lines += [
                f"{many(int(n), f'{what} image')} of {name} cannot be read and {'is' if n == 1 else 'are'} left out."
                for name, n in found.items()
                if n
            ]
        faults = dict.fromkeys(
            (row["tested_on"], line) for row in self.records for line in row.get("faults") or ()
        )
        lines += [f"{name}: {line[:1].lower()}{line[1:]}." for name, line in faults]
        met = dict.fromkeys(line for row in self.records for line in _lines(row.get("met")))
        lines += [f"Met in training: {line}." for line in met]
        scored = [row["label"] for row in self.records if row.get("scored")]
        lines += [f"Scored, not trained here, as told and not checked: {listed(scored)}."] * bool(scored)
        older: dict[str, list[str]] = {}
        for row in self.records:
            for words in _lines(row.get("older")):
                older.setdefault(words, []).append(row["label"])
        lines += [f"Not of today's versions: {listed(labels)} ({words})." for words, labels in older.items()]
        before = [row["label"] for row in self.records if not row.get("pictures")]
        lines += [f"{BEFORE_PICTURES.capitalize()}: {listed(before)}."] * bool(before)
        return lines + seed_notes(self.records, self.persons)

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{escape(line)}</p>" for line in self.words())
        return f"<div class='panel'><h3>{escape(self.title)}</h3>{lines}</div>"


def split_panels(
    rows: "DataFrame", facts_of: Callable[[Row], Facts], persons: Mapping[str, Persons] | None = None
) -> list[Panel]:
    """Deal results out to as few panels as their facts allow, the commonest protocol first.

    Args:
        rows: results with their seeds combined.
        facts_of: returns what a row fixes; two rows with different values of one fact never share a panel.
        persons: the results per identity, by `persons_key`; without them no difference has an interval.

    An untrained method fixes less than a trained one and is in each panel that it fits.
    """
    records = [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]
    trained = [row for row in records if row["rule"] != UNTRAINED]
    panels: list[Panel] = []
    for row in _commonest_first(trained, facts_of):
        _place(panels, row, facts_of(row))
    for row in _own_first([row for row in records if row["rule"] == UNTRAINED], facts_of):
        fitting = [panel for panel in panels if panel.fits(facts_of(row))]
        for panel in fitting:
            _add(panel, row, facts_of(row))
        if not fitting:
            _place(panels, row, facts_of(row))
    for panel in panels:
        for row, name in zip(panel.records, labels(panel.records, UNTRAINED), strict=True):
            row["label"] = name
        panel.use(persons or {})
    return panels


def conflicts(one: Facts, other: Facts) -> list[str]:
    """Return the facts that both fix, with different values.

    A flag that one of them has conflicts with none as well, but for one of training with what trains nothing.

    >>> conflicts({"rule": "val", "data": "real data"}, {"rule": "last"})
    ['rule']
    >>> conflicts({"rule": "val"}, {"rule": "val", "re-ranked": "the first 50"})
    ['re-ranked']
    """
    flags = [name for name in FLAGS.values() if (name in one) != (name in other)]
    without = {name: other if name in one else one for name in flags}
    kept = [name for name in flags if name not in OF_TRAINING or _RULE in without[name]]
    return [name for name in one if name in other and one[name] != other[name]] + kept


def protocol_facts(row: Mapping[str, Any]) -> Facts:
    """Return what two results must share to be in one table, whatever they are trained on."""
    facts = {
        "data": TWIN if row["synthetic"] else REAL,
        "backbone": f"{row['backbone']} ({row['weights']})",
        "image size": str(row["image_size"]),
        "text length": str(row["text_length"]),
        "preprocessing": str(row["preprocessing"]),
        "protocol version": str(row["protocol"]),
        f"annotations of {row['tested_on']}": str(row["test_fingerprint"]),
        **_picture_facts(row, "pictures", "left_out", f"test pictures of {row['tested_on']}"),
    }
    if _known(row.get("interval_method")) and _known(row.get("R1_low")):
        facts["intervals"] = _method_words(int(row["interval_method"]))
    facts |= flags(row)
    return facts if row["rule"] == UNTRAINED else facts | {_RULE: str(row["rule"])}


def training_facts(row: Mapping[str, Any]) -> Facts:
    """Return what two results of one training set must share; nothing for an untrained method."""
    if row["rule"] == UNTRAINED:
        return {}
    name = row["trained_on"]
    if row.get("scored"):
        told = f"{row['train_pairs']:,.0f}" if _known(row["train_pairs"]) else NOT_TOLD
        return {
            f"training data of {name}": "as told" if row["training_told"] else NOT_TOLD,
            f"training pairs of {name}": told,
            f"validation of {name}": NOT_TOLD,
        }
    return {
        f"training pairs of {name}": f"{row['train_pairs']:,.0f}"
        if _known(row["train_pairs"])
        else "unknown",
        f"validation of {name}": f"{row['val']}, trained on {row['train_on']}",
        f"annotations of {name}": str(row["fingerprint"]),
        **person_facts(row.get("config") or {}, f"training persons of {name}"),
        **_picture_facts(row, "train_pictures", "train_left_out", f"training pictures of {name}"),
    }


def person_facts(config: Mapping[str, Any], name: str) -> Facts:
    """Return how many persons were learned from and which, where they were chosen; nothing of most rows."""
    n = int(config.get("dataset.few_shot_persons") or 0)
    return {name: f"{n:,}, seed {config.get('dataset.few_shot_seed', '0')}"} if n else {}


def _picture_facts(row: Mapping[str, Any], pictures: str, left_out: str, name: str) -> Facts:
    """Return what is known of a row's pictures; nothing of a run that was made before they were part of it."""
    facts = {name: str(row[pictures])} if row.get(pictures) else {}
    return facts | ({f"unreadable {name}": f"{row[left_out]:,.0f}"} if _known(row.get(left_out)) else {})


def _method_words(number: int) -> str:
    """Return which method made intervals, in words."""
    names = {BOOTSTRAP: " (bootstrap)", METHOD: " (Wilson's)"}
    return f"method {number}{names.get(number, '')}"


def _lines(value: Any) -> list[str]:
    """Return the lines of a cell; none of one that an earlier version left empty."""
    return list(value) if isinstance(value, list | tuple) else []


def _known(value: float | None) -> bool:
    return value is not None and value == value


def dataset_facts(row: Mapping[str, Any]) -> Facts:
    """Return what results of one dataset must share: the protocol, the training data and the dataset."""
    return protocol_facts(row) | training_facts(row) | {"dataset": str(row["tested_on"])}


def on_own_dataset(rows: "DataFrame") -> "DataFrame":
    """Return the results on the dataset that a method was trained on, and all of one that trains nothing."""
    return rows[rows["in_domain"].astype(bool) | (rows["rule"] == UNTRAINED)]


def _commonest_first(rows: list[Row], facts_of: Callable[[Row], Facts]) -> list[Row]:
    """Order rows so that the protocol of most results opens the first panel; real data before twins."""
    keys = [tuple(sorted(facts_of(row).items())) for row in rows]
    shared = [tuple(pair for pair in key if " of " not in pair[0]) for key in keys]
    order = sorted(
        range(len(rows)), key=lambda i: (rows[i]["synthetic"], -shared.count(shared[i]), -keys.count(keys[i]))
    )
    return [rows[i] for i in order]


def _own_first(untrained: list[Row], facts_of: Callable[[Row], Facts]) -> list[Row]:
    """Return one row of each untrained method and test set, for it does not matter which dataset it was called on."""
    kept: dict[Any, Row] = {}
    for row in sorted(untrained, key=lambda row: not row["in_domain"]):
        settings = {key: value for key, value in row["config"].items() if key.startswith("method.")}
        kept.setdefault((row["tested_on"], *sorted((settings | facts_of(row)).items())), row)
    return list(kept.values())


def _place(panels: list[Panel], row: Row, facts: Facts) -> None:
    panel = next((panel for panel in panels if panel.fits(facts)), None)
    if panel is None:
        panel = Panel(len(panels) + 1, {}, reasons=[_reason(earlier, facts) for earlier in panels])
        panels.append(panel)
    _add(panel, row, facts)


def _add(panel: Panel, row: Row, facts: Facts) -> None:
    panel.facts |= facts
    panel.records.append(dict(row))


def _reason(earlier: Panel, facts: Facts) -> str:
    parts = [
        f"{name} is {facts.get(name, NO)} here and {earlier.facts.get(name, NO)} there"
        for name in conflicts(earlier.facts, facts)
    ]
    return f"Separate from protocol {earlier.number}, because {'; '.join(parts)}."
