"""What a lane knows of the video that it watches.

Vectors are named by their rows in the model's tables; a lane itself holds only numbers of the host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from streamer.config import Distance, StreamerConfig
from streamer.demarcation import make_demarcation
from streamer.hierarchy import Event
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
    """

    sources: tuple[int, ...]
    row: int
    last: int | None = None


def lasts(predictions: Iterable[Prediction]) -> list[int]:
    """Rows of the inputs of which predictions are changes."""
    rows = [prediction.last for prediction in predictions if prediction.last is not None]
    assert rows, "predictions of a model that does not predict changes"
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


class LevelState:
    """What one level knows of the running video."""

    def __init__(self, config: StreamerConfig, level: int) -> None:
        self.distance: Distance = config.distance_of(level)
        self.working_set = WorkingSet(config.working_set_size, self.distance)
        self.demarcation = make_demarcation(config.demarcation, self.distance)
        self.recorder = EventRecorder()
        self.z_row: int | None = None
        self.prediction: Prediction | None = None
        self.last_input = 0

    def forget(self) -> None:
        """Drops all that was computed with parameters that are no more."""
        self.z_row = None
        self.prediction = None
        self.working_set.clear()


class Lane:
    """One stream.

    Attributes:
        index: snippets observed since the start of the video.
        queue: snippets to be observed next.
        states: of each level.
    """

    def __init__(self, config: StreamerConfig, num_levels: int) -> None:
        self.config = config
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
