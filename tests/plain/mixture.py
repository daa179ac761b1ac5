"""Level 0's predictions of its next input in one, weighed by how well each did lately."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def recalled(inputs: Sequence[Tensor], size: int) -> Tensor:
    """What followed when the last two inputs came before, by how like them they were.

    Args:
        inputs: of the video so far, `[D]` each.
        size: how many of them, the last ones, are remembered.
    """
    known = list(inputs)[-size:]
    places = range(1, len(known) - 1)  # those before which, and behind which, an input is remembered
    if not places:
        return known[-1]
    similarities = torch.stack(
        [(_cosine(known[j], known[-1]) + _cosine(known[j - 1], known[-2])) / 2 for j in places]
    )
    shares = torch.softmax(-50 * (1 - similarities), dim=0)
    return (shares[:, None] * torch.stack([known[j + 1] for j in places])).sum(0)


class Mixture:
    """The mixture in one video."""

    def __init__(self) -> None:
        self._errors: Tensor | None = None

    def predict(self, predictions: Sequence[Tensor]) -> Tensor:
        """Mixes predictions, by softmax of their running errors times -20."""
        parts = torch.stack(list(predictions))
        errors = torch.zeros(len(parts), dtype=parts.dtype) if self._errors is None else self._errors
        return (torch.softmax(-20 * errors, dim=0)[:, None] * parts).sum(0)

    def judge(self, predictions: Sequence[Tensor], target: Tensor) -> None:
        """Takes in the errors of predictions, which were 0 before the first."""
        errors = torch.stack([1 - _cosine(prediction, target) for prediction in predictions])
        self._errors = 0.2 * errors if self._errors is None else 0.8 * self._errors + 0.2 * errors


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    return F.cosine_similarity(one, other, dim=0, eps=1e-8)
