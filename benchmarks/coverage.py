"""How often the harness's intervals hold the truth, on simulated results whose truth is known.

Captions of one person share their difficulty (beta-distributed, so that outcomes correlate as asked), a caption keeps
half of its luck from seed to seed, and each seed moves the whole result by half a point or so. Of two methods, which
are equally good on the whole, three persons in ten are unlike hard. Persons have between 2 and 12 captions. The
intervals are those that results, groups of seeds and comparisons show.
"""

from typing import Any

import numpy as np

from benchmarks.common import Outcome, claim, outcome
from harness.evaluate.intervals import bootstrap_intervals, cluster_sums, summarise_sums
from harness.evaluate.paired_difference import paired_difference

REPETITIONS = 600
CORRELATIONS, IDENTITIES, SEEDS = (0.1, 0.3), (200, 1_000), (2, 3, 5)
TRUTH, SEED_SD, OWN = 0.6, 0.006, 0.3
BOUNDS = (93.0, 97.0)
REPLICATES = 1_000


def run() -> Outcome:
    """Simulate all settings; each claim is the share of intervals that hold the truth."""
    claims, facts = [], {}
    for correlation in CORRELATIONS:
        for n_identity in IDENTITIES:
            where = f"correlation {correlation}, {n_identity:,} persons"
            found = {"one run, bootstrap over persons": one_run(correlation, n_identity)}
            for n_seed in SEEDS:
                mean, difference = several_seeds(correlation, n_identity, n_seed)
                found |= {f"mean of {n_seed} seeds": mean, f"difference, {n_seed} seeds each": difference}
            for name, share in found.items():
                bounds = {"at_least": BOUNDS[0], "at_most": BOUNDS[1]}
                claims.append(claim(f"{where}: {name}", share, unit="%", **bounds))
            facts[where] = found
    title = f"Coverage of nominal 95 % intervals, {REPETITIONS} repetitions each"
    return outcome(title, "python -m benchmarks coverage", claims, coverage=facts)


def one_run(correlation: float, n_identity: int) -> float:
    """Return how often the bootstrap of one run holds what that very run would reach with all persons, in percent."""
    rng = np.random.default_rng([1, int(10 * correlation), n_identity])
    held = 0
    for repetition in range(REPETITIONS):
        people = draw_people(rng, correlation, n_identity)
        hits = draw_hits(rng, people, [0.0])[0]
        drawn = {"replicates": REPLICATES, "seed": repetition}
        (interval,) = bootstrap_intervals(hits[:, None], people["identity"], **drawn)
        held += interval.low <= TRUTH <= interval.high
    return 100 * held / REPETITIONS


def several_seeds(correlation: float, n_identity: int, n_seed: int) -> tuple[float, float]:
    """Return how often the mean of several seeds, and the difference of two equal methods, hold the truth."""
    rng = np.random.default_rng([2, int(10 * correlation), n_identity, n_seed])
    held = np.zeros(2)
    for _ in range(REPETITIONS):
        people = draw_people(rng, correlation, n_identity)
        sides = []
        for _ in range(2):
            other = rng.random(n_identity) < OWN
            skills = np.where(other, draw_skills(rng, correlation, n_identity), people["skills"])
            own = people | {"skill": skills[people["identity"]]}
            hits = draw_hits(rng, own, rng.normal(0, SEED_SD, n_seed))
            sums, sizes = cluster_sums(hits.T, people["identity"])
            sides.append(sums.T)
        mean, gap = summarise_sums(sides[0], sizes), paired_difference(*sides, sizes)
        held += [mean.low <= TRUTH <= mean.high, gap.low <= 0 <= gap.high]
    first, second = 100 * held / REPETITIONS
    return float(first), float(second)


def draw_people(rng: np.random.Generator, correlation: float, n_identity: int) -> dict[str, Any]:
    """Draw persons with a difficulty each, and their captions."""
    skills = draw_skills(rng, correlation, n_identity)
    identity = np.repeat(np.arange(n_identity), rng.integers(2, 13, n_identity))
    return {"identity": identity, "skills": skills, "skill": skills[identity]}


def draw_skills(rng: np.random.Generator, correlation: float, n_identity: int) -> np.ndarray:
    """Draw the chance that a person's caption is answered [n_identity]."""
    weight = (1 - correlation) / correlation
    return rng.beta(TRUTH * weight, (1 - TRUTH) * weight, n_identity)


def draw_hits(rng: np.random.Generator, people: dict[str, Any], shifts: Any) -> np.ndarray:
    """Draw whether each caption is answered under each seed [n_seed, n_query]; a seed moves the mean by its shift."""
    skill, n = people["skill"], len(people["skill"])
    luck = rng.random(n)
    rows = []
    for shift in shifts:
        own = np.where(rng.random(n) < 0.5, luck, rng.random(n)) < skill
        turned = rng.random(n) < (shift / (1 - TRUTH) if shift > 0 else -shift / TRUTH)
        rows.append(np.where(turned, shift > 0, own))
    return np.stack(rows).astype(np.float64)
