"""Checks of training: what has a gradient, what changes, what is counted, and that it learns."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from harness.compute.precision import store_half
from harness.conformance.bench import Bench, step, without_chance
from harness.conformance.check import Fault
from harness.errors import TrainingError, listed, many
from harness.method_parts.batch import Batch, Losses
from harness.methods import Method, gathered, unit
from harness.train.gradient_audit import audit_gradients

_DECAY, _RATE, _EPSILON = 0.01, 1e-3, 1e-8
_CHANGING_STEPS, _LEARNING_STEPS = 3, 6
# The least cosine of an embedding and that of weights in float16.
_ALIKE = 0.99
_SHOWN = 3
_TOWERS = ("image", "text")


def trained(bench: Bench) -> None:
    """What says that it is trained has something to train, and only that."""
    names = [name for name, _ in bench.make().trainable()]
    if bench.method_class.trained and not names:
        raise Fault(
            "no parameter has requires_grad",
            "unfreeze or make in adapt what is trained, or set trained = False",
        )
    if names and not bench.method_class.trained:
        raise Fault(
            f"{many(len(names), 'parameter')} would be trained, such as {listed(names, _SHOWN)}",
            "set trained = True, or requires_grad_(False)",
        )


def losses(bench: Bench) -> None:
    """A step gives finite losses that a trained parameter changes."""
    method = bench.make()
    found = method(bench.batch(method))
    if not isinstance(found, Losses):
        raise Fault(f"losses returned {type(found).__name__}", "return Losses({'name': term, ...})")
    for name, term in found.terms.items():
        if not isinstance(term, Tensor) or term.numel() != 1:
            what = f"of shape {tuple(term.shape)}" if isinstance(term, Tensor) else type(term).__name__
            raise Fault(f"the term {name} is {what}", "make each term a tensor of one number")
        if not torch.isfinite(term).all():
            raise Fault(
                f"the term {name} is {float(term.detach())}",
                "look for a division by zero, a logarithm of zero or an overflow in losses",
            )
    if not found.total.requires_grad:
        raise Fault(
            "no term depends on a trained parameter",
            "make losses of what features gives, without detach(), item() or no_grad()",
        )


def gradients(bench: Bench) -> None:
    """Each trained parameter gets a gradient, no frozen one does, and the audit leaves none behind."""
    method = bench.make()
    try:
        audit_gradients(method, bench.batch(method))
    except TrainingError as error:
        raise Fault(
            str(error).rstrip("."),
            "use the parameter in the losses, or freeze it: requires_grad_(False)",
        ) from error
    left = [name for name, parameter in method.named_parameters() if parameter.grad is not None]
    if left:
        raise Fault(f"zero_grad leaves gradients of {listed(left, _SHOWN)}", "leave zero_grad as it is")


def registered(bench: Bench) -> None:
    """What learns is a parameter of the module: it is counted, optimised and saved."""
    method = bench.make()
    batch, known = bench.batch(method), {id(parameter) for parameter in method.parameters()}
    ends = [rows.grad_fn for rows in _embedded(method, batch)]
    if bench.method_class.trained:
        ends.append(method(batch).total.grad_fn)
    hidden = {id(leaf): leaf for end in ends for leaf in _leaves(end) if id(leaf) not in known}
    if hidden:
        shapes = listed([str(list(leaf.shape)) for leaf in hidden.values()], _SHOWN)
        raise Fault(
            f"{many(len(hidden), 'tensor')} of shape {shapes} would learn unseen",
            "keep it as nn.Parameter in an attribute, in nn.ParameterList or nn.ModuleList, not in a list or dict",
        )


def groups(bench: Bench) -> None:
    """The optimiser has each trained parameter once, and nothing else."""
    method = bench.make()
    own = {id(parameter): name for name, parameter in method.trainable()}
    for source, given in (
        ("param_groups", method.param_groups()),
        ("optimiser", method.optimiser().param_groups),
    ):
        held = [id(parameter) for group in given for parameter in group["params"]]
        if lacking := [name for place, name in own.items() if place not in held]:
            raise Fault(f"{source} lacks {listed(lacking, _SHOWN)}", "take all of self.trainable()")
        if len(held) > len(own):
            raise Fault(
                f"{source} has {many(len(held), 'parameter')}, {len(own)} are trained",
                "name each one once, and none that is frozen",
            )


def frozen(bench: Bench) -> None:
    """Steps with weight decay change nothing that is frozen, buffers included; without it, all that is trained."""
    own = {name for name, _ in bench.make().trainable()}
    decayed, moved = _changed(bench, _DECAY), _changed(bench, 0.0)
    if wrong := sorted(decayed - own):
        raise Fault(
            f"{listed(wrong, _SHOWN)} changed in training, and is frozen",
            "change nothing in place: train it (requires_grad_(True) in adapt), or compute a new tensor",
        )
    if still := sorted(own - moved):
        raise Fault(
            f"{listed(still, _SHOWN)} is trained, and stays as it was",
            "let the losses depend on its value, or freeze it",
        )


def _changed(bench: Bench, decay: float) -> set[str]:
    """Return the names of what a few steps change; decay alone would change what no loss depends on."""
    method = bench.make(weight_decay=decay)
    batch, before = bench.batch(method), _state(method)
    optimiser = method.optimiser()
    # What is below a map that starts at zero gets a gradient of zero in the first step.
    for done in range(_CHANGING_STEPS):
        step(method, batch, optimiser, done)
    return {name for name, value in _state(method).items() if not torch.equal(value, before[name])}


def graph(bench: Bench) -> None:
    """What embeds keeps a graph to what is trained, and to nothing frozen."""
    method = bench.make()
    embeddings = _embedded(method, bench.batch(method))
    names = {id(parameter): name for name, parameter in method.named_parameters()}
    reached = {names[id(leaf)] for rows in embeddings for leaf in _leaves(rows.grad_fn) if id(leaf) in names}
    own = {name for name, _ in method.trainable()}
    wanted = {name for name in own if name.split(".")[0] not in method.training_only}
    if further := sorted(reached - wanted):
        raise Fault(
            f"embeddings depend on {listed(further, _SHOWN)}, which only losses should need",
            "take it out of training_only",
        )
    if unused := sorted(wanted - reached):
        raise Fault(
            f"embeddings do not depend on {listed(unused, _SHOWN)}",
            "name what only the losses need in training_only: the first part of its name",
        )
    if any(rows.requires_grad for rows in embeddings) != bool(own):
        raise Fault(
            "what is trained and what embeds have nothing to do with one another",
            "let embeddings depend on what is trained, or set trained = False",
        )


def descent(bench: Bench) -> None:
    """A few steps on one batch lower its loss."""
    method = bench.make(lr=_RATE, eps=_EPSILON)
    batch, optimiser = bench.batch(method), method.optimiser()
    values = [step(method, batch, optimiser, done) for done in range(_LEARNING_STEPS)]
    if not values[-1] < values[0]:
        raise Fault(
            f"{values[0]:.4g} before, {values[-1]:.4g} after {_LEARNING_STEPS - 1} steps at rate {_RATE:g}",
            "look at the sign of the losses, and at how large the steps of param_groups are",
        )


def half(bench: Bench) -> None:
    """With weights in float16, as `--preset released` stores them, it embeds alike and still learns."""
    method, plain = store_half(without_chance(bench.make())), without_chance(bench.make())
    batch = bench.batch(method)
    for tower, own, other in zip(_TOWERS, _embedded(method, batch), _embedded(plain, batch), strict=True):
        _alike(f"{tower} embeddings", unit(own), unit(other))
    features, expected = (gathered(one.features(batch), batch) for one in (method, plain))
    for tower in (tower for tower in _TOWERS if tower in features):
        if features[tower].dtype != torch.float32:
            raise Fault(
                f"the feature {tower} is {features[tower].dtype}", "return unit(embeddings), which is float32"
            )
        _alike(f"features {tower}", features[tower], expected[tower])
    if bench.method_class.trained:
        try:
            audit_gradients(method, batch)
        except TrainingError as error:
            raise Fault(str(error).rstrip("."), _CAST) from error


def _alike(what: str, own: Tensor, other: Tensor) -> None:
    """Raise `Fault` where rows [n, dim] of length 1 do not point where others do."""
    cosine = float((own * other).sum(1).min().detach())
    if not cosine > _ALIKE:
        raise Fault(f"{what} have a cosine of {cosine:.2f} to those of float32", _CAST)


def _embedded(method: Method, batch: Batch) -> tuple[Tensor, Tensor]:
    assert batch.images is not None
    assert batch.tokens is not None
    return method.encode_image(batch.images), method.encode_text(batch.tokens)


_CAST = "cast what is combined with an embedding to its type: self.scale.to(embeddings.dtype)"


def _state(method: Method) -> dict[str, Tensor]:
    """Return copies of all parameters and buffers, those that are not saved too."""
    named: dict[str, Any] = dict(method.named_parameters()) | dict(method.named_buffers())
    return {name: value.detach().clone() for name, value in named.items()}


def _leaves(node: Any) -> Iterator[Tensor]:
    """Yield the tensors that a graph ends at, each once."""
    seen: set[Any] = set()
    waiting = [node]
    while waiting:
        at = waiting.pop()
        if at is None or at in seen:
            continue
        seen.add(at)
        if hasattr(at, "variable"):
            yield at.variable
        waiting.extend(parent for parent, _ in at.next_functions)
