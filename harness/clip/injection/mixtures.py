"""Mixtures of adapters: beside the MLP of every block several act, of which a router picks a few for each token.

DM-Adapter (AAAI 2025) calls this a sparse mixture of adapters with a domain-aware router. All adapters are computed for
all tokens and those not picked count 0: the result is that of the picked ones alone, in shapes that do not depend on
values.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.clip.injection import Injection, TowerShape
from harness.compute.precision import layer_norm

_ROUTER_DEVIATION = 0.02
_KAIMING_SLOPE = 5**0.5
# Means over the tokens of each row: of the soft-max of all scores, and of which were picked, both [n, n_experts].
Routing = tuple[Tensor, Tensor]


class Router(nn.Module):
    """Scores the adapters for each token: (1 - share) * token map (x) + share * domain map (prompt)."""

    def __init__(self, width: int, n_experts: int) -> None:
        super().__init__()
        self.token = nn.Linear(width, n_experts, bias=False)
        self.domain = nn.Linear(width, n_experts, bias=False)
        self.prompt = nn.Parameter(torch.randn(width))
        self.domain_share = nn.Parameter(torch.tensor(0.5))
        for linear in (self.token, self.domain):
            nn.init.normal_(linear.weight, std=_ROUTER_DEVIATION)

    def merged(self) -> tuple[Tensor, Tensor]:
        """Return the one map that both make [n_experts, width], and its bias [n_experts], which the prompt makes."""
        prompted = (self.domain.weight * self.prompt).sum(dim=1)
        weight = (1 - self.domain_share) * self.token.weight
        return weight, (self.domain_share * prompted).to(weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores [n, length, n_experts] of tokens [n, length, width]; a folded router gives the same bits."""
        return F.linear(x, *self.merged())

    @torch.no_grad()
    def folded(self) -> nn.Linear:
        """Return the router as one map."""
        weight, bias = (nn.Parameter(part, requires_grad=False) for part in self.merged())
        linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
        linear.weight, linear.bias = weight, bias
        return linear

    def saved(self) -> int:
        """Return how many parameters fewer the folded router has."""
        n_experts, width = self.domain.weight.shape
        return n_experts * width + width + 1 - n_experts


class Mixture(nn.Module):
    """LayerNorm, router, and adapters side by side: one wide map down, ReLU, one wide map up.

    As released the maps down start Kaiming-uniform and those up at 0: an untrained mixture adds nothing.
    """

    def __init__(self, width: int, bottleneck: int, n_experts: int, top_k: int) -> None:
        super().__init__()
        self.n_experts, self.top_k = n_experts, top_k
        self.norm = nn.LayerNorm(width)
        self.router: Router | nn.Linear = Router(width, n_experts)
        self.down = nn.Linear(width, n_experts * bottleneck)
        self.up = nn.Linear(n_experts * bottleneck, width, bias=False)
        self.up_bias = nn.Linear(n_experts, width, bias=False)  # column i is the bias of adapter i
        nn.init.kaiming_uniform_(self.down.weight, a=_KAIMING_SLOPE)
        for start_at_zero in (self.down.bias, self.up.weight, self.up_bias.weight):
            nn.init.zeros_(start_at_zero)

    def forward(self, u: Tensor) -> tuple[Tensor, Routing]:
        """Return what the adapters make of the stream [n, length, width], and the routing of each row."""
        x = layer_norm(self.norm, u)
        scores = self.router(x)
        best, picked = scores.topk(self.top_k)
        shares = torch.zeros_like(scores).scatter(
            -1, picked, best.softmax(-1, torch.float32).to(scores.dtype)
        )
        hidden = self.down(x).relu_().unflatten(-1, (self.n_experts, -1)) * shares[..., None]
        made: Tensor = self.up(hidden.flatten(-2)) + self.up_bias(shares)
        gates = scores.softmax(-1, torch.float32)
        counts = torch.zeros_like(gates).scatter(-1, picked, 1.0)
        return made, (gates.mean(dim=1), counts.mean(dim=1))


class Mixtures(Injection):
    """One mixture beside the MLP of every block of a tower, all with one constant scale."""

    def __init__(
        self, shape: TowerShape, *, scale: float, n_experts: int, top_k: int, reduction: int
    ) -> None:
        super().__init__()
        bottleneck = shape.width // reduction
        self.layers = nn.ModuleList(
            Mixture(shape.width, bottleneck, n_experts, top_k) for _ in range(shape.layers)
        )
        self.scale = scale
        self._noted: list[Routing] | None = None

    def beside_mlp(self, layer: int, u: Tensor) -> Tensor:
        """Return the scaled output of the layer's mixture."""
        made, routing = self.layers[layer](u)
        if self._noted is not None:
            self._noted.append(routing)
        scaled: Tensor = made * self.scale
        return scaled

    @contextmanager
    def noting(self) -> Iterator[list[Routing]]:
        """Fill the list with the routing of each block that runs inside; not while blocks are computed again."""
        noted: list[Routing] = []
        self._noted = noted
        try:
            yield noted
        finally:
            self._noted = None

    def merge(self, clip: Any) -> Self:
        """Make one map of each router; the prompt becomes its bias."""
        for mixture in self.layers:
            if isinstance(mixture.router, Router):
                mixture.router = mixture.router.folded()
        return self
