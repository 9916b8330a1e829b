"""The CLIP that methods adapt: any open_clip model, image size and text length, with weights or without."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import open_clip
import torch
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import pad

from harness.clip import tokens as token_batches
from harness.clip import towers
from harness.clip.activation import name_has_quick_gelu
from harness.clip.architecture import build_model, cut_edges, load_state, resize_timm
from harness.clip.caption_cleaning import clean as clean_caption
from harness.clip.injection import Injection, Place, TowerName
from harness.clip.own_input import with_own_input
from harness.clip.plain_models import plain_models
from harness.clip.tower_calls import PLAIN, TowerCalls
from harness.clip.weights import Weights, load_weights
from harness.config.sections import BackboneConfig
from harness.config.values import content_hash
from harness.errors import UsageError


@dataclass(frozen=True)
class BackboneIdentity:
    """What decides a backbone's embeddings; `sha256` is that of the weights, None for random ones.

    `captions` says how captions are cleaned; as the tokeniser does, it is left out of the values.
    """

    name: str
    pretrained: str | None
    sha256: str | None
    seed: int | None
    image_size: tuple[int, int]
    text_length: int
    quick_gelu: bool
    captions: str = "as_written"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        values = asdict(self) | {"image_size": list(self.image_size)}
        if self.captions == "as_written":
            del values["captions"]
        return values

    @property
    def hash(self) -> str:
        """SHA-256 of all fields."""
        return content_hash(self.as_dict())


class Clip(nn.Module):
    """An open_clip model with its tokeniser, sizes and identity; embeddings come without L2 normalisation.

    Attributes:
        model: the open_clip model, without its logit scale.
        tokenizer: open_clip's tokeniser at `text_length`, made on first use.
        image_size: height and width in pixels.
        text_length: tokens per caption.
        embed_dim: dimension of the joint space.
        image_width, text_width, image_layers, text_layers: of the transformers; None where a tower is none.
        injectable: whether injections can act inside both towers.
        calls: how the towers are run.
        identity: what decides the embeddings.
        notes: what was assumed of the weights, or done to their positions, in sentences.
    """

    def __init__(self, model: Any, identity: BackboneIdentity, notes: Sequence[str] = ()) -> None:
        super().__init__()
        self.model, self.identity, self.notes = model, identity, list(notes)
        self.image_size, self.text_length = identity.image_size, identity.text_length
        self.embed_dim = _embed_dim(identity.name)
        self.image_width, self.image_layers = _shape(model.visual, VisionTransformer)
        self.text_width, self.text_layers = _shape(getattr(model, "text", model), TextTransformer)
        self.injectable = towers.supports(model)
        self.calls = PLAIN

    @cached_property
    def tokenizer(self) -> Any:  # noqa: D102
        return token_batches.build_tokenizer(self.identity.name, self.text_length)

    @contextmanager
    def called_by(self, calls: TowerCalls) -> Iterator[None]:
        """Run the towers in another way inside, as training may; needs `injectable`."""
        before, self.calls = self.calls, calls
        try:
            yield
        finally:
            self.calls = before

    def tokenize(self, captions: Sequence[str], length: int | None = None) -> Tensor:
        """Return token ids [n, length] of cleaned captions; one too long is cut, end-of-text set last.

        Args:
            captions: the texts.
            length: tokens per caption, to see what is cut; by default `text_length`, which the towers read.
        """
        tokens: Tensor = self.tokenizer(self.clean(captions), context_length=length or self.text_length)
        return tokens

    def clean(self, captions: Sequence[str]) -> list[str]:
        """Return captions as `backbone.captions` wants them, before the tokeniser's own cleaning."""
        plain = self.identity.captions == "as_written"
        return list(captions) if plain else [clean_caption(caption) for caption in captions]

    def cut(self, tokens: Tensor) -> Tensor:
        """Cut token ids [n, length] to the longest caption, where that is exact."""
        return token_batches.cut(tokens) if self.cuts else tokens

    def encode_image(self, images: Tensor, injection: Injection | None = None) -> Tensor:
        """Embed normalised images [n, 3, height, width] as [n, embed_dim]."""
        if self.injectable:
            embeddings: Tensor = self.calls.encode_image(self.model, images, injection)
        else:
            self._refuse(injection)
            embeddings = self.model.encode_image(images)
        return embeddings

    def encode_text(self, tokens: Tensor, injection: Injection | None = None) -> Tensor:
        """Embed token ids [n, length], length up to text_length, as [n, embed_dim]."""
        if self.injectable:
            embeddings: Tensor = self.calls.encode_text(self.model, tokens, injection)
        else:
            self._refuse(injection)
            embeddings = self.model.encode_text(pad(tokens, (0, self.text_length - tokens.shape[1])))
        return embeddings

    def image_tokens(self, images: Tensor, injection: Injection | None = None) -> Tensor:
        """Embed every place of images as [n, 1 + n_patch, embed_dim], the image itself first; needs `injectable`."""
        embedded: Tensor = self.calls.image_tokens(self.model, images, injection)
        return embedded

    def text_tokens(self, tokens: Tensor, injection: Injection | None = None) -> tuple[Tensor, Tensor]:
        """Embed every place of token ids as [n, length, embed_dim], with the caption's own [n]; needs `injectable`."""
        embedded: tuple[Tensor, Tensor] = self.calls.text_tokens(self.model, tokens, injection)
        return embedded

    def train(self, mode: bool = True) -> Self:
        """Switch to training; frozen batch normalisation keeps its statistics, as everything frozen does."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
                module.eval()
        return self

    def drop_text_layers(self, layers: Sequence[int]) -> None:
        """Remove blocks from the text tower, counted from 1 nearest the input; raise `UsageError` if impossible."""
        blocks = self._text_blocks(layers, "dropped")
        if layers and len(set(layers)) == len(blocks):
            raise UsageError(f"All {len(blocks)} text layers cannot be dropped: leave one.")
        kept = [block for place, block in enumerate(blocks, start=1) if place not in layers]
        if layers:
            self.model.transformer.resblocks = type(blocks)(kept)
            self.model.transformer.layers = self.text_layers = len(kept)

    def freeze_text_layers(self, layers: Sequence[int]) -> None:
        """Freeze blocks of the text tower, counted from 1 among those that are there."""
        blocks = self._text_blocks(layers, "frozen")
        for place in layers:
            blocks[place - 1].requires_grad_(False)

    def freeze_patches(self) -> None:
        """Freeze the patch embedding of the image tower; raise `UsageError` where there is none."""
        if not isinstance(self.model.visual, VisionTransformer):
            raise UsageError(
                f"The backbone {self.identity.name} has no patch embedding to freeze: set method.freeze_patches=false."
            )
        self.model.visual.conv1.requires_grad_(False)

    def blocks(self, tower: TowerName) -> Sequence[nn.Module]:
        """Return the blocks of a tower, in order; needs `injectable`."""
        transformer = self.model.visual.transformer if tower == "image" else self.model.transformer
        return list(transformer.resblocks)

    def affine(self, tower: TowerName, layer: int, place: Place) -> towers.Affine:
        """Return views of the weights of an operation of a tower, to be changed in place; needs `injectable`."""
        return towers.affine(self.model, tower, layer, place)

    def _text_blocks(self, layers: Sequence[int], done: str) -> Any:
        """Return the blocks of the text tower after checking the numbers of some of them."""
        if layers and not self.injectable:
            raise UsageError(
                f"Text layers of the backbone {self.identity.name} cannot be {done}: leave them."
            )
        blocks = self.model.transformer.resblocks if self.injectable else []
        wrong = [layer for layer in layers if not 1 <= layer <= len(blocks)]
        if wrong:
            raise UsageError(
                f"Text layer {wrong[0]} cannot be {done}: {self.identity.name} has layers 1 to {len(blocks)}."
            )
        return blocks

    @property
    def cuts(self) -> bool:
        """Whether captions may be cut to the longest of a batch: causal mask, feature at the largest id."""
        text = getattr(self.model, "text", self.model)
        pool = getattr(text, "text_pool_type", getattr(text, "pool_type", None))
        unmasked = getattr(text, "attn_mask", None) is None or getattr(text, "cls_emb", None) is not None
        return pool == "argmax" and not unmasked

    def _refuse(self, injection: Injection | None) -> None:
        if injection is not None:
            raise UsageError(
                f"The backbone {self.identity.name} cannot be injected into: choose a method without prompts or "
                f"adapters, or one of {', '.join(plain_models())}."
            )


def load_clip(
    config: BackboneConfig,
    *,
    random: bool = False,
    seed: int = 0,
    device: str = "cpu",
    weights: Weights | None = None,
) -> Clip:
    """Build the backbone that a config names.

    Args:
        config: name, weights, image size and text length.
        random: leave the weights at random; so it is, too, when the config has neither tag nor file.
        seed: of the random weights; the global generators stay untouched.
        device: where it goes; `meta` makes no tensors, for counting.
        weights: taken in place of those that the config names, as `init_from` needs (`harness.run.backbone`).
    """
    config = with_own_input(config)
    assert weights or random or device == "meta" or not config.init_from, "`load_backbone` finds the run"
    random = random or device == "meta" or not (config.pretrained or config.weights)
    if weights is None and not random:
        weights = load_weights(config)
    identity = _identity(config, weights, seed)
    model, notes = _build(config, weights, identity, meta=device == "meta")
    return Clip(model, identity, notes).eval().to(device)


def count_parameters(config: BackboneConfig) -> int:
    """Return how many parameters a backbone has, without making them."""
    return sum(parameter.numel() for parameter in load_clip(config, device="meta").parameters())


def _build(
    config: BackboneConfig, weights: Weights | None, identity: BackboneIdentity, *, meta: bool
) -> tuple[nn.Module, list[str]]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(identity.seed or 0)
        model = build_model(
            config.name,
            config.image_size,
            identity.text_length,
            quick_gelu=identity.quick_gelu,
            device="meta" if meta else "cpu",
        )
    edges = None if meta else cut_edges(config.name, config.image_size)
    notes = [edges] if edges else []
    if weights:
        fitted = load_state(model, weights.state, config.name, weights.source, grid=weights.grid)
        notes += [*weights.notes, *fitted]
    resize_timm(model, config.name, config.image_size)
    return model, notes


def _identity(config: BackboneConfig, weights: Weights | None, seed: int) -> BackboneIdentity:
    assert config.text_length is not None
    by_name = name_has_quick_gelu(config.name) if config.quick_gelu is None else config.quick_gelu
    return BackboneIdentity(
        name=config.name,
        pretrained=config.pretrained if weights and not config.weights else None,
        sha256=weights.sha256 if weights else None,
        seed=None if weights else seed,
        image_size=config.image_size,
        text_length=config.text_length,
        quick_gelu=weights.quick_gelu if weights else by_name,
        captions=config.captions,
    )


def _config(name: str) -> dict[str, Any]:
    found: dict[str, Any] = open_clip.get_model_config(name)
    return found


def _embed_dim(name: str) -> int:
    return int(_config(name)["embed_dim"])


def _shape(tower: Any, kind: type) -> tuple[int | None, int | None]:
    plain = isinstance(tower, kind) or hasattr(tower, "token_embedding")
    return (tower.transformer.width, tower.transformer.layers) if plain else (None, None)
