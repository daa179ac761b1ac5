"""Forward passes of convolutions, with what they derive from their kernels once until parameters change."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamer.arithmetic import Arithmetic


def convolve(x: Tensor, layer: nn.Conv2d, arithmetic: Arithmetic) -> Tensor:
    """A 3x3 convolution with padding 1.

    Args:
        x: `[n, in, height, width]`, in the type of products, channels last.
        layer: holds the kernel.
        arithmetic: of the model.
    """
    return F.conv2d(x, kernel(layer, arithmetic), arithmetic.factor(bias_of(layer)), padding=1)


def convolve_transposed(x: Tensor, weight: Tensor, layer: nn.Conv2d, arithmetic: Arithmetic) -> Tensor:
    """A transposed 4x4 convolution of stride 2 with padding 1.

    On a CPU, laying out the kernel takes as long as convolving one frame: it is laid out once.

    Args:
        x: as for `convolve`.
        weight: the kernel `[in, out, 4, 4]`, derived from the layer's.
        layer: holds the bias.
        arithmetic: of the model.
    """
    bias = arithmetic.factor(bias_of(layer))
    can_be_laid_out = weight.dtype in (torch.float32, torch.bfloat16) and torch.backends.mkldnn.is_available()
    if weight.device.type != "cpu" or not can_be_laid_out:
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=1)

    def lay_out() -> Tensor:
        return torch.ops.mkldnn._reorder_convolution_transpose_weight(
            weight.contiguous(), [1, 1], [0, 0], [2, 2], [1, 1], 1, list(x.shape)
        )

    laid_out = arithmetic.derived("laid out", layer.weight, lay_out)
    return torch.ops.mkldnn._convolution_transpose_pointwise(
        x, laid_out, bias, [1, 1], [0, 0], [2, 2], [1, 1], 1, "none", [], ""
    )


def kernel(layer: nn.Conv2d, arithmetic: Arithmetic) -> Tensor:
    """A convolution's kernel in the type of products, channels last."""
    weight = layer.weight

    def make() -> Tensor:
        return weight.detach().to(arithmetic.compute).contiguous(memory_format=torch.channels_last)

    return arithmetic.derived("channels last", weight, make)


def bias_of(layer: nn.Conv2d) -> Tensor:
    """A convolution's bias, which it has."""
    assert layer.bias is not None
    return layer.bias
