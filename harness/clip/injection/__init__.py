"""What may act inside a frozen tower, and where: the contract of prompts, adapters and the like."""

from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from harness.clip.plain_models import plain_models
from harness.errors import UsageError


class TowerShape(NamedTuple):
    """How many blocks a tower has, and how wide its residual stream is."""

    layers: int
    width: int


class Backbone(Protocol):
    """What injections read of the CLIP that they act in: see `harness.clip.model.Clip`."""

    injectable: bool
    image_layers: int | None
    image_width: int | None
    text_layers: int | None
    text_width: int | None
    text_length: int
    identity: Any


def tower_shapes(clip: Backbone) -> tuple[TowerShape, TowerShape]:
    """Return the shapes of image and text tower; raise `UsageError` where injections cannot act in them."""
    if not clip.injectable:
        raise UsageError(
            f"The backbone {clip.identity.name!r} takes no prompts or adapters, for it is not two plain transformers: "
            f"choose a method that does not change the blocks, or one of {', '.join(plain_models())}."
        )
    image, text = (clip.image_layers, clip.image_width), (clip.text_layers, clip.text_width)
    assert None not in (*image, *text)
    return TowerShape(*image), TowerShape(*text)  # type: ignore[arg-type]


class Injection(nn.Module):
    """Acts inside one tower; a hook that is not overridden changes nothing.

    `harness.clip.towers` calls the hooks in the order in which they are defined here, `before_block` and
    `beside_mlp` once per block. `x` and `u` are the residual stream [n, length, width] in the tower's
    working type; what a hook returns has that type too. A hook for another place (a factor on a
    projection, keys and values in front of others, a scale after an operation) belongs here, with its
    call in `harness.clip.towers`.

    Attributes:
        attention_dropout: share of every block's attention weights that is dropped while training.
    """

    attention_dropout: float = 0.0

    def tokens(self, tokens: Tensor) -> Tensor:
        """Rearrange token ids [n, length] before they are looked up; text tower only."""
        return tokens

    def embedded(self, x: Tensor) -> Tensor:
        """Change the input of the tower [n, length, width].

        Text: the looked-up tokens, to which positions are added afterwards. Image: class token and patches
        with their positions, before the first LayerNorm.
        """
        return x

    def before_block(self, layer: int, x: Tensor) -> Tensor:
        """Change what block `layer`, counted from 0, reads [n, length, width]."""
        return x

    def beside_mlp(self, layer: int, u: Tensor) -> Tensor | None:
        """Return what is added to the MLP branch, from the stream `u` after attention; None adds nothing."""
        return None


class Chain(Injection):
    """Several injections in one tower, applied in the order given; keywords become the parts' names."""

    def __init__(self, **parts: Injection | None) -> None:
        super().__init__()
        self._names = [name for name, part in parts.items() if part is not None]
        for name in self._names:
            self.add_module(name, parts[name])
        self.attention_dropout = max((part.attention_dropout for part in self.parts), default=0.0)

    @property
    def parts(self) -> list[Injection]:
        """The injections in order."""
        return [getattr(self, name) for name in self._names]

    def tokens(self, tokens: Tensor) -> Tensor:
        """Pass token ids through all parts."""
        for part in self.parts:
            tokens = part.tokens(tokens)
        return tokens

    def embedded(self, x: Tensor) -> Tensor:
        """Pass the tower's input through all parts."""
        for part in self.parts:
            x = part.embedded(x)
        return x

    def before_block(self, layer: int, x: Tensor) -> Tensor:
        """Pass a block's input through all parts."""
        for part in self.parts:
            x = part.before_block(layer, x)
        return x

    def beside_mlp(self, layer: int, u: Tensor) -> Tensor | None:
        """Add up what the parts give."""
        total: Tensor | None = None
        for part in self.parts:
            added = part.beside_mlp(layer, u)
            if added is not None:
                total = added if total is None else total + added
        return total


class AttentionDropout(Injection):
    """Drops attention weights of all blocks while training, and does nothing else."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.attention_dropout = share
