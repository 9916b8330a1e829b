"""What is missing in a report, and the commands that make it, safe to paste into a shell."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.protocols.galleries import parse_test
from harness.datasets import DATASETS, is_test_only
from harness.errors import many
from harness.files import read_json, write_json
from harness.pages.tables import Table
from harness.registry.set_names import split_sets
from harness.reports import Gap
from harness.results.panels import Panel
from harness.results.run_table import UNTRAINED

if TYPE_CHECKING:
    from pandas import DataFrame

_RESUMABLE = ("interrupted", "failed")


def _baselines(trained: bool) -> list[str]:
    """Return the methods that no comparison should lack: the untrained ones, or the trained ones."""
    from harness.methods import METHODS  # PyTorch, for which who reads tables alone need not wait

    return [method.name for method in METHODS.usable() if method.baseline and method.trained == trained]


def run_command(method: str, dataset: str, synthetic: bool, *more: str) -> str:
    """Return the command that makes a missing run, with more options behind it.

    >>> run_command("zero_shot", "icfg", True)
    'harness run --method zero_shot --dataset icfg --synthetic'
    """
    words = ["harness", "run", "--method", method, "--dataset", dataset]
    return shlex.join([*words, *["--synthetic"] * synthetic, *more])


def evaluate_command(run: str, datasets: Sequence[str]) -> str:
    """Return the command that tests a run on other datasets.

    >>> evaluate_command("cskt-icfg-1a2b", ["cuhk", "rstp"])
    'harness evaluate cskt-icfg-1a2b --dataset cuhk --dataset rstp'
    >>> evaluate_command("cskt-icfg-1a2b", ["icfg-low4", "icfg-mixed1_2"])
    'harness evaluate cskt-icfg-1a2b --dataset icfg --gallery 4 --gallery 1,2'
    """
    tests = [parse_test(name) for name in datasets]
    words = [word for name in dict.fromkeys(name for name, _ in tests) for word in ("--dataset", name)]
    galleries = [",".join(map(str, gallery.factors)) for _, gallery in tests if gallery]
    words += [word for text in dict.fromkeys(galleries) for word in ("--gallery", text)]
    seeds = {gallery.seed for _, gallery in tests if gallery and gallery.seed}
    return shlex.join(
        ["harness", "evaluate", run, *words, *(f"--gallery-seed={seed}" for seed in sorted(seeds)[:1])]
    )


def beginning(*datasets: str) -> Gap:
    """Return the gap of a report without any result: how to make some on the synthetic twins."""
    methods = (*_baselines(trained=False), *_baselines(trained=True))
    commands = [run_command(method, dataset, True) for dataset in datasets for method in methods]
    return Gap("No finished run of the chosen experiment and datasets. To begin:", tuple(commands))


def _made_here(panel: Panel) -> "DataFrame":
    """Return the rows of a panel that were not scored from a file: no command makes more of those."""
    rows = panel.rows
    return rows[~rows["scored"].astype(bool)] if "scored" in rows else rows


def rival_gap(panel: Panel, dataset: str, kind: str) -> list[Gap]:
    """Return a gap when the panel has fewer than two trained methods, which its kind of report needs."""
    rows = panel.rows
    n_trained = int((rows["rule"] != UNTRAINED).sum())
    if n_trained > 1 or not len(_made_here(panel)):
        return []
    what = f"Protocol {panel.number}, {dataset}: {many(n_trained, 'trained method')}; a {kind} needs two."
    names = [name for name in _baselines(trained=True) if name not in set(rows["method"])]
    synthetic = bool(rows["synthetic"].iloc[0])
    return [Gap(what, _runs_on(dataset, names, synthetic))]


def floor_gap(panel: Panel, dataset: str) -> list[Gap]:
    """Return a gap when the panel has no method that trains nothing."""
    rows = panel.rows
    if (rows["rule"] == UNTRAINED).any() or not len(_made_here(panel)):
        return []
    what = f"Protocol {panel.number}: no untrained method, the floor of the comparison."
    synthetic = bool(rows["synthetic"].iloc[0])
    return [Gap(what, _runs_on(dataset, _baselines(trained=False), synthetic))]


def _runs_on(test: str, methods: Sequence[str], synthetic: bool) -> tuple[str, ...]:
    """Return the commands that run methods on a test set; with a reduced gallery that is a test of a run of its own."""
    dataset, gallery = parse_test(test)
    commands = [run_command(method, dataset, synthetic) for method in methods]
    return (*commands, *([evaluate_command("RUN", [test])] if gallery else []))


def sets_of(panel: Panel) -> list[str]:
    """Return the test sets of a panel and what its methods learned from, of a joint training each set."""
    trained_on = panel.rows.loc[panel.rows["rule"] != UNTRAINED, "trained_on"]
    return sorted({*panel.rows["tested_on"], *(name for names in trained_on for name in split_sets(names))})


def untested_gaps(panel: Panel, tests: Sequence[str]) -> list[Gap]:
    """Return a gap for each condition of which some seed was not tested on all test sets."""
    rows = _made_here(panel)
    trained = rows[rows["rule"] != UNTRAINED].groupby("condition", sort=False)
    found = [_untested(part.to_dict("records"), tests) for _, part in trained]
    for _, part in rows[rows["rule"] == UNTRAINED].groupby("label", sort=False):
        found.append(_unseen(part.to_dict("records"), tests))
    return [gap for gap in found if gap is not None]


def source_gaps(panel: Panel, tests: Sequence[str]) -> list[Gap]:
    """Return a gap for each dataset that nothing is trained on, with the commands that train the panel's methods.

    One that is a test alone has no such gap.
    """
    rows = _made_here(panel)
    trained = rows[rows["rule"] != UNTRAINED]
    if not len(rows):
        return []
    methods = sorted(set(trained["method"])) or _baselines(trained=True)
    found = []
    for name in (one for one in sorted(set(tests) - set(trained["trained_on"])) if _trains(one)):
        commands = tuple(run_command(method, name, bool(rows["synthetic"].iloc[0])) for method in methods)
        what = f"Protocol {panel.number}: nothing trained on {name}, so there is no drop to report on it."
        found.append(Gap(what, commands))
    return found


def _trains(name: str) -> bool:
    return name not in DATASETS.names() or not is_test_only(DATASETS.get(name))


def unfinished_gaps(unfinished: "DataFrame") -> list[Gap]:
    """Return a gap for each run that did not finish, with the command that resumes it.

    MLflow has one that finished here and did not arrive whole as unfinished, too.
    """
    found = []
    for row in unfinished.to_dict("records"):
        if row["status"] == "finished":
            what = (
                f"The run {row['run']} is finished, but did not arrive whole in MLflow, and is not counted."
            )
            found.append(Gap(what, ("harness runs sync",)))
            continue
        commands = (
            (shlex.join(["harness", "runs", "resume", row["run"]]),) if row["status"] in _RESUMABLE else ()
        )
        words = f" ({row['reached']})" if row.get("reached") else ""
        found.append(Gap(f"The run {row['run']} is {row['status']}{words} and not counted.", commands))
    return found


def placed(gaps: Sequence[Gap], runs: str | None, experiment: str | None) -> list[Gap]:
    """Return the gaps with commands that work on a chosen folder of records and experiment."""
    before = f"MLFLOW_EXPERIMENT_NAME={shlex.quote(experiment)} " if experiment else ""
    after = f" --runs {shlex.quote(runs)}" if runs else ""
    return [Gap(gap.what, tuple(f"{before}{command}{after}" for command in gap.commands)) for gap in gaps]


def write_gaps(path: Path, gaps: Sequence[Gap]) -> None:
    """Write gaps as JSON that `load_gaps` reads back."""
    write_json(path, [asdict(gap) for gap in gaps])


def load_gaps(path: str | Path) -> list[Gap]:
    """Return the gaps that `write_gaps` wrote."""
    return [Gap(entry["what"], tuple(entry["commands"])) for entry in read_json(Path(path))]


def gaps_table(gaps: Sequence[Gap]) -> Table:
    """Return what is missing as a table, one line for each command."""
    from pandas import DataFrame

    pairs = [(gap.what, command) for gap in gaps for command in gap.commands or ("",)]
    lines = DataFrame(pairs, columns=["what is missing", "command that makes it"])
    cells = lines.assign(
        **{"what is missing": lines["what is missing"].mask(lines["what is missing"].duplicated(), "")}
    )
    return Table("missing", "What is missing", lines, cells, n_left=2)


def _unseen(records: Sequence[Mapping[Any, Any]], tests: Sequence[str]) -> Gap | None:
    """Name the test sets that no run of an untrained method was tested on."""
    missing = sorted(set(tests) - {row["tested_on"] for row in records})
    if not missing:
        return None
    first = records[0]
    what = f"{first['label']}: not tested on {', '.join(missing)}."
    return Gap(what, (evaluate_command(first["runs"][0], missing),))


def _untested(records: Sequence[Mapping[Any, Any]], tests: Sequence[str]) -> Gap | None:
    """Name the test sets that some seed of a condition was not tested on, with a command for each of its runs."""
    runs = dict.fromkeys(run for row in records for run in row["runs"])
    seen = {run: {row["tested_on"] for row in records if run in row["runs"]} for run in runs}
    commands = [evaluate_command(run, sorted(missing)) for run in runs if (missing := set(tests) - seen[run])]
    if not commands:
        return None
    names = ", ".join(sorted(set(tests) - set.intersection(*seen.values())))
    first = records[0]
    return Gap(f"{first['label']} trained on {first['trained_on']}: not tested on {names}.", tuple(commands))
