"""URLs of SQLite files are right whatever the path is made of, for SQLAlchemy, MLflow and Optuna alike."""

import os

import optuna
import pytest
from mlflow import MlflowClient

from harness.addresses import sqlite_file, sqlite_url
from harness.queue.optuna_storage import open_storage
from harness.queue.storage_place import storage_url
from harness.track.mlflow_store import Store

HOSTILE = ("a b", "50%", "a%20b", "q?x=1", "h#x", "ü", "it's", 'd"q', "{x}", "a&b=c;d", "%3F?#")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_url_is_that_of_the_file(tmp_path, name):
    file = tmp_path / name / "a.db"
    assert sqlite_file(sqlite_url(file)) == file


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://host/base"])
def test_what_is_no_file_has_none(url):
    assert sqlite_file(url) is None


def test_both_stores_are_in_a_folder_of_any_name_and_make_no_other(tmp_path, monkeypatch):
    for variable in ("MLFLOW_TRACKING_URI", "HARNESS_STORAGE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / " ".join(HOSTILE)
    store = Store(runs)
    made = store.open("name", {"harness.kind": "run"}, {})
    store.log_json(made, {"a": 1}, "a.json")
    assert Store.existing(runs).run(made).id == made
    assert store.artifact(made, "a.json", tmp_path / "fetched").read_text().split() == ["{", '"a":', "1", "}"]
    url = storage_url(None, runs)
    optuna.create_study(study_name="s", storage=open_storage(url))
    assert optuna.get_all_study_names(open_storage(url)) == ["s"]
    assert {"mlflow.db", "optuna.db", "mlartifacts"} <= {file.name for file in runs.iterdir()}
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([runs.name, "fetched"])


def test_a_users_own_url_of_a_store_is_read_as_sqlalchemy_reads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/50%25/a.db")
    (tmp_path / "50%").mkdir()
    assert Store.existing(tmp_path) is None
    assert Store(tmp_path).uri == os.environ["MLFLOW_TRACKING_URI"]
    assert (tmp_path / "50%" / "a.db").is_file()
    assert MlflowClient(f"sqlite:///{tmp_path}/50%25/a.db").search_experiments()
    assert Store.existing(tmp_path) is not None
