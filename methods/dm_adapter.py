"""DM-Adapter: beside every MLP of the frozen towers a few of several adapters act, which a router picks for each token.

Liu et al., "DM-Adapter: Domain-Aware Mixture-of-Adapters for Text-Based Person Retrieval", AAAI 2025,
https://arxiv.org/abs/2503.04144, code https://github.com/Liu-Yating/DM-Adapter. Structure, initial values, losses and
recipe are those of the released code. Where the paper differs, the code is followed: the router weights what it makes
of a token and of the domain prompt by shares that are learned and start as halves (the paper adds both), and the
mixtures have constant scales, 0.1 for images and 4 for captions, of which the paper's text says nothing.

All adapters are computed for all tokens and those not picked count 0. That is what the code computes, in shapes that do
not depend on values, but it takes three times its FLOPs in the adapters. The load-balancing loss is the code's: it
counts the padding of captions too, so captions are read at full length while training. The code also trains 395,776
parameters that nothing reads; they are left out.

What deviates by default: the epoch is chosen on validation and not on the test split, weights are float32 under
autocast and not float16 without loss scaling (the preset `released` follows the code in both), and a caption in which
no word was drawn to be masked stays whole.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.clip.injection import TowerShape, tower_shapes
from harness.clip.injection.adapters import check_reduction
from harness.clip.injection.mixtures import Mixtures, Router
from harness.clip.tensor_names import Replacement, renamed, stacked
from harness.errors import UsageError
from harness.method_parts.batch import Batch, Losses
from harness.method_parts.losses import LOSSES
from harness.methods import Choice, Method, Range, TrainedConfig, gathered, register, setting

BLOCK = r"base_model\.(visual\.)?transformer\.resblocks\.(\d+)\."
EXPERT = BLOCK + r"feed_forward\.experts\.(\d+)\.(down\.weight|down\.bias|up\.weight|up\.bias)"
# What stacked tensors of all adapters of a block are called here, and how they lie side by side.
WIDE: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "down.weight": ("down.weight", lambda tensors: tensors.flatten(0, 1)),
    "down.bias": ("down.bias", torch.flatten),
    "up.weight": ("up.weight", lambda tensors: tensors.transpose(0, 1).flatten(1)),
    "up.bias": ("up_bias.weight", lambda tensors: tensors.mT),
}
UNREAD = r"base_model\.(vision_param|text_param|co_vision_param|v2i_proj\..*)"
RELEASED: dict[str, Replacement] = {
    BLOCK + r"ln_3\.": lambda found: f"{_mixture(found)}.norm.",
    BLOCK + r"task_param": lambda found: f"{_mixture(found)}.router.prompt",
    BLOCK + r"feed_forward\.input_gate\.": lambda found: f"{_mixture(found)}.router.token.",
    BLOCK + r"feed_forward\.task_gate\.": lambda found: f"{_mixture(found)}.router.domain.",
    BLOCK + r"feed_forward\.alpha": lambda found: f"{_mixture(found)}.router.domain_share",
    r"base_model\.": "clip.model.",
}


class Config(TrainedConfig):
    """Structure, optimiser and losses as released."""

    lr: float = setting(
        3e-4, "learning rate after warm-up", search=Range(low=1e-5, high=1e-2, log=True), gt=0
    )
    eps: float = setting(1e-3, "Adam's epsilon: so large that small gradients make small steps", gt=0)
    n_experts: int = setting(
        6, "adapters beside each MLP", search=Choice(values=(2, 4, 6, 8, 10)), ge=2, le=64
    )
    top_k: int = setting(2, "adapters that act on a token", search=Choice(values=(1, 2)), ge=1)
    reduction: int = setting(8, "width over bottleneck width", search=Choice(values=(2, 4, 8, 16, 32)), ge=1)
    balance: float = setting(
        0.5,
        "weight of the loss that keeps all adapters in use, summed over all blocks",
        search=Range(low=0.01, high=10, log=True),
        ge=0,
    )
    image_scale: float = setting(
        0.1, "factor on the image adapters' output", search=Range(low=0.01, high=10, log=True)
    )
    text_scale: float = setting(
        4.0, "factor on the text adapters' output", search=Range(low=0.01, high=10, log=True)
    )


@register
class DmAdapter(Method):
    """A mixture of adapters beside every MLP of frozen towers."""

    title = "DM-Adapter"
    Config = Config
    recipe: ClassVar[dict[str, Any]] = {"train.batch_size": 128, "train.augment.mask_words": 0.15}

    image_injection: Mixtures
    text_injection: Mixtures

    def adapt(self) -> None:
        """Put a mixture into every block."""
        config: Config = self.config
        image, text = tower_shapes(self.clip)
        _check(config, image, text)
        sizes = {"n_experts": config.n_experts, "top_k": config.top_k, "reduction": config.reduction}
        self.image_injection = Mixtures(image, scale=config.image_scale, **sizes)
        self.text_injection = Mixtures(text, scale=config.text_scale, **sizes)

    def features(self, batch: Batch) -> dict[str, Tensor]:
        """Return unit embeddings, and of each pair the routing in all blocks [n_local, n_block, n_experts]."""
        if not self.config.balance:
            return super().features(batch)
        tokens = batch.tokens
        assert tokens is not None
        whole = F.pad(tokens, (0, self.clip.text_length - tokens.shape[1]))
        with self.image_injection.noting() as image, self.text_injection.noting() as text:
            embeddings = super().features(replace(batch, tokens=whole))
        gates, counts = zip(*image, *text, strict=True)
        return {**embeddings, "gates": torch.stack(gates, dim=1), "counts": torch.stack(counts, dim=1)}

    def losses(self, features: dict[str, Tensor], batch: Batch) -> Losses:
        """Add the load-balancing loss to the matching loss."""
        config, of = self.config, gathered(features, batch)
        matching = LOSSES[config.loss](of["image"], of["text"], batch.identities, config.temperature)
        if not config.balance:
            return Losses({config.loss: matching})
        terms = {config.loss: matching, "balance": balance(of["gates"], of["counts"])}
        return Losses(terms, {"balance": config.balance})

    def folded_parameters(self) -> int:
        """Of each router one map remains."""
        routers = [part for part in self.modules() if isinstance(part, Router)]
        return super().folded_parameters() - sum(router.saved() for router in routers)

    @classmethod
    def imported(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Read the released code's names; it keeps the adapters apart from one another."""
        return renamed(_side_by_side(state), RELEASED, ignored=[UNREAD, r"(base_model\.)?logit_scale"])


def balance(gates: Tensor, counts: Tensor) -> Tensor:
    """Return the load-balancing loss, summed over blocks; it is smallest where all adapters are picked equally often.

    Args:
        gates: mean soft-max of the scores of each pair [n, n_block, n_experts].
        counts: mean over tokens of which adapters were picked [n, n_block, n_experts].

    >>> even, one = torch.full((1, 1, 2), 0.5), torch.tensor([[[1.0, 0.0]]])
    >>> float(balance(even, even)), float(balance(one, one))
    (0.5, 1.0)
    """
    return (gates.mean(dim=0) * counts.mean(dim=0)).sum()


def _check(config: Config, *shapes: TowerShape) -> None:
    check_reduction(config.reduction, min(shape.width for shape in shapes))
    if config.top_k > config.n_experts:
        raise UsageError(
            f"method.top_k={config.top_k} picks more than the method.n_experts={config.n_experts} adapters: lower it."
        )
    if config.top_k == 1 and not config.balance:
        raise UsageError(
            "method.top_k=1 with method.balance=0 leaves the router nothing to learn from: raise one."
        )


def _mixture(found: re.Match[str]) -> str:
    return f"{'image' if found[1] else 'text'}_injection.layers.{found[2]}"


def _side_by_side(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with each block's adapters as the parts of wide maps, where none is missing."""
    names: dict[tuple[str, str], dict[int, str]] = {}
    for name in state:
        if found := re.fullmatch(EXPERT, name):
            names.setdefault((_mixture(found), found[4]), {})[int(found[3])] = name
    parts = {
        f"{mixture}.{part}": [of[place] for place in sorted(of)]
        for (mixture, part), of in names.items()
        if sorted(of) == list(range(len(of)))
    }
    joined = stacked(state, parts)
    for mixture, part in names:
        if (tensor := joined.pop(f"{mixture}.{part}", None)) is not None:
            ours, widen = WIDE[part]
            joined[f"{mixture}.{ours}"] = widen(tensor)
    return joined
