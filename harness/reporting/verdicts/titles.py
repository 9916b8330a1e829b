"""What a page is called: its methods and what they were tested on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.data.protocols.galleries import parse_test
from harness.reporting.display_names import begun, data_name, dataset_name, method_name
from harness.reporting.verdicts.words import named

Row = Mapping[Any, Any]
_MOST_METHODS, _MOST_PLACES = 2, 3


def methods_of(rows: Sequence[Row]) -> str:
    """Return the methods of results, the best first."""
    best: dict[str, float] = {}
    for row in rows:
        score = row["R1"] if row["R1"] is not None and row["R1"] == row["R1"] else -1.0
        best[row["method"]] = max(score, best.get(row["method"], -1.0))
    ordered = sorted(best, key=lambda name: (-best[name], name))
    return named([method_name(name) for name in ordered], _MOST_METHODS)


def place_name(dataset: str, synthetic: bool) -> str:
    """Return a test set as a title names it.

    >>> place_name("icfg", True)
    'ICFG-PEDES (synthetic twin)'
    """
    return f"{dataset_name(dataset)} (synthetic twin)" if synthetic else dataset_name(dataset)


def places_of(rows: Iterable[Row]) -> str:
    """Return the test sets of results; several galleries of one are that one."""
    found = list(dict.fromkeys((str(row["tested_on"]), bool(row["synthetic"])) for row in rows))
    whole = list(dict.fromkeys((parse_test(name)[0], synthetic) for name, synthetic in found))
    found = whole if len(whole) < len(found) else found
    names = [dataset_name(name) for name, _ in found]
    worlds = {synthetic for _, synthetic in found}
    if len(found) > _MOST_PLACES:
        kinds = (
            "real and synthetic" if len(worlds) > 1 else "synthetic twins" if True in worlds else "real data"
        )
        return f"{len(found)} test sets ({kinds})"
    if worlds == {True} and len(found) > 1:
        return f"{named(names)} (synthetic twins)"
    if len(worlds) == 2 and len(set(names)) == 1:
        return f"{names[0]} and its synthetic twin"
    return named([place_name(name, synthetic) for name, synthetic in found])


def results_title(rows: Sequence[Row], before: str = "") -> str:
    """Return the title of a page about results, behind words on what is looked at."""
    subject = f"{methods_of(rows)} on {places_of(rows)}"
    return f"{before} {subject}" if before else begun(subject)


def where_of(rows: Sequence[Row]) -> str:
    """Return what results of one test set were tested on, as a sentence names it."""
    return data_name(str(rows[0]["tested_on"]), bool(rows[0]["synthetic"]))


def run_title(run: Mapping[str, Any]) -> str:
    """Return what a run's page is called, out of the run's record."""
    config = run["config"]
    place = place_name(config["dataset"]["name"], bool(run["synthetic"]))
    return begun(f"{method_name(config['method']['name'])} on {place}, seed {config['seed']}")


def side_names(methods: Sequence[str]) -> tuple[str, str]:
    """Return what two compared results are called: as their tables call them, too.

    >>> side_names(["cskt", "linear_probe"])
    ('CSKT (A)', 'linear probe (B)')
    """
    one, other = (f"{method_name(name)} ({side})" for name, side in zip(methods, "AB", strict=True))
    return one, other


def comparison_title(names: Sequence[str], tests: Sequence[str], synthetic: bool) -> str:
    """Return what the page of a comparison is called."""
    places = places_of([{"tested_on": name, "synthetic": synthetic} for name in tests])
    return begun(f"{names[0]} vs. {names[1]} on {places}")


def study_title(study: Any) -> str:
    """Return what a search's page is called."""
    return f"Search for {method_name(study.method)} on {place_name(study.dataset, study.synthetic)}"


def layers_title(found: Mapping[str, Any]) -> str:
    """Return what the page of a probed run is called."""
    return f"Layers of {method_name(found['method'])} on {place_name(found['dataset'], bool(found['synthetic']))}"
