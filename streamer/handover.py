"""Videos in the middle, and gradients in the making, handed from one model to another with equal parameters.

So that a run can go on with another number of workers or lanes than it stopped with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from streamer.lane import Lane, Prediction
from streamer.memory import Made, Memory, open_representations
from streamer.rows import RowTable
from streamer.running import lane_state, restore_lane
from streamer.streamer import Streamer

State = dict[str, Any]
Rows = dict[int, int]
"""New row numbers by old ones."""


def take_video(model: Streamer, lane: int) -> State:
    """What `put_video` needs to go on with a lane's video; the lane keeps it too.

    Args:
        model: must have settled: no loss waits, and no gradient is left in a table.
        lane: which lane.

    Returns:
        Tensors and plain values; snippets that wait are part of it.
    """
    assert settled(model), "losses wait"
    memory, watched = model.memory, model.lanes[lane]
    vectors, predictions = memory.needed([watched], model.config.encodes_frames)
    frame_of = {row: memory.frame_of[row] for row in sorted(vectors & memory.frame_of.keys())}
    made = {row: memory.made[row] for row in sorted(open_representations([watched]) & memory.made.keys())}
    return {
        "lane": lane_state(watched),
        "vectors": _taken(memory.vectors, vectors),
        "predictions": _taken(memory.predictions, predictions),
        "frames": _taken(memory.frames, frame_of.values()),
        "frame_of": frame_of,
        "made": {row: (one.level, one.inputs) for row, one in made.items()},
    }


def put_video(model: Streamer, lane: int, state: Mapping[str, Any]) -> None:
    """Lets a lane go on with a video that `take_video` took.

    Args:
        model: has the parameters and precision of the model that the video was taken from. Where its
            parameters have changed since, the model must be told (`Streamer.lane_outdated`).
        lane: which lane; whatever it watches is dropped.
        state: what `take_video` returned.
    """
    memory = model.memory
    vectors = _put(memory.vectors, state["vectors"])
    predictions = _put(memory.predictions, state["predictions"])
    frames = _put(memory.frames, state["frames"])
    memory.frame_of.update({vectors[row]: frames[frame] for row, frame in state["frame_of"].items()})
    _put_made(memory, state["made"], vectors)
    of_frames = model.config.encodes_frames
    restore_lane(model.lanes[lane], state["lane"], model.levels.device)
    _renumber(model.lanes[lane], vectors, predictions if of_frames else vectors)


def add_gradients(model: Streamer, other: Streamer) -> None:
    """Adds the gradients in the making of another model to those of `model`; both train and have settled."""
    assert settled(model), "losses wait"
    assert settled(other), "losses wait"
    assert model.learner is not None
    assert other.learner is not None
    sums = (*model.learner.f_sums, *model.learner.p_sums)
    others = (*other.learner.f_sums, *other.learner.p_sums)
    for own, more in zip(sums, others, strict=True):
        own.flat.add_(more.flat)
        own.counter += more.counter


def settled(model: Streamer) -> bool:
    """Whether no loss of the model waits."""
    return not model.due and (model.learner is None or not model.learner.waiting)


def _taken(table: RowTable, rows: Iterable[int]) -> State:
    ordered = sorted(rows)
    return {"rows": ordered, "columns": table.columns(ordered) if ordered else []}


def _put(table: RowTable, state: Mapping[str, Any]) -> Rows:
    """Writes rows into free ones, whose numbers it returns."""
    old = list(state["rows"])
    new = table.take(len(old))
    columns: list[Tensor] = [column.to(table.device) for column in state["columns"]]
    if old:
        table.write(new, columns)
    return dict(zip(old, new, strict=True))


def _put_made(memory: Memory, made: Mapping[int, tuple[int, tuple[int, ...]]], vectors: Rows) -> None:
    for row, (level, inputs) in made.items():
        memory.made[vectors[row]] = Made(level, tuple(vectors[one] for one in inputs))


def _renumber(lane: Lane, vectors: Rows, predicted_frames: Rows) -> None:
    """Lets a lane name its rows as they are numbered now."""
    for snippet in lane.queue:
        snippet.row = None if snippet.row is None else vectors[snippet.row]
    for level, state in enumerate(lane.states):
        state.working_set.rows = [vectors[row] for row in state.working_set.rows]
        state.z_row = None if state.z_row is None else vectors[state.z_row]
        state.last_row = None if state.last_row is None else vectors[state.last_row]
        if state.candidate is not None:
            row, z_row = vectors[state.candidate.row], vectors[state.candidate.z_row]
            state.candidate = replace(state.candidate, row=row, z_row=z_row)
        if state.prediction is not None:
            rows = predicted_frames if level == 0 else vectors
            last, before = state.prediction.last, state.prediction.before
            state.prediction = Prediction(
                tuple(vectors[row] for row in state.prediction.sources),
                rows[state.prediction.row],
                None if last is None else vectors[last],
                None if before is None else vectors[before],
            )
