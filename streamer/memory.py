"""All that lies in tables, and which of it is still needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from streamer.lane import Lane
from streamer.rows import RowTable

GRADIENTS = 1  # column of the vectors' table


@dataclass(frozen=True)
class Made:
    """How a representation was made.

    Attributes:
        level: whose representation it is.
        inputs: rows of its working set, in order.
    """

    level: int
    inputs: tuple[int, ...]


class Memory:
    """Vectors, frames and predicted frames of all lanes.

    Vectors are encoded frames, vectors that were offered, representations, and predictions of vectors.

    Attributes:
        vectors: `[D]` each.
        frames: frames that were offered, with the activations that their encoder's backward pass needs.
        predictions: frames that were predicted, with their decoder's activations.
        frame_of: the frame from which an encoded vector came.
        made: for each representation, how it was made.
        taken: vectors taken since the last sweep.

    Args:
        device: where it lies.
        learning: keep what gradients need: how representations were made, and a gradient per vector.
    """

    def __init__(self, device: torch.device, *, learning: bool) -> None:
        self._learning = learning
        self.vectors = RowTable(device)
        self.frames = RowTable(device)
        self.predictions = RowTable(device)
        self.frame_of: dict[int, int] = {}
        self.made: dict[int, Made] = {}
        self.taken = 0

    def store(self, vectors_nD: Tensor) -> list[int]:
        """Puts vectors into rows of their own."""
        rows = self.vectors.take(len(vectors_nD))
        self.replace(rows, vectors_nD)
        self.taken += len(rows)
        return rows

    def replace(self, rows: Sequence[int], vectors_nD: Tensor) -> None:
        """Puts others in place of vectors that no gradient has reached."""
        gradients = [torch.zeros_like(vectors_nD)] if self._learning else []
        self.vectors.write(rows, [vectors_nD, *gradients])

    def store_frames(self, features_nD: Tensor, columns: Sequence[Tensor]) -> list[int]:
        """Puts encoded frames into rows, with what shall be kept of them."""
        rows = self.store(features_nD)
        frames = self.frames.take(len(rows))
        self.frames.write(frames, columns)
        self.frame_of.update(zip(rows, frames, strict=True))
        return rows

    def replace_frames(self, rows: Sequence[int], features_nD: Tensor, columns: Sequence[Tensor]) -> None:
        """Puts frames that were encoded again in place of what they were."""
        self.replace(rows, features_nD)
        self.frames.write([self.frame_of[row] for row in rows], columns)

    def store_predictions(self, columns: Sequence[Tensor]) -> list[int]:
        """Puts predicted frames into rows of their own, with what shall be kept of them."""
        rows = self.predictions.take(len(columns[0]))
        self.predictions.write(rows, columns)
        return rows

    def store_representations(self, z_nD: Tensor, level: int, sets: Sequence[Sequence[int]]) -> list[int]:
        """Puts representations of a level into rows, with the working sets that they were made from."""
        rows = self.store(z_nD)
        if self._learning:
            for row, inputs in zip(rows, sets, strict=True):
                self.made[row] = Made(level, tuple(inputs))
        return rows

    def add_gradients(self, rows: Sequence[int], gradients_nD: Tensor) -> None:
        """Adds to the gradients of vectors; a row may occur more than once."""
        self.vectors.add(rows, gradients_nD, column=GRADIENTS)

    def take_gradients(self, rows: Sequence[int]) -> Tensor:
        """Gradients of vectors, `[n, D]`, which start again from zero."""
        gradients_nD = self.vectors.read(rows, column=GRADIENTS)
        self.vectors.add(rows, -gradients_nD, column=GRADIENTS)
        return gradients_nD

    def inputs(self, rows: Sequence[int], *, in_frames: bool) -> Tensor:
        """A level's inputs as its predictions are compared with them.

        Args:
            rows: where they lie.
            in_frames: whether they are the frames from which the vectors in these rows came.
        """
        if not in_frames:
            return self.vectors.read(rows)
        return self.frames.read([self.frame_of[row] for row in rows])

    def working_sets(self, sets: Sequence[Sequence[int]]) -> Tensor:
        """Vectors of working sets, `[n, S, D]`, the shorter ones padded with rows of no meaning."""
        return self.vectors.read(padded(sets)).unflatten(0, (len(sets), -1))

    def sweep(self, lanes: Iterable[Lane], *, frames_predicted: bool) -> None:
        """Releases what no lane can come back to; all losses must have been replayed.

        Args:
            lanes: all lanes.
            frames_predicted: whether level 0 predicts frames.
        """
        vectors, predictions = self.needed(lanes, frames_predicted)
        dead = self.vectors.used - vectors
        self.frames.release(self.frame_of.pop(row) for row in dead & self.frame_of.keys())
        for row in dead & self.made.keys():
            del self.made[row]
        self.vectors.release(dead)
        self.predictions.release(self.predictions.used - predictions)
        self.taken = 0

    def needed(self, lanes: Iterable[Lane], frames_predicted: bool) -> tuple[set[int], set[int]]:
        """Rows of vectors and of predicted frames that lanes may come back to."""
        vectors: set[int] = set()
        predictions: set[int] = set()
        for lane in lanes:
            vectors.update(snippet.row for snippet in lane.queue if snippet.row is not None)
            for level, state in enumerate(lane.states):
                if state.last_row is not None:
                    vectors.add(state.last_row)
                vectors.update(state.kept_rows)
                if state.candidate is not None:
                    vectors.add(state.candidate.z_row)
                if state.prediction is not None:
                    of_frame = level == 0 and frames_predicted
                    (predictions if of_frame else vectors).add(state.prediction.row)
                    inputs = (state.prediction.last, state.prediction.before)
                    vectors.update(row for row in inputs if row is not None)
        for row in open_representations(lanes):
            vectors.add(row)
            if self._learning:
                vectors.update(self.made[row].inputs)
        return vectors, predictions


def padded(sets: Sequence[Sequence[int]]) -> list[int]:
    """Rows of all sets one after the other, each set as long as the longest by repeating its first row."""
    longest = max(map(len, sets))
    return [row for rows in sets for row in (*rows, *[rows[0]] * (longest - len(rows)))]


def open_representations(lanes: Iterable[Lane]) -> set[int]:
    """Rows of representations that losses to come may use."""
    rows: set[int] = set()
    for lane in lanes:
        for state in lane.states:
            if state.z_row is not None:
                rows.add(state.z_row)
            if state.prediction is not None:
                rows.update(state.prediction.sources)
    return rows
