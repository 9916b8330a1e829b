import numpy as np
import pytest

from harness.errors import DataError
from harness.evaluate.intervals import intra_identity_correlation, seed_summary
from harness.evaluate.per_identity import difference, load_persons, persons_key, persons_of, write_persons
from harness.evaluate.variance import seed_variance
from harness.files import load_arrays
from harness.metric_names import METRICS


def arrays(seed, n=60, n_identity=12):
    rng = np.random.default_rng(seed)
    identity = np.random.default_rng(0).integers(0, n_identity, n) * 7
    rank = rng.integers(1, 14, n)
    return {"t2i/identity": identity, "t2i/rank": rank, "t2i/AP": 1 / rank}


def test_a_summary_of_persons_is_that_of_their_queries():
    seeds = [arrays(1), arrays(2)]
    found = persons_of(seeds).summary("R5")
    naive = seed_summary([one["t2i/rank"] <= 5 for one in seeds], seeds[0]["t2i/identity"])
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (100 * naive.estimate, max(100 * naive.low, 0), min(100 * naive.high, 100))
    )
    assert found.freedom == pytest.approx(naive.freedom)


def test_a_difference_is_in_points_and_needs_the_same_queries():
    one, other = persons_of([arrays(1)]), persons_of([arrays(2)])
    gap = 100 * (arrays(1)["t2i/AP"].mean() - arrays(2)["t2i/AP"].mean())
    assert difference(one, other, "mAP").estimate == pytest.approx(gap)
    assert difference(one, persons_of([arrays(2, n_identity=9)])) is None
    assert difference(one, None) is None


def test_seeds_that_were_asked_different_queries_are_refused():
    with pytest.raises(DataError, match="different queries"):
        persons_of([arrays(1), arrays(2, n_identity=5)])


def test_persons_come_back_from_their_file_whatever_their_names(tmp_path):
    kept = {"<script> on icfg": persons_of([arrays(1), arrays(2)]), "b": persons_of([arrays(3)])}
    write_persons(tmp_path / "a" / "persons.npz", kept)
    back = load_persons(tmp_path / "a" / "persons.npz")
    assert list(back) == list(kept)
    for name, one in kept.items():
        assert back[name].same_test_set(one)
        assert back[name].sums == pytest.approx(one.sums, abs=1e-5)
        assert back[name].correlation == pytest.approx(one.correlation, abs=1e-6)
        assert np.array_equal(back[name].of("R1"), one.of("R1"))
    write_persons(tmp_path / "again.npz", kept)
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "a" / "persons.npz").read_bytes()
    assert load_persons(tmp_path / "none.npz") == {}


def test_the_metrics_are_those_of_the_rows():
    assert METRICS == ("R1", "R5", "R10", "mAP")
    assert persons_of([arrays(1)]).sums.shape[2] == 4


def test_an_interval_of_a_percentage_stays_within_nought_and_all_however_wide():
    hard = arrays(1) | {"t2i/rank": np.r_[1, np.full(59, 9)]}
    easy = arrays(1) | {"t2i/rank": np.r_[np.ones(20, int), np.full(40, 9)]}
    found = persons_of([hard, easy]).summary("R1")
    assert 0.0 < found.low < 1.0
    flipped = [one | {"t2i/rank": 10 - one["t2i/rank"]} for one in (hard, easy)]
    assert persons_of(flipped).summary("R1").high == pytest.approx(100 - found.low)


def test_the_same_persons_with_other_numbers_of_queries_give_no_difference():
    one, other = (np.array(ids) for ids in ([1, 1, 2, 2], [1, 1, 1, 2]))
    made = [
        persons_of([{"t2i/identity": ids, "t2i/rank": np.ones(4), "t2i/AP": np.ones(4)}])
        for ids in (one, other)
    ]
    assert np.array_equal(made[0].identities, made[1].identities)
    assert difference(*made) is None


def test_counts_are_written_as_whole_numbers_and_values_in_four_bytes(tmp_path):
    write_persons(tmp_path / "a.npz", {"x": persons_of([arrays(1)])})
    written = load_arrays(tmp_path / "a.npz")
    assert written["0/identities"].dtype.kind == "i"
    assert written["0/sums"].dtype == written["0/correlation"].dtype == np.float32


def test_mean_seeds_and_correlation_are_those_of_the_queries():
    seeds = [arrays(1), arrays(2)]
    found = persons_of(seeds)
    assert found.mean("R5") == pytest.approx(100 * np.mean([one["t2i/rank"] <= 5 for one in seeds]))
    assert found.mean("mAP") == pytest.approx(100 * np.mean([one["t2i/AP"] for one in seeds]))
    assert found.seed_variance("R5") == seed_variance(found.of("R5"), found.sizes)
    assert found.seed_variance("R5").between > 0
    assert persons_of(seeds[:1]).seed_variance("R5") is None
    by_seed = [intra_identity_correlation(one["t2i/rank"] <= 1, one["t2i/identity"]) for one in seeds]
    assert found.correlation == pytest.approx(np.mean(by_seed))


def test_the_key_of_a_result_names_its_pictures_where_they_are_another_datasets():
    row = {"condition": "cskt", "tested_on": "icfg", "pictures": "1a2b", "in_domain": False}
    assert persons_key(row) == "cskt on icfg 1a2b"
    assert persons_key(row | {"in_domain": True}) == "cskt on icfg"
    assert persons_key(row | {"pictures": None}) == "cskt on icfg"
