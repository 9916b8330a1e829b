"""Slices of a result: who is in which, their figures and intervals, and what is said of the rest."""

import numpy as np
import pytest

from harness.analysis.caption_slices import MIN_IDENTITIES, bit_slices, length_bins, slice_queries, value_bins
from harness.captions.vocabulary import caption_features, vocabulary
from harness.evaluate.intervals import share_intervals


def results(captions, identity, rank, n_right=None):
    """Return per-query arrays of a test whose captions and ranks are chosen."""
    identity, rank = np.asarray(identity), np.asarray(rank)
    n_right = np.asarray(n_right) if n_right is not None else np.ones(len(rank), int)
    found = {"t2i/identity": identity, "t2i/rank": rank, "t2i/AP": 1 / rank, "t2i/n_right": n_right}
    found |= {"i2t/identity": identity[::2], "i2t/rank": rank[::2] + 1, "i2t/AP": 1 / (rank[::2] + 1)}
    found |= {f"t2i/{name}": values for name, values in caption_features(captions).items()}
    return found | {f"words/{name}": names for name, names in vocabulary().items()}


def row(found, by, name):
    (only,) = found.rows[(found.rows["by"] == by) & (found.rows["slice"] == name)].to_dict("records")
    return only


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    identity = np.arange(40).repeat(3)
    colours = rng.choice(["red", "blue", "black and white"], 120)
    captions = [
        f"{'word ' * int(n)}{c} shirt" for n, c in zip(rng.integers(3, 30, 120), colours, strict=True)
    ]
    ranks = np.where(np.char.find(captions, "red") >= 0, 1, rng.integers(1, 30, 120))
    return captions, results(captions, identity, ranks, (identity % 3) + 2)


def test_a_slice_has_the_queries_that_say_its_word_and_their_mean_and_interval(made):
    captions, queries = made
    found = row(slice_queries(queries), "colour named", "blue")
    inside = np.array(["blue" in caption for caption in captions])
    hits = (queries["t2i/rank"] <= 1).astype(float)
    columns, identities = hits[inside][:, None], queries["t2i/identity"][inside]
    (expected,) = share_intervals(columns, identities)
    assert found["n_queries"] == inside.sum()
    assert found["n_identities"] == len(set(queries["t2i/identity"][inside]))
    assert found["R1"] == pytest.approx(100 * hits[inside].mean())
    assert (found["R1_low"], found["R1_high"]) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert found["R10"] == pytest.approx(100 * (queries["t2i/rank"][inside] <= 10).mean())
    assert found["mAP"] == pytest.approx(100 * queries["t2i/AP"][inside].mean())
    assert found["R1_less_rest"] == pytest.approx(100 * (hits[inside].mean() - hits[~inside].mean()))


def test_a_slice_that_is_better_stands_out_and_one_that_is_not_does_not(made):
    found = slice_queries(made[1])
    red, shirt = row(found, "colour named", "red"), row(found, "garment named", "shirt")
    assert red["R1"] == 100
    assert red["R1_less_rest_low"] > 50
    assert shirt["n_queries"] == 120
    assert np.isnan(shirt["R1_less_rest"])
    for name in ("black", "white"):
        assert row(found, "colour named", name)["R1_less_rest_high"] < 0


def test_a_person_in_a_slice_and_in_the_rest_counts_in_both():
    """Each person is answered alike in both parts, so whoever the persons are the parts differ by nothing."""
    identity = np.arange(30).repeat(2)
    queries = results(["red", "blue"] * 30, identity, np.where(identity % 2, 1, 9))
    found = row(slice_queries(queries), "colour named", "red")
    assert found["R1_high"] - found["R1_low"] > 20
    assert (found["R1_less_rest"], found["R1_less_rest_low"], found["R1_less_rest_high"]) == (0, 0, 0)


def test_the_interval_of_a_difference_is_that_of_persons_drawn_in_a_loop(made):
    captions, queries = made
    found = row(slice_queries(queries), "colour named", "blue")
    inside = np.array(["blue" in caption for caption in captions])
    hits, identity = queries["t2i/rank"] <= 1, queries["t2i/identity"]
    rng, drawn = np.random.default_rng(5), []
    for _ in range(4000):
        chosen = np.concatenate([np.flatnonzero(identity == one) for one in rng.integers(40, size=40)])
        part = inside[chosen]
        drawn.append(100 * (hits[chosen][part].mean() - hits[chosen][~part].mean()))
    expected = np.quantile(drawn, [0.025, 0.975])
    assert [found["R1_less_rest_low"], found["R1_less_rest_high"]] == pytest.approx(expected, abs=2)


def test_slices_of_few_persons_are_left_out_and_counted():
    identity = np.arange(20).repeat(2)
    captions = ["a red hat" if one < MIN_IDENTITIES - 1 else "a blue hat" for one in identity]
    found = slice_queries(results(captions, identity, np.ones(40, int)))
    assert "red" not in set(found.rows["slice"])
    assert "colour named: 1 slice of fewer than 5 identities left out (red)." in found.notes
    assert np.isnan(row(found, "colour named", "blue")["R1_less_rest"])


def test_lengths_are_cut_at_quartiles_with_their_bounds_named_and_ties_kept_together():
    numbers = np.array([5] * 50 + [6, 7, 8, 9] * 5 + [40])
    bins = length_bins(numbers)
    assert sum(bins.values()).tolist() == [1] * len(numbers)
    for name, inside in bins.items():
        low, _, high = name.partition("-")
        assert (numbers[inside].min(), numbers[inside].max()) == (int(low), int(high or low))
        assert not np.isin(numbers[~inside], numbers[inside]).any()
    assert list(length_bins(np.full(9, 3))) == ["3"]
    assert [inside.sum() for inside in length_bins(np.arange(100)).values()] == pytest.approx([25] * 4, abs=1)


def test_few_values_are_slices_of_their_own_and_many_are_quarters():
    assert list(value_bins(np.array([4, 2, 4]))) == ["2", "4"]
    assert len(value_bins(np.arange(50))) == 4


def test_bits_of_the_last_names_are_read_too():
    names = [f"n{i}" for i in range(32)]
    found = bit_slices(np.array([2**31, 0, 1], dtype=np.uint32), names)
    assert found["n31"].tolist() == [True, False, False]
    assert found["none"].tolist() == [False, True, False]


def test_both_directions_stand_beside_each_other(made):
    found = slice_queries(made[1])
    text, image = row(found, "direction", "text to image"), row(found, "direction", "image to text")
    assert (text["n_queries"], image["n_queries"]) == (120, 60)
    assert image["R1"] == 0
    assert image["R1_less_rest"] == pytest.approx(-text["R1"])


def test_older_results_give_what_they_have_and_say_what_they_lack(made):
    old = {key: values for key, values in made[1].items() if key.split("/")[1] in ("identity", "rank", "AP")}
    found = slice_queries(old)
    assert set(found.rows["by"]) == {"direction"}
    assert len(found.notes) == 4
    assert all("--force" in note for note in found.notes)
    alone = slice_queries({key: values for key, values in old.items() if key.startswith("t2i")})
    assert not len(alone.rows)
    assert "no image queries" in alone.notes[-1]
    assert list(alone.rows.columns) == list(found.rows.columns)


def test_the_same_results_give_the_same_slices(made):
    first, second = slice_queries(made[1]), slice_queries(made[1])
    assert first.rows.equals(second.rows)
    assert first.notes == second.notes
