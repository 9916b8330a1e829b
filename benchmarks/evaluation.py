"""Exact evaluation against the matrix product that bounds it and against a full sort: time, memory, values."""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.common import Claim, Outcome, apart, claim, memory_above_mb, outcome
from harness.evaluate.ranking import QueryResults, rank_queries, summary

DIM, SPREAD, ROUNDING, MOST = 512, 2.8, 1e-6, 1.8
# Captions, pictures and persons of the test splits, of ICFG half the captions: their share of the time is the same.
SIZES = {"ICFG": (9_924, 19_848, 946), "CUHK": (6_156, 3_074, 1_000)}
REPEATS = {"ICFG": 2, "CUHK": 7}
# How far a model's embeddings lie from the centres of their persons.
MODELS = {"middling": SPREAD, "good": 1.5, "poor": 12.0}
PROCESSORS: dict[str, dict[str, str]] = {
    "this processor": {},
    "AVX2 alone": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    },
}


class Problem(NamedTuple):
    """Embeddings [n_query, dim], [n_gallery, dim] and labels, in the order of `rank_queries`."""

    queries: Tensor
    gallery: Tensor
    query_identities: Tensor
    gallery_identities: Tensor


def full_argsort(
    queries: Tensor,
    gallery: Tensor,
    query_identities: Tensor,
    gallery_identities: Tensor,
    dtype: torch.dtype = torch.float32,
) -> QueryResults:
    """The baseline: sort the gallery for each query and add up along the sorted matches."""
    scores = queries @ gallery.T
    order = torch.argsort(scores, dim=1, descending=True)
    del scores
    matches = gallery_identities[order] == query_identities[:, None]
    del order
    found = matches.cumsum(1)
    n_right = found[:, -1]
    precision = found / torch.arange(1, len(gallery) + 1, dtype=dtype)
    ap = (precision * matches).sum(1) / n_right
    first = matches.view(torch.uint8).argmax(1) + 1
    last = len(gallery) - matches.flip(1).view(torch.uint8).argmax(1)
    return QueryResults(first, ap.double(), n_right / last.double(), n_right)


def run() -> Outcome:
    """Measure both sizes with all instructions of this processor and with AVX2 alone, and compare the values."""
    torch.set_num_threads(1)
    claims: list[Claim] = []
    found: dict[str, Any] = {}
    for name, environment in PROCESSORS.items():
        for size in SIZES:
            measured = with_environment(ratios, size, environment)
            claims += judged(f"{size} size, {name}", measured)
            found |= {f"{size}, {name}": measured}
    memory_claims, kept = memory()
    argsort_claims, sorted_facts = against_argsort()
    title = "Exact evaluation, text to image, 512-d, against the matrix product that bounds it"
    return outcome(
        title,
        "python -m benchmarks evaluation",
        claims + memory_claims + argsort_claims + same_values(),
        **found,
        memory_mb=kept,
        argsort=sorted_facts,
    )


def with_environment(
    work: Callable[[str], dict[str, float]], size: str, environment: dict[str, str]
) -> dict[str, float]:
    """Run `work` in a fresh process, whose libraries choose their instructions by the environment."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        found: dict[str, float] = apart(work, size)
        return found
    finally:
        os.environ.clear()
        os.environ.update(before)


def ratios(size: str) -> dict[str, float]:
    """Return seconds: of bare products, and of evaluations, with one thread (CPU time) and with two (wall time).

    A good, a middling and a poor model; each side is the least of some repeats taken in turn, so that a busy
    machine disturbs both alike.
    """
    found = {}
    for model, spread in MODELS.items():
        problem = draw(*SIZES[size], spread)
        scores = torch.empty(len(problem.queries), len(problem.gallery))
        works: dict[str, Callable[[], Any]] = {
            "product": partial(torch.mm, problem.queries, problem.gallery.T, out=scores),
            "plain": partial(rank_queries, *problem),
            "first ten named": partial(rank_queries, *problem, top=10),
        }
        for n_thread, clock in ((1, time.process_time), (2, time.perf_counter)):
            if n_thread > 1 and (model != "middling" or (os.cpu_count() or 1) < n_thread):
                continue
            torch.set_num_threads(n_thread)
            taken = least_in_turn(works, clock, REPEATS[size])
            found |= {f"{model}, {n_thread} thread, {what}": seconds for what, seconds in taken.items()}
    return found


def least_in_turn(
    works: dict[str, Callable[[], Any]], clock: Callable[[], float], repeats: int
) -> dict[str, float]:
    """Return the least time of each work over some rounds, in each of which all are done once."""
    least = dict.fromkeys(works, float("inf"))
    for _ in range(repeats):
        for name, work in works.items():
            start = clock()
            work()
            least[name] = min(least[name], clock() - start)
    return least


def judged(what: str, measured: dict[str, float]) -> list[Claim]:
    """Return the claims about one size on one kind of processor: evaluations in bare products of the same run.

    Wall time of two threads is a plain figure: on a busy machine it is that of the other work.
    """
    claims = []
    for key, seconds in measured.items():
        setting, _, work = key.rpartition(", ")
        if work != "product":
            ratio = seconds / measured[f"{setting}, product"]
            most = MOST if "1 thread" in setting else None
            claims.append(
                claim(f"{what}: {setting}, {work}, in bare products", ratio, unit="x", at_most=most)
            )
    return claims


def memory() -> tuple[list[Claim], dict[str, float | None]]:
    """Measure the memory above the inputs at ICFG size for each model, the first ten named."""
    kept = {}
    for model, spread in MODELS.items():
        problem = draw(*SIZES["ICFG"], spread)
        kept[model] = memory_above_mb(partial(rank_queries, *problem, top=10))
    most = None if None in kept.values() else max(value for value in kept.values() if value is not None)
    return [claim("ICFG size, memory above the inputs", most, unit="MB", at_most=80)], kept


def against_argsort() -> tuple[list[Claim], dict[str, Any]]:
    """Compare with sorting the whole gallery; at ICFG size for a tenth of the queries, as sorting takes much memory."""
    claims, found = [], {}
    for size, share in (("ICFG", 10), ("CUHK", 1)):
        n_query, n_gallery, n_identity = SIZES[size]
        problem = draw(n_query // share, n_gallery, n_identity)
        works: dict[str, Callable[[], Any]] = {
            "argsort": partial(full_argsort, *problem),
            "seconds": partial(rank_queries, *problem),
        }
        taken = least_in_turn(works, time.process_time, 2)
        ratio = taken["argsort"] / taken["seconds"]
        claims.append(claim(f"{size} size, faster than full argsort", ratio, unit="x"))
        found[size] = taken | summary(rank_queries(*problem))
    return claims, found


def same_values() -> list[Claim]:
    """Compare the values at CUHK size: integer scores without ties, then float scores."""
    problem = draw(6_156, 3_074, 1_000)
    whole = without_ties(problem)
    ours, theirs = rank_queries(*whole), full_argsort(*whole, dtype=torch.float64)
    apart = (
        (ours.first_rank != theirs.first_rank)
        | (ours.inp != theirs.inp)
        | ((ours.ap - theirs.ap).abs() > 1e-12)
    )
    ours, theirs = rank_queries(*problem), full_argsort(*problem, dtype=torch.float64)
    differs = (ours.first_rank != theirs.first_rank) | ((ours.ap - theirs.ap).abs() > ROUNDING)
    differs |= (ours.inp - theirs.inp).abs() > ROUNDING
    odd = [row for row in differs.nonzero()[:, 0].tolist() if closest(problem, row) > ROUNDING]
    return [
        claim("queries that differ, integer scores without ties", int(apart.sum()), at_most=0),
        claim("queries that differ by over 1e-6, float scores", int(differs.sum())),
        claim("those of them that no tie or rounding explains", len(odd), at_most=0),
    ]


def draw(n_query: int, n_gallery: int, n_identity: int, spread: float = SPREAD) -> Problem:
    """Draw embeddings spread about one centre a person; the spread gives values like those of trained models."""
    generator = torch.Generator().manual_seed(1)
    centres = normalize(torch.randn(n_identity, DIM, generator=generator))

    def rows(count: int) -> tuple[Tensor, Tensor]:
        identities = torch.arange(count) % n_identity
        noise = torch.randn(count, DIM, generator=generator) * (spread / DIM**0.5)
        return normalize(noise.add_(centres[identities])), identities

    (queries, asked), (gallery, identities) = rows(n_query), rows(n_gallery)
    return Problem(queries, gallery, asked, identities)


def without_ties(problem: Problem) -> Problem:
    """Return a problem of the same labels whose scores are whole numbers, exact in float32, all different in a row."""
    n_query, n_gallery = len(problem.queries), len(problem.gallery)
    generator = torch.Generator().manual_seed(2)
    place = torch.randperm(n_gallery, generator=generator)
    gallery = torch.stack([place // 64, place % 64], dim=1).float()
    step = 1 + 2 * torch.randint(0, 500, (n_query,), generator=generator)
    sign = torch.randint(0, 2, (n_query,), generator=generator) * 2 - 1
    queries = torch.stack([64 * step, step], dim=1) * sign[:, None]
    return problem._replace(queries=queries.float(), gallery=gallery)


def closest(problem: Problem, row: int) -> float:
    """Return the least distance between a right and a wrong score of a query, in float64."""
    scores = problem.gallery.double() @ problem.queries[row].double()
    right = problem.gallery_identities == problem.query_identities[row]
    return float((scores[right][:, None] - scores[~right]).abs().min())
