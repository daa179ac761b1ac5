"""A learned linear path from a level's last two inputs to its prediction of the next.

Through working set, f and p a level can learn to copy and to combine its last inputs, but it takes days: what
attention and normalisation have mixed must be taken apart again. A matrix learns in minutes to continue a
motion, or to expect the input before last once more. It starts at zero, where it changes nothing.

Shapes: n predictions, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamer.arithmetic import Arithmetic, add_outer, product


class Shortcut(nn.Module):
    """change = W [last; before].

    Attributes:
        weight: W, `[D, 2D]`.

    Args:
        dim: D.
        arithmetic: of the model.
    """

    def __init__(self, dim: int, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(dim, 2 * dim))
        self._arithmetic = arithmetic

    def forward(self, last_nD: Tensor, before_nD: Tensor) -> Tensor:
        """What is added to predictions, `[n, D]`; without a graph.

        Args:
            last_nD: the inputs that came last.
            before_nD: those before, or the same again where a video has had but one.
        """
        inputs = torch.cat([last_nD, before_nD], dim=1).to(self._arithmetic.compute)
        return product(inputs, self._arithmetic.factor(self.weight), None).to(last_nD.dtype)

    def add_gradients(self, last_nD: Tensor, before_nD: Tensor, gradients_nD: Tensor) -> None:
        """Adds the matrix's gradient to its sum; inputs get none.

        Args:
            last_nD: as for `forward`.
            before_nD: as for `forward`.
            gradients_nD: of the predictions.
        """
        assert self.weight.grad is not None
        compute = self._arithmetic.compute
        inputs = torch.cat([last_nD, before_nD], dim=1).to(compute)
        add_outer(self.weight.grad, gradients_nD.to(compute), inputs)
