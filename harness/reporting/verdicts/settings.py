"""What changes of settings do, what training elsewhere or another protocol costs, and what few training images do."""

from collections.abc import Sequence

from harness.errors import many
from harness.pages.tables import cut_text
from harness.reporting.display_names import dataset_name, method_name
from harness.reporting.verdicts.words import LEVEL, Row, are, named, sentence, share_words, significant, span

_LONGEST = 80


def settings_verdict(rows: Sequence[Row], where: str) -> str:
    """Say how many changes of settings matter, and which most.

    Args:
        rows: as `ablation_pairs.compared` gives them.
        where: what all were tested on.
    """
    changed = [row for row in rows if not row["role"]]
    whose = named([method_name(name) for name in dict.fromkeys(row["method"] for row in changed or rows)])
    if not changed:
        return sentence(
            [f"nothing can be said of the settings of {whose} on {where}", "one configuration each"]
        )
    known = [row for row in changed if row["p_holm"] == row["p_holm"]]
    alike = [row for row in changed if row["alike"]]
    of_none = f"{_changes(alike)} the results of no identity there" if alike else ""
    if not known:
        why = of_none or "results per identity are missing"
        return sentence([f"nothing can be said of the settings of {whose} on {where}", why])
    clear = [row for row in known if row["p_holm"] <= LEVEL]
    alone = any(row["persons_only"] for row in clear or known)
    of = f"{many(len(known), 'change')} of settings of {whose} on {where}"
    if not clear:
        return sentence([f"none of {of} makes a significant difference in R@1", of_none], alone)
    largest = max(clear, key=lambda row: abs(row["R1_difference"]))
    most = f"most {cut_text(largest['change'], _LONGEST)}, which {_moves(largest['R1_difference'])}"
    return sentence(
        [f"{len(clear)} of {of} {_make(clear)} a significant difference in R@1, {most}", of_none], alone
    )


def _changes(rows: Sequence[Row]) -> str:
    if len(rows) > 1:
        return f"{len(rows)} others change"
    return f"{cut_text(rows[0]['change'], _LONGEST)} changes"


def _make(rows: Sequence[Row]) -> str:
    return "makes" if len(rows) == 1 else "make"


def _moves(points: float) -> str:
    return f"{'raises' if points > 0 else 'lowers'} it by {span([points])}"


def transfer_verdict(rows: Sequence[Row], synthetic: bool) -> str:
    """Say what training elsewhere changes.

    Args:
        rows: one for each method, training set and other test set, with `drop` and its `p`.
        synthetic: whether the datasets are synthetic twins.
    """
    if not rows:
        return sentence(
            ["nothing can be said of transfer", "no method was tested on a dataset other than its own"]
        )
    kind = "synthetic twins of " if synthetic else ""
    tests = dict.fromkeys(name for row in rows for name in (row["trained_on"], row["tested_on"]))
    between = f"{kind}{named([dataset_name(name) for name in tests])}"
    known = [row for row in rows if row["p"] == row["p"]]
    if not known:
        why = "no method is known per identity both trained there and elsewhere"
        return sentence([f"nothing can be said of what a transfer between {between} costs", why])
    clear = significant(known)
    lower, higher = _lower_and_higher(clear, "drop")
    of = f"{many(len(known), 'transfer')} between {between}"
    parts = [
        f"R@1 is significantly lower in {len(lower)} of {of} than when trained on the test set's own data"
        f"{_by(lower, 'drop')}",
        f"it is significantly higher in {len(higher)}" if higher else "",
    ]
    return sentence(parts, any(row["persons_only"] for row in clear or known))


def protocols_verdict(rows: Sequence[Row], where: str) -> str:
    """Say under how many other protocols than the usual one results are lower or higher, and where most.

    Args:
        rows: the results under other protocols, with `protocol_words` and the difference to the usual one.
        where: what all were tested on.
    """
    known = [row for row in rows if row["p"] == row["p"]]
    if not known:
        why = "none has a result of the same setting under the usual one beside it"
        return sentence([f"nothing can be said of other protocols on {where}", why])
    clear = significant(known)
    lower, higher = _lower_and_higher(clear, "R1_difference")
    of = f"{many(len(known), 'result')} under another protocol than the usual one on {where}"
    parts = [f"R@1 is significantly lower in {len(lower) or 'none'} of {of}{_by(lower, 'R1_difference')}"]
    if lower:
        row = min(lower, key=lambda row: row["R1_difference"])
        name = row["line"].replace(row["method"], method_name(row["method"]), 1)
        which = "most for " if len(lower) > 1 else "that of "
        parts.append(f"{which}{cut_text(name, _LONGEST)} ({row['protocol_words']})")
    parts.append(
        f"it is significantly higher in {len(higher)}{_by(higher, 'R1_difference')}" if higher else ""
    )
    return sentence(parts, any(row["persons_only"] for row in clear or known))


def _lower_and_higher(rows: Sequence[Row], name: str) -> tuple[list[Row], list[Row]]:
    """Return the rows with a negative, and those with a positive difference."""
    return [row for row in rows if row[name] < 0], [row for row in rows if row[name] > 0]


def _by(rows: Sequence[Row], name: str) -> str:
    """Return by how much, as the end of a part of a sentence; nothing without rows."""
    return f", by {span(row[name] for row in rows)}" if rows else ""


def shares_verdict(rows: Sequence[Row], reference: str, where: str) -> str:
    """Say how methods compare with the reference on the smallest share of training images that two have.

    Args:
        rows: one for each method and share, with its difference to the reference on the same images.
        reference: the line that differences are taken to.
        where: what all were tested on.
    """
    if not rows:
        return sentence(
            [f"nothing can be said of few training images on {where}", "only untrained methods are there"]
        )
    share = min(row["share"] for row in rows)
    own = [row for row in rows if row["share"] == share]
    few = f"with {100 * share:g} % of the training images of {where}"
    known = [row for row in own if row["p"] == row["p"]]
    if not known:
        best = max(own, key=lambda row: row["R1"])
        score = share_words(best["R1"], best["R1_low"], best["R1_high"])
        reached = f"{cut_text(best['line'], _LONGEST)} reaches R@1 {score}"
        return sentence([f"{few}, {reached}", f"nothing there is compared with {reference}"])
    clear = significant(known)
    better = [row for row in clear if row["R1_difference"] > 0]
    worse = [row for row in clear if row["R1_difference"] < 0]
    parts = [f"{few}, {_lines_words(better, 'better', reference)}" if better else "", ""]
    if worse:
        parts[1] = f"{'' if better else few + ', '}{_lines_words(worse, 'worse', reference)}"
    if not clear:
        parts = [f"{few}, {_names(known)} {are(known)} not significantly different from {reference}"]
    return sentence(parts, any(row["persons_only"] for row in clear or known))


def _lines_words(rows: Sequence[Row], word: str, reference: str) -> str:
    size = span(row["R1_difference"] for row in rows)
    return f"{_names(rows)} {are(rows)} significantly {word} than {reference}, by {size}"


def _names(rows: Sequence[Row]) -> str:
    return named([cut_text(row["line"], _LONGEST) for row in rows])
