import socket

import numpy as np
import pytest
from pandas import DataFrame

from harness.errors import UsageError
from harness.evaluate.intervals import METHOD
from harness.evaluate.per_identity import query_values
from harness.files import locked, write_json
from harness.record import BOOTSTRAP, PROGRESS, RunFolder
from harness.results.flags import shares_persons
from harness.results.panels import protocol_facts, split_panels
from harness.results.run_source import Source, query_reader
from harness.results.run_table import (
    UNTRAINED,
    load_rows,
    read_runs,
    read_unfinished,
    run_rows,
    write_rows,
)
from harness.results.seeds.over_seeds import NO_INTERVAL, SEVERAL_SEEDS, combine_seeds
from harness.run.resume import sync_runs
from harness.track.mlflow_store import Store
from harness.track.own_runs import new_key
from harness.track.publish import log_transfer
from harness.track.run_row import RunRow


def by(rows, **fixed):
    for name, value in fixed.items():
        rows = rows[rows[name] == value]
    return rows.to_dict("records")


def test_a_run_gives_a_row_for_each_test_set_with_its_protocol_and_costs(experiment, fake):
    made, arrays = fake.record("cskt", "icfg", 47, trainable=1234, memory=3e9, device="H200", train_pairs=31)
    fake.send(experiment, made, arrays, [("rstp", 20)])
    rows = read_runs(experiment)
    (own,) = by(rows, tested_on="icfg")
    (other,) = by(rows, tested_on="rstp")
    assert len(rows) == 2
    assert own["R1"] == pytest.approx(100 * np.mean(arrays["t2i/rank"] == 1))
    assert (own["R1_low"], own["R1_high"]) == pytest.approx((own["R1"] - 3, own["R1"] + 3))
    assert (own["trainable"], own["step_peak_bytes"], own["train_pairs"]) == (1234, 3e9, 31)
    assert (own["rule"], own["image_size"], own["device"], own["val"]) == ("val", "96×32", "H200", "holdout")
    assert (own["in_domain"], own["shares_persons"], own["fingerprint"]) == (True, False, "data-of-icfg")
    assert (other["in_domain"], other["shares_persons"], other["test_fingerprint"]) == (
        False,
        True,
        "data-of-rstp",
    )
    assert (own["budget"], own["synthetic"], own["protocol"]) == ("none", True, "1")


def test_a_method_without_trained_parameters_has_no_rule_and_no_training_costs(experiment, fake):
    made, arrays = fake.record("zero_shot", "icfg", 12, trainable=0)
    fake.send(experiment, made, arrays)
    (row,) = read_runs(experiment).to_dict("records")
    assert row["rule"] == UNTRAINED
    assert row["trainable"] == 0
    assert row["step_peak_bytes"] is None or np.isnan(row["step_peak_bytes"])


def test_the_condition_forgets_the_seed_and_paths_and_nothing_else(experiment, fake):
    made = [fake.record("cskt", "icfg", seed=seed) for seed in (1, 2)]
    made += [
        fake.record("cskt", "icfg", seed=1, method__lr=1.0),
        fake.record("cskt", "icfg", train__batch_size=8),
    ]
    made += [
        fake.record("cskt", "icfg", identity="x", fingerprint="other"),
        fake.record("cskt", "icfg", identity="y", tags={"harness.budget": "9"}),
    ]
    for one in made:
        fake.send(experiment, *one)
    rows = read_runs(experiment)
    assert rows["condition"].nunique() == 5
    fake.send(experiment, *fake.record("cskt", "icfg", seed=3, eval__replicates=200))
    (old,) = by(read_runs(experiment), seed=3)
    assert old["condition"] == by(rows, seed=2)[0]["condition"]
    assert "eval.replicates" not in old["config"]
    assert by(rows, seed=2)[0]["condition"] in {row["condition"] for row in by(rows, seed=1)}
    assert sorted(rows["budget"])[0] == "9 trials"


def test_pictures_and_those_left_out_are_in_a_row_and_seeds_of_others_are_another_condition(experiment, fake):
    left_out = {"train": 3, "val": 0, "test": 48}
    made, arrays = fake.record("cskt", "icfg", left_out=left_out)
    fake.send(experiment, made, arrays, [("cuhk", 9)])
    other, arrays = fake.record("cskt", "icfg", seed=2, pictures={"train": "train-of-icfg", "test": "other"})
    fake.send(experiment, other, arrays)
    old, arrays = fake.record("coop", "icfg", pictures={})
    old.data = {"train_pairs": 700, "bad_images": 2}
    fake.send(experiment, old, arrays)
    rows = read_runs(experiment).set_index(["method", "tested_on", "seed"])
    columns = ["pictures", "left_out", "train_pictures", "train_left_out"]
    assert rows.loc[("cskt", "icfg", 1), columns].tolist() == ["test-of-icfg", 48, "train-of-icf", 3]
    assert rows.loc[("cskt", "cuhk", 1), columns].tolist() == ["test-of-cuhk", 0, "train-of-icf", 3]
    assert rows.loc[("coop", "icfg", 1), columns].isna().tolist() == [False, True, False, True]
    assert rows.loc[("coop", "icfg", 1), "pictures"] == ""
    conditions = {rows.loc[("cskt", "icfg", seed), "condition"] for seed in (1, 2)}
    assert len(conditions) == 2


def test_faults_of_the_data_are_in_the_row_of_the_test_that_they_belong_to(experiment, fake):
    faults = [
        "Not the published test set: 402 images, published 19,848",
        "captions cut at 77 tokens: 3 of 9 in test",
    ]
    made, arrays = fake.record("cskt", "icfg", faults=faults)
    fake.send(experiment, made, arrays, [("cuhk", 9)])
    elsewhere = {"dataset": "rstp", "protocol": 1, "fingerprint": "d", "pictures": "p", "left_out": 0}
    metrics = {name.replace("icfg", "rstp"): value for name, value in made.metrics.items()}
    result = elsewhere | {"metrics": metrics, "intervals": {}, "faults": ["Known wrong file: x"]}
    folder = RunFolder(experiment.runs / made.name)
    folder.write_queries(arrays, "transfer/rstp.npz")
    assert log_transfer(made, folder, result)
    rows = read_runs(experiment).set_index("tested_on")["faults"]
    assert rows.to_dict() == {"icfg": faults, "cuhk": [], "rstp": ["Known wrong file: x"]}


@pytest.mark.parametrize(
    ("images", "synthetic", "faults"),
    [
        (402, False, ["Not the published test set: 402 images, published 19,848"]),
        (19_848, False, []),
        (402, True, []),
    ],
)
def test_a_run_that_notes_no_faults_is_known_by_its_count_of_test_images(
    experiment, fake, images, synthetic, faults
):
    made, arrays = fake.record("cskt", "icfg", synthetic=synthetic)
    made.data = {"train_pairs": 700, "test_images": images}
    fake.send(experiment, made, arrays)
    assert read_runs(experiment)["faults"].tolist() == [faults]


def test_a_test_elsewhere_on_other_pictures_is_another_result(fake):
    rows = [
        fake.row(tested_on="cuhk", pictures=pictures, seed=seed, queries="q", group=None)
        for seed, pictures in ((1, "a"), (2, "b"), (3, "b"))
    ]
    results, _ = combine_seeds(DataFrame(rows), lambda run_id, name: None)
    assert results[["pictures", "n_seeds"]].values.tolist() == [["a", 1], ["b", 2]]


def test_seeds_are_combined_from_per_query_results_as_the_formula_says(experiment, fake):
    made = [fake.record("cskt", "icfg", 47, seed=seed, seconds=10 * seed) for seed in (1, 2, 3)]
    for one in made:
        fake.send(experiment, *one)
    (row,) = _results(experiment)
    low, high, mean = naive_interval([arrays["t2i/rank"] == 1 for _, arrays in made])
    assert (row["n_seeds"], row["seeds"], row["interval"]) == (3, [1, 2, 3], SEVERAL_SEEDS)
    assert (row["R1"], row["R1_low"], row["R1_high"]) == pytest.approx((mean, low, high))
    assert row["train_seconds"] == pytest.approx(20)


def naive_interval(hits):
    """Variance over identities of the seed-averaged hits and over seeds, and Wilson's interval of it, by loops."""
    from scipy import stats

    average = [sum(hit[i] for hit in hits) / len(hits) for i in range(len(hits[0]))]
    persons = [sum(average[i : i + 3]) for i in range(0, len(average), 3)]
    mean, n = sum(average) / len(average), len(persons)
    identity = sum((total - 3 * mean) ** 2 for total in persons) / len(average) ** 2 * n / (n - 1)
    means = [sum(hit) / len(hit) for hit in hits]
    between = sum((one - mean) ** 2 for one in means) / (len(hits) - 1) / len(hits)
    sums = [[sum(hit[i : i + 3]) for i in range(0, len(hit), 3)] for hit in hits]
    rest = [sums[s][i] - persons[i] - 3 * (means[s] - mean) for s in range(len(hits)) for i in range(n)]
    within = sum(one**2 for one in rest) / (len(hits) - 1) * n / (n - 1) / len(average) ** 2 / len(hits)
    seed, k = max(between - within, 0), len(hits) - 1
    limit = max(between * k / stats.chi2.ppf(0.25, k) - within, 0)
    excess = stats.kurtosis([total - 3 * mean for total in persons], bias=False)
    own = min(max(2 * n / (2 + excess), 3), n - 1)
    freedom = max((identity + limit) ** 2 / (identity**2 / own + limit**2 / k), k)
    ratio = stats.t.ppf(0.975, freedom) ** 2 * (identity + seed) / (mean * (1 - mean))
    centre = (mean + ratio / 2) / (1 + ratio)
    half = (ratio * mean * (1 - mean) + ratio**2 / 4) ** 0.5 / (1 + ratio)
    return 100 * (centre - half), 100 * (centre + half), 100 * mean


def test_a_tracked_group_of_exactly_these_seeds_gives_what_lost_per_query_results_cannot(experiment, fake):
    records = [fake.send(experiment, *fake.record("cskt", "icfg", 47, seed=seed)) for seed in (1, 2)]
    fake.group(experiment, records, 55.5, 50.0, 61.0)
    groups = {group.id: dict(group.metrics) for group in experiment.finished_runs("group")}
    (row,) = combine_seeds(read_runs(experiment), lambda run, name: None, groups)[0].to_dict("records")
    assert (row["R1"], row["R1_low"], row["R1_high"]) == (55.5, 50.0, 61.0)
    (row,) = _results(experiment)
    assert row["R1"] != 55.5
    fake.send(experiment, *fake.record("cskt", "icfg", 47, seed=3))
    (row,) = combine_seeds(read_runs(experiment), lambda run, name: None, groups)[0].to_dict("records")
    assert (row["n_seeds"], row["interval"]) == (3, NO_INTERVAL)


def test_intervals_are_by_the_tracked_method_where_only_they_are_known_and_else_by_today_s(experiment, fake):
    old = fake.send(experiment, *fake.record("cskt", "icfg", 47, interval_method=BOOTSTRAP), [("cuhk", 20)])
    new = fake.send(experiment, *fake.record("coop", "icfg", 47))
    rows = read_runs(experiment)
    methods = rows.set_index(["run", "tested_on"])["tracked_method"].to_dict()
    assert methods == {(old.name, "icfg"): 1, (old.name, "cuhk"): 1, (new.name, "icfg"): METHOD}
    bare = combine_seeds(rows, lambda run, name: None)[0].set_index(["method", "tested_on"])
    assert bare["interval_method"].to_dict() == {
        ("cskt", "icfg"): 1,
        ("cskt", "cuhk"): 1,
        ("coop", "icfg"): METHOD,
    }
    assert bare.loc[("cskt", "icfg"), "R1_low"] == old.intervals["test/icfg/t2i/R1"][0]
    assert {row["interval_method"] for row in _results(experiment)} == {METHOD}
    assert len(split_panels(bare.reset_index(), protocol_facts)) == 2
    whole = Source(str(experiment.runs), _name(experiment)).combined(rows)
    assert len(split_panels(whole[0], protocol_facts, whole[1])) == 1


def test_a_tracked_group_says_by_which_method(experiment, fake):
    records = [fake.send(experiment, *fake.record("cskt", "icfg", 47, seed=seed)) for seed in (1, 2)]
    fake.group(experiment, records, 55.5, 50.0, 61.0)
    metrics = {group.id: dict(group.metrics) for group in experiment.finished_runs("group")}
    for method in (BOOTSTRAP, METHOD):
        groups = {key: values | {"interval_method": float(method)} for key, values in metrics.items()}
        (row,) = combine_seeds(read_runs(experiment), lambda run, name: None, groups)[0].to_dict("records")
        assert (row["R1"], row["interval_method"]) == (55.5, method)
    (row,) = combine_seeds(read_runs(experiment), lambda run, name: None)[0].to_dict("records")
    assert row["interval_method"] is None


def test_a_result_tells_what_persons_and_seeds_add_to_its_width_and_how_alike_captions_are(experiment, fake):
    made = [fake.record("cskt", "icfg", 47, seed=seed) for seed in (1, 2)]
    for one in made:
        fake.send(experiment, *one)
    (row,) = _results(experiment)
    means = [100 * (arrays["t2i/rank"] == 1).mean() for _, arrays in made]
    assert 0 <= row["seed_error"] < abs(means[0] - means[1]) / 2
    assert row["identity_error"] > 0
    assert row["n_identities"] == fake.N_IDENTITIES
    assert 0 < row["correlation"] < 1


def test_without_per_query_results_several_seeds_have_a_mean_and_no_interval(experiment, fake):
    for seed in (1, 2):
        fake.send(experiment, *fake.record("cskt", "icfg", 47, seed=seed))
    runs = read_runs(experiment)
    (row,) = combine_seeds(runs, lambda run, name: None)[0].to_dict("records")
    assert row["interval"] == NO_INTERVAL
    assert row["R1"] == pytest.approx(runs["R1"].mean())
    assert row["R1_low"] is None


def test_seeds_that_asked_for_different_persons_have_no_common_interval(fake):
    arrays = {"a": fake.queries(40, 1), "b": fake.queries(40, 2, n_identities=30)}
    runs = _frame([{"run_id": name, "seed": i} for i, name in enumerate(arrays)])
    (row,) = combine_seeds(runs, lambda run, name: arrays[run])[0].to_dict("records")
    assert row["interval"] == NO_INTERVAL


def test_of_a_repeated_run_the_newest_counts(experiment, fake):
    for r1, day in ((60, 2), (20, 1)):
        started = f"2026-01-0{day}T00:00:00+00:00"
        made, arrays = fake.record("cskt", "icfg", r1, identity=f"same{r1}", started=started)
        fake.send(experiment, made, arrays)
    (row,) = combine_seeds(read_runs(experiment), lambda run, name: None)[0].to_dict("records")
    assert row["n_seeds"] == 1
    assert row["R1"] > 40


def test_a_broken_file_of_per_query_results_counts_as_missing(experiment, fake, tmp_path):
    made = fake.send(experiment, *fake.record("cskt", "icfg"))
    run_id = made.tracking["run_id"]
    read = query_reader(experiment, tmp_path)
    assert set(read(run_id, "queries.npz")) == {"t2i/identity", "t2i/rank", "t2i/AP", "t2i/INP"}
    assert read(run_id, "transfer/cuhk.npz") is None
    (tmp_path / "broken.npz").write_bytes(b"PK broken")
    experiment.client.log_artifact(run_id, str(tmp_path / "broken.npz"))
    assert read(run_id, "broken.npz") is None


def test_unfinished_runs_are_told_apart(experiment, fake):
    for status in ("finished", "failed", "interrupted"):
        made, arrays = fake.record("cskt", "icfg", identity=status, status=status)
        fake.send(experiment, made, arrays)
    assert sorted(read_unfinished(experiment)["status"]) == ["failed", "interrupted"]
    assert len(read_runs(experiment)) == 1


@pytest.mark.slow
def test_a_run_that_the_store_believes_running_is_interrupted_once_its_process_is_gone(experiment, fake):
    made, _ = fake.record("cskt", "icfg", status="running")
    made.environment["host"], made.key = socket.gethostname(), new_key()
    made.metrics, made.intervals = {}, {}
    folder = RunFolder(experiment.runs / made.name)
    with locked(folder.path):
        folder.write(made)
        experiment.create(made, folder)
        write_json(folder.file(PROGRESS), {"epoch": 3, "step": 4, "epochs": 9, "seconds": 60.0})
        assert read_unfinished(experiment)["status"].tolist() == ["running"]
    (row,) = read_unfinished(experiment).to_dict("records")
    assert (row["status"], row["reached"]) == ("interrupted", "3 of 9 epochs and 4 steps done")
    sent = sync_runs(experiment.runs)
    assert made.name in sent["sent"]
    (row,) = [run for run in experiment.unfinished_runs() if run.name == made.name]
    assert (row.status, row.tag("status")) == ("KILLED", "interrupted")
    assert row.tag("reached") == "3 of 9 epochs and 4 steps done"
    assert "3 of 9 epochs and 4 steps done in 60 s" in row.tags["mlflow.note.content"]
    assert folder.read().tracking["synced"]


def test_rows_come_back_from_their_file_as_they_were(tmp_path, fake):
    rows = _frame([fake.row(r1=float("nan"), config={"a": "=1"}), fake.row(seeds=[1, 2])])
    write_rows(tmp_path / "rows.json", rows)
    assert "NaN" not in (tmp_path / "rows.json").read_text()
    back = load_rows(tmp_path / "rows.json")
    assert back["seeds"].tolist() == [[1], [1, 2]]
    assert back["config"].tolist()[0] == {"a": "=1"}
    assert np.isnan(back["R1"].iloc[0])


def test_shared_persons_are_known_both_ways_and_unknown_datasets_share_none():
    assert shares_persons("icfg", "rstp")
    assert shares_persons("rstp", "icfg")
    assert not shares_persons("icfg", "cuhk")
    assert not shares_persons("icfg", "<script>")


def test_reading_never_makes_a_store_or_an_experiment(tmp_path, tracked):
    assert Store.existing(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()
    with pytest.raises(UsageError, match="Did you mean 'laid-out'"):
        Store.existing(tracked, "laid-oud")


@pytest.mark.parametrize("experiment", [None, "laid-out"])
def test_a_store_that_is_none_is_one_message(tmp_path, monkeypatch, experiment):
    (tmp_path / "mlflow.db").write_text("not a database at all" * 100)
    with pytest.raises(
        UsageError, match=r"mlflow.db cannot be opened .*not a database\): repair it"
    ) as caught:
        Store.existing(tmp_path, experiment)
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://me:secret@host")
    with pytest.raises(UsageError, match=r"nonsense://me:\*\*\*@host cannot be opened") as caught:
        Store.existing(tmp_path, experiment)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_down_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    with pytest.raises(UsageError, match="does not answer") as caught:
        Store.existing(tmp_path)
    assert "secret" not in str(caught.value)


def test_an_unknown_suite_gets_the_nearest_of_those_that_are_tracked(experiment, fake):
    fake.send(experiment, *fake.record("cskt", "icfg", tags={"harness.suite.table_one": "cskt"}))
    fake.send(experiment, *fake.record("coop", "icfg", status="failed", tags={"harness.suite.begun": "coop"}))
    place = (str(experiment.runs), experiment.client.get_experiment(experiment.experiment_id).name)
    with pytest.raises(UsageError, match=r"tracked runs 'table_on'. Did you mean 'table_one'"):
        Source(*place, suite="table_on").single_runs  # noqa: B018
    assert len(Source(*place, suite="table_one").single_runs) == 1
    assert not len(Source(*place, suite="begun").single_runs)
    assert not len(Source(*place, suite="table_one", datasets=["cuhk"]).single_runs)


def test_runs_that_start_from_the_seeds_of_one_run_are_one_condition():
    def tracked(name, seed, weights, start=None, method="cskt"):
        tags = {
            "method": method,
            "dataset": "icfg",
            "seed": str(seed),
            "weights": weights,
            "synthetic": "true",
        }
        params = {"method.lr": "0.1"} | ({"backbone.init_from": start} if start else {})
        marked = {f"harness.{key}": value for key, value in tags.items()}
        return RunRow(name, name, "FINISHED", 0, 1, marked, params, {"test/icfg/t2i/R1": 40.0})

    sources = [tracked("a", 1, "clip", method="irra"), tracked("b", 2, "clip", method="irra")]
    started = [tracked("c", 1, "of a", "a"), tracked("d", 2, "of b", "b")]
    known = {run.name: run for run in [*sources, tracked("e", 3, "clip")]}
    rows = [next(run_rows(run, known)) for run in started]
    assert len({row["condition"] for row in rows}) == 1
    assert [row["weights"] for row in rows] == ["clip", "clip"]
    other = next(run_rows(tracked("f", 3, "of e", "e"), known))
    unknown = [next(run_rows(run)) for run in started]
    assert len({row["condition"] for row in [rows[0], other, *unknown]}) == 4
    assert [row["weights"] for row in unknown] == ["of a", "of b"]


def test_of_some_datasets_the_runs_that_others_start_from_are_known_too(experiment, fake):
    before = None
    for name, dataset in (("first", "rstp"), ("pre", "icfg"), ("fine", "cuhk")):
        made, arrays = fake.record(name, dataset, 40)
        made.config["backbone"] |= {"init_from": before} if before else {}
        fake.send(experiment, made, arrays)
        before = made.name
    whole = read_runs(experiment).set_index("method").loc["fine"]
    some = read_runs(experiment, None, ("cuhk",)).set_index("method")
    assert whole["several"] == "cuhk+icfg+rstp"
    assert some.index.tolist() == ["fine"]
    for name in ("several", "condition", "weights", "met"):
        assert some.loc["fine", name] == whole[name]


def test_query_values_are_hits_or_precisions():
    arrays = {"t2i/rank": np.array([1, 5, 6]), "t2i/AP": np.array([1, 0.5, 0.2])}
    assert query_values(arrays, "R5").tolist() == [1, 1, 0]
    assert query_values(arrays, "mAP").tolist() == [1, 0.5, 0.2]


def test_only_the_cells_of_a_suite_are_read_or_missed(experiment, fake):
    for name, status in (
        ("mine", "finished"),
        ("mine", "failed"),
        ("other", "finished"),
        ("other", "failed"),
    ):
        tags = {f"harness.suite.{name}": "row"}
        fake.send(experiment, *fake.record("cskt", "icfg", identity=name + status, status=status, tags=tags))
    source = Source(str(experiment.runs), _name(experiment), suite="mine")
    assert (len(source.single_runs), len(source.unfinished)) == (1, 1)
    assert len(Source(str(experiment.runs), _name(experiment)).unfinished) == 2


def test_a_dataset_is_looked_up_by_mlflow_and_untrained_methods_with_it(experiment, fake, monkeypatch):
    fake.send(experiment, *fake.record("cskt", "icfg"), [("cuhk", 20)])
    fake.send(experiment, *fake.record("cskt", "cuhk"), [("icfg", 20)])
    fake.send(experiment, *fake.record("zero_shot", "cuhk", trainable=0), [("icfg", 20)])
    for method, sets in (("maple", "cuhk+icfg"), ("lora", "cuhk+rstp"), ("vpt", "cuhk+icfg3")):
        tags = {"harness.trained_on": sets}
        fake.send(experiment, *fake.record(method, "cuhk", tags=tags), [("icfg", 20)])
    asked = []
    search = Store.search
    monkeypatch.setattr(Store, "search", lambda store, text: asked.append(text) or search(store, text))
    rows = Source(str(experiment.runs), _name(experiment), datasets=["icfg"]).single_runs
    assert sorted(zip(rows["method"], rows["tested_on"], strict=True)) == [
        ("cskt", "icfg"),
        ("maple", "icfg"),
        ("zero_shot", "icfg"),
    ]
    assert any("= 'icfg'" in text for text in asked)
    assert all(" and " in text.removeprefix("tags.`harness.kind` = 'run' and ") for text in asked)
    for name in ("icgf", "' or tags.x = '"):
        with pytest.raises(UsageError, match="dataset"):
            _ = Source(str(experiment.runs), _name(experiment), datasets=[name]).single_runs


def _results(store):
    source = Source(str(store.runs), _name(store))
    return source.combined(source.single_runs)[0].to_dict("records")


def _name(store):
    return store.client.get_experiment(store.experiment_id).name


def _frame(records):
    from pandas import DataFrame

    whole = {"condition": "c", "tested_on": "icfg", "group": None, "queries": "queries.npz", "run": "r"}
    whole |= {"device": "d", "R1": 1.0, "R5": 1.0, "R10": 1.0, "mAP": 1.0}
    return DataFrame([whole | record for record in records])
