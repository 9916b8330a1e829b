"""Views that MLflow's pages list: each dataset's results, and its methods compared, with useful columns and charts.

They are experiment tags, which the pages show under "Views" (seen in MLflow 3.17); another release ignores what it does
not know. Nothing here talks to a store.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.metric_names import METRIC_NAMES
from harness.record import twin_name
from harness.track.notes import NOTE
from harness.track.run_row import as_flag
from harness.track.tags import SETTINGS, SUITE

VIEW = "mlflow.sharedViewState."
_ABOUT = (
    "Runs of the person retrieval harness. **Views** lists, for each dataset, its results and a comparison of the "
    "methods; `harness ui` keeps them up to date.\n\n"
    "Metrics are in percent, as `split/dataset/direction/name`; `/low` and `/high` are the ends of the 95 % interval. "
    "`selection/` is the validation by which the epoch was chosen: never compare it with `test/`. "
    "Never compare results of synthetic twins with results of real data."
)
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development", NOTE: _ABOUT}
_TRAINABLE = "accounting/parameters.trainable"
SECONDS = "accounting/train_seconds"
_TESTED = ("R1", "R1/low", "R1/high", "R5", "R10", "mAP")
# What the epoch was chosen by, which is validation and no test.
_SELECTION = ("selection/val/t2i/R1", "selection/val/t2i/mAP", "selection/epoch")
_WIDTHS = {"harness.method": 130, "harness.seed": 105, "harness.rule": 95, _TRAINABLE: 205, SECONDS: 170}


@dataclass(frozen=True)
class View:
    """A saved view: results on one dataset, or their comparison by a tag, for all runs or those of one suite."""

    dataset: str
    synthetic: bool
    by: str | None = None
    suite: str | None = None

    @property
    def key(self) -> str:
        """The key by which an address opens the view.

        >>> View("icfg", True, by="harness.settings").key
        'harness-compared-icfg-twin'
        """
        what = f"suite-{self.suite}" if self.suite else "compared" if self.by else "results"
        return f"harness-{what}-{twin_name(self.dataset, self.synthetic)}"

    @property
    def title(self) -> str:
        """The name that the pages show."""
        what = f"Suite {self.suite}" if self.suite else "Methods compared" if self.by else "Results"
        return f"{what} on {self.dataset}{' (synthetic twin)' if self.synthetic else ''}"

    def tag(self) -> tuple[str, str]:
        """Return the experiment tag that holds the view; its fixed time keeps an unchanged view equal to itself."""
        state = _state(self)
        stamp = {"createdAt": 1_700_000_000_000, "updatedAt": 1_700_000_000_000}
        return VIEW + self.key, json.dumps({"name": self.title, **stamp, "state": json.dumps(state)})


def views(runs: Sequence[Mapping[str, str]]) -> list[View]:
    """Return the views of runs, given as their tags, newest first: each dataset's, then each suite's on it.

    Seeds of one condition are averaged where all runs have the tag for it, else all runs of a method.
    """
    by = SETTINGS if all(SETTINGS in tags for tags in runs) else "harness.method"
    found: dict[View, None] = {}
    for tags in runs:
        world = (tags["harness.dataset"], as_flag(tags["harness.synthetic"]))
        suites = [name.removeprefix(SUITE) for name in tags if name.startswith(SUITE)]
        if all(re.fullmatch(r"[\w-]+", name) for name in (world[0], *suites)):
            found |= dict.fromkeys([View(*world), View(*world, by)])
            found |= dict.fromkeys(View(*world, f"{SUITE}{name}", name) for name in suites)
    worlds = list(dict.fromkeys((view.dataset, view.synthetic) for view in found))
    return sorted(
        found,
        key=lambda view: (worlds.index((view.dataset, view.synthetic)), view.suite or "", bool(view.by)),
    )


def _state(view: View) -> dict[str, Any]:
    dataset, r1 = view.dataset, f"test/{view.dataset}/t2i/R1"
    wanted = {
        "kind": "run",
        "dataset": dataset,
        "synthetic": str(view.synthetic).lower(),
        "status": "finished",
    }
    wishes = [f"tags.`harness.{key}` = '{value}'" for key, value in wanted.items()]
    wishes += [f"tags.`{SUITE}{view.suite}` LIKE '%'"] if view.suite else []
    columns = [
        *(_column("tags", f"harness.{name}") for name in ("method", "seed", "rule")),
        *(_column("metrics", f"test/{dataset}/t2i/{n}") for n in _TESTED),
        *(_column("metrics", name) for name in _SELECTION),
        *(_column("metrics", name) for name in (_TRAINABLE, SECONDS)),
        _column("tags", "harness.device"),
    ]
    return {
        "searchFilter": " AND ".join([*wishes, f"metrics.`{r1}` >= 0"]),
        "groupBy": _grouping(view.by) if view.by else None,
        "orderByKey": _column("metrics", r1),
        "orderByAsc": False,
        "selectedColumns": columns,
        "columnOrder": columns,
        "columnWidths": _widths(dataset),
        "runsHiddenMode": "FIRST_20_RUNS",
        "isAccordionReordered": True,
        **_charts(dataset),
    }


def _widths(dataset: str) -> dict[str, int]:
    tags = {_column("tags", name): width for name, width in _WIDTHS.items() if name.startswith("harness.")}
    costs = {_column("metrics", name): _WIDTHS[name] for name in (_TRAINABLE, SECONDS)}
    tested = {_column("metrics", f"test/{dataset}/t2i/{n}"): 90 + 9 * len(n + dataset) for n in _TESTED}
    return tags | costs | tested | {_column("metrics", name): 60 + 7 * len(name) for name in _SELECTION}


def _charts(dataset: str) -> dict[str, Any]:
    result = {name: f"test/{dataset}/t2i/{name}" for name in ("R1", "mAP")}
    sections = [f"Test on {dataset}", "Costs", "Training"]
    charts = [
        *(_chart("BAR", 0, f"test {METRIC_NAMES[name]}", metricKey=key) for name, key in result.items()),
        _scatter("trainable parameters and R@1", _TRAINABLE, result["R1"]),
        _scatter("training seconds and R@1", SECONDS, result["R1"]),
        *(
            _chart("LINE", 2, name, metricKey=key, selectedMetricKeys=[key], xAxisKey="step", range={})
            for key, name in (("val/t2i/R1", "validation R@1"), ("train/loss", "training loss"))
        ),
    ]
    places = [
        {"uuid": f"harness-{number}", "name": name, "display": True, "isReordered": True, "deleted": False}
        for number, name in enumerate(sections)
    ]
    return {"compareRunCharts": charts, "compareRunSections": places}


def _scatter(name: str, across: str, up: str) -> dict[str, Any]:
    axes = {"xaxis": {"key": across, "type": "METRIC"}, "yaxis": {"key": up, "type": "METRIC"}}
    return _chart("SCATTER", 1, name, **axes) | {"runsCountToCompare": 100}


def _chart(kind: str, section: int, name: str, **more: Any) -> dict[str, Any]:
    base = {
        "type": kind,
        "uuid": f"harness-{name}",
        "metricSectionId": f"harness-{section}",
        "displayName": name,
    }
    return base | {"runsCountToCompare": 20, "deleted": False, "isGenerated": False} | more


def _grouping(tag: str) -> dict[str, Any]:
    return {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": tag}]}


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"
