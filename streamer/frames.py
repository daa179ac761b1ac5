"""Frame encoder and decoder, each with its own backward pass.

Forward returns, beside the result, the activations that backward needs, row by row, so that a frame or a
prediction is computed once, in whatever batch, and its gradient later, in another one.

Source: Mounir, Vijayaraghavan, Sarkar, "STREAMER" (NeurIPS 2023). Shapes: n frames, 3 colours, H pixels
high and wide, C channels, h = H / 16, D features. Activations lie as `[n, height, width, C]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamer.arithmetic import Arithmetic
from streamer.config import StreamerConfig
from streamer.convolution import bias_of, convolve, convolve_transposed, kernel

ENCODED_AT_ONCE = 8  # frames per pass of the convolutions, whose outputs then stay in the cache
DECODED_AT_ONCE = 16  # the same for backward passes of the decoder, whose kernels are larger


class FrameEncoder(nn.Module):
    """Maps frames `[n, 3, H, H]` to features `[n, D]`."""

    def __init__(self, config: StreamerConfig, arithmetic: Arithmetic) -> None:
        super().__init__()
        c1, c2, c3, c4 = config.channels
        self.conv1 = nn.Conv2d(3, c1, 3, padding=1)
        self.conv2 = nn.Conv2d(c1, c2, 3, padding=1)
        self.conv3 = nn.Conv2d(c2, c3, 3, padding=1)
        self.conv4 = nn.Conv2d(c3, c4, 3, padding=1)
        side = config.frame_size // 16
        self.fc1 = nn.Linear(c4 * side * side, config.feature_dim)
        self._arithmetic = arithmetic
        # Places within a channel, by which maxima are remembered.
        self._place = torch.int16 if config.frame_size**2 <= 2**15 else torch.int32

    @property
    def _convolutions(self) -> tuple[nn.Conv2d, ...]:
        return (self.conv1, self.conv2, self.conv3, self.conv4)

    def forward(self, frames_n3HH: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Encodes each frame by itself.

        Returns:
            Features, and activations: the frames; for each convolution what follows it, pooled and
            rectified, and where the maxima were.
        """
        pieces = [self._convolve(piece) for piece in frames_n3HH.split(ENCODED_AT_ONCE)]
        activations = [torch.cat(column) for column in zip(*pieces, strict=True)]
        flat = _channels_first(activations[-2]).flatten(1)
        features = self._arithmetic.linear(flat, self.fc1.weight, self.fc1.bias)
        return features.to(self._arithmetic.state), [frames_n3HH, *activations]

    def _convolve(self, frames_n3HH: Tensor) -> list[Tensor]:
        x = frames_n3HH.to(self._arithmetic.compute).contiguous(memory_format=torch.channels_last)
        activations = []
        for convolution in self._convolutions:
            x = convolve(x, convolution, self._arithmetic)
            # Maxima commute with rectification, which is then a quarter of the work.
            x, places = F.max_pool2d(x, 2, return_indices=True)
            x = F.relu_(x)
            activations += [_channels_last(x), _channels_last(places.to(self._place))]
        return activations

    def add_gradients(self, activations: Sequence[Tensor], gradient_nD: Tensor) -> None:
        """Adds the parameters' gradients to their sums.

        Args:
            activations: as `forward` returned them, of any rows.
            gradient_nD: of the features.
        """
        last = _channels_first(activations[-2])
        gradient = gradient_nD.to(self._arithmetic.compute)
        gradient = self._arithmetic.linear_backward(
            last.flatten(1), self.fc1.weight, self.fc1.bias, gradient
        ).view(last.shape)
        columns = [column.split(ENCODED_AT_ONCE) for column in (*activations, gradient)]
        for *piece, piece_gradient in zip(*columns, strict=True):
            self._add_convolution_gradients(piece, piece_gradient)

    def _add_convolution_gradients(self, activations: Sequence[Tensor], gradient: Tensor) -> None:
        frames, *rest = activations
        outputs, places = [_channels_first(x) for x in rest[0::2]], rest[1::2]
        first = frames.to(self._arithmetic.compute).contiguous(memory_format=torch.channels_last)
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        layers = list(zip(self._convolutions, [first, *outputs[:-1]], outputs, places, strict=True))
        for convolution, x, y, place in reversed(layers):
            gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
            gradient = _unpool(gradient, place, x.shape[2:])
            gradient = _convolution_backward(
                convolution, x, gradient, self._arithmetic, needs_input=x is not first
            )


class FrameDecoder(nn.Module):
    """Maps hidden vectors `[n, D]` to frames `[n, 3, H, H]`.

    A 3x3 convolution after doubling by nearest neighbours sees every value up to four times. It equals a
    transposed 4x4 convolution of stride 2, whose kernel holds the sums of what would meet the same value.
    """

    def __init__(self, config: StreamerConfig, arithmetic: Arithmetic) -> None:
        super().__init__()
        c1, c2, c3, c4 = config.channels
        self.side = config.frame_size // 16
        self.fc1 = nn.Linear(config.feature_dim, c4 * self.side * self.side)
        self.conv1 = nn.Conv2d(c4, c3, 3, padding=1)
        self.conv2 = nn.Conv2d(c3, c2, 3, padding=1)
        self.conv3 = nn.Conv2d(c2, c1, 3, padding=1)
        self.conv4 = nn.Conv2d(c1, 3, 3, padding=1)
        # Which of the 3 weights along one direction add up to each of the 4.
        meetings = torch.tensor([[0.0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])
        self.register_buffer("meetings", meetings, persistent=False)
        self.meetings: Tensor
        self._arithmetic = arithmetic

    @property
    def _convolutions(self) -> tuple[nn.Conv2d, ...]:
        return (self.conv1, self.conv2, self.conv3, self.conv4)

    def forward(self, hidden_nD: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Decodes each vector by itself.

        Returns:
            Frames, and activations: the input of each convolution.
        """
        x = self._arithmetic.linear(hidden_nD, self.fc1.weight, self.fc1.bias)
        x = x.unflatten(1, (-1, self.side, self.side)).contiguous(memory_format=torch.channels_last)
        activations = []
        for convolution in self._convolutions:
            activations.append(_channels_last(x))
            x = convolve_transposed(x, self._spread(convolution), convolution, self._arithmetic)
            if convolution is not self.conv4:
                x = F.relu_(x)
        return x.to(self._arithmetic.state).contiguous(), activations

    def add_gradients(
        self, hidden_nD: Tensor, activations: Sequence[Tensor], gradient_n3HH: Tensor
    ) -> Tensor:
        """Adds the parameters' gradients to their sums.

        Args:
            hidden_nD: what was decoded.
            activations: as `forward` returned them, of any rows.
            gradient_n3HH: of the frames.

        Returns:
            The gradient of `hidden_nD`.
        """
        columns = [column.split(DECODED_AT_ONCE) for column in (*activations, gradient_n3HH)]
        pieces = [
            self._add_convolution_gradients(piece, piece_gradient)
            for *piece, piece_gradient in zip(*columns, strict=True)
        ]
        gradient_nD = self._arithmetic.linear_backward(
            hidden_nD.to(self._arithmetic.compute), self.fc1.weight, self.fc1.bias, torch.cat(pieces)
        )
        return gradient_nD.to(hidden_nD.dtype)

    def _add_convolution_gradients(self, activations: Sequence[Tensor], gradient: Tensor) -> Tensor:
        """Returns the gradient of what `fc1` put out."""
        gradient = gradient.to(self._arithmetic.compute).contiguous(memory_format=torch.channels_last)
        inputs = [_channels_first(x) for x in activations]
        for convolution, x in reversed(list(zip(self._convolutions, inputs, strict=True))):
            gradient, kernel_gradient, bias_gradient = torch.ops.aten.convolution_backward(
                gradient, x, self._spread(convolution), list(bias_of(convolution).shape),
                (2, 2), (1, 1), (1, 1), True, (0, 0), 1, (True, True, True),
            )  # fmt: skip
            _add(convolution.weight, self._gather(kernel_gradient.to(self._arithmetic.state)))
            _add(bias_of(convolution), bias_gradient)
            if convolution is not self.conv1:
                gradient = torch.ops.aten.threshold_backward(gradient, x, 0)
        return gradient.contiguous().flatten(1)

    def _spread(self, convolution: nn.Conv2d) -> Tensor:
        """The 4x4 kernel `[in, out, 4, 4]` that equals doubling and the 3x3 kernel `[out, in, 3, 3]`."""

        def make() -> Tensor:
            weight = convolution.weight.detach()
            kernel = torch.einsum("ui,vj,ocij->couv", self.meetings, self.meetings, weight)
            return kernel.to(self._arithmetic.compute).contiguous(memory_format=torch.channels_last)

        return self._arithmetic.derived("spread", convolution.weight, make)

    def _gather(self, kernel: Tensor) -> Tensor:
        """The gradient `[out, in, 3, 3]` of a kernel whose spread form has the gradient `[in, out, 4, 4]`."""
        return torch.einsum("ui,vj,couv->ocij", self.meetings, self.meetings, kernel)


def _convolution_backward(
    convolution: nn.Conv2d, x: Tensor, gradient: Tensor, arithmetic: Arithmetic, *, needs_input: bool
) -> Tensor:
    """Adds the gradients of a 3x3 convolution's parameters to their sums and returns that of its input."""
    x_gradient, weight_gradient, bias_gradient = torch.ops.aten.convolution_backward(
        gradient, x, kernel(convolution, arithmetic), list(bias_of(convolution).shape),
        (1, 1), (1, 1), (1, 1), False, (0, 0), 1, (needs_input, True, True),
    )  # fmt: skip
    _add(convolution.weight, weight_gradient)
    _add(bias_of(convolution), bias_gradient)
    return x_gradient


def _unpool(gradient: Tensor, places: Tensor, size: Sequence[int]) -> Tensor:
    """Hands gradients of maxima to where they came from."""
    places = _channels_first(places).to(torch.int64)
    shape = (*gradient.shape[:2], *size)
    # Only the shape of the pooled tensor is read.
    pooled = torch.empty(
        shape, dtype=gradient.dtype, device=gradient.device, memory_format=torch.channels_last
    )
    return torch.ops.aten.max_pool2d_with_indices_backward(
        gradient, pooled, [2, 2], [2, 2], [0, 0], [1, 1], False, places
    )


def _add(parameter: Tensor, gradient: Tensor) -> None:
    assert parameter.grad is not None
    parameter.grad += gradient


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)
