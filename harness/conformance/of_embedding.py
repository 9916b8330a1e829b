"""Checks of what embeds: shapes, rows that stand for themselves, seeds, saving, folding and counting."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from harness.conformance.bench import Bench, permuted, shake, step, without_chance
from harness.conformance.check import Fault
from harness.errors import HarnessError, UsageError, listed
from harness.method_parts.batch import Batch
from harness.method_parts.frozen import TOWERS, given_to_batch
from harness.methods import Method
from harness.train.checkpoint import load_weights, save_weights

_ATOL, _RTOL = 1e-5, 1e-4
# What torch.testing takes as equal in float32.
_STRICT = 1.3e-6
_ORDER = (3, 0, 5, 1, 4, 2)
_PARTS = (slice(0, 2), slice(2, 6))
_TOWERS = ("image", "text")
_SHOWN = 3


def adapt(bench: Bench) -> None:
    """It can be made on a tiny CLIP."""
    try:
        method = bench.make()
    except UsageError as error:
        raise Fault(
            f"it refuses {bench.backbone}: {str(error).rstrip('.')}",
            "choose smaller sizes by --set, or a deeper or wider CLIP by --backbone, such as tiny-12x128-12x128",
        ) from error
    if not hasattr(method, "clip"):
        raise Fault(
            "it has no clip", "let __init__ call super().__init__(clip, config), or override adapt alone"
        )


def counts(bench: Bench) -> None:
    """It is counted without weights, as `harness methods info` and `--dry-run` do."""
    real, counted = _parameters(bench.make()), _parameters(bench.make(device="meta"))
    if real != counted:
        differing = sorted(real.keys() ^ counted.keys()) or [
            name for name in real if real[name] != counted[name]
        ]
        raise Fault(
            f"{listed(differing, _SHOWN)} differs on the meta device",
            "let what adapt makes follow from shapes and config, never from the weights' values",
        )


def shapes(bench: Bench) -> None:
    """Any number of images and captions is embedded, each as one finite row of the joint space."""
    method = bench.make().eval()
    images = bench.batch(method).images
    assert images is not None
    _check_rows(method, method.encode_image, images[:1])
    _check_rows(method, method.encode_image, images)
    _check_rows(method, method.encode_text, bench.captions(method.clip, (1, method.clip.text_length - 1)))


def _check_rows(method: Method, encode: Callable[[Tensor], Any], given: Tensor) -> None:
    """Raise `Fault` unless what is given becomes finite rows [n, dim]."""
    name, wanted = encode.__name__, [len(given), method.clip.embed_dim]
    with torch.no_grad():
        rows = encode(given)
    if not isinstance(rows, Tensor):
        raise Fault(f"{name} returned {type(rows).__name__}", f"return a tensor [n, dim], here {wanted}")
    if list(rows.shape) != wanted:
        raise Fault(f"{name} made {list(rows.shape)} of {len(given)}", f"return [n, dim], here {wanted}")
    if not torch.isfinite(rows).all():
        raise Fault(f"{name} gives values that are not finite", "look for what divides or overflows")


def alone(bench: Bench) -> None:
    """An image or caption by itself is embedded as among others."""
    method = bench.make().eval()
    shake(method)
    batch = bench.batch(method)
    assert batch.images is not None
    assert batch.tokens is not None
    with torch.no_grad():
        for tower, encode, given in (
            ("image", method.encode_image, batch.images),
            ("text", method.encode_text, batch.tokens),
        ):
            _same(encode(given)[2:3], encode(given[2:3]), f"the {tower} embedding", _BY_ITSELF, rtol=_STRICT)


def seed(bench: Bench) -> None:
    """One seed makes one method and one loss; another seed makes other embeddings."""
    one, two, other = (bench.make(seed=number) for number in (3, 3, 4))
    for (name, first), (_, second) in zip(one.named_parameters(), two.named_parameters(), strict=True):
        if not torch.equal(first, second):
            raise Fault(f"{name} starts otherwise each time", _DRAWS)
    batch = bench.batch(one)
    assert batch.images is not None
    if torch.equal(one.encode_image(batch.images), other.encode_image(batch.images)):
        raise Fault("embeddings are the same with another seed", "let embeddings depend on the backbone")
    drawn = []
    for method in (one, two):
        torch.manual_seed(5)
        drawn.append({name: rows.detach() for name, rows in method.train().features(batch).items()})
    for name, rows in drawn[0].items():
        if not torch.equal(rows, drawn[1][name]):
            raise Fault(f"the feature {name} differs from one time to the next", _DRAWS)
    totals = []
    for method in (one, two) if bench.method_class.trained else ():
        torch.manual_seed(5)
        totals.append(float(method(batch).total.detach()))
    if len(set(totals)) > 1:
        raise Fault(f"one batch has the losses {totals[0]:.6g} and {totals[1]:.6g}", _DRAWS)


def rows(bench: Bench) -> None:
    """Features of a pair depend on that pair alone: parts of a batch give the rows of the whole."""
    whole = without_chance(bench.make()).train()
    batch = bench.batch(whole)
    with torch.no_grad():
        expected = whole.features(batch)
        parts = [without_chance(bench.make()).train().features(batch.rows(part)) for part in _PARTS]
    for name, found in expected.items():
        joined = torch.cat([part[name] for part in parts])
        _same(found, joined, f"the feature {name}", _BY_ITSELF)


def order(bench: Bench) -> None:
    """The loss does not depend on the order of the pairs in a batch."""
    one, two = (without_chance(bench.make()).train() for _ in range(2))
    batch = bench.batch(one)
    totals = [
        float(method(given).total.detach())
        for method, given in ((one, batch), (two, permuted(batch, torch.tensor(_ORDER))))
    ]
    if abs(totals[0] - totals[1]) > _ATOL + _RTOL * abs(totals[0]):
        raise Fault(
            f"the loss is {totals[0]:.6g} in one order and {totals[1]:.6g} in another",
            "compare pairs by batch.identities and not by place, and draw by batch.seed and batch.places",
        )


def saved(bench: Bench) -> None:
    """What is trained, saved and loaded into a new method, gives the same embeddings."""
    method = bench.make()
    batch = bench.batch(method)
    shake(method)
    step(method, batch, method.optimiser())
    fresh = bench.make()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "weights.safetensors"
        try:
            save_weights(method, file)
            load_weights(fresh, file)
        except HarnessError as error:
            raise Fault(" ".join(str(error).split()).replace(str(file), "the file"), _STATE) from error
    for tower, one, other in zip(_TOWERS, _embedded(method, batch), _embedded(fresh, batch), strict=True):
        if not torch.equal(one, other):
            raise Fault(f"{tower} embeddings of what was loaded differ {_by(one, other)}", _STATE)


def fold(bench: Bench) -> None:
    """Folded for inference it gives the same embeddings, and may be folded again."""
    method = bench.make()
    shake(method)
    tokens = bench.captions(method.clip, (5, 70, 76))
    batch = bench.batch(method)
    batch.tokens = tokens
    before = _embedded(method, batch)
    method.fold()
    once = _embedded(method, batch)
    for tower, one, other in zip(_TOWERS, before, once, strict=True):
        _same(one, other, f"the {tower} embedding", "merge exactly what acts, or leave it as it is")
    method.fold()
    for tower, one, other in zip(_TOWERS, once, _embedded(method, batch), strict=True):
        if not torch.equal(one, other):
            raise Fault(
                f"folding again changes the {tower} embeddings {_by(one, other)}",
                "let fold take away what it merged, so that it is merged once",
            )


def folded_parameters(bench: Bench) -> None:
    """`folded_parameters` says, before and after folding, how many parameters it adds to CLIP for inference."""
    method = bench.make()
    said = method.folded_parameters()
    method.fold()
    backbone = {id(parameter) for parameter in method.clip.parameters()}
    left = sum(p.numel() for p in method.parameters() if id(p) not in backbone)
    after = method.folded_parameters()
    if not said == after == left:
        raise Fault(
            f"it said {said:,} before and {after:,} after folding, and {left:,} are left",
            "name what only losses need in training_only, set merges on injections that merge wholly, or override "
            "folded_parameters beside fold",
        )


def frozen_parts(bench: Bench) -> None:
    """Of what the frozen parts of its towers give it computes what it computes of images and captions."""
    method = bench.make().eval()
    shake(method)
    batch = bench.batch(method)
    inputs = {"image": batch.images, "text": batch.tokens}
    with torch.no_grad():
        expected = method.features(batch)
        for tower in TOWERS:
            if (part := method.frozen_part(tower)) is not None:
                given = inputs[tower]
                assert given is not None
                setattr(batch, f"{tower}_frozen", given_to_batch(part.compute(given)))
        found = method.features(batch)
    for name, wanted in expected.items():
        _same(wanted, found[name], f"the feature {name}", _FROZEN)


_BY_ITSELF = "use no mean, norm or draw over the batch in features or encode_...; compare pairs in losses"
_FROZEN = "act in head_image and head_text, or say of an injection acts_inside = True"
_DRAWS = "draw from torch's generator, or from one seeded by batch.seed; not from random, numpy or the time"
_STATE = "keep whatever training changes in trained parameters, which alone are saved"


def _parameters(method: Method) -> dict[str, tuple[tuple[int, ...], bool]]:
    return {name: (tuple(p.shape), p.requires_grad) for name, p in method.named_parameters()}


@torch.no_grad()
def _embedded(method: Method, batch: Batch) -> tuple[Tensor, Tensor]:
    method.eval()
    assert batch.images is not None
    assert batch.tokens is not None
    return method.encode_image(batch.images), method.encode_text(batch.tokens)


def _same(wanted: Tensor, found: Tensor, what: str, fix: str, rtol: float = _RTOL) -> None:
    """Raise `Fault` where two tensors differ by more than rounding."""
    if wanted.shape != found.shape:
        raise Fault(f"{what} has the shape {list(found.shape)} in place of {list(wanted.shape)}", fix)
    if not torch.allclose(wanted.float(), found.float(), atol=_ATOL, rtol=rtol):
        raise Fault(f"{what} differs {_by(wanted, found)}", fix)


def _by(one: Tensor, other: Tensor) -> str:
    return f"by up to {float((one.float() - other.float()).abs().max()):.2g}"
