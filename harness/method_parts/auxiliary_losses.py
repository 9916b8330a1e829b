"""Losses that go with a matching one: self-supervision, further views and identity classes.

Pure functions; half precision is computed in float32 whatever autocast says; float64 stays.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from harness.compute.precision import full_precision
from harness.method_parts.losses import scaled_similarity

ImageView = TypeVar("ImageView")
TextView = TypeVar("TextView")


def nt_xent(a: Tensor, b: Tensor, temperature: float | Tensor = 0.1) -> Tensor:
    """Contrastive loss of two views of the same things (NT-Xent, SimCLR, ICML 2020), mean over all 2 n anchors.

    An anchor's match is the other view of it; both views of all others are negatives. TBPS-CLIP's SS-I (two views of
    each image) and SS-T (of each caption) are this after a small head, and SS-IT is the two together.

    Args:
        a: L2-normalised embeddings of the first view [n, dim].
        b: L2-normalised embeddings of the second view [n, dim].
        temperature: softmax temperature; the default is TBPS-CLIP's.

    >>> eye = torch.eye(2)
    >>> round(float(nt_xent(eye, eye, temperature=1.0)), 4)
    0.5514
    """
    return (_anchored(a, b, temperature) + _anchored(b, a, temperature)) / 2


def _anchored(anchors: Tensor, others: Tensor, temperature: float | Tensor) -> Tensor:
    own = scaled_similarity(anchors, anchors, temperature)
    itself = torch.eye(len(own), dtype=torch.bool, device=own.device)
    scores = torch.cat(
        [scaled_similarity(anchors, others, temperature), own.masked_fill(itself, -torch.inf)], dim=1
    )
    return cross_entropy(scores, torch.arange(len(own), device=own.device))


def multi_view(
    loss: Callable[[ImageView, TextView], Tensor], images: Sequence[ImageView], texts: Sequence[TextView]
) -> Tensor:
    """Multi-view supervision MVS (TBPS-CLIP, AAAI 2024): the mean of a contrastive loss over views.

    MVS-I takes two views of each image and one of its caption, MVS-T one and two, MVS-IT two and two, of which the
    first go together and the second. The mean of MVS-I is as released (the paper only says that the second view gets
    the loss too); for MVS-T and MVS-IT nothing is published, the same is taken.

    Args:
        loss: from a view of the images and one of the texts, a scalar; with `n_itc` each view has its own soft labels.
        images: views of the images, each what `loss` takes, such as embeddings [n, dim].
        texts: views of the texts, likewise; a single view on either side meets all of the other's.

    Raises `ValueError` where both sides have several views, but not equally many.

    >>> view, other = torch.tensor(1.0), torch.tensor(3.0)
    >>> float(multi_view(torch.mul, [view, other], [torch.tensor(10.0)]))
    20.0
    """
    n = max(len(images), len(texts))
    pairs = zip(*(list(side) * n if len(side) == 1 else side for side in (images, texts)), strict=True)
    return torch.stack([loss(image, text) for image, text in pairs]).mean()


def id_loss(image_logits: Tensor, text_logits: Tensor, labels: Tensor) -> Tensor:
    """Identity classification (instance loss, Zheng et al. 2020), mean of images and texts, as IRRA released.

    Args:
        image_logits: scores of the training identities for each image [n, n_identity], of a classifier that
            images and texts share.
        text_logits: likewise for each text [n, n_identity].
        labels: class of each pair's person [n], 0 to n_identity - 1.

    >>> round(float(id_loss(torch.zeros(2, 4), torch.zeros(2, 4), torch.tensor([0, 3]))), 4)
    1.3863
    """
    image, text = full_precision(image_logits), full_precision(text_logits)
    return (cross_entropy(image, labels) + cross_entropy(text, labels)) / 2
