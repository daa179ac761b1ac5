"""Matrix products in the precision that was asked for, on the fastest kernels there are.

Weights' gradients are added where they are summed, without a tensor in between: at the published size one
weight matrix takes 268 MB, and a gradient of its own would cost more time than the product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.config import Precision

STATE_TYPES = {"float32": torch.float32, "bf16": torch.float32, "float64": torch.float64}
EVERY = slice(None)
LARGE = 2**20  # multiplications above which oneDNN is worth its start
FEW_ROWS = 16  # up to which every number of rows is computed as it is
PIECE = 1024  # rows or columns of a gradient that are computed at once
COMPUTE_TYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "float64": torch.float64}


class Arithmetic:
    """Types of a model's numbers, and all that is derived from its parameters until they change.

    Attributes:
        precision: what was asked for.
        state: type of parameters, gradient sums and vectors between modules.
        compute: type of the factors of products.

    Args:
        precision: `bf16` multiplies in bfloat16 and keeps everything else in float32.
    """

    def __init__(self, precision: Precision) -> None:
        self.precision: Precision = precision
        self.state = STATE_TYPES[precision]
        self.compute = COMPUTE_TYPES[precision]
        self._derived: dict[tuple[str, int], Tensor] = {}

    def derived(self, name: str, parameter: Tensor, make: Callable[[], Tensor]) -> Tensor:
        """What `make` returns, made once until parameters change."""
        key = (name, id(parameter))
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]

    def factor(self, parameter: Tensor) -> Tensor:
        """A parameter in the type of products."""
        if parameter.dtype == self.compute:
            return parameter.detach()
        return self.derived("factor", parameter, lambda: parameter.detach().to(self.compute))

    def parameters_changed(self) -> None:
        """Drops what was derived; optimisers do not tell by themselves."""
        self._derived.clear()

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor, rows: slice = EVERY) -> Tensor:
        """`x @ weight[rows].T + bias[rows]` in the type of products.

        Backward adds to `weight.grad` and `bias.grad`.

        Args:
            x: `[..., in]`.
            weight: `[out, in]`.
            bias: `[out]`.
            rows: which outputs to compute; all by default.
        """
        x = x.to(self.compute)
        flat = x.flatten(0, -2).contiguous()  # other strides can be a thousand times slower
        if x.requires_grad:
            y: Any = _Linear.apply(flat, weight, bias, rows, self)
        else:
            y = product(flat, self.factor(weight)[rows], self.factor(bias)[rows])
        return y.unflatten(0, x.shape[:-1])

    def linear_backward(
        self, x: Tensor, weight: Tensor, bias: Tensor, gradient: Tensor, rows: slice = EVERY
    ) -> Tensor:
        """Adds the gradients of a linear layer's parameters to their sums.

        Args:
            x: the layer's inputs in the type of products, `[n, in]`.
            weight: as for `linear`.
            bias: as for `linear`.
            gradient: of the layer's outputs, `[n, out]`.
            rows: as for `linear`.

        Returns:
            The gradient of `x`.
        """
        assert weight.grad is not None
        assert bias.grad is not None
        gradient = gradient.contiguous()
        add_outer(weight.grad[rows], gradient, x)
        bias.grad[rows] += gradient.sum(0, dtype=bias.dtype)
        return product(gradient, self.factor(weight)[rows].t(), None)


class _Linear(torch.autograd.Function):
    """A linear layer whose parameters' gradients go straight into their sums."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, rows: slice, arithmetic: Arithmetic
    ) -> Tensor:
        ctx.save_for_backward(x)
        ctx.layer = weight, bias, rows, arithmetic
        return product(x, arithmetic.factor(weight)[rows], arithmetic.factor(bias)[rows])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        [x] = ctx.saved_tensors
        weight, bias, rows, arithmetic = ctx.layer
        gradient = arithmetic.linear_backward(x, weight, bias, gradients[0], rows)
        return gradient, None, None, None, None


def product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`x @ weight.T + bias`.

    Args:
        x: `[n, in]`.
        weight: `[out, in]`, with its numbers in order, or `[in, out]` in order and transposed.
        bias: `[out]`.
    """
    if not _onednn_computes(x, len(x) * weight.numel()):
        return F.linear(x, weight, bias)
    padded = _padded(x)
    if x.dtype == torch.bfloat16:
        return F.linear(padded, weight, bias)[: len(x)]
    return torch.ops.mkldnn._linear_pointwise(padded, weight, bias, "none", [], "")[: len(x)]


def add_outer(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Adds `left.T @ right` to `total`.

    Args:
        total: `[out, in]`.
        left: `[n, out]`.
        right: `[n, in]`.
    """
    if left.dtype == total.dtype and not _onednn_computes(left, len(left) * total.numel()):
        total.addmm_(left.t(), right)
        return
    left, right = _padded(left), _padded(right)
    # Piece by piece, so that products are still in the cache when they are added.
    left_t = left.contiguous().t()
    if len(left_t) >= right.shape[1]:
        right_t = right.contiguous().t()
        for start in range(0, len(left_t), PIECE):
            piece = slice(start, start + PIECE)
            total[piece] += product(left_t[piece], right_t, None)
        return
    for start in range(0, right.shape[1], PIECE):
        piece = slice(start, start + PIECE)
        total[:, piece] += product(left_t, right[:, piece].t().contiguous(), None)


def _onednn_computes(x: Tensor, multiplications: int) -> bool:
    """Whether oneDNN computes a product: torch leaves bfloat16 to it, and we large ones in float32.

    These take half the time there that they take in the library of torch's choice.
    """
    ours = x.dtype == torch.bfloat16 or (x.dtype == torch.float32 and multiplications >= LARGE)
    return ours and x.device.type == "cpu" and torch.backends.mkldnn.is_available()


def _padded(x: Tensor) -> Tensor:
    """`x` with rows of zeros up to one of few numbers of rows.

    For every number of rows that it meets, oneDNN compiles a kernel and keeps it: nearly a MB each.
    """
    rows = len(x)
    if rows <= FEW_ROWS:
        return x
    step = FEW_ROWS if rows <= 8 * FEW_ROWS else 4 * FEW_ROWS
    return F.pad(x, (0, 0, 0, -rows % step))
