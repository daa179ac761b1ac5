"""One base step: every lane that has a snippet observes it, all lanes in one batch per level.

An input that arrives at a level is compared with the level's prediction and either joins the running event or
ends it; an ended event's representation is the next input of the level above. Nothing here keeps a graph:
what learning needs to compute it all again is the rows' numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer import distance
from streamer.centring import centred
from streamer.frames import ENCODED_AT_ONCE
from streamer.lane import Candidate, Lane, LevelState, Prediction, Waiting, befores, lasts
from streamer.levels import Levels
from streamer.memory import Memory
from streamer.mixture import mixed_signals
from streamer.observation import Arrival, DueLoss, Observation
from streamer.recall import Recall, Ring
from streamer.signals import Signal
from streamer.tally import Tally


class Forward:
    """The model's forward pass over lanes that share its parameters.

    Args:
        levels: the parameters.
        memory: where vectors and frames lie.
        inputs: counts the inputs of each level, over all lanes.
        grow: creates the level above the highest; None where levels never grow (inference).
        evolve_every: inputs, over all lanes, that a level must have counted before the one above is created.
        recall: the inputs that lanes remember; None where they remember none.
    """

    def __init__(
        self,
        levels: Levels,
        memory: Memory,
        inputs: Tally,
        grow: Callable[[], object] | None,
        evolve_every: int,
        recall: Recall | None = None,
    ) -> None:
        self._levels = levels
        self._memory = memory
        self._inputs = inputs
        self._grow = grow
        self._evolve_every = evolve_every
        self._recall = recall

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
            arrivals.append(Arrival(lane, snippet.row, lane.index, Observation()))
        if arrivals:
            if self._levels.config.upper_levels == "merged":
                self._keep_vectors(arrivals)
            self._center(arrivals)
            self._receive(0, arrivals)
            self._remember(arrivals)
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
        self._encode_again([row for lane in lanes for row in lane.states[0].kept_rows])
        known = [
            [lane for lane in lanes if level < len(lane.states) and lane.states[level].prediction is not None]
            for level in range(len(self._levels))
        ]
        for level, predicting in enumerate(known):
            if predicting:
                self._represent(level, predicting)
        for level, predicting in enumerate(known):
            if predicting:
                old = [_predicted(lane.states[level]) for lane in predicting]
                self._predict(level, predicting, [(one.last, one.before) for one in old])

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

    def _keep_vectors(self, arrivals: Sequence[Arrival]) -> None:
        """Takes copies of level 0's inputs before they are centred, to be averaged over events."""
        vectors_nD = self._memory.vectors.read([arrival.row for arrival in arrivals])
        vectors_nD = torch.nan_to_num(vectors_nD, nan=0.0, posinf=0.0, neginf=0.0)
        for arrival, vector_D in zip(arrivals, vectors_nD, strict=True):
            arrival.vector = vector_D

    def _center(self, arrivals: Sequence[Arrival]) -> None:
        """Takes the mean of their videos out of level 0's inputs, which lie here as they were offered."""
        centres = [arrival.lane.centre for arrival in arrivals if arrival.lane.centre is not None]
        if centres:
            rows = [arrival.row for arrival in arrivals]
            self._memory.replace(rows, centred(centres, self._memory.vectors.read(rows)))

    def _remember(self, arrivals: Sequence[Arrival]) -> None:
        """Keeps level 0's inputs for predictions to come."""
        if self._recall is not None:
            inputs_nD = self._memory.vectors.read([arrival.row for arrival in arrivals])
            self._recall.add(_rings(arrivals), inputs_nD)

    def _receive(self, level: int, arrivals: Sequence[Arrival]) -> None:
        """Takes in at most one input per lane."""
        self._grow_if_due(level, len(arrivals))
        compared = []
        for arrival in arrivals:
            arrival.lane.follow_growth(len(self._levels))
            state = arrival.lane.states[level]
            arrival.timescale = arrival.lane.index - state.last_input
            state.last_input = arrival.lane.index
            if self._levels.config.shortcut:
                arrival.before = arrival.row if state.last_row is None else state.last_row
                state.last_row = arrival.row
            if state.prediction is None:
                state.working_set.clear()
                state.working_set.put(arrival.row, 0.0)
                state.demarcation.missed()
                state.recorder.add(None, arrival.vector)
            else:
                compared.append(arrival)
        if compared:
            self._compare(level, compared)
            self._end_events(level, [arrival for arrival in compared if arrival.boundary])
            self._join(level, compared)
        lanes = [arrival.lane for arrival in arrivals]
        self._represent(level, lanes)
        self._predict(level, lanes, [(arrival.row, arrival.before) for arrival in arrivals])

    def _grow_if_due(self, level: int, inputs: int) -> None:
        if self._grow is None:
            return
        on_top = level == len(self._levels) - 1
        below_the_most = level < self._levels.config.learned_levels - 1
        if on_top and below_the_most and self._inputs.total[level] > self._evolve_every:
            self._grow()
        self._inputs.count(level, inputs)

    def _compare(self, level: int, arrivals: Sequence[Arrival]) -> None:
        """Measures signals and decides on boundaries; the only time when the host waits for the device."""
        config = self._levels.config
        values = self._signals(level, arrivals)
        for arrival, value in zip(arrivals, values, strict=True):
            state = arrival.lane.states[level]
            arrival.value = value
            full = config.force_fixed_buffer and state.working_set.offered >= config.working_set_size
            arrival.boundary = state.demarcation(value, arrival.lane.index)
            if arrival.boundary and state.demarcation.delay:
                arrival.began = state.candidate
            elif full and not arrival.boundary:
                state.demarcation.ended()
                arrival.boundary = True
            assert state.prediction is not None
            if self._grow is not None:
                loss = DueLoss(level, state.prediction, arrival.row, arrival.timescale)
                arrival.observation.due.append(loss)

    def _signals(self, level: int, arrivals: Sequence[Arrival]) -> list[float]:
        kind = self._levels.config.distance_of(level)
        learned, targets = self._predictions_and_targets(level, arrivals)
        mixtures = [arrival.lane.mixture for arrival in arrivals if arrival.lane.mixture is not None]
        if level > 0 or not mixtures:
            return distance.signals(kind, learned, targets).tolist()
        predictions = [_predicted(arrival.lane.states[level]) for arrival in arrivals]
        recalled = [] if self._recall is None else [self._recall.predict(_rings(arrivals))]
        last_nD = self._memory.vectors.read(lasts(predictions))
        return mixed_signals(kind, mixtures, [last_nD, *recalled, learned], targets)

    def _predictions_and_targets(self, level: int, arrivals: Sequence[Arrival]) -> tuple[Tensor, Tensor]:
        p, memory = self._levels[level].p, self._memory
        predictions = [_predicted(arrival.lane.states[level]) for arrival in arrivals]
        in_frames = p.decoder is not None
        table = memory.predictions if in_frames else memory.vectors
        predicted = table.read([prediction.row for prediction in predictions])
        last, before = None, None
        if p.residual is not None:
            last = memory.inputs(lasts(predictions), in_frames=in_frames)
        if p.shortcut is not None:
            before = memory.vectors.read(befores(predictions))
        predicted = p.predictions(predicted, last, before)
        return predicted, memory.inputs([arrival.row for arrival in arrivals], in_frames=in_frames)

    def _end_events(self, level: int, arrivals: Sequence[Arrival]) -> None:
        """Records events that ended and hands their representations to the level above."""
        if not arrivals:
            return
        above = []
        for arrival in arrivals:
            began = arrival.began
            z_row = arrival.lane.states[level].z_row if began is None else began.z_row
            assert z_row is not None, "a level with a prediction has a representation"
            at = arrival.at if began is None else began.at
            above.append(Arrival(arrival.lane, z_row, at, arrival.observation))
        z_nD = self._memory.vectors.read([ended.row for ended in above])
        for arrival, ended, z_D in zip(arrivals, above, z_nD, strict=True):
            end_s = ended.at * self._levels.config.snippet_size
            value = arrival.value if arrival.began is None else arrival.began.value
            recorder = arrival.lane.states[level].recorder
            recorder.end(end_s, value, z_D, before_last=arrival.began is not None)
        if level + 1 < len(self._levels):
            self._receive(level + 1, above)

    def _join(self, level: int, arrivals: Sequence[Arrival]) -> None:
        """Puts inputs into working sets, which a boundary has emptied."""
        for arrival in arrivals:
            state, value = arrival.lane.states[level], arrival.value
            assert value is not None
            if arrival.boundary:
                state.working_set.clear()
            if arrival.began is not None:
                state.working_set.put(arrival.began.row, arrival.began.value)
            state.recorder.add(value, arrival.vector)
            state.working_set.put(arrival.row, value)
            state.candidate = None
            if state.demarcation.pending:
                assert state.z_row is not None
                state.candidate = Candidate(arrival.row, value, state.z_row, arrival.at)
            signal = Signal(arrival.lane.index, level, value, arrival.boundary)
            arrival.observation.signals.append(signal)

    def _represent(self, level: int, lanes: Sequence[Lane]) -> None:
        """Represents the running events of a level."""
        sets = [lane.states[level].working_set.rows for lane in lanes]
        z_nD = self._levels[level].f(self._memory.working_sets(sets), [len(rows) for rows in sets])
        for lane, row in zip(lanes, self._memory.store_representations(z_nD, level, sets), strict=True):
            lane.states[level].z_row = row

    def _predict(
        self, level: int, lanes: Sequence[Lane], inputs: Sequence[tuple[int | None, int | None]]
    ) -> None:
        """Predicts the next inputs of a level; the last one of each lane, and the one before, are given."""
        p = self._levels[level].p
        sources = [tuple(lane.z_rows) for lane in lanes]
        assert min(map(len, sources)) > level, "all levels below one with an input have a representation"
        hidden_nD = p(self._memory.working_sets(sources), [len(rows) for rows in sources])
        rows = self._store_predictions(level, hidden_nD)
        for lane, known, row, (last, before) in zip(lanes, sources, rows, inputs, strict=True):
            kept = None if p.residual is None else last
            lane.states[level].prediction = Prediction(known, row, kept, before)

    def _store_predictions(self, level: int, hidden_nD: Tensor) -> list[int]:
        decoder = self._levels[level].p.decoder
        if decoder is None:
            return self._memory.store(hidden_nD)
        frames, activations = decoder(hidden_nD)
        return self._memory.store_predictions([frames, *(activations if self._grow is not None else ())])


def _rings(arrivals: Iterable[Arrival]) -> list[Ring]:
    return [arrival.lane.ring for arrival in arrivals if arrival.lane.ring is not None]


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
