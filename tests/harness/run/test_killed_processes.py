"""SIGKILL of `harness run` at eight moments: the same command resumes it, to the result of one that nobody killed."""

import os
import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing

import numpy as np
import pytest

from harness.record import WEIGHTS, all_runs
from harness.track.mlflow_opening import _lay_out, sqlite_url
from tests.forked_commands import ForkedCommands
from tests.world import without_epochs

BY_WRITE, BY_TIME, SEED = 5, 3, 14
SETTINGS = (*without_epochs(), "train.epochs=3", "train.checkpoint_seconds=0.000001")
CLOCKS = ("seconds", "per_second", "peak")


class Commands:
    """Runs in folders beside one another, killed where it is asked to."""

    def __init__(self, forked, folder, twins, laid_out):
        self.forked, self.folder, self.twins, self.laid_out = forked, folder, twins, laid_out

    def run(self, name, **kill):
        """Run in a runs folder of a name; return exit code, how many changes were made and the seconds."""
        if not (self.folder / name).exists():
            (self.folder / name).mkdir()
            shutil.copy(self.laid_out, self.folder / name)
        options = [word for text in SETTINGS for word in ("--set", text)]
        names = ["-m", "linear_probe", "-d", "icfg", "--synthetic"]
        return self.call(name, "run", *names, *options, "--data-root", str(self.twins), **kill)

    def call(self, name, *words, **kill):
        """Call a command on a runs folder; return what became of it."""
        root = self.folder / name
        return self.forked.call("-q", *words, "--runs", str(root), log=f"{root}.log", **kill)

    def said(self, name):
        return (self.folder / f"{name}.log").read_text()


@pytest.fixture
def commands(tmp_path, twins):
    _lay_out(sqlite_url(tmp_path / "mlflow.db"), tmp_path)
    environment = os.environ | {"HARNESS_CACHE": str(tmp_path / "cache")}
    environment.pop("MLFLOW_TRACKING_URI", None)
    with ForkedCommands(tmp_path, environment) as forked:
        yield Commands(forked, tmp_path, twins, tmp_path / "mlflow.db")


def result(root):
    """Return all of a run that no clock decides: bytes of the weights, figures, per-query results, names of files."""
    (folder,) = all_runs(root)
    record = folder.read()
    history = [{key: value for key, value in row.items() if not is_clock(key)} for row in folder.history()]
    queries = {key: values.tobytes() for key, values in folder.queries().items()}
    assert record.status == "finished"
    assert np.isfinite(list(record.metrics.values())).all()
    return {
        "weights": folder.file(WEIGHTS).read_bytes(),
        "metrics": record.metrics,
        "intervals": record.intervals,
        "selection": record.selection,
        "history": history,
        "queries": queries,
        "files": sorted(file.name for file in folder.path.rglob("*")),
    }


def is_clock(key):
    return any(word in key for word in CLOCKS)


def tracked(root):
    """Return the states of all of MLflow's runs that are not deleted."""
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        return [
            row[0] for row in database.execute("SELECT status FROM runs WHERE lifecycle_stage = 'active'")
        ]


@pytest.mark.slow
def test_a_process_killed_at_any_moment_resumes_to_the_result_of_one_that_was_not(commands, record_property):
    assert commands.run("first")["code"] == 0, commands.said("first")
    whole = commands.run("whole")  # finds its pictures decoded, as all later ones do
    assert result(commands.folder / "first") == result(commands.folder / "whole")
    expected, chance, total = result(commands.folder / "whole"), random.Random(SEED), Counter()
    moments = [{"write": 1 + chance.randrange(whole["writes"])} for _ in range(BY_WRITE)]
    moments += [{"after": chance.random() * whole["seconds"]} for _ in range(BY_TIME)]
    for place, kill in enumerate(moments):
        name, root = f"killed-{place}", commands.folder / f"killed-{place}"
        total["kills"] += commands.run(name, **kill)["code"] == -9
        assert commands.run(name)["code"] == 0, commands.said(name)
        found = result(root)
        total["wrong"] += sum(found[key] != expected[key] for key in expected)
        if tracked(root) != [
            "FINISHED"
        ]:  # killed after its results were there: it is shown, and told to be sent
            assert "harness runs sync" in commands.said(name)
            assert commands.call(name, "runs", "sync")["code"] == 0, commands.said(name)
            total["sent by sync"] += 1
        total["left or doubled in MLflow"] += tracked(root) != ["FINISHED"]
    record_property("counts", dict(total))
    record_property("writes", whole["writes"])
    assert total["kills"] >= BY_WRITE, total
    assert total["wrong"] == total["left or doubled in MLflow"] == 0, total
