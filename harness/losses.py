"""Matching losses as pure functions of normalised embeddings; all computed in float32."""

import torch
from torch import Tensor


def sdm(image: Tensor, text: Tensor, identities: Tensor, temperature: float = 0.02) -> Tensor:
    """Similarity distribution matching (IRRA, CVPR 2023), both directions with weight 1.

    The Kullback-Leibler divergence of the predicted match distribution from the true one, prediction first.

    Args:
        image: L2-normalised image embeddings [n, dim].
        text: L2-normalised text embeddings [n, dim].
        identities: labels [n]; equal label means a true match.
        temperature: softmax temperature.

    >>> eye = torch.eye(2)
    >>> round(float(sdm(eye, eye, torch.tensor([0, 1]), temperature=1.0)), 4)
    8.7438
    """
    scores = _scores(image, text, temperature)
    same = (identities[:, None] == identities[None, :]).float()
    target = torch.log(same / same.sum(dim=1, keepdim=True) + 1e-8)
    return _divergence(scores, target) + _divergence(scores.T, target)


def itc(image: Tensor, text: Tensor, identities: Tensor, temperature: float = 0.02) -> Tensor:
    """Contrastive loss of CLIP (InfoNCE): only the pair itself matches; mean of both directions.

    Args:
        image: L2-normalised image embeddings [n, dim].
        text: L2-normalised text embeddings [n, dim].
        identities: not used: persons that occur twice stay negatives, as published.
        temperature: softmax temperature.

    >>> eye = torch.eye(2)
    >>> round(float(itc(eye, eye, torch.tensor([0, 1]), temperature=1.0)), 4)
    0.3133
    """
    scores = _scores(image, text, temperature)
    labels = torch.arange(len(scores), device=scores.device)
    forward = torch.nn.functional.cross_entropy(scores, labels)
    backward = torch.nn.functional.cross_entropy(scores.T, labels)
    return (forward + backward) / 2


def _scores(image: Tensor, text: Tensor, temperature: float) -> Tensor:
    with torch.autocast(image.device.type, enabled=False):
        return (image.float() @ text.float().T) / temperature


def _divergence(scores: Tensor, target: Tensor) -> Tensor:
    log_p = torch.log_softmax(scores, dim=1)
    return (log_p.exp() * (log_p - target)).sum(dim=1).mean()
