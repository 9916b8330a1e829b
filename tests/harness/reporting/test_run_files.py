"""A run's files, fetched for a report: what there is, what an older run lacks, what is broken."""

import numpy as np
import pytest

from harness.errors import DataError, UsageError
from harness.files import load_arrays, read_json
from harness.record import RECORD, RunFolder
from harness.reporting.run_files import Here, fetch_run
from harness.results.run_source import Source
from harness.track.publish import publish

WHOLE = ("t2i/top", "i2t/identity", "t2i/colours")


@pytest.fixture
def row_of(experiment, fake):
    """Return a function that publishes a run with these files, and returns the row of a report about it."""

    def make(queries=WHOLE, embeddings=True, broken=()):
        made, arrays = fake.record("cskt", "icfg", 40)
        folder = RunFolder(experiment.runs / f"{made.name}-{experiment.experiment_id}")
        if queries is not None:
            folder.write_queries(arrays | {name: np.arange(3) for name in queries})
        if embeddings:
            folder.write_queries({"image": np.zeros((2, 4))}, "embeddings.npz")
        for name in broken:
            folder.file(name).write_bytes(b"no archive")
        folder.write(made)
        run_id = publish(made, folder, experiment)["run_id"]
        experiment.log(run_id, [{"epoch": 1, "train/loss": 3.0, "val/t2i/R1": 10.0}])
        return {"run_id": run_id, "run": made.name, "method": "cskt", "trained_on": "icfg", "synthetic": True}

    return make


@pytest.fixture
def source(experiment):
    return Source(str(experiment.runs), experiment.client.get_experiment(experiment.experiment_id).name)


def test_all_files_of_a_whole_run_are_fetched_behind_the_prefix(source, row_of, tmp_path):
    here = fetch_run(source, row_of(), tmp_path, "a-")
    assert here == Here(True, True, True, True, ())
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"a-run.json", "a-history.json", "a-queries.npz", "a-embeddings.npz"}
    assert read_json(tmp_path / "a-history.json") == [{"epoch": 1, "train/loss": 3.0, "val/t2i/R1": 10.0}]
    assert read_json(tmp_path / "a-run.json")["config"]["method"]["name"] == "cskt"
    assert set(WHOLE) <= set(load_arrays(tmp_path / "a-queries.npz"))


def test_a_record_that_is_damaged_in_the_store_is_named_with_its_run(source, row_of, tmp_path, experiment):
    row = row_of()
    (file,) = (experiment.runs / "mlartifacts").rglob(f"{row['run_id']}/artifacts/{RECORD}")
    file.write_text(file.read_text().replace('"total": 2000000', '"total": 2000001'))
    with pytest.raises(DataError, match=rf"^record\.json of the run {row['run']} is damaged .*--force$"):
        fetch_run(source, row, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("made", "known"),
    [
        ({"queries": None}, (False, True, False, False)),
        ({"embeddings": False}, (True, False, True, True)),
        ({"queries": ()}, (True, True, False, False)),
        ({"queries": WHOLE[:2]}, (True, True, True, False)),
        ({"queries": ("t2i/top", "t2i/colours")}, (True, True, False, True)),
    ],
)
def test_what_an_older_run_lacks_is_named_with_the_command_that_makes_it(
    source, row_of, tmp_path, made, known
):
    here = fetch_run(source, row_of(**made), tmp_path)
    assert (here.queries, here.embeddings, here.ranked, here.words) == known
    ((what, commands),) = here.missing
    assert what
    assert commands == ("harness run --method cskt --dataset icfg --synthetic --force",)


@pytest.mark.parametrize("name", ["queries", "embeddings"])
def test_broken_arrays_count_as_not_there_and_are_removed(source, row_of, tmp_path, name):
    here = fetch_run(source, row_of(broken=[f"{name}.npz"]), tmp_path)
    assert not getattr(here, name)
    assert not (tmp_path / f"{name}.npz").exists()
    assert len(here.missing) == 1


def test_without_a_record_there_is_no_report_and_the_way_to_one_is_told(source, experiment, tmp_path):
    run_id = experiment.open("bare", {"harness.kind": "run"}, {})
    experiment.end(run_id, "finished")
    row = {"run_id": run_id, "run": "bare", "method": "cskt", "trained_on": "icfg", "synthetic": False}
    with pytest.raises(UsageError, match="--method cskt --dataset icfg --force"):
        fetch_run(source, row, tmp_path)
    assert list(tmp_path.iterdir()) == []
