"""IRRA: both towers are trained by matching, identity classification, and masked language modelling from the image.

Jiang and Ye, "Cross-Modal Implicit Relation Reasoning and Aligning for Text-to-Image Person Retrieval", CVPR 2023,
https://arxiv.org/abs/2303.12501, code https://github.com/anosorae/IRRA. Structure, initial values and recipe are those
of the released code, and so is what reads masked words: matching and classification read the masked captions too, which
`leak_masks=false` ends. Masked language modelling reads captions at full length, for the released encoder does not mask
their padding.

What deviates by default: the epoch is chosen on validation and not on the test split, and weights are float32 under
autocast and not float16 without loss scaling. The preset `released` follows the code in both.
"""

from typing import Any, ClassVar, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn.functional import pad

from harness.captions.masking import WordMask
from harness.clip.tensor_names import renamed
from harness.compute.transfer import sent
from harness.errors import UsageError
from harness.method_parts.auxiliary_losses import id_loss
from harness.method_parts.batch import Batch, Losses
from harness.method_parts.cross_modal import CrossModalEncoder, WordHead, guess_losses
from harness.method_parts.losses import sdm
from harness.methods import Choice, Method, OptimisedConfig, Range, gathered, register, setting, unit

CUHK_PERSONS = 11_003
CLASSIFIER_DEVIATION = 0.001
NEW = ("classifier", "word_head")
NEW_UNLESS_BIAS = ("cross_modal.attention", "cross_modal.blocks")
RELEASED = {
    r"base_model\.": "clip.model.",
    r"cross_attn\.": "cross_modal.attention.",
    r"cross_modal_transformer\.resblocks\.": "cross_modal.blocks.",
    r"ln_pre_t\.": "cross_modal.before_text.",
    r"ln_pre_i\.": "cross_modal.before_image.",
    r"ln_post\.": "cross_modal.after.",
    r"mlm_head\.ln\.": "word_head.norm.",
    r"mlm_head\.fc\.": "word_head.words.",
    r"mlm_head\.": "word_head.",
}


class Config(OptimisedConfig):
    """Optimiser, weights of the three losses, and how words are masked."""

    held: ClassVar[tuple[str, ...]] = ("cross_layers", "n_identities", "sdm")
    eps: float = setting(1e-3, "Adam's epsilon: so large that small gradients make small steps", gt=0)
    bias_lr_factor: float = setting(2.0, "learning rate of biases relative to lr", gt=0)
    warmup_factor: float = setting(0.1, "share of lr that warm-up starts from", gt=0, le=1)
    new_lr_factor: float = setting(
        5.0,
        "learning rate of the classifier, the cross-modal encoder and the word head relative to lr",
        search=Range(low=1.0, high=20.0, log=True),
        gt=0,
    )
    sdm: float = setting(1.0, "weight of similarity distribution matching", ge=0)
    id: float = setting(
        1.0, "weight of identity classification; 0 makes no classifier", ge=0, search=Range(low=0.0, high=2.0)
    )
    mlm: float = setting(
        1.0,
        "weight of masked language modelling; 0 masks no words and makes no encoder",
        ge=0,
        search=Range(low=0.0, high=2.0),
    )
    mask_share: float = setting(
        0.15,
        "share of the word pieces that are masked and predicted",
        gt=0,
        le=1,
        inert={"mlm": (0.0,)},
        search=Range(low=0.05, high=0.5),
    )
    leak_masks: bool = setting(
        True,
        "sdm and id read the masked captions, as released; false gives them the whole captions, in a second pass",
        search=Choice(values=(True, False)),
        inert={"mlm": (0.0,)},
    )
    cross_layers: int = setting(4, "blocks of the cross-modal encoder", ge=1, le=64, inert={"mlm": (0.0,)})
    n_identities: int = setting(
        0,
        "identities to classify, taken from the training data; 0, where costs are counted without data, means the "
        f"{CUHK_PERSONS:,} of CUHK-PEDES",
        ge=0,
        le=2**20,
        identity=False,
    )

    @model_validator(mode="after")
    def _aligned(self) -> "Config":
        if not (self.sdm or self.id):
            raise ValueError("sdm or id needs a weight above 0: without both nothing pulls pairs together")
        return self

    def fitted(self, n_identities: int) -> Self:
        """Classify as many identities as there are."""
        return self.model_copy(update={"n_identities": n_identities})


@register
class Irra(Method):
    """All parameters of CLIP are trainable, except a logit scale, with a classifier and a cross-modal encoder."""

    title = "IRRA"
    Config = Config
    training_only: ClassVar[tuple[str, ...]] = ("classifier", "cross_modal", "word_head")
    recipe: ClassVar[dict[str, Any]] = {"train.batch_size": 64, "train.epochs": 60}

    classifier: nn.Linear | None
    cross_modal: CrossModalEncoder | None
    word_head: WordHead | None

    def adapt(self) -> None:
        """Unfreeze the towers, and make what the losses with a weight need."""
        for name, parameter in self.clip.named_parameters():
            parameter.requires_grad_(not name.endswith(("logit_scale", "logit_bias")))
        self.classifier = self.cross_modal = self.word_head = None
        with next(self.clip.parameters()).device:
            if self.config.id:
                self.classifier = nn.Linear(self.clip.embed_dim, self.config.n_identities or CUHK_PERSONS)
                nn.init.normal_(self.classifier.weight, std=CLASSIFIER_DEVIATION)
                nn.init.zeros_(self.classifier.bias)
            if self.config.mlm:
                self._prepare_guessing()

    def _prepare_guessing(self) -> None:
        clip, layers = self.clip, self.config.cross_layers
        if not (clip.embeds_places and clip.start_token):
            raise UsageError(
                f"The backbone {clip.identity.name} does not give the embedding of each word and patch, which "
                "method.mlm needs: set it to 0, or choose one such as ViT-B-16-quickgelu."
            )
        n_words = clip.token_embedding.num_embeddings
        self.words = WordMask(self.config.mask_share, end=n_words - 1)
        self.cross_modal = CrossModalEncoder(clip.embed_dim, layers)
        self.word_head = WordHead(clip.embed_dim, n_words, layers)

    def param_groups(self) -> list[dict[str, Any]]:
        """Take larger steps with biases, which do not decay, and even larger ones with new parameters."""
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.trainable():
            decay = 0.0 if "bias" in name else self.config.weight_decay
            groups.setdefault((self._lr_factor(name), decay), []).append(parameter)
        return [
            {"params": parameters, "lr": self.config.lr * factor, "weight_decay": decay}
            for (factor, decay), parameters in groups.items()
        ]

    def _lr_factor(self, name: str) -> float:
        """Return a parameter's rate relative to lr; norms around the encoder have that of the towers, as released."""
        config: Config = self.config
        if name.startswith(NEW):
            return config.new_lr_factor
        if "bias" in name:
            return config.bias_lr_factor
        return config.new_lr_factor if name.startswith(NEW_UNLESS_BIAS) else 1.0

    def features(self, batch: Batch) -> dict[str, Tensor]:
        """Return unit embeddings `image` and `text`, class scores for both, and losses of masked words."""
        images, tokens = batch.images, batch.tokens
        assert images is not None
        assert tokens is not None
        found: dict[str, Tensor] = {}
        if self.config.mlm:
            image, text, found = self._guess(images, tokens, batch)
        else:
            image, text = self.encode_image(images), self.encode_text(tokens)
        if self.classifier is not None:
            found |= {"image_persons": self.classifier(image), "text_persons": self.classifier(text)}
        return {"image": unit(image), "text": unit(text), **found}

    def _guess(
        self, images: Tensor, tokens: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return embeddings of images and captions [n, dim], and of each pair the loss and number of masked words."""
        assert self.cross_modal is not None
        assert self.word_head is not None
        masked, labels, places = self._masked(tokens, batch)
        patches = self.clip.image_tokens(images)
        words, ends = self.clip.text_tokens(masked)
        losses, n_masked = guess_losses(self.word_head, self.cross_modal(words, patches), labels, places)
        leaked = words[torch.arange(len(words), device=words.device), ends]
        text = leaked if self.config.leak_masks else self.encode_text(tokens)
        return patches[:, 0], text, {"word_losses": losses, "n_masked": n_masked}

    def _masked(self, tokens: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return captions with masked words, the true ones there and 0 elsewhere, both [n, text_length].

        Beside them the places that may be masked, as far as they are known without waiting for the device; None on
        the processor, where nobody waits.
        """
        whole = pad(tokens, (0, self.clip.text_length - tokens.shape[1]))
        generator = torch.Generator().manual_seed(batch.seed)
        # Drawn for the whole batch, so that a caption is masked equally on any number of processes and in any part.
        draws = self.words.draw_places(len(batch.identities), whole.shape[1], generator)
        places = torch.arange(batch.n_local) if batch.places is None else batch.places.cpu()
        written, drawn = (draw[places] for draw in draws)
        masked = self.words.to_guess(whole, sent(written, whole.device), sent(drawn, whole.device))
        if whole.device.type == "cpu":
            return *masked, None
        return *masked, sent(may_be_masked(drawn, tokens.shape[1]), whole.device)

    def losses(self, features: dict[str, Tensor], batch: Batch) -> Losses:
        """Sum the losses that have a weight."""
        config, labels = self.config, batch.identities
        of = gathered(features, batch)
        terms = {}
        if config.sdm:
            terms["sdm"] = sdm(of["image"], of["text"], labels, config.temperature)
        if config.id:
            terms["id"] = id_loss(of["image_persons"], of["text_persons"], labels)
        if config.mlm:
            terms["mlm"] = of["word_losses"].sum() / of["n_masked"].sum().clamp(min=1)
        return Losses(terms, {name: getattr(config, name) for name in terms})

    @classmethod
    def imported(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Read the released code's names."""
        return renamed(state, RELEASED, ignored=[r"(base_model\.)?logit_scale"])


def may_be_masked(drawn: Tensor, length: int) -> Tensor:
    """Return the places of which masked words are some, as positions among all n * text_length [n_place].

    Args:
        drawn: which places were drawn, words or not [n, text_length].
        length: of the longest caption; behind it there are no words.
    """
    places = drawn.clone()
    places[:, 1] = True  # masked where no other word was
    places[:, length:] = False
    return places.flatten().nonzero()[:, 0]
