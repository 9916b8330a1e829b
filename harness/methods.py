"""What a method is. `methods/NAME.py` defines one and imports as `harness.methods.NAME`.

To add one, write that file: a docstring (paper, link, what deviates from it), a config whose fields carry
default, help and search range, and a class with `@register`. The training loop knows no method's name.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from harness.clip.injection.dropout import redraw
from harness.compute.distributed import gather_with_gradient
from harness.compute.precision import unit
from harness.config.fields import Choice, Range, setting
from harness.config.sections import MethodConfig
from harness.errors import UsageError
from harness.method_parts.batch import Batch, Given, Losses, Views
from harness.method_parts.frozen import FrozenPart, frozen_part
from harness.method_parts.losses import LOSSES, LossName
from harness.method_parts.schedule import Progress, learning_rate_factor
from harness.registry import Registry
from harness.registry.plug_ins import plugin_path

if TYPE_CHECKING:
    from harness.clip.injection import Injection, TowerName
    from harness.clip.model import Clip

__path__ = plugin_path("methods")


class OptimisedConfig(MethodConfig):
    """Optimisation fields that every trained method has."""

    lr: float = setting(
        1e-5, "learning rate after warm-up", search=Range(low=1e-6, high=1e-2, log=True), gt=0
    )
    weight_decay: float = setting(
        4e-5, "L2 weight decay; 0 on biases", search=Range(low=1e-6, high=1e-2, log=True), ge=0
    )
    eps: float = setting(1e-8, "Adam's epsilon", gt=0)
    warmup_epochs: int = setting(5, "epochs of linear warm-up", search=Range(low=0, high=10), ge=0)
    temperature: float = setting(
        0.02, "softmax temperature of the loss", search=Range(low=0.005, high=0.1, log=True), gt=0
    )


class TrainedConfig(OptimisedConfig):
    """Fields of the recipe that most methods share: Adam, a schedule by epochs, one matching loss."""

    bias_lr_factor: float = setting(2.0, "learning rate of biases relative to lr", gt=0)
    warmup_factor: float = setting(0.1, "share of lr that warm-up starts from", gt=0, le=1)
    loss: LossName = setting(
        "sdm",
        "sdm: similarity distribution matching; itc: contrastive (CLIP); n_itc, r_itc, c_itc: contrastive over "
        "identities, reversed, cyclic (TBPS-CLIP); cmpm: projection matching",
        search=None,
    )


class Method(nn.Module):
    """An adaptation of a CLIP to person retrieval.

    A new method should implement `adapt`, which makes its parameters and unfreezes what it trains (the
    backbone comes frozen), and set `Config`. It may set `image_injection` / `text_injection`, which
    act inside the frozen towers, and may override `head_image` / `head_text` (after the towers),
    `features` and `losses`, `param_groups` and the hooks. `recipe` holds dotted config keys whose default
    differs for this method. Submodules and parameters that only the losses need are named in `training_only`.
    `title` is its name in running text, as in a table of a paper: "CSKT", "linear probe"; else that of its file.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    version: ClassVar[int] = 1
    Config: ClassVar[type[MethodConfig]] = TrainedConfig
    trained: ClassVar[bool] = True
    baseline: ClassVar[bool] = False
    recipe: ClassVar[dict[str, Any]] = {}
    training_only: ClassVar[tuple[str, ...]] = ()

    image_injection: "Injection | None"
    text_injection: "Injection | None"

    def __init__(self, clip: "Clip", config: Any) -> None:
        super().__init__()
        self.clip = clip.requires_grad_(False)
        self.config = config
        self.image_injection = self.text_injection = None
        self.adapt()
        self.clip.check_injections({"image": self.image_injection, "text": self.text_injection})

    def adapt(self) -> None:
        """Make the method's parameters and choose what is trained. Default: nothing is."""

    def head_image(self, embeddings: Tensor) -> Tensor:
        """Map tower embeddings [n, dim] to what is compared; identity unless overridden."""
        return embeddings

    def head_text(self, embeddings: Tensor) -> Tensor:
        """Map tower embeddings [n, dim] to what is compared; identity unless overridden."""
        return embeddings

    def encode_image(self, images: Tensor) -> Tensor:
        """Embed normalised images [n, 3, height, width] as [n, dim], not yet L2-normalised."""
        return self.head_image(self.clip.encode_image(images, self.image_injection))

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Embed token ids [n, length] as [n, dim], not yet L2-normalised."""
        return self.head_text(self.clip.encode_text(tokens, self.text_injection))

    def views(self) -> Views:
        """Return which further views of images and captions the losses need; default: none."""
        return Views()

    def features(self, batch: Batch) -> dict[str, Tensor]:
        """Return what the losses need of each pair of this process [n_local, ...], by name.

        Each row depends on its own pair alone, so that parts of a batch can be embedded one after another; the
        batch's `identities` belong to `losses`. Default: L2-normalised float32 embeddings `image` and `text`, with
        dropout drawn for the batch (`harness.clip.injection.dropout`).
        """
        redraw(self, batch.seed, len(batch.identities), batch.places)
        return {"image": unit(self._image(batch)), "text": unit(self._text(batch))}

    def _image(self, batch: Batch) -> Tensor:
        if batch.image_frozen is not None:
            return self.from_frozen("image", batch.image_frozen)
        assert batch.images is not None
        return self.encode_image(batch.images)

    def _text(self, batch: Batch) -> Tensor:
        if batch.text_frozen is not None:
            return self.from_frozen("text", batch.text_frozen, batch.tokens)
        assert batch.tokens is not None
        return self.encode_text(batch.tokens)

    def frozen_part(self, tower: "TowerName") -> FrozenPart | None:
        """Return the part of a tower below everything that this method trains; None where it has none.

        Where there is one it is computed once and kept, as far as images and captions stay as they are. A method that
        runs the towers in a way of its own has none, unless it overrides this.
        """
        own = (f"encode_{tower}", "features")
        if any(getattr(type(self), name) is not getattr(Method, name) for name in own):
            return None
        return frozen_part(self.clip, tower, getattr(self, f"{tower}_injection"))

    def from_frozen(self, tower: "TowerName", given: Given, tokens: Tensor | None = None) -> Tensor:
        """Embed as [n, dim] what a tower's frozen part gave; streams of captions need their ids [n, length]."""
        injection = self.image_injection if tower == "image" else self.text_injection
        embeddings = FrozenPart(self.clip, tower, injection).finish(given, tokens)
        return self.head_image(embeddings) if tower == "image" else self.head_text(embeddings)

    def losses(self, features: dict[str, Tensor], batch: Batch) -> Losses:
        """Return the losses of one global batch from this process's features.

        Default: the matching loss that the config names.
        """
        of = gathered(features, batch)
        image, text = of["image"], of["text"]
        loss = LOSSES[self.config.loss]
        return Losses({self.config.loss: loss(image, text, batch.identities, self.config.temperature)})

    def training_step(self, batch: Batch) -> Losses:
        """Return the losses of one global batch."""
        return self.losses(self.features(batch), batch)

    def forward(self, batch: Batch, rest: "Callable[[dict[str, Tensor]], Losses] | None" = None) -> Losses:
        """Run one step, so that wrappers of distributed training see one call.

        With `rest` the losses are what it makes of the batch's features, as `harness.train.gradient_cache` needs.
        """
        return self.training_step(batch) if rest is None else rest(self.features(batch))

    def begin_training(self) -> None:
        """Switch to training mode; the backbone stays in evaluation mode."""
        self.train()
        self.clip.eval()

    def trainable(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield name and parameter of everything that is trained."""
        return ((name, p) for name, p in self.named_parameters() if p.requires_grad)

    def param_groups(self) -> list[dict[str, Any]]:
        """Return optimiser groups: weights, and biases with their own learning rate and no decay.

        A parameter is a bias when its name contains "bias", as the published recipes have it.
        """
        weights = [p for name, p in self.trainable() if "bias" not in name]
        biases = [p for name, p in self.trainable() if "bias" in name]
        config = self.config
        groups = [
            {"params": weights, "lr": config.lr, "weight_decay": config.weight_decay},
            {"params": biases, "lr": config.lr * config.bias_lr_factor, "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]

    def optimiser(self) -> torch.optim.Optimizer:
        """Return the optimiser over `param_groups`; default Adam with L2 decay."""
        return torch.optim.Adam(self.param_groups(), eps=self.config.eps)

    def folded_parameters(self) -> int:
        """Return how many parameters inference needs beside the backbone's, after `fold`."""
        merged = (part for part in self.modules() if getattr(part, "merges", False))
        own = {id(p) for module in (self.clip, *merged) for p in module.parameters()}
        return sum(
            p.numel()
            for name, p in self.named_parameters()
            if id(p) not in own and name.split(".")[0] not in self.training_only
        )

    def fold(self) -> None:
        """Merge, for inference, what can be merged without changing embeddings.

        Default: merge what of the injections merges (`Injection.merge`), and drop `training_only`.
        """
        if self.image_injection is not None:
            self.image_injection = self.image_injection.merge(self.clip)
        if self.text_injection is not None:
            self.text_injection = self.text_injection.merge(self.clip)
        for name in self.training_only:
            setattr(self, name, None)

    def learning_rate(self, peak: float, at: Progress) -> float:
        """Return a group's learning rate for the current step; `peak` is the group's `lr`. Default: by epochs."""
        return peak * learning_rate_factor(
            at.epoch,
            epochs=at.epochs,
            warmup_epochs=getattr(self.config, "warmup_epochs", 0),
            warmup_factor=getattr(self.config, "warmup_factor", 1.0),
        )

    def on_step_start(self, at: Progress) -> None:
        """Hook: called before each training step, and before one without values that counts what a step takes."""

    @classmethod
    def imported(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return an authors' checkpoint under this method's own names; those of the towers begin with `clip.model.`.

        A tensor that is not needed is left out, one whose name is not known keeps it and is reported. Default: raises
        `UsageError`, since no map is known.
        """
        mapped = [method.name for method in METHODS.usable() if "imported" in vars(method)]
        raise UsageError(
            f"The method {cls.name} has no map for authors' checkpoints; there is one for {', '.join(mapped)}."
        )

    @classmethod
    def skip(cls, dataset: str) -> str | None:
        """Return why the method cannot run on a dataset, or None."""
        return None


def gathered(features: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
    """Return the features of the global batch [n_global, ...] from this process's, gradient flowing into its own."""
    return {name: gather_with_gradient(rows, len(batch.identities)) for name, rows in features.items()}


METHODS: Registry[Method] = Registry("method", __name__, __path__, Method)
register = METHODS.register

__all__ = [
    "METHODS",
    "Batch",
    "Choice",
    "Losses",
    "Method",
    "OptimisedConfig",
    "Progress",
    "Range",
    "TrainedConfig",
    "Views",
    "gathered",
    "register",
    "setting",
    "unit",
]
