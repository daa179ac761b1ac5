"""The floor: what the networks alone cost, each in its best batches, with the engine's own kernels.

Learning, every frame passes the encoder and every prediction the decoder once forward and once back, and so
does every working set with f and every prediction with p; observing, once forward. Nothing else is counted:
no tables, no lanes, no second forward pass of what waited, no optimiser.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.clock import Clock, Cost
from benchmarks.subject import Subject
from benchmarks.window import Lengths, Part, parts_of
from streamer.config import LearningConfig, StreamerConfig
from streamer.forward import prepared
from streamer.learner import Learner
from streamer.levels import Levels
from streamer.modules import HierarchicalPrediction, TemporalEncoding

ENCODER: Part = ("frame encoder", 0)
DECODER: Part = ("frame decoder", 0)
ANY_LANES = 0
BATCHES = (16, 32, 64, 128)
Key = tuple[int, Part]  # lanes that made the workload, and the part


@dataclass(frozen=True)
class Workload:
    """What passed f and p of every level.

    Attributes:
        snippets: in the time of which it did.
        lengths: of the sequences.
    """

    snippets: int
    lengths: Lengths


class Best(NamedTuple):
    """What one part costs per snippet in its best batches.

    Attributes:
        batch: frames or sequences in each.
        cost: per snippet.
    """

    batch: int
    cost: Cost


def measure(
    subject: Subject, workloads: Mapping[int, Workload], batches: Mapping[Key, Sequence[int]]
) -> dict[Key, Best]:
    """Measures every part of a model.

    Args:
        subject: the model; its lanes do not matter.
        workloads: by number of lanes, what to take through f and p; every snippet passes the frame encoder
            and decoder.
        batches: sizes to try, for parts where not all of `BATCHES` need be tried.
    """
    torch.set_num_threads(subject.threads)
    levels = Levels(subject.config, device=subject.device, precision=subject.precision)
    learner = Learner(levels, LearningConfig(), 1) if subject.train else None  # holds the sums of gradients
    bench = Bench(levels, Clock(subject.device), learning=learner is not None)
    result = {}
    for lanes, part in keys(subject.config, workloads):
        results = []
        for batch in batches.get((lanes, part), BATCHES):
            if lanes == ANY_LANES:
                cost = bench.frames(part, batch, subject.stream)
            else:
                cost = bench.sequences(part, batch, workloads[lanes])
            results.append(Best(batch, cost))
        result[lanes, part] = min(results, key=lambda best: best.cost.wall_s)
    return result


def keys(config: StreamerConfig, lanes: Iterable[int]) -> list[Key]:
    """All that is measured; what has the same cost whatever the lanes stands under `ANY_LANES`."""
    frames = [(ANY_LANES, part) for part in (ENCODER, DECODER)] if config.modality == "frames" else []
    levels = range(config.initial_levels)
    return frames + [(n, (name, level)) for n in lanes for level in levels for name in ("f", "p")]


class Bench:
    """Takes batches through the networks of a model.

    Args:
        levels: the networks.
        clock: measures.
        learning: also backward, into the parameters' `grad`.
    """

    def __init__(self, levels: Levels, clock: Clock, *, learning: bool) -> None:
        self._levels = levels
        self._clock = clock
        self._learning = learning

    def frames(self, part: Part, batch: int, stream: str) -> Cost:
        """Cost per snippet of the frame encoder or decoder, which every snippet passes once."""
        run = self._encode if part == ENCODER else self._decode
        x = self._stacked(batch, stream) if part == ENCODER else self._vectors(batch)
        run(x[:2])  # makes what is derived from parameters
        return self._timed(lambda: run(x), batch)

    def sequences(self, part: Part, batch: int, workload: Workload) -> Cost:
        """Cost per snippet of f or p of one level, with sequences of similar lengths in each batch."""
        lengths = sorted(Counter(workload.lengths[part]).elements())
        network = parts_of(self._levels)[part]
        assert isinstance(network, (TemporalEncoding, HierarchicalPrediction))
        # f passes gradients on to the frame encoder alone; p to all that it was given.
        inner = isinstance(network, HierarchicalPrediction) or network.encoder is not None

        def run(x: Tensor, chunk: Sequence[int], gradient: Tensor) -> None:
            with torch.set_grad_enabled(self._learning):
                y = network(x.detach().requires_grad_(self._learning and inner), chunk)
            if self._learning:
                y.backward(gradient)

        chunks = [lengths[start : start + batch] for start in range(0, len(lengths), batch)]
        batches = [(self._vectors(len(chunk), max(chunk)), chunk) for chunk in chunks]
        passes = [(x, chunk, self._vectors(len(chunk))) for x, chunk in batches]
        for x, chunk, gradient in passes[:1]:
            run(x[-2:], chunk[-2:], gradient[-2:])  # makes what is derived from parameters
        return self._timed(lambda: [run(*arguments) for arguments in passes], workload.snippets)

    @torch.no_grad()
    def _encode(self, frames: Tensor) -> None:
        encoder = self._levels[0].f.encoder
        assert encoder is not None
        features, activations = encoder(frames)
        if self._learning:
            encoder.add_gradients(activations, features)

    @torch.no_grad()
    def _decode(self, hidden: Tensor) -> None:
        decoder = self._levels[0].p.decoder
        assert decoder is not None
        frames, activations = decoder(hidden)
        if self._learning:
            decoder.add_gradients(hidden, activations, frames)

    def _stacked(self, count: int, stream: str) -> Tensor:
        """So many frames of a stream, which goes round."""
        frames = np.load(stream)
        frames = torch.from_numpy(frames[np.arange(count) % len(frames)])
        return prepared(frames.to(self._levels.device), self._levels)

    def _vectors(self, *shape: int) -> Tensor:
        levels = self._levels
        size = (*shape, levels.config.feature_dim)
        return torch.randn(size, dtype=levels.arithmetic.state, device=levels.device)

    def _timed(self, run: Callable[[], object], snippets: int) -> Cost:
        start = self._clock.read()
        run()
        return self._clock.since(start).over(snippets)
