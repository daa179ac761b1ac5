"""Inputs less the running mean of their video, brought to a common size.

Most of a feature vector is what all snippets of a video share. It says nothing of change, drowns what does,
and slows learning. The mean is causal, over the snippets from the video's start to the one at hand, and
shrunk: the sum is divided by `PRIOR` more than the number of snippets, so that the first inputs are not taken
for the mean, and a still video keeps a direction. What is left is scaled so that the mean square length of
all inputs so far, less the mean as it is now, is D; so numbers are of size 1, whatever features are of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

PRIOR = 10.0
"""Snippets that the mean of nothing weighs."""
SMALLEST = 1e-12  # a mean square counts as at least this share of what it is without centring
NOTHING = 1e-100  # a mean square below this is that of zeros


@dataclass
class Centre:
    """What a lane remembers of its video's inputs.

    Attributes:
        count: inputs so far.
        sum: of them, float64 `[D]`; None before the first.
        squares: of their lengths, summed, float64 `[]`; None before the first.
    """

    count: int = 0
    sum: Tensor | None = None
    squares: Tensor | None = None


def centred(centres: Sequence[Centre], inputs_nD: Tensor) -> Tensor:
    """Takes in one input of each of n videos, and returns them centred and scaled, `[n, D]`.

    Args:
        centres: what is known of each video; moves on by the input.
        inputs_nD: one of each video; numbers that are not finite count as 0.
    """
    x_nD = torch.nan_to_num(inputs_nD.double(), nan=0.0, posinf=0.0, neginf=0.0)
    sums_nD = x_nD + _stacked([centre.sum for centre in centres], x_nD[0])
    squares_n = x_nD.square().sum(1)
    squares_n += _stacked([centre.squares for centre in centres], squares_n[0])
    for centre, sum_D, squares in zip(centres, sums_nD, squares_n, strict=True):
        centre.count, centre.sum, centre.squares = centre.count + 1, sum_D, squares
    count_n = torch.tensor([float(centre.count) for centre in centres], dtype=torch.float64)
    count_n = count_n.to(x_nD.device, non_blocking=True)
    mean_nD = sums_nD / (count_n + PRIOR)[:, None]
    # The mean of |x_i - mean|² over all inputs so far.
    raw_n = squares_n / count_n
    size_n = raw_n + (mean_nD * (mean_nD - 2 * sums_nD / count_n[:, None])).sum(1)
    size_n = torch.maximum(size_n, SMALLEST * raw_n).clamp_min(NOTHING)
    scale_n = (x_nD.shape[1] / size_n).sqrt()
    return ((x_nD - mean_nD) * scale_n[:, None]).to(inputs_nD.dtype)


def _stacked(parts: Sequence[Tensor | None], like: Tensor) -> Tensor:
    """Tensors of the shape of `like` along a new first dimension; zeros for those that are None."""
    return torch.stack([torch.zeros_like(like) if part is None else part.to(like.device) for part in parts])
