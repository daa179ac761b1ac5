"""Torch modules that compute features of frames, as a user might write them."""

import torch
from torch import Tensor, nn


class Means(nn.Module):
    """Mean colours of a grid of 4 x 4.

    Args:
        most: brightness above which it fails.
    """

    def __init__(self, most: float = 1.0) -> None:
        super().__init__()
        self.most = most

    def forward(self, frames_T3HW: Tensor) -> Tensor:
        assert torch.get_num_threads() == 1
        if frames_T3HW.mean() > self.most:
            raise ValueError("too bright")
        return nn.functional.adaptive_avg_pool2d(frames_T3HW, 4).flatten(1)


def means() -> nn.Module:
    """Never fails."""
    return Means()


def sensitive() -> nn.Module:
    """Fails with the first frame that is not black."""
    return Means(0.0)
