"""How far a prediction is from the input that came."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from streamer.config import Distance


def signal(kind: Distance, prediction: Tensor, target: Tensor) -> Tensor:
    """The value that demarcation reads, a scalar.

    Args:
        kind: `similarity` is the cosine of two vectors, and for frames the mean over pixels of the cosine
            of the RGB triples; `distance` is the mean squared error.
        prediction: `[D]` or `[3, H, W]`.
        target: like `prediction`.
    """
    if kind == "similarity":
        return F.cosine_similarity(prediction, target, dim=0, eps=1e-8).mean()
    return F.mse_loss(prediction, target)


def loss(kind: Distance, signal: Tensor) -> Tensor:
    """What learning minimises: similarity negated, distance as it is."""
    return -signal if kind == "similarity" else signal
