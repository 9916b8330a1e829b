"""Matching losses as pure functions of the global batch's embeddings.

Half-precision embeddings are computed in float32 whatever autocast says; float64 stays. A temperature is a number or a
learnable scalar, the reciprocal of CLIP's logit scale.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from harness.compute.precision import full_precision

MatchingLoss = Callable[[Tensor, Tensor, Tensor, float], Tensor]
Columns = tuple[Tensor, Tensor]
LossName = Literal["n_itc", "r_itc", "c_itc", "cmpm", "sdm", "itc"]


def sdm(image: Tensor, text: Tensor, identities: Tensor, temperature: float | Tensor = 0.02) -> Tensor:
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
    return 2 * r_itc(image, text, identities, temperature, epsilon=1e-8)


def itc(
    image: Tensor,
    text: Tensor,
    identities: Tensor,
    temperature: float | Tensor = 0.02,
    *,
    soft: float = 0.0,
    teacher: tuple[Tensor, Tensor] | None = None,
    columns: Columns | None = None,
) -> Tensor:
    """Contrastive loss of CLIP (InfoNCE): only the pair itself matches; mean of both directions.

    Args:
        image: L2-normalised image embeddings [n, dim].
        text: L2-normalised text embeddings [n, dim].
        identities: not used: persons that occur twice stay negatives, as published.
        temperature: softmax temperature.
        soft, teacher, columns: as in `n_itc`.

    >>> eye = torch.eye(2)
    >>> round(float(itc(eye, eye, torch.tensor([0, 1]), temperature=1.0)), 4)
    0.3133
    """
    pairs = torch.arange(len(image), device=image.device)
    return n_itc(image, text, pairs, temperature, soft=soft, teacher=teacher, columns=columns)


def n_itc(
    image: Tensor,
    text: Tensor,
    identities: Tensor,
    temperature: float | Tensor = 0.02,
    *,
    soft: float = 0.0,
    teacher: tuple[Tensor, Tensor] | None = None,
    columns: Columns | None = None,
) -> Tensor:
    """Normalised contrastive loss N-ITC (TBPS-CLIP, AAAI 2024): all pairs of a person match, in equal shares.

    Mean of both directions. Soft labels are a separate trick of the paper; as released they mix the model's own match
    distribution, without gradient, into the target (`soft_share` gives the share at each point of training).

    Args:
        image: L2-normalised image embeddings [n, dim].
        text: L2-normalised text embeddings [n, dim].
        identities: labels [n]; equal label means a true match.
        temperature: softmax temperature, of predictions and soft labels.
        soft: share of the soft labels in the target, 0 to 1.
        teacher: image and text embeddings [n, dim] that soft labels come from, as released those of a second pass with
            other dropout; None takes this pass's own.
        columns: image and text embeddings [n, dim] that texts and images are compared with, where these are not the
            anchors themselves: without gradient, they are negatives gathered from elsewhere.

    >>> eye, one_person = torch.eye(2), torch.tensor([4, 4])
    >>> round(float(n_itc(eye, eye, one_person, temperature=1.0)), 4)
    0.8133
    >>> round(float(n_itc(eye, eye, one_person, temperature=1.0, soft=0.5)), 4)
    0.6977
    """
    forward, backward = _both_directions(image, text, temperature, columns)
    guess = forward.detach() if teacher is None else scaled_similarity(*teacher, temperature).detach()
    hard = (1 - soft) * _match_distribution(identities, forward.dtype)
    image_target, text_target = hard + soft * guess.softmax(dim=1), hard + soft * guess.T.softmax(dim=1)
    return (cross_entropy(forward, image_target) + cross_entropy(backward, text_target)) / 2


def soft_share(progress: float, final: float = 0.5, ramp: float = 1.0) -> float:
    """Return the share of soft labels after `progress` epochs: it rises evenly over `ramp` epochs, then stays.

    The default is TBPS-CLIP as released; before step i of the first epoch of m steps the progress is i / m.

    >>> soft_share(0.0), soft_share(0.25), soft_share(3.0), soft_share(0.0, ramp=0)
    (0.0, 0.125, 0.5, 0.5)
    """
    return final * min(1.0, progress / ramp) if ramp > 0 else final


def r_itc(
    image: Tensor,
    text: Tensor,
    identities: Tensor,
    temperature: float | Tensor = 0.02,
    *,
    epsilon: float = 1e-2,
    columns: Columns | None = None,
) -> Tensor:
    """Reversed contrastive loss R-ITC (TBPS-CLIP, AAAI 2024): divergence with the prediction first.

    Mean of both directions. The logarithm of the true distribution is taken after adding `epsilon`, without
    renormalising; the paper does not give its value, the default is as released. Twice this with 1e-8 is `sdm`.

    Args:
        image: L2-normalised image embeddings [n, dim].
        text: L2-normalised text embeddings [n, dim].
        identities: labels [n]; equal label means a true match.
        temperature: softmax temperature.
        epsilon: added to the target before its logarithm; smaller punishes wrong matches harder.
        columns: as in `n_itc`.

    >>> eye = torch.eye(2)
    >>> round(float(r_itc(eye, eye, torch.tensor([0, 1]), temperature=1.0)), 4)
    0.649
    """
    forward, backward = _both_directions(image, text, temperature, columns)
    target = torch.log(_match_distribution(identities, forward.dtype) + epsilon)
    return (_divergence(forward, target) + _divergence(backward, target)) / 2


def c_itc(
    image: Tensor,
    text: Tensor,
    identities: Tensor | None = None,
    temperature: float | Tensor = 1.0,
    *,
    within: float = 0.25,
    across: float = 0.25,
    per: Literal["pair", "row"] = "pair",
) -> Tensor:
    """Cyclic consistency C-ITC (TBPS-CLIP, AAAI 2024): two images are as similar as their captions.

    And an image and another's caption as similar as that one's image and this one's caption. It does not pull pairs
    together, so it is used beside a contrastive loss. The defaults are as released, where the total takes it with
    weight 0.1; the paper's equation is `within=1, across=1, per="row"`.

    Args:
        image: L2-normalised image embeddings [n, dim].
        text: L2-normalised text embeddings [n, dim].
        identities: not used.
        temperature: not used: the scale cancels, as released.
        within: weight of the difference of image-image and text-text similarities.
        across: weight of the difference of image-text and text-image similarities.
        per: what the sum of squares is divided by: `pair` n * n, `row` n.

    >>> image, text = torch.eye(2), torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    >>> round(float(c_itc(image, text)), 4), round(float(c_itc(image, text, within=1, across=1, per="row")), 4)
    (0.09, 0.72)
    """
    cross = scaled_similarity(image, text)
    alone = scaled_similarity(image, image) - scaled_similarity(text, text)
    squares = within * alone.square() + across * (cross - cross.T).square()
    return squares.mean() if per == "pair" else squares.sum(dim=1).mean()


def cmpm(
    image: Tensor,
    text: Tensor,
    identities: Tensor,
    temperature: float | Tensor = 1.0,
    *,
    target: Literal["released", "paper"] = "released",
) -> Tensor:
    """Cross-modal projection matching (Zhang and Lu, ECCV 2018), both directions with weight 1.

    Each embedding is projected on the normalised ones of the other kind, so its own length is its inverse temperature.
    Of L2-normalised embeddings only `temperature` is left, and with the paper's target the loss is `sdm`.

    Args:
        image: image embeddings [n, dim].
        text: text embeddings [n, dim].
        identities: labels [n]; equal label means a true match.
        temperature: softmax temperature beside the embeddings' length; the original has none.
        target: `released` gives each of k matches 1 / sqrt(k), as code in use does, so the loss can be negative;
            `paper` gives each 1 / k.

    >>> eye, one_person = torch.eye(2), torch.tensor([4, 4])
    >>> round(float(cmpm(eye, eye, one_person)), 4), round(float(cmpm(eye, eye, one_person, target="paper")), 4)
    (-0.4713, 0.2219)
    """
    image, text = full_precision(image), full_precision(text)
    matches = _match_distribution(identities, image.dtype)
    if target == "released":
        matches = normalize(matches, dim=1)
    log_matches = torch.log(matches + 1e-8)
    forward = scaled_similarity(image, normalize(text, dim=1), temperature)
    backward = scaled_similarity(text, normalize(image, dim=1), temperature)
    return _divergence(forward, log_matches) + _divergence(backward, log_matches)


LOSSES: dict[LossName, MatchingLoss] = {
    "n_itc": n_itc,
    "r_itc": r_itc,
    "c_itc": c_itc,
    "cmpm": cmpm,
    "sdm": sdm,
    "itc": itc,
}


def scaled_similarity(rows: Tensor, columns: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """Return dot products over a temperature [n_row, n_column], of embeddings [n, dim]."""
    with nullcontext() if rows.is_meta else torch.autocast(rows.device.type, enabled=False):
        return (full_precision(rows) @ full_precision(columns).T) / temperature


def _both_directions(
    image: Tensor, text: Tensor, temperature: float | Tensor, columns: Columns | None
) -> tuple[Tensor, Tensor]:
    """Return scores of images against texts and of texts against images, each [n, n]."""
    if columns is None:
        scores = scaled_similarity(image, text, temperature)
        return scores, scores.T
    return scaled_similarity(image, columns[1], temperature), scaled_similarity(text, columns[0], temperature)


def _match_distribution(identities: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return for labels [n] the equal shares of all true matches; rows [n, n] sum to 1.

    >>> _match_distribution(torch.tensor([7, 3, 7]))[0]
    tensor([0.5000, 0.0000, 0.5000])
    """
    same = (identities[:, None] == identities[None, :]).to(dtype)
    return same / same.sum(dim=1, keepdim=True)


def _divergence(scores: Tensor, target: Tensor) -> Tensor:
    log_p = torch.log_softmax(scores, dim=1)
    return (log_p.exp() * (log_p - target)).sum(dim=1).mean()
