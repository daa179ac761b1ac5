"""How far predictions are from the inputs that came.

Similarity is the cosine over dimension 1, averaged over what remains: one cosine for vectors `[n, D]`, the
mean over pixels of the cosine of the RGB triples for frames `[n, 3, H, W]`. Distance is the mean squared
error.
"""

from __future__ import annotations

import torch
from torch import Tensor

from streamer.config import Distance

SHORTEST = 1e-8  # shorter vectors count as this long


def signals(kind: Distance, predictions: Tensor, targets: Tensor) -> Tensor:
    """The values that demarcation reads, `[n]`.

    Args:
        kind: similarity or distance.
        predictions: `[n, D]` or `[n, 3, H, W]`.
        targets: like `predictions`.
    """
    if kind == "distance":
        return (predictions - targets).square().flatten(1).mean(1)
    dot = (predictions * targets).sum(1, keepdim=True)
    return (dot / (_length(predictions) * _length(targets))).flatten(1).mean(1)


def loss_gradients(kind: Distance, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Gradients of weighted losses with respect to the predictions.

    The loss is the similarity negated, or the distance.

    Args:
        kind: similarity or distance.
        predictions: `[n, D]` or `[n, 3, H, W]`.
        targets: like `predictions`.
        weights: of each loss, `[n]`.

    Returns:
        A tensor like `predictions`.
    """
    weights = weights.view(-1, *[1] * (predictions.dim() - 1))
    values = predictions[0, 0].numel() if kind == "similarity" else predictions[0].numel()
    if kind == "distance":
        return (predictions - targets) * (weights * (2 / values))
    length, target_length = _length(predictions), _length(targets)
    unit, target_unit = predictions / length, targets / target_length
    cosine = (unit * target_unit).sum(1, keepdim=True)
    # A vector that counts as longer than it is has a constant length.
    along = torch.where(length > SHORTEST, cosine, 0.0) * unit
    return (along - target_unit) * (weights / (length * values))


def _length(vectors: Tensor) -> Tensor:
    # Not `vector_norm`, which takes ten times as long over three colours.
    return vectors.square().sum(1, keepdim=True).sqrt_().clamp_min_(SHORTEST)
