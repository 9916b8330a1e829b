"""TBPS-CLIP: full fine-tuning of CLIP with tricks, augmentation and losses, each of which can be switched.

Cao et al., "An Empirical Study of CLIP for Text-based Person Search", AAAI 2024, https://arxiv.org/abs/2308.10045,
code https://github.com/Flame-Chasers/TBPS-CLIP. The defaults are the full variant as released; where the paper's text
differs, its form is a value of the setting. The presets are its ladder: `clip_baseline` (contrastive loss alone),
`clip_star` (with the four tricks), `clip_star_aug` (with augmentation), `full` and `simplified` (with the losses).

What deviates by default: the epoch is chosen on validation and not on the test split; autocast is bfloat16 where
it is available; soft labels take the image embeddings of the step, and a second pass of the texts only where dropout
makes it differ. Without `global_gradients` what an embedding is compared with carries no gradient, on any number
of processes. The temperature starts at that of CLIP's weights; that of the shipped tiny CLIP was not kept, so its
preset takes the 0.07 that its training began with. The masked-word, identity and mixing losses that the released code
has switched off are not here.
"""

from math import log
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from harness.clip.injection import AttentionDropout
from harness.clip.tensor_names import renamed
from harness.compute.distributed import same_on_all
from harness.method_parts.auxiliary_losses import multi_view, nt_xent
from harness.method_parts.batch import Batch, Losses, Views
from harness.method_parts.losses import c_itc, itc, n_itc, r_itc, soft_share
from harness.method_parts.schedule import stepwise_rate
from harness.methods import (
    Choice,
    Method,
    OptimisedConfig,
    Progress,
    Range,
    gathered,
    register,
    setting,
    unit,
)

Layer = Annotated[int, Field(ge=1, le=1000)]
MAX_SCALE = 100.0
_NO_SELF_SUPERVISION = {"ss_image": (0.0,), "ss_text": (0.0,)}
NO_DECAY = ("bias", "ln", "bn")
RELEASED = {
    r"visual\.": "clip.model.visual.",
    r"encode_text\.": "clip.model.",
    r"simclr_mlp\.": "ss_image_head.",
    r"logit_scale$": "log_scale",
}


class Config(OptimisedConfig):
    """Optimiser, tricks, weights of the losses, and layers left out for compression."""

    held: ClassVar[tuple[str, ...]] = (
        "beta2",
        "c_itc_form",
        "drop_text_layers",
        "freeze_patches",
        "freeze_text_layers",
        "global_gradients",
        "itc",
        "learn_temperature",
        "mvs_text",
        "soft_ramp",
        "ss_text",
        "ss_width",
    )
    lr: float = setting(1e-4, "highest learning rate", search=Range(low=1e-6, high=1e-3, log=True), gt=0)
    weight_decay: float = setting(
        0.02,
        "decoupled weight decay; 0 on biases and normalisation",
        search=Range(low=1e-4, high=1e-1, log=True),
        ge=0,
    )
    beta2: float = setting(0.98, "AdamW's second moment decay", gt=0, lt=1)
    warmup_epochs: int = setting(1, "epochs of linear warm-up, by steps", search=Range(low=0, high=5), ge=0)
    start_factor: float = setting(
        0.01, "share of lr in the first step", gt=0, le=1, search=Range(low=0.001, high=1.0, log=True)
    )
    end_factor: float = setting(
        0.05, "share of lr at the end of the cosine", ge=0, le=1, search=Range(low=0.0, high=1.0)
    )
    temperature: float = setting(
        0.01, "softmax temperature at the start", search=Range(low=0.01, high=0.1, log=True), ge=0.01
    )
    learn_temperature: bool = setting(True, "train the temperature; it never falls below 0.01")

    global_gradients: bool = setting(
        True, "trick: gradients flow into both sides of what itc, n_itc and r_itc compare"
    )
    text_dropout: float = setting(
        0.05,
        "trick: share of text attention weights that is dropped",
        ge=0,
        lt=1,
        search=Range(low=0.0, high=0.3),
    )
    freeze_patches: bool = setting(True, "trick: freeze the patch embedding")
    soft_labels: float = setting(
        0.5,
        "trick: share of the model's own matches in the target of itc and n_itc",
        ge=0,
        le=1,
        search=Range(low=0.0, high=0.9),
    )
    soft_ramp: float = setting(
        1.0, "epochs over which soft_labels rises from 0", ge=0, inert={"soft_labels": (0.0,)}
    )

    itc: float = setting(0.0, "weight of the contrastive loss of CLIP", ge=0)
    n_itc: float = setting(
        1.0, "weight of the contrastive loss over identities", ge=0, search=Range(low=0.1, high=2.0)
    )
    r_itc: float = setting(
        1.0, "weight of the reversed contrastive loss", ge=0, search=Range(low=0.0, high=2.0)
    )
    r_itc_epsilon: float = setting(
        0.01,
        "added to r_itc's target before its logarithm",
        gt=0,
        inert={"r_itc": (0.0,)},
        search=Range(low=1e-8, high=0.1, log=True),
    )
    c_itc: float = setting(0.1, "weight of the cyclic loss", ge=0, search=Range(low=0.0, high=1.0))
    c_itc_form: Literal["released", "paper"] = setting(
        "released",
        "released: mean of squares, a quarter each; paper: their sum over the batch size",
        inert={"c_itc": (0.0,)},
    )
    mvs_image: bool = setting(
        True,
        "itc and n_itc are means over two views of each image (MVS-I)",
        search=Choice(values=(True, False)),
    )
    mvs_text: bool = setting(False, "and over two views of each caption (MVS-T; with mvs_image MVS-IT)")
    ss_image: float = setting(
        0.4,
        "weight of self-supervision between two views of each image (SS-I)",
        ge=0,
        search=Range(low=0.0, high=1.0),
    )
    ss_text: float = setting(0.0, "weight of self-supervision between two views of each caption (SS-T)", ge=0)
    ss_temperature: float = setting(
        0.1,
        "softmax temperature of ss_image and ss_text",
        gt=0,
        search=Range(low=0.05, high=0.5, log=True),
        inert=_NO_SELF_SUPERVISION,
    )
    ss_width: int = setting(
        128,
        "width between the two layers of the self-supervised head",
        ge=1,
        le=8192,
        inert=_NO_SELF_SUPERVISION,
    )

    freeze_text_layers: tuple[Layer, ...] = setting((), "text layers that are frozen, counted from 1")
    drop_text_layers: tuple[Layer, ...] = setting((), "text layers that are removed, counted from 1")

    @model_validator(mode="after")
    def _some_loss(self) -> "Config":
        if not (self.itc or self.n_itc or self.r_itc):
            raise ValueError(
                "one of itc, n_itc and r_itc needs a weight above 0: without them nothing pulls pairs together"
            )
        if (self.mvs_image or self.mvs_text) and not (self.itc or self.n_itc):
            raise ValueError("mvs_image and mvs_text are views of itc and n_itc: give one a weight above 0")
        return self


@register
class TbpsClip(Method):
    """Both towers are trained, on the weighted sum of the losses that the config switches on."""

    title = "TBPS-CLIP"
    Config = Config
    training_only: ClassVar[tuple[str, ...]] = ("log_scale", "ss_image_head", "ss_text_head")
    recipe: ClassVar[dict[str, Any]] = {
        "backbone.image_size": (224, 224),
        "backbone.normalisation": "imagenet",
        "backbone.interpolation": "bicubic",
        "backbone.train_interpolation": "bilinear",
        "backbone.captions": "cleaned",
        "train.epochs": 5,
        "train.batch_size": 320,
        "train.drop_last": True,
        "train.augment.recipe": "pool",
        "train.augment.text.back_translation": 0.1,
        "train.augment.text.random_deletion": 0.05,
    }

    log_scale: nn.Parameter | None
    ss_image_head: nn.Sequential | None
    ss_text_head: nn.Sequential | None

    def adapt(self) -> None:
        """Unfreeze the towers except what the config freezes, and make what the losses need."""
        config, clip = self.config, self.clip
        clip.drop_text_layers(config.drop_text_layers)
        clip.requires_grad_(True)
        clip.freeze_text_layers(config.freeze_text_layers)
        if config.freeze_patches:
            clip.freeze_patches()
        if config.text_dropout:
            self.text_injection = AttentionDropout(config.text_dropout)
        scale = torch.tensor(log(1 / config.temperature))
        self.log_scale = nn.Parameter(scale, requires_grad=config.learn_temperature)
        self.ss_image_head = _head(clip.embed_dim, config.ss_width) if config.ss_image else None
        self.ss_text_head = _head(clip.embed_dim, config.ss_width) if config.ss_text else None
        self.soft = 0.0

    def on_step_start(self, at: Progress) -> None:
        """Raise the share of soft labels."""
        self.soft = soft_share(at.passed, self.config.soft_labels, self.config.soft_ramp)

    def learning_rate(self, peak: float, at: Progress) -> float:
        """Warm up and decay by steps."""
        config = self.config
        return stepwise_rate(
            at,
            start=peak * config.start_factor,
            peak=peak,
            end=peak * config.end_factor,
            warmup_epochs=config.warmup_epochs,
        )

    def param_groups(self) -> list[dict[str, Any]]:
        """Apply weight decay to matrices alone."""
        config = self.config
        decayed: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for name, parameter in self.trainable():
            flat = parameter.dim() < 2 or any(part in name for part in NO_DECAY)
            (plain if flat else decayed).append(parameter)
        return [
            {"params": decayed, "lr": config.lr, "weight_decay": config.weight_decay},
            {"params": plain, "lr": config.lr, "weight_decay": 0.0},
        ]

    def optimiser(self) -> torch.optim.Optimizer:
        """AdamW, as released."""
        return torch.optim.AdamW(self.param_groups(), betas=(0.9, self.config.beta2), eps=self.config.eps)

    def views(self) -> Views:
        """Ask for second views where a loss compares them."""
        config = self.config
        return Views(
            images=int(config.mvs_image),
            captions=int(config.mvs_text or config.ss_text > 0),
            contrast=2 if config.ss_image else 0,
        )

    def features(self, batch: Batch) -> dict[str, Tensor]:
        """Return unit embeddings `image` and `text`, those of further views, soft labels' texts, and head outputs."""
        config, found = self.config, {}
        assert batch.images is not None
        assert batch.tokens is not None
        for index, images in enumerate((batch.images, *batch.image_views)):
            found[_numbered("image", index)] = unit(self.encode_image(images))
        texts = [self.encode_text(tokens) for tokens in (batch.tokens, *batch.token_views)]
        n_matched = 1 + int(config.mvs_text)
        for index, (tokens, text) in enumerate(
            zip((batch.tokens, *batch.token_views)[:n_matched], texts, strict=False)
        ):
            found[_numbered("text", index)] = unit(text)
            found[_numbered("guess", index)] = self._guess(tokens, text)
        if self.ss_image_head is not None:
            for index, images in enumerate(batch.contrast_views):
                found[f"contrast_image{index}"] = unit(self.ss_image_head(self.encode_image(images)))
        if self.ss_text_head is not None:
            for index, text in enumerate(texts):
                found[f"contrast_text{index}"] = unit(self.ss_text_head(text))
        return found

    @torch.no_grad()
    def _guess(self, tokens: Tensor, text: Tensor) -> Tensor:
        """Return the text embeddings that soft labels come from [n, dim]: those of a pass with other dropout."""
        again = self.training and self.config.soft_labels and self.config.text_dropout
        return unit(self.encode_text(tokens) if again else text)

    def losses(self, features: dict[str, Tensor], batch: Batch) -> Losses:
        """Sum the losses that have a weight."""
        config, labels = self.config, batch.identities
        of = gathered(features, batch)
        temperature, terms = self._temperature(), {}
        columns = None if config.global_gradients else (of["image"].detach(), of["text"].detach())
        for name, loss in (("itc", itc), ("n_itc", n_itc)):
            if getattr(config, name):
                terms[name] = self._over_views(loss, of, labels, temperature)
        if config.r_itc:
            terms["r_itc"] = r_itc(
                of["image"], of["text"], labels, temperature, epsilon=config.r_itc_epsilon, columns=columns
            )
        if config.c_itc:
            terms["c_itc"] = self._cyclic(of["image"], of["text"])
        for name in ("image", "text"):
            if getattr(config, f"ss_{name}"):
                first, second = (of[f"contrast_{name}{index}"] for index in (0, 1))
                terms[f"ss_{name}"] = nt_xent(first, second, config.ss_temperature)
        return Losses(terms, {name: getattr(config, name) for name in terms})

    def _over_views(self, loss: Any, of: dict[str, Tensor], labels: Tensor, temperature: Tensor) -> Tensor:
        """Return the mean of a contrastive loss over the views that the config asks for, each with its soft labels."""
        images = [of[_numbered("image", index)] for index in range(1 + self.config.mvs_image)]
        texts = [
            (of[_numbered("text", index)], of[_numbered("guess", index)])
            for index in range(1 + self.config.mvs_text)
        ]

        def one(image: Tensor, text_and_guess: tuple[Tensor, Tensor]) -> Tensor:
            text, guess = text_and_guess
            columns = None if self.config.global_gradients else (image.detach(), text.detach())
            value: Tensor = loss(
                image,
                text,
                labels,
                temperature,
                soft=self.soft,
                teacher=(image.detach(), guess),
                columns=columns,
            )
            return value

        return multi_view(one, images, texts)

    def _cyclic(self, image: Tensor, text: Tensor) -> Tensor:
        if self.config.c_itc_form == "paper":
            return c_itc(image, text, within=1.0, across=1.0, per="row")
        return c_itc(image, text)

    def _temperature(self) -> Tensor:
        """Return the temperature; below its bound the gradient is that of the unbounded one, as released."""
        assert self.log_scale is not None
        scale = same_on_all(self.log_scale).exp()
        return 1 / (scale - (scale - scale.clamp(max=MAX_SCALE)).detach())

    @classmethod
    def imported(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Read the released code's names."""
        return renamed(state, RELEASED)


def _numbered(name: str, index: int) -> str:
    return f"{name}{index}" if index else name


def _head(dim: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, width), nn.ReLU(), nn.Linear(width, dim))
