"""Prompts: learned tokens in the blocks of a tower, its own or made from the other tower's.

Text prompts are right after BOS, or first of all where captions have none, as SigLIP's; image prompts are at the end,
before the first LayerNorm. Each of the first `depth` blocks reads fresh ones, and the others what the block below made
of them. What goes both ways CSKT (ICASSP 2024) calls BPT, bidirectional prompts transferring; these are the places of
its code and of MaPLe's.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from harness.clip.injection import Backbone, Injection, tower_shapes
from harness.clip.injection.dropout import Dropout
from harness.config.fields import Choice, Range, Section, setting
from harness.errors import UsageError

DEVIATION = 0.02


class PromptFields(Section):
    """Config fields of a method that uses bidirectional prompts."""

    prompt_length: int = setting(
        4, "prompts of its own that a tower has per layer", search=Range(low=1, high=8), ge=1
    )
    prompt_depth: int = setting(
        12, "layers, from the bottom, that read fresh prompts", search=Range(low=1, high=12), ge=1
    )
    directions: Literal["t2i", "i2t", "both", "none"] = setting(
        "both",
        "which prompts are mapped into the other tower: text's, image's, both; none: each tower has its own",
        search=Choice(values=("t2i", "i2t", "both", "none")),
    )


class Prompts(nn.Module):
    """The prompts of both towers and the maps between them.

    With direction t2i only text prompts are learned, and the image tower reads what the maps make of
    them; i2t is the mirror; with `none` each tower learns its own. All start as N(0, 0.02^2), biases as
    0, as released.

    Attributes:
        depth: blocks that read fresh prompts: no more than the shallower tower has.
        n_tokens: prompts that a tower reads per block.
        room: their places in captions.
        image_own: learned image prompts [depth, prompt_length, image_width], or None.
        text_own: learned text prompts [depth, prompt_length, text_width], or None.
        text_to_image: one linear map per layer, or None.
        image_to_text: likewise.
    """

    def __init__(self, clip: Backbone, fields: PromptFields) -> None:
        super().__init__()
        length, directions = fields.prompt_length, fields.directions
        image, text = tower_shapes(clip)
        self.depth = min(fields.prompt_depth, image.layers, text.layers)
        self.n_tokens = 2 * length if directions == "both" else length
        self.room = caption_room(clip, self.n_tokens, "prompt_length")
        t2i, i2t = directions in ("t2i", "both"), directions in ("i2t", "both")
        self.text_own = None if directions == "i2t" else _prompts(self.depth, length, text.width)
        self.image_own = None if directions == "t2i" else _prompts(self.depth, length, image.width)
        self.text_to_image = _maps(self.depth, text.width, image.width) if t2i else None
        self.image_to_text = _maps(self.depth, image.width, text.width) if i2t else None

    def image(self, layer: int) -> Tensor:
        """Return what an image block reads: mapped text prompts, then own ones [n_tokens, image_width]."""
        return _join(_mapped(self.text_to_image, self.text_own, layer), _at(self.image_own, layer))

    def text(self, layer: int) -> Tensor:
        """Return what a text block reads: own prompts, then mapped image prompts [n_tokens, text_width]."""
        return _join(_at(self.text_own, layer), _mapped(self.image_to_text, self.image_own, layer))

    def folded_parameters(self) -> int:
        """Return how many values remain when the maps are folded into constant prompts."""
        return self.depth * (self.image(0).numel() + self.text(0).numel())

    @torch.no_grad()
    def fold(self) -> None:
        """Replace the maps by the prompts they make, for inference: embeddings stay the same."""
        image = torch.stack([self.image(layer) for layer in range(self.depth)])
        text = torch.stack([self.text(layer) for layer in range(self.depth)])
        self.image_own = nn.Parameter(image, requires_grad=False)
        self.text_own = nn.Parameter(text, requires_grad=False)
        self.text_to_image = self.image_to_text = None


class OwnPrompts(nn.Module):
    """The prompts of one tower alone, in `vectors` [depth, n_tokens, width]; they start as N(0, 0.02^2)."""

    def __init__(self, depth: int, n_tokens: int, width: int) -> None:
        super().__init__()
        self.depth, self.n_tokens = depth, n_tokens
        self.vectors = _prompts(depth, n_tokens, width)

    def image(self, layer: int) -> Tensor:
        """Return what a block reads [n_tokens, width], of whichever tower."""
        return self.vectors[layer]

    text = image


class ImagePrompts(Injection):
    """Puts prompts at the end of the image sequence and renews them before the blocks.

    The order of an image's places makes no difference to attention, so these may be anywhere after the class token.
    `dropout` is the share of the prompts' values that is dropped in training, for each image anew.
    """

    def __init__(self, prompts: Prompts | OwnPrompts, dropout: float = 0.0) -> None:
        super().__init__()
        self._shared = (prompts,)  # in a tuple: both towers share them, and the method is what saves them
        self.dropouts = nn.ModuleList(Dropout(dropout) for _ in range(prompts.depth))

    def embedded(self, x: Tensor) -> Tensor:
        """Append the first prompts [n, length + n_tokens, width]: normalised with the rest, no positions."""
        return self._append(0, x)

    def before_block(self, layer: int, x: Tensor) -> Tensor:
        """Put this layer's prompts in the place of the last ones."""
        prompts = self._shared[0]
        return self._append(layer, x[:, : -prompts.n_tokens]) if 0 < layer < prompts.depth else x

    def _append(self, layer: int, x: Tensor) -> Tensor:
        prompts = _batch(self._shared[0].image(layer), x)
        return torch.cat([x, self.dropouts[layer](prompts)], dim=1)


class TextPrompts(Injection):
    """Puts prompts before the words of captions and renews them before the blocks."""

    def __init__(self, prompts: Prompts | OwnPrompts, room: "CaptionRoom") -> None:
        super().__init__()
        self._shared = (prompts,)  # in a tuple: both towers share them, and the method is what saves them
        self._room = room

    def tokens(self, tokens: Tensor) -> Tensor:
        """Reserve places before the words."""
        return self._room.tokens(tokens)

    def embedded(self, x: Tensor) -> Tensor:
        """Write the first prompts into the reserved places; they get the positions of these."""
        return self._write(0, x)

    def before_block(self, layer: int, x: Tensor) -> Tensor:
        """Write this layer's prompts into the reserved places."""
        return self._write(layer, x) if 0 < layer < self._shared[0].depth else x

    def _write(self, layer: int, x: Tensor) -> Tensor:
        return self._room.write(self._shared[0].text(layer), x)


class CaptionRoom(NamedTuple):
    """Places for prompts before the words of captions: after BOS, or first of all where captions have none.

    Attributes:
        n_places: how many there are.
        text_length: tokens per caption that the backbone reads.
        start_token: whether captions begin with BOS (`Clip.start_token`).
    """

    n_places: int
    text_length: int
    start_token: bool

    def tokens(self, tokens: Tensor) -> Tensor:
        """Reserve the places in token ids [n, length]."""
        if self.start_token:
            return make_room(tokens, self.n_places, self.text_length)
        return make_room_in_front(tokens, self.n_places)

    def write(self, prompts: Tensor, x: Tensor) -> Tensor:
        """Write prompts [n_places, width] into the reserved places of what a tower reads [n, length, width]."""
        first = int(self.start_token)
        return torch.cat([x[:, :first], _batch(prompts, x), x[:, first + self.n_places :]], dim=1)


def caption_room(clip: Backbone, n_places: int, field: str) -> CaptionRoom:
    """Return the places for prompts in captions; raise `UsageError`, naming the field, where nothing else fits."""
    if n_places + 3 > clip.text_length:
        raise UsageError(
            f"{n_places} prompts leave no room for a caption in {clip.text_length} tokens: choose a smaller "
            f"method.{field} or a larger backbone.text_length."
        )
    return CaptionRoom(n_places, clip.text_length, clip.start_token)


def make_room(tokens: Tensor, n_places: int, text_length: int) -> Tensor:
    """Shift captions [n, length] right by `n_places` after BOS: [n, min(length + n_places, text_length)].

    A caption that no longer fits loses its last words and keeps EOS, the largest id, in the last place.
    The reserved places hold id 0: the prompts overwrite them.

    >>> make_room(torch.tensor([[7, 1, 2, 3, 9], [7, 1, 9, 0, 0]]), n_places=2, text_length=6)
    tensor([[7, 0, 0, 1, 2, 9],
            [7, 0, 0, 1, 9, 0]])
    """
    length = min(tokens.shape[1] + n_places, text_length)
    room = tokens.new_zeros(len(tokens), n_places)
    shifted = torch.cat([tokens[:, :1], room, tokens[:, 1:]], dim=1)[:, :length].clone()
    eos, end = tokens.max(dim=1)
    shifted[:, -1] = torch.where(end + n_places >= length, eos, shifted[:, -1])
    return shifted


def make_room_in_front(tokens: Tensor, n_places: int) -> Tensor:
    """Shift captions of full length [n, length] right by `n_places`, except their last place, which is read.

    A caption that no longer fits loses its last words. The reserved places hold id 0: the prompts overwrite them.

    >>> make_room_in_front(torch.tensor([[5, 6, 7, 8, 1], [5, 1, 1, 1, 1]]), n_places=2)
    tensor([[0, 0, 5, 6, 1],
            [0, 0, 5, 1, 1]])
    """
    room = tokens.new_zeros(len(tokens), n_places)
    return torch.cat([room, tokens[:, : -1 - n_places], tokens[:, -1:]], dim=1)


def _prompts(depth: int, length: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(depth, length, width).normal_(std=DEVIATION))


def _maps(depth: int, width_in: int, width_out: int) -> nn.ModuleList:
    maps = [nn.Linear(width_in, width_out) for _ in range(depth)]
    for linear in maps:
        nn.init.normal_(linear.weight, std=DEVIATION)
        nn.init.zeros_(linear.bias)
    return nn.ModuleList(maps)


def _at(prompts: Tensor | None, layer: int) -> Tensor | None:
    return None if prompts is None else prompts[layer]


def _mapped(maps: nn.ModuleList | None, prompts: Tensor | None, layer: int) -> Tensor | None:
    if maps is None or prompts is None:
        return None
    linear = maps[layer]
    assert isinstance(linear, nn.Linear)
    mapped: Tensor = linear(prompts[layer].to(linear.weight.dtype))
    return mapped


def _join(*parts: Tensor | None) -> Tensor:
    return torch.cat([part for part in parts if part is not None])


def _batch(prompts: Tensor, x: Tensor) -> Tensor:
    """Repeat prompts [n_tokens, width] for each row of `x`, in its type [n, n_tokens, width]."""
    return prompts.to(x.dtype).expand(len(x), -1, -1)
