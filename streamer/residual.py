"""Predictions of the change: a level's last input plus a learned share of what p puts out.

A young p knows nothing; its last input is the best guess that a level has without learning. So the share, the
gate, starts at zero, where the signal is how unlike its predecessor an input is, and learning moves away from
there as far as it pays. What p puts out is first brought to the length of the last input: inputs of any size
need the same gate.

Shapes: n predictions of vectors `[n, D]` or frames `[n, 3, H, H]`; a frame has one length, over all its
values.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

GATE_RATE = 10.0
"""The gate is so many times its parameter.

Adam moves every parameter by about the learning rate per step. For entries of matrices that is much, for a
share between 0 and 1 it is little; the factor lets the gate follow in a tenth of the steps.
"""
SHORTEST = 1e-8  # outputs shorter than this count as this long


class Residual(nn.Module):
    """prediction = last + gate · output · |last| / |output|.

    Attributes:
        gate: the gate divided by `GATE_RATE`, `[1]`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(1))

    @property
    def share(self) -> Tensor:
        """The gate itself, `[1]`."""
        return GATE_RATE * self.gate.detach()

    def forward(self, outputs: Tensor, last: Tensor) -> Tensor:
        """Predictions; without a graph.

        Args:
            outputs: of p, or of the decoder behind it.
            last: the inputs that came last, of the same shape.
        """
        return torch.addcmul(last, outputs, self.share * _scale(outputs, last))

    def add_gradients(self, outputs: Tensor, last: Tensor, gradients: Tensor) -> Tensor:
        """Adds the gate's gradient to its sum.

        Args:
            outputs: as for `forward`.
            last: as for `forward`; gets no gradient.
            gradients: of the predictions.

        Returns:
            The gradients of `outputs`.
        """
        assert self.gate.grad is not None
        scale = _scale(outputs, last)
        self.gate.grad += GATE_RATE * (gradients * outputs * scale).sum()
        length = _length(outputs)
        # A step along the output changes nothing, unless the output counts as longer than it is.
        unit = torch.where(length > SHORTEST, outputs / length.clamp_min(SHORTEST), 0.0)
        along = (gradients * unit).flatten(1).sum(1).view_as(length)
        return (gradients - along * unit) * (self.share * scale)


def _length(values: Tensor) -> Tensor:
    """Lengths `[n, 1, ...]`."""
    lengths = values.flatten(1).square().sum(1).sqrt_()
    return lengths.view(-1, *[1] * (values.dim() - 1))


def _scale(outputs: Tensor, last: Tensor) -> Tensor:
    return _length(last) / _length(outputs).clamp_min_(SHORTEST)
