"""Predictions from memory: what followed when inputs last came as they come now.

A motion that repeats itself changes every frame, and yet surprises nobody who has seen its period. The last
inputs of the running video are remembered; where in them the last `CONTEXT` inputs recur, whatever followed
is expected to follow again. Nothing is learned, so that one period is enough.

The distance between the context of a past input j and that of the last input t is the mean over i < `CONTEXT`
of 1 - cos(x_{t-i}, x_{j-i}). What followed each past input whose whole context is remembered enters the
prediction with the softmax of that distance times `-SHARPNESS`. As long as there is none, the last input is
expected again. Distances are cosines whatever the level's own, as is the size of inputs that are centred.

Shapes: n lanes, K inputs in a ring, D features, C inputs in a context. Input number m of a video lies in slot
m modulo K of its lane's ring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from streamer.rows import to_index

CONTEXT = 2
"""Inputs that must recur: one says where a motion is, two also which way it goes."""
SHARPNESS = 50.0
"""How much less what followed a less similar context counts: a distance of 0.1 costs a factor of 150."""
SHORTEST = 1e-8  # shorter vectors count as this long


class Ring:
    """What is remembered of one lane's video.

    Attributes:
        place: which of the rings it is.
        count: inputs of the video so far.

    Args:
        place: which of the rings it is.
        inputs_KD: where its inputs lie.
        lengths_K: where their lengths lie.
    """

    def __init__(self, place: int, inputs_KD: Tensor, lengths_K: Tensor) -> None:
        self.place = place
        self.count = 0
        self._inputs_KD, self._lengths_K = inputs_KD, lengths_K

    def clear(self) -> None:
        """Forgets the video."""
        self.count = 0
        # What is masked counts nothing, but must be a number.
        self._inputs_KD.zero_()
        self._lengths_K.fill_(1.0)

    def remembered(self) -> dict[str, Any]:
        """What `recall` needs to go on to the bit."""
        used = slice(0, self.count)
        return {
            "count": self.count,
            "inputs": self._inputs_KD[used].clone(),
            "lengths": self._lengths_K[used].clone(),
        }

    def recall(self, state: Mapping[str, Any]) -> None:
        """Goes on from what another one `remembered`."""
        self.clear()
        self.count = state["count"]
        self._inputs_KD[: self.count] = state["inputs"].to(self._inputs_KD)
        self._lengths_K[: self.count] = state["lengths"].to(self._lengths_K)


class Recall:
    """The rings of all lanes.

    Attributes:
        rings: one per lane.

    Args:
        lanes: number of lanes.
        size: K, more than `CONTEXT`.
        dim: D.
        dtype: of the inputs.
        device: where they lie.
    """

    def __init__(self, lanes: int, size: int, dim: int, dtype: torch.dtype, device: torch.device) -> None:
        self._size, self._device = size, device
        self._inputs = torch.zeros(lanes, size, dim, dtype=dtype, device=device)
        self._lengths = torch.ones(lanes, size, dtype=dtype, device=device)
        self._slots_K = torch.arange(size, device=device)
        self.rings = [
            Ring(place, *parts) for place, parts in enumerate(zip(self._inputs, self._lengths, strict=True))
        ]

    def add(self, rings: Sequence[Ring], inputs_nD: Tensor) -> None:
        """Remembers one more input of each of n lanes, in place of the oldest where there is no room."""
        rows = to_index([ring.place * self._size + ring.count % self._size for ring in rings], self._device)
        self._inputs.flatten(0, 1).index_copy_(0, rows, inputs_nD)
        lengths_n = inputs_nD.square().sum(1).sqrt_().clamp_min_(SHORTEST)
        self._lengths.flatten().index_copy_(0, rows, lengths_n)
        for ring in rings:
            ring.count += 1

    def predict(self, rings: Sequence[Ring]) -> Tensor:
        """What each of n rings, none of which is empty, expects to come next, `[n, D]`."""
        inputs_nKD, lengths_nK = self._of(rings)
        numbers = [
            (
                # The oldest context whose inputs are all remembered ends with the input of this age.
                max(1, min(ring.count, self._size) - CONTEXT),
                *((ring.count - 1 - back) % self._size for back in range(CONTEXT)),
            )
            for ring in rings
        ]
        numbers_n = to_index([number for ring in numbers for number in ring], self._device)
        oldest_n1, recent_nC = numbers_n.view(len(rings), -1).split([1, CONTEXT], dim=1)
        units_nCD = self._units(inputs_nKD, lengths_nK, recent_nC)
        cosines_nCK = torch.bmm(units_nCD, inputs_nKD.transpose(1, 2)) / lengths_nK[:, None, :]
        # Input j is compared with input t, the one i before it with the one i before t.
        similarity_nK = sum(cosines_nCK[:, i].roll(i, dims=1) for i in range(CONTEXT))
        assert isinstance(similarity_nK, Tensor)
        age_nK = (recent_nC[:, :1] - self._slots_K) % self._size
        followed_nK = (age_nK >= 1) & (age_nK <= oldest_n1)
        logits_nK = (similarity_nK * (SHARPNESS / CONTEXT)).masked_fill(~followed_nK, -torch.inf)
        # What followed lies in the slot behind.
        share_nK = logits_nK.softmax(dim=1).roll(1, dims=1)
        return torch.bmm(share_nK[:, None, :], inputs_nKD)[:, 0]

    def _of(self, rings: Sequence[Ring]) -> tuple[Tensor, Tensor]:
        """Inputs and lengths of rings; of all of them, as they mostly are asked for, without a copy."""
        places = [ring.place for ring in rings]
        if places == list(range(len(self.rings))):
            return self._inputs, self._lengths
        index = to_index(places, self._device)
        return self._inputs.index_select(0, index), self._lengths.index_select(0, index)

    def _units(self, inputs_nKD: Tensor, lengths_nK: Tensor, slots_nC: Tensor) -> Tensor:
        """Inputs in some slots, brought to length 1, `[n, C, D]`."""
        chosen = slots_nC[..., None].expand(-1, -1, inputs_nKD.shape[2])
        return inputs_nKD.gather(1, chosen) / lengths_nK.gather(1, slots_nC)[..., None]
