"""What a lane knows of the video that it watches.

Vectors are named by their rows in the model's tables; a lane itself holds only numbers of the host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from streamer.centring import Centre
from streamer.config import Distance, StreamerConfig
from streamer.demarcation import demarcation_of
from streamer.hierarchy import Event
from streamer.mixture import Mixture
from streamer.recall import Ring
from streamer.recorder import EventRecorder
from streamer.working_set import WorkingSet


@dataclass(frozen=True)
class Prediction:
    """A level's prediction of its next input.

    Attributes:
        sources: rows of z_0, z_1, ... from which it was made.
        row: where p's output lies: among the vectors, or for level 0 of a model of frames, decoded, among the
            predicted frames.
        last: row of the level's last input, where the prediction is a change of it; else None.
        before: row of the input before it, where there is a shortcut; else None.
    """

    sources: tuple[int, ...]
    row: int
    last: int | None = None
    before: int | None = None


def lasts(predictions: Iterable[Prediction]) -> list[int]:
    """Rows of the inputs of which predictions are changes."""
    rows = [prediction.last for prediction in predictions if prediction.last is not None]
    assert rows, "predictions of a model that does not predict changes"
    return rows


def befores(predictions: Iterable[Prediction]) -> list[int]:
    """Rows of the inputs before those of which predictions are changes."""
    rows = [prediction.before for prediction in predictions if prediction.before is not None]
    assert rows, "predictions of a model that has no shortcut"
    return rows


@dataclass
class Waiting:
    """A snippet that was offered to a lane.

    Attributes:
        data: the snippet, on the model's device, as it was offered.
        row: where its vector lies; None before it has been encoded.
    """

    data: Tensor
    row: int | None = None


@dataclass(frozen=True)
class Candidate:
    """An input of a level with which a new event may turn out to have begun.

    Attributes:
        row: where it lies.
        value: its signal.
        z_row: the representation of the running event before it.
        at: the snippet at which that event would have ended.
    """

    row: int
    value: float
    z_row: int
    at: int


class LevelState:
    """What one level knows of the running video.

    Attributes:
        last_row: where its last input lies, which outlives optimiser steps; None where nothing needs it.
    """

    def __init__(self, config: StreamerConfig, level: int) -> None:
        self.distance: Distance = config.distance_of(level)
        self.working_set = WorkingSet(config.working_set_size, self.distance)
        self.demarcation = demarcation_of(config, level)
        self.recorder = EventRecorder()
        self.candidate: Candidate | None = None
        self.z_row: int | None = None
        self.prediction: Prediction | None = None
        self.last_input = 0
        self.last_row: int | None = None

    @property
    def kept_rows(self) -> list[int]:
        """Inputs of which representations to come may be made."""
        rows, candidate = self.working_set.rows, self.candidate
        return rows if candidate is None or candidate.row in rows else [*rows, candidate.row]

    def forget(self) -> None:
        """Drops all that was computed with parameters that are no more."""
        self.z_row = None
        self.prediction = None
        self.candidate = None
        self.working_set.clear()


class Lane:
    """One stream.

    Attributes:
        index: snippets observed since the start of the video.
        queue: snippets to be observed next.
        centre: what is known of the inputs observed so far; None where they are taken as they come.
        mixture: how well each of level 0's predictions did; None where there is but one.
        ring: the inputs that level 0 remembers; None where it remembers none.
        states: of each level.
    """

    def __init__(self, config: StreamerConfig, num_levels: int, ring: Ring | None = None) -> None:
        self.config = config
        self.ring = ring
        self.start_video(num_levels)

    @property
    def waiting(self) -> int:
        """Snippets that were offered but not observed."""
        return len(self.queue)

    @property
    def z_rows(self) -> list[int]:
        """Rows of z_0, z_1, ... up to the first level that has none."""
        rows = []
        for state in self.states:
            if state.z_row is None:
                break
            rows.append(state.z_row)
        return rows

    def start_video(self, num_levels: int) -> None:
        """Clears all that belongs to the previous video."""
        self.index = 0
        self.queue: deque[Waiting] = deque()
        self.centre = Centre() if self.config.center else None
        self.mixture = Mixture(3 if self.ring is not None else 2) if self.config.mixing else None
        if self.ring is not None:
            self.ring.clear()
        self.states = [LevelState(self.config, level) for level in range(num_levels)]

    def follow_growth(self, num_levels: int) -> None:
        """Makes room for levels that were created since this lane last looked."""
        for level in range(len(self.states), num_levels):
            self.states.append(LevelState(self.config, level))

    def parameters_changed(self) -> None:
        """Predictions start afresh, and what was encoded ahead is encoded again; events go on.

        Where predictions are kept, they are made again, by the model.
        """
        if not self.config.learning.keep_predictions:
            for state in self.states:
                state.forget()
        for snippet in self.queue:
            snippet.row = None

    def events(self) -> list[list[Event]]:
        """The events of each level that have ended, finest first."""
        return [state.recorder.events() for state in self.states]
