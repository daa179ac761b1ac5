"""Networks of one level: temporal encoding f and hierarchical prediction p, over many lanes at once.

Source: Mounir, Vijayaraghavan, Sarkar, "STREAMER" (NeurIPS 2023), and the parameter names of its release.
Shapes: n working sets or predictions, S inputs in the longest of these working sets, L levels with a
representation, D features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamer.arithmetic import Arithmetic
from streamer.config import StreamerConfig
from streamer.frames import FrameDecoder, FrameEncoder
from streamer.residual import Residual
from streamer.rows import to_index
from streamer.shortcut import Shortcut
from streamer.transformer import Transformer

RESCALINGS = 4  # in float32, rounding may leave a row a little too long after the first


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
        return self.weight[:count]

    @torch.no_grad()
    def bound(self, count: int) -> None:
        """Rescales those of the first `count` rows that are too long.

        One row after the other, and each until it fits: the bits must depend neither on what else is looked
        up nor on how often a row is bounded.
        """
        for row_D in self.weight[self.bounded : count]:
            for _ in range(RESCALINGS):  # without asking the device whether it was enough
                length = row_D.norm()
                row_D.mul_(torch.where(length > 1, 1 / (length + 1e-7), 1.0))
        self.bounded = max(self.bounded, count)


class TemporalEncoding(nn.Module):
    """f: working sets, each in order, to the level's representations."""

    def __init__(self, config: StreamerConfig, level: int, arithmetic: Arithmetic) -> None:
        super().__init__()
        dim = config.feature_dim
        self.cls_token = BoundedTable(1, dim)
        self.pos_enc = BoundedTable(config.working_set_size, dim)
        frames = level == 0 and config.encodes_frames
        self.encoder = FrameEncoder(config, arithmetic) if frames else None
        self.network = Transformer(dim, 8, arithmetic)
        self.normalize = config.distance_of(level) == "similarity"

    def forward(self, features_nSD: Tensor, lengths: Sequence[int]) -> Tensor:
        """Encodes working sets of features: of frames that passed the frame encoder, or of vectors.

        Args:
            features_nSD: padded at the end.
            lengths: inputs in each working set, 1 to S.

        Returns:
            Representations z `[n, D]`, of length 1 where the level's distance is `similarity`.
        """
        n, longest = features_nSD.shape[:2]
        token = self.cls_token(1).expand(n, 1, -1)
        sequence = torch.cat([token, features_nSD + self.pos_enc(longest)], dim=1)
        mask = _mask([length + 1 for length in lengths], features_nSD.device)
        z_nD = self.network(sequence, 0, mask)
        return F.normalize(z_nD, dim=1) if self.normalize else z_nD


class HierarchicalPrediction(nn.Module):
    """p: the representations of all levels to a level's prediction of its next input.

    On frames, level 0's prediction is what the frame decoder makes of the result. Where `residual` is not
    None, either is but the change: see there.
    """

    def __init__(self, config: StreamerConfig, level: int, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.level = level
        self.pos_enc = BoundedTable(config.learned_levels, config.feature_dim)
        self.network = Transformer(config.feature_dim, 4, arithmetic)
        frames = level == 0 and config.encodes_frames
        self.decoder = FrameDecoder(config, arithmetic) if frames else None
        self.residual = Residual() if config.residual else None
        self.shortcut = Shortcut(config.feature_dim, arithmetic) if config.shortcut else None

    def forward(self, z_nLD: Tensor, lengths: Sequence[int]) -> Tensor:
        """Predicts in feature space.

        Args:
            z_nLD: row i of each is level i's representation; padded at the end.
            lengths: levels with a representation, more than the level's index.

        Returns:
            Hidden vectors, predictions or their changes `[n, D]`.
        """
        mask = _mask(lengths, z_nLD.device)
        return self.network(z_nLD + self.pos_enc(z_nLD.shape[1]), self.level, mask)

    def predictions(self, outputs: Tensor, last: Tensor | None, before: Tensor | None) -> Tensor:
        """Predictions from what was put out, here or by the decoder behind; without a graph.

        Args:
            outputs: hidden vectors or decoded frames.
            last: the inputs that came last, where predictions are changes of them.
            before: the inputs before them, where there is a shortcut.
        """
        if self.residual is None:
            return outputs
        assert last is not None
        predictions = self.residual(outputs, last)
        if self.shortcut is None:
            return predictions
        assert before is not None
        return predictions + self.shortcut(last, before)

    def add_gradients(
        self, outputs: Tensor, last: Tensor | None, before: Tensor | None, gradients: Tensor
    ) -> Tensor:
        """Adds the gradients of parameters behind what was put out to their sums.

        Args:
            outputs: as for `predictions`.
            last: as for `predictions`; gets no gradient.
            before: as for `predictions`; gets no gradient.
            gradients: of the predictions.

        Returns:
            The gradients of `outputs`.
        """
        if self.residual is None:
            return gradients
        assert last is not None
        if self.shortcut is not None:
            assert before is not None
            self.shortcut.add_gradients(last, before, gradients)
        return self.residual.add_gradients(outputs, last, gradients)


class Level(nn.Module):
    """The networks of one level; levels share no parameters."""

    def __init__(self, config: StreamerConfig, level: int, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.f = TemporalEncoding(config, level, arithmetic)
        self.p = HierarchicalPrediction(config, level, arithmetic)


def _mask(lengths: Sequence[int], device: torch.device) -> Tensor | None:
    """True where sequences are, False where they are padded, `[n, longest]`; None without padding."""
    longest = max(lengths)
    if min(lengths) == longest:
        return None
    ends = to_index(lengths, device)
    return torch.arange(longest, device=device) < ends[:, None]
