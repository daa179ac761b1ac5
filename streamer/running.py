"""The state of videos in the middle, as tensors and plain values that a checkpoint can hold.

A model that gets it back goes on as if it had never stopped, to the bit: windows, working sets, predictions,
events so far, snippets that wait, and losses whose gradients have yet to be computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from streamer.arithmetic import Arithmetic
from streamer.centring import Centre
from streamer.lane import Candidate, Lane, LevelState, Prediction, Waiting
from streamer.learner import Loss
from streamer.memory import Made, Memory
from streamer.observation import DueLoss
from streamer.recorder import EndedEvent, EventRecorder
from streamer.rows import RowTable
from streamer.tally import Tally

if TYPE_CHECKING:
    from streamer.streamer import Streamer

State = dict[str, Any]


def running_state(model: Streamer) -> State:
    """What `restore_running` needs to go on."""
    learner = model.learner
    return {
        "lanes": [lane_state(lane) for lane in model.lanes],
        "memory": _memory_state(model.memory),
        "due": [asdict(loss) for loss in model.due],
        "waiting": [] if learner is None else [asdict(loss) for loss in learner.waiting],
        "touched": sorted(model.replay.touched),
        "bounded": [table.bounded for table in model.levels.tables],
        "inputs": _tally_state(model.inputs),
        "losses": None if learner is None else _tally_state(learner.losses),
    }


def restore_running(model: Streamer, state: Mapping[str, Any]) -> None:
    """Lets a model with the same parameters, levels and number of lanes go on from `running_state`.

    Raises:
        LookupError, ValueError, TypeError: the state is none of such a model.
    """
    for lane, held in zip(model.lanes, state["lanes"], strict=True):
        restore_lane(lane, held, model.levels.device)
    _restore_memory(model.memory, state["memory"], model.levels.arithmetic)
    model.due = [_due(loss) for loss in state["due"]]
    model.replay.touched = set(state["touched"])
    for table, bounded in zip(model.levels.tables, state["bounded"], strict=True):
        table.bound(bounded)  # in the parameters of another replica more or fewer rows may be
    _restore_tally(model.inputs, state["inputs"])
    if model.learner is not None:
        model.learner.waiting = [
            Loss(_due(loss["due"]), loss["weight"], tuple(loss["reach"])) for loss in state["waiting"]
        ]
        _restore_tally(model.learner.losses, state["losses"])


def _due(loss: Mapping[str, Any]) -> DueLoss:
    return DueLoss(loss["level"], _prediction(loss["prediction"]), loss["target"], loss["timescale"])


def _prediction(state: Mapping[str, Any]) -> Prediction:
    return Prediction(tuple(state["sources"]), state["row"], state.get("last"), state.get("before"))


def lane_state(lane: Lane) -> State:
    """What a lane holds; rows of tables by their numbers."""
    return {
        "index": lane.index,
        "queue": [(snippet.data.clone(), snippet.row) for snippet in lane.queue],
        "centre": None if lane.centre is None else _centre_state(lane.centre),
        "mixture": None if lane.mixture is None else list(lane.mixture.errors),
        "ring": None if lane.ring is None else lane.ring.remembered(),
        "levels": [_level_state(state) for state in lane.states],
    }


def restore_lane(lane: Lane, state: Mapping[str, Any], device: torch.device) -> None:
    """Lets a lane hold what `lane_state` returned, with all vectors on the model's device."""
    lane.start_video(len(state["levels"]))
    lane.index = state["index"]
    lane.queue.extend(Waiting(data.to(device), row) for data, row in state["queue"])
    if lane.centre is not None:
        count, *parts = state["centre"]
        lane.centre = Centre(count, *(_moved(part, device) for part in parts))
    if lane.mixture is not None:
        lane.mixture.errors = list(state["mixture"])
    if lane.ring is not None:
        lane.ring.recall(state["ring"])
    for level, level_state in zip(lane.states, state["levels"], strict=True):
        _restore_level(level, level_state, device)


def _centre_state(centre: Centre) -> tuple[int, Tensor | None, Tensor | None]:
    # Copied: a view would be saved with all that it is a view of.
    parts = [None if part is None else part.clone() for part in (centre.sum, centre.squares)]
    return centre.count, parts[0], parts[1]


def _level_state(state: LevelState) -> State:
    working_set, recorder = state.working_set, state.recorder
    return {
        "offered": working_set.offered,
        "rows": list(working_set.rows),
        "values": list(working_set.values),
        "demarcation": state.demarcation.remembered(),
        "z_row": state.z_row,
        "prediction": None if state.prediction is None else asdict(state.prediction),
        "last_input": state.last_input,
        "last_row": state.last_row,
        "candidate": None if state.candidate is None else asdict(state.candidate),
        "event": (recorder.start_s, recorder.signal_sum, recorder.signal_count),
        "inputs": None if recorder.input_sum is None else (recorder.input_sum.clone(), recorder.input_count),
        "last": None if recorder.last is None else _copied(recorder.last),
        "ended": [
            (
                e.start_s,
                e.end_s,
                e.mean_signal,
                e.boundary_signal,
                None if e.representation is None else e.representation.clone(),
            )
            for e in recorder.ended
        ],
    }


def _copied(last: tuple[float | None, Tensor | None]) -> tuple[float | None, Tensor | None]:
    value, vector = last
    return value, None if vector is None else vector.clone()


def _restore_level(level: LevelState, state: Mapping[str, Any], device: torch.device) -> None:
    level.working_set.offered = state["offered"]
    level.working_set.rows = list(state["rows"])
    level.working_set.values = list(state["values"])
    level.demarcation.recall(list(state["demarcation"]))
    level.z_row = state["z_row"]
    level.prediction = None if state["prediction"] is None else _prediction(state["prediction"])
    level.last_input = state["last_input"]
    level.last_row = state.get("last_row")
    level.recorder = EventRecorder()
    recorder = level.recorder
    recorder.start_s, recorder.signal_sum, recorder.signal_count = state["event"]
    if state.get("inputs") is not None:
        input_sum, recorder.input_count = state["inputs"]
        recorder.input_sum = _moved(input_sum, device)
    if state.get("last") is not None:
        value, vector = state["last"]
        recorder.last = value, _moved(vector, device)
    candidate = state.get("candidate")
    level.candidate = None if candidate is None else Candidate(**candidate)
    ended = [EndedEvent(*event) for event in state["ended"]]
    recorder.ended = [replace(event, representation=_moved(event.representation, device)) for event in ended]


def _moved(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor.to(device)


def _memory_state(memory: Memory) -> State:
    return {
        "vectors": _table_state(memory.vectors),
        "frames": _table_state(memory.frames),
        "predictions": _table_state(memory.predictions),
        "frame_of": dict(memory.frame_of),
        "made": {row: (made.level, made.inputs) for row, made in memory.made.items()},
        "taken": memory.taken,
    }


def _restore_memory(memory: Memory, state: Mapping[str, Any], arithmetic: Arithmetic) -> None:
    compute = arithmetic.compute
    _restore_table(memory.vectors, state["vectors"], arithmetic.state, arithmetic.state)
    _restore_table(memory.frames, state["frames"], arithmetic.state, compute)
    _restore_table(memory.predictions, state["predictions"], arithmetic.state, compute)
    memory.frame_of = dict(state["frame_of"])
    memory.made = {row: Made(level, tuple(inputs)) for row, (level, inputs) in state["made"].items()}
    memory.taken = state["taken"]


def _table_state(table: RowTable) -> State:
    rows = sorted(table.used)
    return {"rows": rows, "columns": table.columns(rows) if rows else []}


def _restore_table(
    table: RowTable, state: Mapping[str, Any], first: torch.dtype, others: torch.dtype
) -> None:
    """Fills an empty table.

    Args:
        table: the table.
        state: of a table of the same kind.
        first: floating-point type of the first column.
        others: floating-point type of the other columns; places of maxima stay whole numbers.
    """
    rows = list(state["rows"])
    table.reserve(rows)
    columns = [column.to(table.device) for column in state["columns"]]
    for place, column in enumerate(columns):
        if column.is_floating_point():
            columns[place] = column.to(others if place else first)
    if rows:
        table.write(rows, columns)


def _tally_state(tally: Tally) -> State:
    return {"total": list(tally.total), "since_barrier": list(tally.since_barrier)}


def _restore_tally(tally: Tally, state: Mapping[str, Any]) -> None:
    tally.total, tally.since_barrier = list(state["total"]), list(state["since_barrier"])
