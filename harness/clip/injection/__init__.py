"""What may act inside a frozen tower, and where: the contract of prompts, adapters and the like."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol, get_args

from torch import Tensor, nn

from harness.clip.plain_models import plain_models
from harness.errors import UsageError, listed

TowerName = Literal["image", "text"]
# Operations of a tower that an injection may act after, in the order in which a tower runs them. `patches`, `norm_pre`
# and `norm_post` are outside the blocks: the patch embedding and the norms before and after them.
Place = Literal[
    "patches",
    "norm_pre",
    "norm_1",
    "query",
    "key",
    "value",
    "out",
    "norm_2",
    "mlp_in",
    "mlp_hidden",
    "mlp_out",
    "norm_post",
]
PLACES: tuple[Place, ...] = get_args(Place)
PROJECTIONS: tuple[Place, ...] = ("query", "key", "value")


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
    start_token: bool
    identity: Any


def tower_shapes(clip: Backbone) -> tuple[TowerShape, TowerShape]:
    """Return the shapes of image and text tower; raise `UsageError` where injections cannot act in them."""
    if not clip.injectable:
        raise UsageError(
            f"The backbone {clip.identity.name!r} takes no prompts or adapters, for it is not two plain transformers: "
            f"choose a method that does not change the blocks, or one of {listed(plain_models())}."
        )
    image, text = (clip.image_layers, clip.image_width), (clip.text_layers, clip.text_width)
    assert None not in (*image, *text)
    return TowerShape(*image), TowerShape(*text)  # type: ignore[arg-type]


class Injection(nn.Module):
    """Acts inside one tower; a hook that is not overridden changes nothing.

    `harness.clip.towers` calls the hooks: `after` behind each operation named in `places`, the others in the order in
    which they are defined here. `x` and `u` are the residual stream [n, length, width] in the tower's working type;
    what a hook returns has that type too. Layers are counted from 0.

    Attributes:
        attention_dropout: share of every block's attention weights that is dropped while training.
        places: the operations after which the injection acts; a tower keeps others fused.
        reads: which streams `finished` is given, ascending: 0 is what the first block reads, k what the k-th gives;
            that of the last is `x`.
        acts_inside: whether it acts before `finished`; where not, what it reads can be computed once and kept.
        merges: whether `merge` leaves nothing of it.
    """

    attention_dropout: float = 0.0
    places: frozenset[Place] = frozenset()
    reads: tuple[int, ...] = ()
    acts_inside: bool = True
    merges: bool = False

    def merge(self, clip: Any) -> "Injection | None":
        """Merge into the weights of the tower, in place, what can be; return what still has to act. Default: all.

        `clip` is the `harness.clip.model.Clip` that it was made for.
        """
        return self

    def tokens(self, tokens: Tensor) -> Tensor:
        """Rearrange token ids [n, length] before they are looked up; text tower only."""
        return tokens

    def embedded(self, x: Tensor) -> Tensor:
        """Change the input of the tower [n, length, width].

        Text: the looked-up tokens, to which positions are added afterwards. Image: class token, where there is one,
        and patches with their positions, before the first LayerNorm; what is added to them comes last.
        """
        return x

    def before_block(self, layer: int, x: Tensor) -> Tensor:
        """Change what block `layer`, counted from 0, reads [n, length, width]."""
        return x

    def after(self, place: Place, layer: int, given: Tensor, made: Tensor) -> Tensor:
        """Change what an operation made [n, length, width out] of what it was given [n, length, width in].

        `mlp_hidden` is what the second map of the MLP is given, made of what the first makes; a gated MLP's two first
        maps are one, gate first. `query`, `key` and `value` are whole, before they are split into heads and turned by
        rotary positions. Outside the blocks `layer` is 0. A place that a tower lacks is refused.
        """
        return made

    def keys_and_values(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put keys and values in front of a block's own [n, heads, length, head width]; every place sees them."""
        return key, value

    def beside_mlp(self, layer: int, u: Tensor) -> Tensor | None:
        """Return what is added to the MLP branch, from the stream `u` after attention; None adds nothing."""
        return None

    def finished(self, x: Tensor, streams: Sequence[Tensor]) -> Tensor:
        """Change what the last block gives [n, length, width], before the last norm.

        `streams` are those that `reads` asks for, in order.
        """
        return x


class Chain(Injection):
    """Several injections in one tower, applied in the order given; keywords become the parts' names."""

    def __init__(self, **parts: Injection | None) -> None:
        super().__init__()
        self._names = [name for name, part in parts.items() if part is not None]
        for name in self._names:
            self.add_module(name, parts[name])
        self.attention_dropout = max((part.attention_dropout for part in self.parts), default=0.0)
        self.places = frozenset[Place]().union(*(part.places for part in self.parts))
        self.reads = tuple(sorted({stream for part in self.parts for stream in part.reads}))
        self.acts_inside = any(part.acts_inside for part in self.parts)

    @property
    def parts(self) -> list[Injection]:
        """The injections in order."""
        return [getattr(self, name) for name in self._names]

    def merge(self, clip: Any) -> "Chain | None":
        """Merge the parts, and keep those that still have to act."""
        left = {name: getattr(self, name).merge(clip) for name in self._names}
        return Chain(**left) if any(part is not None for part in left.values()) else None

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

    def after(self, place: Place, layer: int, given: Tensor, made: Tensor) -> Tensor:
        """Pass what an operation made through the parts that act there."""
        for part in self.parts:
            if place in part.places:
                made = part.after(place, layer, given, made)
        return made

    def keys_and_values(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Pass keys and values through all parts."""
        for part in self.parts:
            key, value = part.keys_and_values(layer, key, value)
        return key, value

    def beside_mlp(self, layer: int, u: Tensor) -> Tensor | None:
        """Add up what the parts give."""
        total: Tensor | None = None
        for part in self.parts:
            added = part.beside_mlp(layer, u)
            if added is not None:
                total = added if total is None else total + added
        return total

    def finished(self, x: Tensor, streams: Sequence[Tensor]) -> Tensor:
        """Pass what the last block gives through all parts."""
        by_number = dict(zip(self.reads, streams, strict=True))
        for part in self.parts:
            x = part.finished(x, [by_number[stream] for stream in part.reads])
        return x


class AttentionDropout(Injection):
    """Drops attention weights of all blocks while training, and does nothing else."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.attention_dropout = share
