"""Several predictions of level 0's next input in one, weighed by how well each did lately.

What came last is the best guess in a still scene, memory in a motion that repeats itself, and what has been
learned elsewhere; which of them holds changes with the scene. So each keeps a running error, which forgets
quickly, and the mixture gives most weight to those that erred least. The signal judges the mixture; learning
judges the learned prediction alone, since only that can learn.

Errors are 1 - cos(prediction, input), whatever distance the level uses: they are compared with each other,
on a scale that is the same for all inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from streamer import distance
from streamer.config import Distance
from streamer.rows import to_device

SHARPNESS = 20.0
"""How much less a prediction counts that erred more: an error higher by 0.1 costs a factor of 7."""
DECAY = 0.8
"""Share of a running error that the next input leaves of it: five inputs count."""


class Mixture:
    """How well each of the predictions did in one video so far.

    Attributes:
        errors: running errors, 0 at the start of a video.

    Args:
        predictions: how many there are.
    """

    def __init__(self, predictions: int) -> None:
        self.errors = [0.0] * predictions

    def weights(self) -> list[float]:
        """The share of each in the next mixture."""
        least = min(self.errors)
        shares = [math.exp(-SHARPNESS * (error - least)) for error in self.errors]
        return [share / sum(shares) for share in shares]

    def judge(self, errors: Sequence[float]) -> None:
        """Takes in how far each was from the input that came."""
        self.errors = [
            DECAY * before + (1 - DECAY) * error for before, error in zip(self.errors, errors, strict=True)
        ]


def mixed_signals(
    kind: Distance, mixtures: Sequence[Mixture], predictions: Sequence[Tensor], targets_nD: Tensor
) -> list[float]:
    """Signals of the mixtures of n videos, which then know the errors of their parts.

    The host waits for the device once.

    Args:
        kind: distance of the level, in which signals are.
        mixtures: of the videos.
        predictions: `[n, D]` each.
        targets_nD: the inputs that came.
    """
    parts_knD = torch.stack(list(predictions))
    weights = torch.tensor([mixture.weights() for mixture in mixtures], dtype=targets_nD.dtype)
    weights_kn1 = to_device(weights, targets_nD.device).t()[..., None]
    signals_n = distance.signals(kind, (weights_kn1 * parts_knD).sum(0), targets_nD)
    every_target = targets_nD.repeat(len(parts_knD), 1)
    cosines = distance.signals("similarity", parts_knD.flatten(0, 1), every_target)
    table = torch.cat([signals_n[None], 1 - cosines.view(len(parts_knD), -1)]).t().tolist()
    for mixture, (_, *errors) in zip(mixtures, table, strict=True):
        mixture.judge(errors)
    return [signal for signal, *_ in table]
