"""What is known of a store without MLflow: the names of its results, as MLflow has them."""

import logging

import pytest

from harness.cli.actions import doctor
from harness.errors import UsageError
from harness.track.mlflow_opening import EXPERIMENT, STORE, _quiet, experiment_name, finished_names
from harness.track.mlflow_store import Store


def test_names_are_those_of_finished_runs_and_groups_newest_first(experiment, fake):
    one = fake.send(experiment, *fake.record("cskt", "icfg", 47, started="2026-01-02T00:00:00+00:00"))
    two = fake.send(experiment, *fake.record("irra", "icfg", 47, started="2026-01-03T00:00:00+00:00"))
    fake.send(experiment, *fake.record("coop", "icfg", 47, status="failed"))
    gone = fake.send(experiment, *fake.record("lora", "icfg", 47))
    experiment.client.delete_run(gone.tracking["run_id"])
    fake.group(experiment, [one, two], 40.0, 35.0, 45.0)
    name = experiment.client.get_experiment(experiment.experiment_id).name
    assert finished_names(experiment.runs, name) == {"run": [two.name, one.name], "group": ["group"]}
    assert finished_names(experiment.runs, f"{name}' OR 1=1 --") == {"run": [], "group": []}


def test_no_store_has_no_names_and_what_is_no_store_or_elsewhere_is_not_told(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert finished_names(tmp_path) == {"run": [], "group": []}
    assert not list(tmp_path.iterdir())
    (tmp_path / STORE).write_bytes(b"no database")
    assert finished_names(tmp_path) is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert finished_names(tmp_path) is None


@pytest.mark.parametrize(
    ("given", "set_", "name"), [("a", "b", "a"), (None, "b", "b"), (None, "", EXPERIMENT)]
)
def test_an_experiment_is_named_by_option_variable_or_the_harness(given, set_, name, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", set_)
    assert experiment_name(given) == name


def test_what_a_client_silences_stays_silent_after_the_store_is_opened():
    names = {
        "mlflow.store.db.utils": (logging.NOTSET, logging.CRITICAL),
        "alembic": (logging.INFO, logging.INFO),
    }
    for name, (before, _) in names.items():
        logging.getLogger(name).setLevel(before)
    with _quiet():
        assert {logging.getLogger(name).level for name in names} == {logging.ERROR}
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    assert [logging.getLogger(name).level for name in names] == [after for _, after in names.values()]
    with _quiet():
        assert logging.getLogger("mlflow.store.db.utils").level == logging.CRITICAL
    assert logging.getLogger("mlflow.store.db.utils").level == logging.CRITICAL


def test_a_deleted_experiment_is_told_with_what_restores_it(experiment, monkeypatch):
    name = experiment.client.get_experiment(experiment.experiment_id).name
    experiment.client.delete_experiment(experiment.experiment_id)
    told = (
        f"The experiment {name!r} was deleted in MLflow: restore it with `MLFLOW_TRACKING_URI={experiment.uri} mlflow "
        f"experiments restore -x {experiment.experiment_id}`, or name another by MLFLOW_EXPERIMENT_NAME."
    )
    for opened in (Store, Store.existing):
        with pytest.raises(UsageError) as error:
            opened(experiment.runs, name)
        assert str(error.value) == told
    monkeypatch.setenv("HARNESS_RUNS", str(experiment.runs))
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", name)
    assert list(doctor._store()) == [doctor.Finding("MLflow store", "broken", told)]
    experiment.client.restore_experiment(experiment.experiment_id)
    assert Store(experiment.runs, name).experiment_id == experiment.experiment_id
