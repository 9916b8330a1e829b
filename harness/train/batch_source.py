"""A run's training batches: the views, captions and pixels that its config and its method ask for."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from harness.clip.model import Clip
from harness.config.augment import TextAugmentConfig
from harness.config.sections import RunConfig
from harness.data.loading import Split
from harness.images.augment import Augment
from harness.listener import Listener
from harness.method_parts.batch import Views
from harness.methods import Method
from harness.train.batch_content import Contrast, Frozen, Rewrite, Samples
from harness.train.batches import Batches
from harness.train.switches import CAPTION_STEP


def training_batches(
    config: RunConfig,
    split: Split,
    method: Method,
    batch_size: int,
    *,
    parts: int = 1,
    augment: Augment,
    device: torch.device | str = "cpu",
    frozen: Frozen | None = None,
    listener: Listener | None = None,
    order: Callable[[int], Tensor] | None = None,
) -> Batches:
    """Return the batches of a split: pixels and tokens, or what is kept of the frozen parts of towers.

    Args:
        config: of the run.
        split: what is trained on.
        method: says which views it wants; its backbone tokenises.
        batch_size: pairs of a global batch.
        parts: batches that a step takes.
        augment: recipe of the images.
        device: where batches are wanted.
        frozen: what is kept of the split.
        order: gives the pairs of an epoch where each once is not wanted.
        listener: gets a note for what in the config cannot be done, such as back translation without translations.
    """
    views = method.views()
    return Batches(
        split.pairs,
        replace(
            _samples(config, split, method.clip, augment, views, listener or Listener()),
            frozen=frozen or Frozen(),
        ),
        batch_size=batch_size,
        parts=parts,
        seed=config.seed,
        device=device,
        views=views,
        drop_last=config.train.drop_last,
        prefetch=config.train.prefetch,
        order=order,
    )


def _samples(
    config: RunConfig, split: Split, clip: Clip, augment: Augment, views: Views, listener: Listener
) -> Samples:
    return Samples(
        split.images,
        augment,
        split.tokens,
        cut=clip.cuts,
        rewrite=_rewriting(config, split, clip, listener),
        contrast=_contrast(config, split) if views.contrast else None,
        step=CAPTION_STEP if config.train.compile else 1,
    )


def _rewriting(config: RunConfig, split: Split, clip: Clip, listener: Listener) -> Rewrite | None:
    """Return what makes the tokens of augmented captions, None where captions stay as they are."""
    wanted = config.train.augment.text
    if wanted == TextAugmentConfig():
        return None
    from harness.captions.augment import caption_augment

    captions, translations = clip.clean(split.pairs.captions), clip.clean(split.pairs.captions_bt)
    augment, notices = caption_augment(wanted, captions, translations, wanted.synonyms)
    for notice in notices:
        listener.on_note(notice)
    if augment is None:
        return None

    def rewrite(captions: Sequence[int], seeds: Sequence[int]) -> Tensor:
        return clip.tokenize([augment.caption(*each) for each in zip(captions, seeds, strict=True)])

    return rewrite


def _contrast(config: RunConfig, split: Split) -> Contrast:
    """Return what makes the self-supervised views of a split's images."""
    from harness.images.contrast_views import ContrastSource

    backbone = config.backbone
    assert backbone.normalisation is not None
    return ContrastSource(
        split.images, backbone.image_size, backbone.normalisation, config.train.augment.views_from
    )
