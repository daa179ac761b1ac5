"""Forward passes of convolutions whose kernels are laid out once for the processor.

A convolution of few frames takes as long to lay out its kernel as to compute: laid out once until parameters
change, it costs half at the published size.
"""

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
    weight, bias = kernel(layer, arithmetic), arithmetic.factor(bias_of(layer))
    if not _can_be_laid_out(weight):
        return F.conv2d(x, weight, bias, padding=1)

    def lay_out() -> Tensor:
        plain = weight.contiguous()
        return torch.ops.mkldnn._reorder_convolution_weight(plain, [1, 1], [1, 1], [1, 1], 1, list(x.shape))

    laid_out = arithmetic.derived("laid out", layer.weight, lay_out)
    return torch.ops.mkldnn._convolution_pointwise(
        x, laid_out, bias, [1, 1], [1, 1], [1, 1], 1, "none", [], ""
    )


def convolve_transposed(x: Tensor, weight: Tensor, layer: nn.Conv2d, arithmetic: Arithmetic) -> Tensor:
    """A transposed 4x4 convolution of stride 2 with padding 1.

    Args:
        x: as for `convolve`.
        weight: the kernel `[in, out, 4, 4]`, derived from the layer's.
        layer: holds the bias.
        arithmetic: of the model.
    """
    bias = arithmetic.factor(bias_of(layer))
    if not _can_be_laid_out(weight):
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


def _can_be_laid_out(weight: Tensor) -> bool:
    kinds = (torch.float32, torch.bfloat16)
    return weight.device.type == "cpu" and weight.dtype in kinds and torch.backends.mkldnn.is_available()
