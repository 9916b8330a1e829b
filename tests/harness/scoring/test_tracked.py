"""A scored run in MLflow: its row says what was told, it is compared like any other, and its note says what it is."""

import numpy as np
import pytest

from harness.config.sections import DatasetConfig
from harness.errors import UsageError
from harness.listener import Listener
from harness.results.compare import compare
from harness.results.run_source import Source
from harness.scoring.score import Given, lists, score
from harness.scoring.told import told
from harness.track.notes import NOTE


def test_scored_runs_are_rows_that_compare_by_identity(tmp_path, twins, experiment):
    dataset = DatasetConfig(name="cuhk", synthetic=True, root=str(twins))
    own = lists(dataset, "test", Listener())
    right = np.array(
        [[owner == image for image in own["images"]] for _, owner in own["captions"]], np.float32
    )
    draws = np.random.default_rng(1)
    for name, rule, noise in (("one", "oracle", 0.1), ("two", "oracle", 0.6), ("three", "val", 0.1)):
        np.save(tmp_path / f"{name}.npy", right + noise * draws.normal(size=right.shape))
        known = told(
            method=name, rule=rule, trained_on=("cuhk", "webperson"), reranked=0, image_size=(384, 128)
        )
        record = score(Given(similarity=tmp_path / f"{name}.npy"), dataset, known, runs=experiment.runs)
        assert record.tracking["synced"], record.tracking
    source = Source(runs=str(experiment.runs))
    row = source.run_named("one")
    assert row["scored"].startswith("one.npy (sha256")
    assert (row["trained_on"], row["in_domain"], row["several"]) == ("cuhk+webperson", True, "cuhk+webperson")
    assert (row["rule"], row["backbone"], row["image_size"]) == ("oracle", "not told", "384×128")
    assert (row["reranked"], row["unlabelled_test"], row["text_length"]) == ("no", "not told", "not told")
    assert row["preprocessing"] == "not told"
    found = compare(source, "one", "two")
    assert {"A was scored, not trained here", "B was scored, not trained here"} <= set(found.unlike)
    assert found.tests[0].differences["R1"].estimate == pytest.approx(
        source.run_named("one")["R1"] - source.run_named("two")["R1"]
    )
    with pytest.raises(UsageError, match="selection rule: oracle for A, val for B"):
        compare(source, "one", "three")
    note = experiment.run(row["run_id"]).tags[NOTE]
    assert "Scored from one.npy" in note
    assert "not trained here" in note
