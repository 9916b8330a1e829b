"""All checks in their order, and a method put through them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from harness.conformance import of_embedding, of_the_file, of_training
from harness.conformance.bench import Bench
from harness.conformance.check import Check, Fault, Result, only_frozen, only_trained
from harness.registry import located

_CORRECT = "correct that line, or what it is given"
_RETURN = "return what the contract in harness/methods.py says, which the check could not work with"
_STEPS = ("losses", "gradients", "groups")
_SAME_TWICE = ("losses", "seed")

CHECKS: tuple[Check, ...] = (
    Check("docstring", "the file says what the method is", run=of_the_file.docstring),
    Check("fields", "fields have help, what all search has a range", run=of_the_file.fields),
    Check("ranges", "defaults lie in their search ranges", run=of_the_file.ranges),
    Check(
        "searched",
        "its own fields have a search range or are held",
        run=of_the_file.searched,
        applies=only_trained,
    ),
    Check("unknown field", "an unknown field is refused", run=of_the_file.unknown_field),
    Check("adapt", "it can be made on a tiny CLIP", run=of_embedding.adapt),
    Check("counts", "it is counted without weights", run=of_embedding.counts, needs=("adapt",)),
    Check(
        "trained",
        "it trains something, or says that it does not",
        run=of_training.trained,
        needs=("adapt",),
    ),
    Check(
        "shapes",
        "any number is embedded, as [n, dim]",
        run=of_embedding.shapes,
        needs=("adapt",),
    ),
    Check(
        "losses",
        "a step gives finite losses with a gradient",
        run=of_training.losses,
        needs=("trained", "shapes"),
        applies=only_trained,
    ),
    Check(
        "seed",
        "one seed gives one method and one loss",
        run=of_embedding.seed,
        needs=("shapes", "losses"),
    ),
    Check(
        "gradients",
        "what is trained gets a gradient, nothing else",
        run=of_training.gradients,
        needs=("losses",),
        applies=only_trained,
    ),
    Check(
        "registered",
        "what learns is a registered parameter",
        run=of_training.registered,
        needs=("shapes", "losses"),
    ),
    Check(
        "groups",
        "the optimiser has each trained parameter once",
        run=of_training.groups,
        needs=("losses",),
        applies=only_trained,
    ),
    Check(
        "frozen",
        "training changes exactly what is trained",
        run=of_training.frozen,
        needs=_STEPS,
        applies=only_trained,
    ),
    Check(
        "graph",
        "embeddings keep a graph to what is trained alone",
        run=of_training.graph,
        needs=("trained", "shapes", "gradients"),
    ),
    Check(
        "descent",
        "a few steps lower the loss",
        run=of_training.descent,
        needs=(*_STEPS, "seed"),
        applies=only_trained,
    ),
    Check(
        "alone",
        "each is embedded by itself as among others",
        run=of_embedding.alone,
        needs=("shapes", *_SAME_TWICE),
    ),
    Check(
        "rows",
        "features of a pair depend on that pair alone",
        run=of_embedding.rows,
        needs=("alone", "frozen"),
    ),
    Check(
        "order",
        "the loss does not depend on the order of pairs",
        run=of_embedding.order,
        needs=("rows",),
        applies=only_trained,
    ),
    Check(
        "kept parts",
        "what frozen parts of towers give embeds the same",
        run=of_embedding.frozen_parts,
        needs=("rows",),
        applies=only_frozen,
    ),
    Check(
        "saved",
        "what is saved and loaded embeds the same",
        run=of_embedding.saved,
        needs=("seed", "frozen"),
        applies=only_trained,
    ),
    Check("fold", "folding keeps the embeddings", run=of_embedding.fold, needs=("shapes", *_SAME_TWICE)),
    Check(
        "folded count",
        "folded_parameters counts what inference adds",
        run=of_embedding.folded_parameters,
        needs=("adapt",),
    ),
    Check(
        "half",
        "in float16 it embeds alike and learns",
        run=of_training.half,
        needs=("rows", "gradients"),
    ),
)


def run_checks(bench: Bench) -> list[Result]:
    """Put a method through all checks, in order; what an earlier failure decides is not reached."""
    results: list[Result] = []
    blamed: dict[str, str] = {}
    with _one_thread():
        for check in CHECKS:
            cause = next((blamed[name] for name in check.needs if name in blamed), None)
            results.append(_result(check, bench, cause))
            if results[-1].state in ("failed", "not reached"):
                blamed[check.name] = cause or check.name
    return results


def _result(check: Check, bench: Bench, cause: str | None) -> Result:
    """Run a check, unless it says nothing of the method or an earlier one, `cause`, failed."""
    if (why := check.applies(bench)) is not None:
        return Result(check.name, check.holds, "does not apply", why=why)
    if cause is not None:
        return Result(check.name, check.holds, "not reached", why=f"{cause} failed")
    began = time.process_time()
    fault = _fault(check, bench)
    seconds = time.process_time() - began
    if fault is None:
        return Result(check.name, check.holds, "passed", seconds=seconds)
    return Result(check.name, check.holds, "failed", found=fault.found, fix=fault.fix, seconds=seconds)


def _fault(check: Check, bench: Bench) -> Fault | None:
    """Return what a check finds wrong, with random numbers of its own."""
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            check.run(bench)
    except Fault as fault:
        return fault
    # The method is another's code: whatever it raises is what this check found.
    except (Exception, SystemExit) as error:
        told = located(error, bench.file)
        return Fault(told, _CORRECT if f"({bench.file.name}, line " in told else _RETURN)
    return None


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small products are quicker without a second thread to wait for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
