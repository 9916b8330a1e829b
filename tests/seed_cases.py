"""Two results far apart, by what is known of their seeds: what is claimed of them is marked, or it is not."""

from tests.fake_experiment import persons, row

BOTH_ONE, BOTH_UNTRAINED = "one seed each", "untrained both"
TRAINED = {BOTH_ONE: True, "one seed against three": False}
CASES = TRAINED | {BOTH_UNTRAINED: False, "untrained against one seed": True}
APART = 1.0


def two(case, first=None, second=None):
    """Return the two results of a case, the better one first, and their persons; the dicts change the rows."""
    rules = {
        BOTH_UNTRAINED: ("untrained", "untrained"),
        "untrained against one seed": ("val", "untrained"),
    }.get(case, ("val", "val"))
    n_seeds = 3 if case == "one seed against three" else 1
    given = {"method": "better", "r1": 60.0, "rule": rules[0]} | (first or {})
    better = row(**given)
    worse = row(**{"method": "worse", "r1": 20.0, "rule": rules[1], "n_seeds": n_seeds} | (second or {}))
    return [better, worse], persons([better]) | persons([worse], n_seeds, APART)
