"""One base step: every lane that has a snippet observes it, all lanes in one batch per level.

An input that arrives at a level is compared with the level's prediction and either joins the running event or
ends it; an ended event's representation is the next input of the level above. Nothing here keeps a graph:
what learning needs to compute it all again is the rows' numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer import distance
from streamer.frames import ENCODED_AT_ONCE
from streamer.lane import Lane, LevelState, Prediction, Waiting, lasts
from streamer.levels import Levels
from streamer.memory import Memory
from streamer.signals import Signal
from streamer.tally import Tally


@dataclass(frozen=True)
class DueLoss:
    """A loss that learning has yet to take in.

    Attributes:
        level: the level whose prediction it judges.
        prediction: the prediction.
        target: row of the input that came.
        timescale: τ, snippets since the level's previous input.
    """

    level: int
    prediction: Prediction
    target: int
    timescale: int


@dataclass
class Observation:
    """What one snippet brought: signals in the order in which inputs were finished (upper levels first)."""

    signals: list[Signal] = field(default_factory=list)
    due: list[DueLoss] = field(default_factory=list)


@dataclass
class Arrival:
    """An input on its way into a level of one lane.

    Attributes:
        lane: the lane.
        row: where the input lies.
        observation: takes what comes of it.
        timescale: τ, snippets since the level's previous input.
        value: its signal; None where there was no prediction.
        boundary: whether it ended an event.
    """

    lane: Lane
    row: int
    observation: Observation
    timescale: int = 0
    value: float | None = None
    boundary: bool = False


class Forward:
    """The model's forward pass over lanes that share its parameters.

    Args:
        levels: the parameters.
        memory: where vectors and frames lie.
        inputs: counts the inputs of each level, over all lanes.
        grow: creates the level above the highest; None where levels never grow (inference).
        evolve_every: inputs, over all lanes, that a level must have counted before the one above is created.
    """

    def __init__(
        self,
        levels: Levels,
        memory: Memory,
        inputs: Tally,
        grow: Callable[[], object] | None,
        evolve_every: int,
    ) -> None:
        self._levels = levels
        self._memory = memory
        self._inputs = inputs
        self._grow = grow
        self._evolve_every = evolve_every

    @torch.no_grad()
    def encode(self, snippets: Sequence[Waiting]) -> None:
        """Puts snippets into the table of vectors; frames pass the frame encoder, all in one batch."""
        alike = groupby((snippet.data for snippet in snippets), key=lambda data: data.dtype)
        batch = torch.cat([prepared(torch.stack(list(group)), self._levels) for _, group in alike])
        encoder = self._levels[0].f.encoder
        if encoder is None:
            rows = self._memory.store(batch)
        else:
            features_nD, activations = encoder(batch)
            rows = self._memory.store_frames(features_nD, self._kept(activations))
        for snippet, row in zip(snippets, rows, strict=True):
            snippet.row = row

    @torch.no_grad()
    def base_step(self, lanes: Iterable[Lane]) -> list[Observation]:
        """Lets each lane observe the first snippet of its queue, which must have been encoded."""
        arrivals = []
        for lane in lanes:
            snippet = lane.queue.popleft()
            assert snippet.row is not None, "a snippet must be encoded before it is observed"
            arrivals.append(Arrival(lane, snippet.row, Observation()))
        if arrivals:
            self._receive(0, arrivals)
        for arrival in arrivals:
            arrival.lane.index += 1
        return [arrival.observation for arrival in arrivals]

    @torch.no_grad()
    def renew(self, lanes: Iterable[Lane]) -> None:
        """Makes representations and predictions again from working sets as they stand, in new parameters.

        All representations come first, so that every prediction is made from new ones. Inputs stay what they
        were: frames pass the encoder again, but representations that were handed up keep their values.
        """
        lanes = list(lanes)
        self._encode_again([row for lane in lanes for row in lane.states[0].working_set.rows])
        known = [
            [lane for lane in lanes if level < len(lane.states) and lane.states[level].prediction is not None]
            for level in range(len(self._levels))
        ]
        for level, predicting in enumerate(known):
            if predicting:
                self._represent(level, predicting)
        for level, predicting in enumerate(known):
            if predicting:
                last = [_predicted(lane.states[level]).last for lane in predicting]
                self._predict(level, predicting, last)

    def _encode_again(self, rows: Sequence[int]) -> None:
        """Puts what the frame encoder makes of frames now where it lay before."""
        encoder = self._levels[0].f.encoder
        if encoder is None:
            return
        for start in range(0, len(rows), ENCODED_AT_ONCE):
            piece = rows[start : start + ENCODED_AT_ONCE]
            features_nD, activations = encoder(self._memory.inputs(piece, in_frames=True))
            self._memory.replace_frames(piece, features_nD, self._kept(activations))

    def _kept(self, activations: Sequence[Tensor]) -> Sequence[Tensor]:
        """What is kept of encoded frames: all that backward passes need, or without learning the frame."""
        return activations if self._grow is not None else activations[:1]

    def _receive(self, level: int, arrivals: Sequence[Arrival]) -> None:
        """Takes in at most one input per lane."""
        self._grow_if_due(level, len(arrivals))
        compared = []
        for arrival in arrivals:
            arrival.lane.follow_growth(len(self._levels))
            state = arrival.lane.states[level]
            arrival.timescale = arrival.lane.index - state.last_input
            state.last_input = arrival.lane.index
            if state.prediction is None:
                state.working_set.clear()
                state.working_set.put(arrival.row, 0.0)
            else:
                compared.append(arrival)
        if compared:
            self._compare(level, compared)
            self._end_events(level, [arrival for arrival in compared if arrival.boundary])
            self._join(level, compared)
        lanes = [arrival.lane for arrival in arrivals]
        self._represent(level, lanes)
        self._predict(level, lanes, [arrival.row for arrival in arrivals])

    def _grow_if_due(self, level: int, inputs: int) -> None:
        if self._grow is None:
            return
        on_top = level == len(self._levels) - 1
        below_the_most = level < self._levels.config.max_levels - 1
        if on_top and below_the_most and self._inputs.total[level] > self._evolve_every:
            self._grow()
        self._inputs.count(level, inputs)

    def _compare(self, level: int, arrivals: Sequence[Arrival]) -> None:
        """Measures signals and decides on boundaries; the only time when the host waits for the device."""
        config = self._levels.config
        predictions, targets = self._predictions_and_targets(level, arrivals)
        values = distance.signals(config.distance_of(level), predictions, targets).tolist()
        for arrival, value in zip(arrivals, values, strict=True):
            state = arrival.lane.states[level]
            arrival.value = value
            full = config.force_fixed_buffer and state.working_set.offered >= config.working_set_size
            arrival.boundary = state.demarcation(value) or full
            assert state.prediction is not None
            if self._grow is not None:
                loss = DueLoss(level, state.prediction, arrival.row, arrival.timescale)
                arrival.observation.due.append(loss)

    def _predictions_and_targets(self, level: int, arrivals: Sequence[Arrival]) -> tuple[Tensor, Tensor]:
        p, memory = self._levels[level].p, self._memory
        predictions = [_predicted(arrival.lane.states[level]) for arrival in arrivals]
        in_frames = p.decoder is not None
        table = memory.predictions if in_frames else memory.vectors
        predicted = table.read([prediction.row for prediction in predictions])
        if p.residual is not None:
            predicted = p.residual(predicted, memory.inputs(lasts(predictions), in_frames=in_frames))
        return predicted, memory.inputs([arrival.row for arrival in arrivals], in_frames=in_frames)

    def _end_events(self, level: int, arrivals: Sequence[Arrival]) -> None:
        """Records events that ended and hands their representations to the level above."""
        if not arrivals:
            return
        rows = []
        for arrival in arrivals:
            z_row = arrival.lane.states[level].z_row
            assert z_row is not None, "a level with a prediction has a representation"
            rows.append(z_row)
        z_nD = self._memory.vectors.read(rows)
        for arrival, z_D in zip(arrivals, z_nD, strict=True):
            end_s = arrival.lane.index * self._levels.config.snippet_size
            arrival.lane.states[level].recorder.end(end_s, arrival.value, z_D)
        if level + 1 < len(self._levels):
            above = [Arrival(a.lane, row, a.observation) for a, row in zip(arrivals, rows, strict=True)]
            self._receive(level + 1, above)

    def _join(self, level: int, arrivals: Sequence[Arrival]) -> None:
        """Puts inputs into working sets, which a boundary has emptied."""
        for arrival in arrivals:
            state, value = arrival.lane.states[level], arrival.value
            assert value is not None
            if arrival.boundary:
                state.working_set.clear()
            state.recorder.add(value)
            state.working_set.put(arrival.row, value)
            signal = Signal(arrival.lane.index, level, value, arrival.boundary)
            arrival.observation.signals.append(signal)

    def _represent(self, level: int, lanes: Sequence[Lane]) -> None:
        """Represents the running events of a level."""
        sets = [lane.states[level].working_set.rows for lane in lanes]
        z_nD = self._levels[level].f(self._memory.working_sets(sets), [len(rows) for rows in sets])
        for lane, row in zip(lanes, self._memory.store_representations(z_nD, level, sets), strict=True):
            lane.states[level].z_row = row

    def _predict(self, level: int, lanes: Sequence[Lane], last: Sequence[int | None]) -> None:
        """Predicts the next inputs of a level, whose last ones lie in the rows `last`."""
        p = self._levels[level].p
        sources = [tuple(lane.z_rows) for lane in lanes]
        assert min(map(len, sources)) > level, "all levels below one with an input have a representation"
        hidden_nD = p(self._memory.working_sets(sources), [len(rows) for rows in sources])
        rows = self._store_predictions(level, hidden_nD)
        for lane, known, row, before in zip(lanes, sources, rows, last, strict=True):
            kept = None if p.residual is None else before
            lane.states[level].prediction = Prediction(known, row, kept)

    def _store_predictions(self, level: int, hidden_nD: Tensor) -> list[int]:
        decoder = self._levels[level].p.decoder
        if decoder is None:
            return self._memory.store(hidden_nD)
        frames, activations = decoder(hidden_nD)
        return self._memory.store_predictions([frames, *(activations if self._grow is not None else ())])


def _predicted(state: LevelState) -> Prediction:
    assert state.prediction is not None
    return state.prediction


def prepared(snippets: Tensor, levels: Levels) -> Tensor:
    """Snippets in the model's type and range.

    Args:
        snippets: uint8 `[n, H, H, 3]`, or float `[n, 3, H, H]` or `[n, D]`.
        levels: whose inputs they shall be.
    """
    state = levels.arithmetic.state
    if snippets.dtype == torch.uint8 and levels.config.encodes_frames:
        snippets = snippets.permute(0, 3, 1, 2).to(state) / 255 * 2 - 1
    else:
        snippets = snippets.to(state)
    if levels.config.normalize_pixels:
        snippets = F.normalize(snippets, dim=1)
    return snippets.contiguous()
