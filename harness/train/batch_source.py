"""A run's training batches: the views, captions and pixels that its config and its method ask for."""

from collections.abc import Sequence

from torch import Tensor

from harness.clip.model import Clip
from harness.config.sections import RunConfig, TextAugmentConfig
from harness.data.loading import Split
from harness.evaluate.encoder import Encoder
from harness.listener import Listener
from harness.train.batches import Batches, Contrast, Rewrite


def training_batches(
    config: RunConfig,
    split: Split,
    encoder: Encoder,
    clip: Clip,
    batch_size: int,
    listener: Listener | None = None,
) -> Batches:
    """Return batches of pixels, or of the frozen backbone's embeddings where the method asks for them.

    The listener is told what of the config cannot be done, such as back translation without translations.
    """
    method = encoder.method
    cached, views = method.caches_embeddings, method.views()
    image, text = encoder.frozen(split) if cached else (None, None)
    return Batches(
        owners=split.owners.tolist(),
        identities=split.identities.tolist(),
        tokens=None if cached else split.tokens,
        batch_size=batch_size,
        seed=config.seed,
        device=encoder.engine.device,
        images=None if cached else split.images,
        augment=None if cached else encoder.pixels,
        image_embeddings=image,
        text_embeddings=text,
        cut=clip.cuts,
        views=views,
        rewrite=None if cached else _rewriting(config, split, clip, listener or Listener()),
        contrast=_contrast(config, split) if views.contrast and not cached else None,
        drop_last=config.train.drop_last,
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
    return ContrastSource(
        split.images, backbone.image_size, backbone.normalisation, config.train.augment.views_from
    )
