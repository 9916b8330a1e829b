"""A leaderboard from tracked runs, and each of its numbers once more: loops over ranks and APs, nothing of the harness.

The formulas are those of the docstrings of `harness/evaluate`: variance, intervals and paired_difference.
"""

from itertools import combinations
from math import exp, isnan, log, sqrt

import numpy as np
import pytest
from harness.reports.leaderboard import Leaderboard, leaderboard, pair_table
from scipy.stats import chi2, norm, t

from harness.reporting.conditions import conditions
from harness.results.panels import split_panels
from harness.results.run_source import Source

CUTOFFS = {"R1": 1, "R5": 5, "R10": 10}
METRICS = (*CUTOFFS, "mAP")
NONE = {"between": 0.0, "within": 0.0, "freedom": 0}
FLOOR = "zero_shot"
# Of each method: the seeds, its skill, how much its seeds differ. The floor trains nothing.
CASES = {
    "few_seeds_pooled": {"a": (2, 0.9, 0.1), "b": (3, 0.7, 0.1), "c": (1, 0.5, 0.1), FLOOR: (1, -0.5, 0)},
    "one_has_wilder_seeds": {"a": (5, 0.6, 0.0), "b": (2, 0.4, 1.0), "c": (3, -0.4, 0.1), "d": (1, 0.1, 0.1)},
    "one_seed_each": {"a": (1, 0.8, 0.1), "b": (1, 0.2, 0.1), "c": (1, -0.3, 0.1), FLOOR: (1, -1.0, 0)},
    "random_weights": {"a": (2, 0.8, 0.1), FLOOR: (3, -2.0, 0.3)},
    "all_or_none_found": {"a": (2, 9.0, 0.0), "b": (1, 2.0, 0.1), FLOOR: (1, -9.0, 0)},
    "three_persons": {"a": (2, 1.5, 0.2), "b": (1, 0.0, 0.1)},
    "two_persons": {"a": (2, 1.0, 0.2), "b": (2, 0.0, 0.1)},
}
PERSONS = {"three_persons": 3, "two_persons": 2}


@pytest.fixture(scope="module", params=CASES)
def case(request, fake, tracked):
    """Track a case's runs; return its panel and each method's per-query arrays, one for each seed."""
    with pytest.MonkeyPatch.context() as patch:
        results = track(request.param, fake, fake.experiment(tracked, request.param, patch))
    source = Source(str(tracked), request.param)
    rows, persons = source.combined(Leaderboard.select(source.single_runs))
    (panel,) = split_panels(rows, Leaderboard.facts, persons)
    return panel, results


def track(name, fake, store):
    rng = np.random.default_rng(list(name.encode()))
    n_person = PERSONS.get(name, 45)
    identity = rng.permutation(np.repeat(rng.permutation(n_person), rng.integers(1, 7, n_person)))
    hard = rng.normal(size=n_person)
    results = {}
    for method, (n_seed, skill, wild) in CASES[name].items():
        own = skill + hard + rng.normal(0, 0.5, n_person)
        results[method] = []
        for seed in range(1, n_seed + 1):
            arrays = ranks_of(rng, own + rng.normal(0, wild or 1e-9), identity)
            made, _ = fake.record(method, "icfg", seed=seed, trainable=0 if method == FLOOR else 1000)
            made.metrics, made.intervals = fake.scores(arrays, "icfg")
            fake.send(store, made, arrays)
            results[method].append(arrays)
    return results


def ranks_of(rng, own, identity):
    far = np.exp(rng.normal(size=len(identity)) * 1.5 - own[identity])
    rank = (1 + np.floor(2 * far)).clip(1, 500).astype(int)
    ap = np.where(rank > 1, rng.random(len(rank)), 1) / rank
    return {"t2i/identity": identity, "t2i/rank": rank, "t2i/AP": ap, "t2i/INP": ap}


def values_of(arrays, metric):
    if metric in CUTOFFS:
        return [1.0 if rank <= CUTOFFS[metric] else 0.0 for rank in arrays["t2i/rank"].tolist()]
    return arrays["t2i/AP"].tolist()


def add_up(seeds, metric):
    """Return the sums over each person's queries, a list for each seed, and how many queries each person has."""
    names = sorted(set(seeds[0]["t2i/identity"].tolist()))
    sums, sizes = [[0.0] * len(names) for _ in seeds], [0] * len(names)
    for s, arrays in enumerate(seeds):
        for person, value in zip(arrays["t2i/identity"].tolist(), values_of(arrays, metric), strict=True):
            sums[s][names.index(person)] += value
            sizes[names.index(person)] += s == 0
    return sums, sizes


def average(rows):
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def influence(sums, sizes):
    share = sum(sums) / sum(sizes)
    moved = [(one - size * share) / sum(sizes) for one, size in zip(sums, sizes, strict=True)]
    return [0.0 if abs(one) < 1e-15 else one for one in moved]


def person_variance(moved):
    return sum(one**2 for one in moved) * len(moved) / (len(moved) - 1)


def kurtosis_freedom(moved):
    n = len(moved)
    if n <= 3 or not any(moved):
        return n - 1
    second, fourth = sum(one**2 for one in moved) / n, sum(one**4 for one in moved) / n
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (fourth / second**2 - 3) + 6)
    return min(max(2 * n / (2 + excess), 3) if 2 + excess > 0 else n, n - 1)


def own_seeds(sums, sizes):
    """Return variance and luck of one seed from a method's own seeds; None of one, NONE where they answer alike."""
    n_seed, n_person, total = len(sums), len(sizes), sum(sizes)
    if n_seed < 2:
        return None
    if all(row == sums[0] for row in sums):
        return NONE
    figures = [sum(row) / total for row in sums]
    mean, middle = sum(figures) / n_seed, average(sums)
    rest = sum(
        (sums[s][i] - middle[i] - sizes[i] * (figures[s] - mean)) ** 2
        for s in range(n_seed)
        for i in range(n_person)
    )
    within = rest / ((n_seed - 1) * (n_person - 1)) * n_person / total**2
    between = sum((figure - mean) ** 2 for figure in figures) / (n_seed - 1)
    return {"between": between, "within": within, "freedom": n_seed - 1}


def pooled(parts):
    total = sum(weight for weight, _ in parts)
    mixed = {name: sum(weight * one[name] for weight, one in parts) / total for name in ("between", "within")}
    return mixed | {"freedom": total, "pooled": True}


def shared_seeds(results, metric):
    """Return what another seed of each method changes, pooled over the methods that train; None where nothing tells."""
    own = {method: own_seeds(*add_up(seeds, metric)) for method, seeds in results.items()}
    known = [(one["freedom"], one) for method, one in own.items() if one and method != FLOOR]
    known = [(freedom, one) for freedom, one in known if freedom]
    pool = pooled(known) if known else None
    found = {}
    for method, one in own.items():
        if method == FLOOR:
            found[method] = one or NONE
        elif one == NONE:
            found[method] = NONE
        elif one and len(known) > 1 and one["between"] > pool["between"]:
            raised = pooled([(one["freedom"], one), (3, pool)])
            found[method] = raised | {"freedom": min(raised["freedom"], pool["freedom"])}
        else:
            found[method] = pool
    return found


def seed_part(seeds, upper, alpha=0.05):
    if not seeds["freedom"]:
        return 0.0
    tail = 0.25 * (alpha / 0.05) ** 0.6
    factor = seeds["freedom"] / chi2.ppf(tail, seeds["freedom"]) if upper else 1
    return max(seeds["between"] * factor - seeds["within"], 0)


def total_of(persons, freedom, sides, alpha=0.05):
    """Return variance and degrees of freedom of Welch and Satterthwaite; what is pooled is off together."""
    parts = [(1 / n_seed, seeds) for n_seed, seeds in sides if seeds and seeds["freedom"]]
    uppers = [(share * seed_part(seeds, True, alpha), seeds["freedom"]) for share, seeds in parts]
    together = sum(
        upper / sqrt(own) for (upper, own), (_, seeds) in zip(uppers, parts, strict=True) if "pooled" in seeds
    )
    alone = sum(
        upper**2 / own
        for (upper, own), (_, seeds) in zip(uppers, parts, strict=True)
        if "pooled" not in seeds
    )
    below = persons**2 / freedom + together**2 + alone
    whole = persons + sum(share * seed_part(seeds, False) for share, seeds in parts)
    if below == 0:
        return whole, float("inf")
    found = (persons + sum(upper for upper, _ in uppers)) ** 2 / below
    return whole, max(found, min([freedom, *(own for _, own in uppers)]))


def score(seeds, metric, known):
    """Return estimate, Wilson's ends and the standard errors from persons and seeds, in percent."""
    sums, sizes = add_up(seeds, metric)
    share, moved = sum(average(sums)) / sum(sizes), influence(average(sums), sizes)
    persons = person_variance(moved)
    variance, freedom = total_of(persons, kurtosis_freedom(moved), [(len(sums), known)])
    if variance > 0 and 0 < share < 1:
        quantile, n = t.ppf(0.975, freedom), share * (1 - share) / variance
    else:
        quantile, n = norm.ppf(0.975), len(sizes)
    middle = (share + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    half = quantile / (1 + quantile**2 / n) * sqrt(share * (1 - share) / n + quantile**2 / (4 * n**2))
    errors = sqrt(persons), sqrt(max(variance - persons, 0))
    return [100 * one for one in (share, middle - half, middle + half, *errors)]


def p_of(distance, error, freedom_at):
    """Return the p-value below 5 % that its own degrees of freedom give, interpolated in logarithms."""
    before, p = 0.05, 2 * t.sf(distance / error, freedom_at(0.05))
    if p >= 0.05:
        return p
    high = log(p / 0.05)
    for alpha in (0.03, 0.02, 0.01, 5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10, 1e-12):
        p = 2 * t.sf(distance / error, freedom_at(alpha))
        low = log(max(p, 1e-300) / alpha)
        if low >= 0:
            return exp(log(before) + (log(alpha) - log(before)) * high / (high - low))
        before, high = alpha, low
    return p


def pair(one, other, known):
    """Return difference in R@1 with its ends, p and detectable difference, in points."""
    (a, sizes), (b, _) = add_up(one, "R1"), add_up(other, "R1")
    less = [x - y for x, y in zip(average(a), average(b), strict=True)]
    persons = person_variance(influence(less, sizes))
    sides = [(len(a), known[0]), (len(b), known[1])]
    variance, freedom = total_of(persons, len(sizes) - 1, sides)
    gap, error = sum(less) / sum(sizes), sqrt(variance)
    quantile = t.ppf(0.975, freedom)
    p = 1 if gap == 0 else 2 * 0.5 ** len(sizes)
    if error:
        p = p_of(abs(gap), error, lambda alpha: total_of(persons, len(sizes) - 1, sides, alpha)[1])
    ends = gap - quantile * error, gap + quantile * error, (quantile + t.ppf(0.8, freedom)) * error
    return [100 * gap, 100 * ends[0], 100 * ends[1], p, 100 * ends[2]]


def holm(p_values):
    """Return p-values by pair: the k-th smallest times those that are left, never below one before it, at most 1."""
    adjusted, least = {}, 0.0
    for place, key in enumerate(sorted(p_values, key=p_values.get)):
        least = max(least, min(p_values[key] * (len(p_values) - place), 1.0))
        adjusted[key] = least
    return adjusted


def compared(results):
    """Return the methods, best first, each pair's numbers and each pair's adjusted p."""
    known = shared_seeds(results, "R1")
    order = sorted(results, key=lambda method: -score(results[method], "R1", known[method])[0])
    found = {(a, b): pair(results[a], results[b], (known[a], known[b])) for a, b in combinations(order, 2)}
    return order, found, holm({key: numbers[3] for key, numbers in found.items()})


def same(found, expected):
    assert list(found) == pytest.approx(list(expected), rel=1e-9, abs=1e-12, nan_ok=True)


def test_scores_and_their_intervals(case):
    panel, results = case
    rows = leaderboard(panel).values.set_index("label")
    assert set(rows.index) == set(results)
    for metric in METRICS:
        known = shared_seeds(results, metric)
        for method, seeds in results.items():
            same(
                rows.loc[method, [metric, f"{metric}_low", f"{metric}_high"]],
                score(seeds, metric, known[method])[:3],
            )


def test_standard_errors_and_seeds(case):
    panel, results = case
    rows, known = conditions(panel).values.set_index("label"), shared_seeds(results, "R1")
    for method, seeds in results.items():
        identities, by_seed = score(seeds, "R1", known[method])[3:]
        unknown = known[method] is None or not known[method]["freedom"]
        same(
            rows.loc[method, ["identity_error", "seed_error", "n_seeds"]],
            [identities, float("nan") if unknown else by_seed, len(seeds)],
        )


def test_differences_p_values_and_detectable_of_all_pairs(case):
    panel, results = case
    _, found, adjusted = compared(results)
    table = pair_table(panel).values
    assert len(table) == len(found)
    for line in table.to_dict("records"):
        key = line["label"], line["other"]
        gap, low, high, p, detectable = found[key]
        columns = ("difference", "difference_low", "difference_high", "p", "p_holm", "detectable")
        same([line[name] for name in columns], [gap, low, high, p, adjusted[key], detectable])


def test_a_difference_covers_persons_only_where_no_method_tells_what_seeds_change(case):
    panel, results = case
    known, rows = shared_seeds(results, "R1"), {row["label"]: row for row in panel.records}
    for a, b in combinations(results, 2):
        assert panel.difference(rows[a], rows[b]).persons_only == (None in (known[a], known[b]))


def test_ranks_and_differences_to_the_leader(case):
    panel, results = case
    order, found, adjusted = compared(results)
    rows = leaderboard(panel).values.set_index("label")
    assert rows.index.tolist() == order
    for place, method in enumerate(order):
        better = sum(adjusted[one, method] <= 0.05 for one in order[:place])
        worse = sum(adjusted[method, one] <= 0.05 for one in order[place + 1 :])
        assert rows.loc[method, ["rank_low", "rank_high"]].tolist() == [1 + better, len(order) - worse]
        line = rows.loc[
            method, ["difference", "difference_low", "difference_high", "p", "p_holm", "detectable"]
        ].tolist()
        if not place:
            assert all(map(isnan, line))
            continue
        gap, low, high, p, detectable = found[order[0], method]
        same(line, [-gap, -high, -low, p, adjusted[order[0], method], detectable])
