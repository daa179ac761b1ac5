"""Networks of one level: frame encoder and decoder, temporal encoding f, hierarchical prediction p.

Source: Mounir, Vijayaraghavan, Sarkar, "STREAMER" (NeurIPS 2023), and the parameter names of its release.
Shapes: B frames, S' inputs in the working set, L levels with a representation, D features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamer.config import StreamerConfig


class FrameEncoder(nn.Module):
    """Maps frames `[B, 3, H, H]` to features `[B, D]`."""

    def __init__(self, config: StreamerConfig) -> None:
        super().__init__()
        c1, c2, c3, c4 = config.channels
        self.conv1 = nn.Conv2d(3, c1, 3, padding=1)
        self.conv2 = nn.Conv2d(c1, c2, 3, padding=1)
        self.conv3 = nn.Conv2d(c2, c3, 3, padding=1)
        self.conv4 = nn.Conv2d(c3, c4, 3, padding=1)
        side = config.frame_size // 16
        self.fc1 = nn.Linear(c4 * side * side, config.feature_dim)

    def forward(self, frames_B3HH: Tensor) -> Tensor:
        """Encodes each frame by itself."""
        x = frames_B3HH
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = F.max_pool2d(F.relu(convolution(x)), 2)
        return self.fc1(x.flatten(1))


class FrameDecoder(nn.Module):
    """Maps features `[B, D]` to frames `[B, 3, H, H]`."""

    def __init__(self, config: StreamerConfig) -> None:
        super().__init__()
        c1, c2, c3, c4 = config.channels
        self.side = config.frame_size // 16
        self.fc1 = nn.Linear(config.feature_dim, c4 * self.side * self.side)
        self.conv1 = nn.Conv2d(c4, c3, 3, padding=1)
        self.conv2 = nn.Conv2d(c3, c2, 3, padding=1)
        self.conv3 = nn.Conv2d(c2, c1, 3, padding=1)
        self.conv4 = nn.Conv2d(c1, 3, 3, padding=1)

    def forward(self, features_BD: Tensor) -> Tensor:
        """Decodes each feature vector by itself."""
        x = self.fc1(features_BD).unflatten(1, (-1, self.side, self.side))
        for convolution in (self.conv1, self.conv2, self.conv3):
            x = F.relu(convolution(F.interpolate(x, scale_factor=2, mode="nearest")))
        return self.conv4(F.interpolate(x, scale_factor=2, mode="nearest"))


class BoundedTable(nn.Module):
    """Learned rows `[N, D]` that are kept to length 1 from when they are used.

    A row longer than that is rescaled in place when it is first looked up after a change of parameters; rows
    that are not looked up are left alone, however long. Initial values are standard normal.

    Attributes:
        bounded: how many rows, from the first, have been looked up since parameters last changed. Replicas
            whose lanes looked up differently many rows differ until they `bound` the same.
    """

    def __init__(self, rows: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, dim))
        self.bounded = 0

    def forward(self, count: int) -> Tensor:
        """The first `count` rows, `[count, D]`."""
        self.bound(count)
        return self.weight[:count].clone()

    @torch.no_grad()
    def bound(self, count: int) -> None:
        """Rescales those of the first `count` rows that are too long.

        One row after the other, and each until it fits: the bits must depend neither on what else is looked
        up nor on how often a row is bounded.
        """
        for row_D in self.weight[self.bounded : count]:
            while (length := row_D.norm()) > 1:  # in float32 rounding may leave a row a little too long
                row_D.mul_(1 / (length + 1e-7))
        self.bounded = max(self.bounded, count)


def transformer(dim: int, heads: int) -> nn.TransformerEncoder:
    """Two post-norm layers that start equal, no dropout, then a LayerNorm without parameters."""
    layer = nn.TransformerEncoderLayer(dim, heads, dim_feedforward=2 * dim, dropout=0.0, batch_first=True)
    norm = nn.LayerNorm(dim, elementwise_affine=False)
    return nn.TransformerEncoder(layer, num_layers=2, norm=norm, enable_nested_tensor=False)


class TemporalEncoding(nn.Module):
    """f: the working set, in order, to the level's representation."""

    def __init__(self, config: StreamerConfig, level: int) -> None:
        super().__init__()
        dim = config.feature_dim
        self.cls_token = BoundedTable(1, dim)
        self.pos_enc = BoundedTable(config.working_set_size, dim)
        self.encoder = FrameEncoder(config) if level == 0 and config.modality == "frames" else None
        self.network = transformer(dim, heads=8)
        self.normalize = config.distance_of(level) == "similarity"

    def forward(self, inputs: Tensor) -> Tensor:
        """Encodes one working set.

        Args:
            inputs: frames `[S', 3, H, H]` at level 0 of a model of frames, else vectors `[S', D]`.

        Returns:
            The representation z `[D]`, of length 1 where the level's distance is `similarity`.
        """
        features_SD = inputs if self.encoder is None else self.encoder(inputs)
        sequence = torch.cat([self.cls_token(1), features_SD + self.pos_enc(len(features_SD))])
        z_D = self.network(sequence[None])[0, 0]
        return F.normalize(z_D, dim=0) if self.normalize else z_D


class Residual(nn.Module):
    """A prediction as the last input plus a learned share of an output, scaled to the last input's length."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, output: Tensor, last: Tensor) -> Tensor:
        """Adds to `last` `[D]` or `[3, H, H]` ten times the parameter times the scaled output."""
        scaled = output * (last.norm() / output.norm().clamp_min(1e-8))
        return last + 10 * self.gate * scaled


class Shortcut(nn.Module):
    """A linear map of the last two inputs."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(dim, 2 * dim))

    def forward(self, last_D: Tensor, before_D: Tensor) -> Tensor:
        """Maps the last input and the one before to a change of the prediction."""
        return self.weight @ torch.cat([last_D, before_D])


class HierarchicalPrediction(nn.Module):
    """p: the representations of all levels to the level's prediction of its next input."""

    def __init__(self, config: StreamerConfig, level: int) -> None:
        super().__init__()
        self.level = level
        self.pos_enc = BoundedTable(config.max_levels, config.feature_dim)
        self.network = transformer(config.feature_dim, heads=4)
        self.decoder = FrameDecoder(config) if level == 0 and config.modality == "frames" else None
        self.residual = Residual() if config.residual else None
        self.shortcut = Shortcut(config.feature_dim) if config.shortcut else None

    def forward(self, z_LD: Tensor, last: Tensor | None = None, before: Tensor | None = None) -> Tensor:
        """Predicts the level's next input.

        Args:
            z_LD: row i is level i's representation.
            last: the level's last input, where the prediction is a change of it.
            before: the input before it; the same again if there was none.

        Returns:
            `[3, H, H]` at level 0 of a model of frames, else `[D]`.
        """
        hidden_LD = self.network((z_LD + self.pos_enc(len(z_LD)))[None])[0]
        prediction_1D = hidden_LD[self.level : self.level + 1]
        output = (prediction_1D if self.decoder is None else self.decoder(prediction_1D))[0]
        if self.residual is None:
            return output
        assert last is not None
        prediction = self.residual(output, last)
        if self.shortcut is None:
            return prediction
        assert before is not None
        return prediction + self.shortcut(last, before)


class Level(nn.Module):
    """The networks of one level; levels share no parameters."""

    def __init__(self, config: StreamerConfig, level: int) -> None:
        super().__init__()
        self.f = TemporalEncoding(config, level)
        self.p = HierarchicalPrediction(config, level)
