"""Exact evaluation against sorting the whole gallery for each query: CPU time of one thread, memory, values."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.common import Claim, Outcome, claim, cpu_seconds, free_memory_gb, memory_above_mb, outcome
from harness.evaluate.ranking import QueryResults, rank_queries, summary

DIM, SPREAD, NEEDED_GB, ROUNDING = 512, 2.8, 16, 1e-6


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
    """Measure both sizes; the larger one's baseline only where the memory for it is free."""
    torch.set_num_threads(1)
    claims, facts = icfg()
    cuhk_claims, cuhk_facts = cuhk()
    title = "Exact evaluation, text to image, 512-d, one thread, CPU time"
    claims += cuhk_claims + same_values()
    return outcome(title, "python -m benchmarks evaluation", claims, icfg=facts, cuhk=cuhk_facts)


def icfg() -> tuple[list[Claim], dict[str, float | str]]:
    """Measure 19,848 captions against 19,848 pictures of 946 persons."""
    problem = draw(19_848, 19_848, 946)
    memory = memory_above_mb(lambda: rank_queries(*problem))
    seconds = cpu_seconds(lambda: rank_queries(*problem), 3)
    product = bare_product(problem)
    free, baseline, note = free_memory_gb(), None, ""
    if free >= NEEDED_GB:
        baseline = cpu_seconds(lambda: full_argsort(*problem))
    else:
        note = f": not measured, sorting needs {NEEDED_GB} GB and {free:.0f} are free"
    ratio, ceiling = (baseline / seconds, baseline / product) if baseline else (None, None)
    claims = [
        claim("ICFG size, faster than full argsort" + note, ratio, unit="x", at_least=15),
        claim("ICFG size, what a bare matrix product alone would reach here", ceiling, unit="x"),
        claim("ICFG size, time of one bare matrix product", seconds / product, unit="x", at_most=3.5),
        claim("ICFG size, memory above the inputs", memory, unit="MB", at_most=250),
    ]
    return claims, facts(problem, seconds, product, baseline)


def cuhk() -> tuple[list[Claim], dict[str, float | str]]:
    """Measure 6,156 captions against 3,074 pictures of 1,000 persons."""
    problem = draw(6_156, 3_074, 1_000)
    seconds = cpu_seconds(lambda: rank_queries(*problem), 5)
    baseline = cpu_seconds(lambda: full_argsort(*problem), 3)
    product = bare_product(problem)
    claims = [
        claim("CUHK size, faster than full argsort", baseline / seconds, unit="x", at_least=12),
        claim("CUHK size, what a bare matrix product alone would reach here", baseline / product, unit="x"),
    ]
    return claims, facts(problem, seconds, product, baseline)


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


def draw(n_query: int, n_gallery: int, n_identity: int) -> Problem:
    """Draw embeddings spread about one centre a person; the spread gives values like those of trained models."""
    generator = torch.Generator().manual_seed(1)
    centres = normalize(torch.randn(n_identity, DIM, generator=generator))

    def rows(count: int) -> tuple[Tensor, Tensor]:
        identities = torch.arange(count) % n_identity
        noise = torch.randn(count, DIM, generator=generator) * (SPREAD / DIM**0.5)
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


def bare_product(problem: Problem) -> float:
    """Return the seconds of one matrix product into memory that is already there."""
    scores = torch.empty(len(problem.queries), len(problem.gallery))
    return cpu_seconds(lambda: torch.mm(problem.queries, problem.gallery.T, out=scores), 3)


def closest(problem: Problem, row: int) -> float:
    """Return the least distance between a right and a wrong score of a query, in float64."""
    scores = problem.gallery.double() @ problem.queries[row].double()
    right = problem.gallery_identities == problem.query_identities[row]
    return float((scores[right][:, None] - scores[~right]).abs().min())


def facts(problem: Problem, seconds: float, product: float, baseline: float | None) -> dict[str, float | str]:
    """Return the seconds behind the ratios, and the values that the drawn embeddings give."""
    times = {
        "seconds": seconds,
        "bare_product_seconds": product,
        "argsort_seconds": baseline or "not measured",
    }
    return times | summary(rank_queries(*problem))
