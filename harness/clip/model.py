"""The CLIP that methods adapt: any open_clip model, image size and text length, with weights or without."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Self

import open_clip
import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import pad

from harness.clip import tokens as token_batches
from harness.clip.architecture import build_model, cut_edges, load_state, resize_timm
from harness.clip.caption_cleaning import clean as clean_caption
from harness.clip.identity import BackboneIdentity, identity_of
from harness.clip.injection import Injection, Place, TowerName
from harness.clip.own_input import with_own_input
from harness.clip.plain_models import plain_models
from harness.clip.tower_calls import PLAIN, TowerCalls
from harness.clip.towers import Affine, Tower
from harness.clip.towers.choice import image_tower, text_tower
from harness.clip.weights import Weights, load_weights
from harness.config.sections import BackboneConfig
from harness.errors import UsageError, listed


class Clip(nn.Module):
    """An open_clip model with its tokeniser, sizes and identity; embeddings come without L2 normalisation.

    Attributes:
        model: the open_clip model, without its logit scale.
        tokenizer: open_clip's tokeniser at `text_length`, made on first use.
        image_size: height and width in pixels.
        text_length: tokens per caption.
        embed_dim: dimension of the joint space.
        towers: by `image` and `text`, what is passed block by block (`harness.clip.towers`).
        image_width, text_width, image_layers, text_layers: of these; None where a tower is none.
        injectable: whether injections can act inside both towers.
        text_causal: whether a word sees only those before it.
        start_token: whether captions begin with a token of their own and end with the largest id, as CLIP's; else
            they are read at the last place, as SigLIP's.
        calls: how the towers are run.
        identity: what decides the embeddings.
        notes: what was assumed of the weights, or done to their positions, in sentences.
    """

    def __init__(self, model: Any, identity: BackboneIdentity, notes: Sequence[str] = ()) -> None:
        super().__init__()
        self.model, self.identity, self.notes = model, identity, list(notes)
        self.image_size, self.text_length = identity.image_size, identity.text_length
        self.embed_dim = _embed_dim(identity.name)
        image, text = image_tower(model), text_tower(model)
        self.image_width, self.image_layers = _shape(image)
        self.text_width, self.text_layers = _shape(text)
        self.injectable = image is not None and text is not None
        self.start_token, self.text_causal = text is None or not text.reads_last, text is None or text.causal
        self.towers: dict[TowerName, Tower] = {each.name: each for each in (image, text) if each is not None}
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
            embeddings: Tensor = self.calls.encode(self.towers["image"], images, injection)
        else:
            self._refuse(injection)
            embeddings = self.model.encode_image(images)
        return embeddings

    def encode_text(self, tokens: Tensor, injection: Injection | None = None) -> Tensor:
        """Embed token ids [n, length] as [n, embed_dim]; length up to text_length, exactly that without `cuts`."""
        assert self.cuts or tokens.shape[1] == self.text_length, "padding is read, so it cannot be made up"
        if self.injectable:
            embeddings: Tensor = self.calls.encode(self.towers["text"], tokens, injection)
        else:
            self._refuse(injection)
            embeddings = self.model.encode_text(pad(tokens, (0, self.text_length - tokens.shape[1])))
        return embeddings

    def image_tokens(self, images: Tensor, injection: Injection | None = None) -> Tensor:
        """Embed every place of images as [n, 1 + n_patch, embed_dim], the image itself first; needs `embeds_places`."""
        embedded: Tensor = self.calls.encode_places(self.towers["image"], images, injection)[0]
        return embedded

    def text_tokens(self, tokens: Tensor, injection: Injection | None = None) -> tuple[Tensor, Tensor]:
        """Embed every place of token ids as [n, length, embed_dim], with captions' own [n]; needs `embeds_places`."""
        embedded: tuple[Tensor, Tensor] = self.calls.encode_places(self.towers["text"], tokens, injection)
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
            transformer = getattr(self.model, "text", self.model).transformer
            transformer.resblocks = type(blocks)(kept)
            transformer.layers = self.text_layers = len(kept)

    def freeze_text_layers(self, layers: Sequence[int]) -> None:
        """Freeze blocks of the text tower, counted from 1 among those that are there."""
        blocks = self._text_blocks(layers, "frozen")
        for place in layers:
            blocks[place - 1].requires_grad_(False)

    def freeze_patches(self) -> None:
        """Freeze the patch embedding of the image tower; raise `UsageError` where there is none."""
        visual = self.model.visual
        if isinstance(visual, VisionTransformer):
            visual.conv1.requires_grad_(False)
        elif "image" in self.towers:
            visual.trunk.patch_embed.requires_grad_(False)
        else:
            raise UsageError(
                f"The backbone {self.identity.name} has no patch embedding to freeze: set method.freeze_patches=false."
            )

    def blocks(self, tower: TowerName) -> Sequence[nn.Module]:
        """Return the blocks of a tower, in order; needs `injectable`."""
        return list(self.towers[tower].blocks)

    def affine(self, tower: TowerName, layer: int, place: Place) -> Affine:
        """Return views of the weights of an operation of a tower, to be changed in place; needs `injectable`.

        Raises `UsageError` for a place that the tower lacks.
        """
        self.towers[tower].check_places({place}, self.identity.name)
        return self.towers[tower].affine(layer, place)

    def takes_shift(self, tower: TowerName, layer: int, place: Place) -> bool:
        """Return whether weights can take what is added to an operation of a tower: its bias, or patches' positions."""
        of_bias: Place = "mlp_out" if place == "mlp_hidden" else place
        return place == "patches" or self.affine(tower, layer, of_bias).bias is not None

    def check_injections(self, injections: Mapping[TowerName, Injection | None]) -> None:
        """Raise `UsageError` where the injection into a tower cannot act as it says."""
        for tower, injection in injections.items():
            self._refuse(injection)
            if injection is not None:
                self.towers[tower].check_places(injection.places, self.identity.name)

    def places(self, tower: TowerName) -> frozenset[Place]:
        """Return the operations of a tower that injections can act after; needs `injectable`."""
        return self.towers[tower].places

    @property
    def embeds_places(self) -> bool:
        """Whether every patch and word has an embedding: towers that injections can act in, without pooling."""
        return self.injectable and all(tower.embeds_places for tower in self.towers.values())

    @property
    def token_embedding(self) -> nn.Embedding:
        """The table of the text tower in which token ids are looked up."""
        table: nn.Embedding = getattr(self.model, "text", self.model).token_embedding
        return table

    def projects(self, tower: TowerName) -> bool:
        """Return whether a tower ends with a linear map, which `multiply_projection` can change."""
        return tower in self.towers and self.towers[tower].projection is not None

    def multiply_projection(self, tower: TowerName, matrix: Tensor) -> None:
        """Multiply a tower's embeddings by a matrix [dim, dim] from the right, in its weights; needs `projects`."""
        self.towers[tower].multiply(matrix)

    def _text_blocks(self, layers: Sequence[int], done: str) -> Any:
        """Return the blocks of the text tower after checking the numbers of some of them."""
        if layers and not self.injectable:
            raise UsageError(
                f"Text layers of the backbone {self.identity.name} cannot be {done}: leave them."
            )
        blocks: Any = self.towers["text"].blocks if self.injectable else []
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
        if injection is not None and not self.injectable:
            raise UsageError(
                f"The backbone {self.identity.name} cannot be injected into: choose a method without prompts or "
                f"adapters, or one of {listed(plain_models())}."
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
    identity = identity_of(config, weights, seed)
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
        if weights.image_size:
            resize_timm(model, config.name, weights.image_size)
        fitted = load_state(model, weights.state, config.name, weights.source, grid=weights.grid)
        notes += [*weights.notes, *fitted]
    resize_timm(model, config.name, config.image_size)
    return model, notes


def _embed_dim(name: str) -> int:
    config: dict[str, Any] = open_clip.get_model_config(name)
    return int(config["embed_dim"])


def _shape(tower: Tower | None) -> tuple[int | None, int | None]:
    return (None, None) if tower is None else (tower.width, len(tower.blocks))
