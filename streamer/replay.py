"""The deferred backward pass: gradients of many losses at once, module by module.

Predictions first, whose gradients add up in the rows of the representations that they were made from; then
representations, whose gradients add up in the rows of the frames in their working sets; then frames. Two
losses that share a representation or a frame meet in its row, so that each is passed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from streamer import distance
from streamer.lane import Lane, befores, lasts
from streamer.learner import Loss
from streamer.levels import Levels
from streamer.memory import Memory, open_representations, padded
from streamer.rows import to_device
from streamer.spread import Spread

T = TypeVar("T")
FRAMES = 128  # predicted frames, or frames, in one backward pass
TOKENS = 768  # vectors, padding included, in one backward pass of a transformer


class Replay:
    """Computes gradients of losses and adds them to the sums in the parameters' `grad`.

    Attributes:
        touched: rows of vectors that have a gradient.
        spreads: by level, how far apart the representations lie that gradients passed.

    Args:
        levels: the parameters.
        memory: where all lies that the losses were computed from.
    """

    def __init__(self, levels: Levels, memory: Memory) -> None:
        self._levels = levels
        self._memory = memory
        self.touched: set[int] = set()
        self.spreads: dict[int, Spread] = {}

    def run(self, losses: Sequence[Loss], lanes: Iterable[Lane], *, everything: bool) -> None:
        """Computes the gradients of losses.

        Args:
            losses: all that wait.
            lanes: all lanes. Representations that their losses to come may use, and the frames in these, are
                left for later: they have their gradient added up in the meantime.
            everything: leave nothing for later.
        """
        for level in range(len(self._levels)):
            of_level = [loss for loss in losses if loss.due.level == level]
            size = FRAMES if self._levels[level].p.decoder is not None else TOKENS // len(self._levels)
            for chunk in evenly(of_level, size):
                self._predictions(level, chunk)
        later = set() if everything else open_representations(lanes)
        made = self._memory.made
        closed = [row for row in self.touched if row in made and row not in later]
        for level in range(len(self._levels)):
            rows = sorted(row for row in closed if made[row].level == level)
            self._representations(level, rows)
        self.touched.difference_update(closed)
        if self._levels[0].f.encoder is not None:
            self._frames(set() if everything else self._open_frames(lanes, later))

    def _predictions(self, level: int, losses: Sequence[Loss]) -> None:
        """One backward pass of a level's p."""
        p = self._levels[level].p
        sources = [loss.due.prediction.sources for loss in losses]
        z_nLD = self._memory.working_sets(sources).requires_grad_()
        with torch.enable_grad():
            hidden_nD = p(z_nLD, [len(rows) for rows in sources])
        gradient_nD = self._hidden_gradients(level, losses, hidden_nD.detach())
        hidden_nD.backward(gradient_nD)
        assert z_nLD.grad is not None
        most = z_nLD.shape[1]
        reach_nL = [(*loss.reach, *[0.0] * (most - len(loss.reach))) for loss in losses]
        gradients = z_nLD.grad * self._values(reach_nL)[..., None]
        rows = padded(sources)
        self._memory.add_gradients(rows, gradients.flatten(0, 1))
        self.touched.update(rows)

    def _hidden_gradients(self, level: int, losses: Sequence[Loss], hidden_nD: Tensor) -> Tensor:
        """Gradients of a level's weighted losses with respect to what its p put out before any decoder."""
        memory, decoder = self._memory, self._levels[level].p.decoder
        in_frames = decoder is not None
        predictions = [loss.due.prediction for loss in losses]
        outputs, activations = hidden_nD, []
        if in_frames:
            outputs, *activations = memory.predictions.columns([prediction.row for prediction in predictions])
        targets = memory.inputs([loss.due.target for loss in losses], in_frames=in_frames)
        p, last, before = self._levels[level].p, None, None
        if p.residual is not None:
            last = memory.inputs(lasts(predictions), in_frames=in_frames)
        if p.shortcut is not None:
            before = memory.vectors.read(befores(predictions))
        weights_n = self._values([loss.weight for loss in losses])
        gradients = output_gradients(self._levels, level, outputs, last, before, targets, weights_n)
        return decoder.add_gradients(hidden_nD, activations, gradients) if decoder is not None else gradients

    def _values(self, values: Sequence[Any]) -> Tensor:
        """Numbers of the host on the model's device."""
        return to_device(torch.tensor(values, dtype=self._levels.arithmetic.state), self._levels.device)

    def _representations(self, level: int, rows: Sequence[int]) -> None:
        """Backward passes of a level's f, those of similar lengths together."""
        made, memory, f = self._memory.made, self._memory, self._levels[level].f
        for chunk in by_length(rows, lambda row: len(made[row].inputs)):
            sets = [made[row].inputs for row in chunk]
            features_nSD = memory.working_sets(sets).requires_grad_(f.encoder is not None)
            with torch.enable_grad():
                z_nD = f(features_nSD, [len(inputs) for inputs in sets])
            z_nD.backward(memory.take_gradients(chunk))
            self.spread(level).add(z_nD.detach())
            if features_nSD.grad is not None:
                inputs = padded(sets)
                memory.add_gradients(inputs, features_nSD.grad.flatten(0, 1))
                self.touched.update(inputs)

    def spread(self, level: int) -> Spread:
        """Of a level's representations."""
        if level not in self.spreads:
            config, device = self._levels.config, self._levels.device
            self.spreads[level] = Spread(config.feature_dim, self._levels.arithmetic.state, device)
        return self.spreads[level]

    def _open_frames(self, lanes: Iterable[Lane], representations: Iterable[int]) -> set[int]:
        """Rows of frames that gradients to come may reach."""
        rows = {row for lane in lanes for row in lane.states[0].kept_rows}
        for representation in representations:
            made = self._memory.made[representation]
            if made.level == 0:
                rows.update(made.inputs)
        return rows

    def _frames(self, later: set[int]) -> None:
        """Backward passes of the frame encoder."""
        memory, encoder = self._memory, self._levels[0].f.encoder
        assert encoder is not None
        closed = sorted(self.touched & memory.frame_of.keys() - later)
        for chunk in evenly(closed, FRAMES):
            activations = memory.frames.columns([memory.frame_of[row] for row in chunk])
            encoder.add_gradients(activations, memory.take_gradients(chunk))
        self.touched.difference_update(closed)


def output_gradients(
    levels: Levels,
    level: int,
    outputs: Tensor,
    last: Tensor | None,
    before: Tensor | None,
    targets: Tensor,
    weights_n: Tensor,
) -> Tensor:
    """Gradients of a level's weighted losses with respect to what its p, or the decoder behind it, put out.

    Args:
        levels: the parameters; gradients of those behind the outputs are added to their sums.
        level: the level.
        outputs: `[n, D]` or `[n, 3, H, H]`.
        last: the inputs that came last, where predictions are changes of them; else None.
        before: the inputs before them, where there is a shortcut; else None.
        targets: the inputs that came.
        weights_n: of each loss.
    """
    kind, p = levels.config.distance_of(level), levels[level].p
    predictions = p.predictions(outputs, last, before)
    gradients = distance.loss_gradients(kind, predictions, targets, weights_n)
    return p.add_gradients(outputs, last, before, gradients)


def evenly(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Cuts `items` into as few pieces of at most `most` as will do, all about equally long."""
    pieces = -(-len(items) // most)
    for piece in range(pieces):
        yield items[len(items) * piece // pieces : len(items) * (piece + 1) // pieces]


def by_length(rows: Sequence[int], length: Callable[[int], int]) -> Iterator[list[int]]:
    """Cuts rows, shortest sequences first, into pieces of at most `TOKENS` tokens, padding included."""
    piece: list[int] = []
    for row in sorted(rows, key=length):
        if piece and (len(piece) + 1) * (length(row) + 1) > TOKENS:
            yield piece
            piece = []
        piece.append(row)
    if piece:
        yield piece
