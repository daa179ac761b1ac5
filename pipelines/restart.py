"""How a worker begins: at the start of a run, or where its last checkpoint left it.

With as many workers and lanes as before, every lane goes on to the bit. Otherwise videos in the middle move
to other workers, and gradients in the making too; with another number of lanes altogether, what is left is
dealt anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.assignment import assign, slots_of
from pipelines.catalog import CatalogEntry
from pipelines.checkpoints import Assignment, SavedRun
from pipelines.position import RunningVideo, WorkerPosition
from pipelines.snippets import VideoPart
from streamer import checkpoint
from streamer.handover import add_gradients, take_video
from streamer.streamer import Streamer

OTHER_PARAMETERS = -1  # no number of steps: what the model knew is not what this one would know


@dataclass(frozen=True)
class Start:
    """Where a worker begins.

    Attributes:
        assignment: of the whole run.
        parts: for each lane of this worker the videos to be watched, each from where it is to be decoded.
        position: how far this worker has come.
    """

    assignment: Assignment
    parts: list[list[VideoPart]]
    position: WorkerPosition


def begin(entries: Sequence[CatalogEntry], workers: int, lanes: int, rank: int) -> Start:
    """The start of a run."""
    slots = assign(entries, workers * lanes)
    assignment = Assignment(workers, lanes, [[entry.video_id for entry in slot] for slot in slots])
    own = slots_of(slots, rank, workers)
    parts = [[VideoPart(entry) for entry in slot] for slot in own]
    return Start(assignment, parts, WorkerPosition([[] for _ in own]))


def go_on(
    saved: SavedRun,
    model: Streamer,
    entries: Sequence[CatalogEntry],
    *,
    workers: int,
    rank: int,
    shared: bool,
) -> Start:
    """Brings a worker to where a checkpoint left off.

    Args:
        saved: the checkpoint.
        model: this worker's, fresh; gets its parameters, and what it knew of videos in the middle.
        entries: all videos of the run.
        workers: number of workers now.
        rank: this one.
        shared: whether all workers have the same parameters.

    Raises:
        CheckpointError: a file of the checkpoint cannot be read, or does not fit the model.
    """
    lanes = len(model.lanes)
    former = saved.assignment
    positions = [saved.position(other) for other in range(former.workers)]
    if (former.workers, former.lanes) == (workers, lanes):
        _restore(model, saved, rank, shared=shared)
        position, assignment = positions[rank], former
    else:
        slots = former.slots
        if len(slots) != workers * lanes:
            slots = _deal(positions, entries, workers * lanes, model.config.snippet_size)
        assignment = Assignment(workers, lanes, slots)
        own = slots_of(slots, rank, workers)
        position = _move_in(model, saved, positions, own, workers, rank, shared=shared)
    ended = {end.video_id for other in positions for end in other.ended}
    running = {video.video_id: video.next for lane in position.running for video in lane}
    by_id = {entry.video_id: entry for entry in entries}
    own = slots_of(assignment.slots, rank, workers)
    parts = [
        [VideoPart(by_id[name], running.get(name, 0)) for name in slot if name not in ended] for slot in own
    ]
    return Start(assignment, parts, position)


def _restore(model: Streamer, saved: SavedRun, rank: int, *, shared: bool, running: bool = True) -> None:
    """Gives a fresh model the state of a former worker's."""
    path = saved.model_path(rank)
    content = checkpoint.read(path)
    first: dict[str, Any] | None = checkpoint.read(saved.model_path(0)) if shared and rank > 0 else None
    checkpoint.restore(model, content, path, shared=first, running=running)


def _deal(
    positions: Sequence[WorkerPosition],
    entries: Sequence[CatalogEntry],
    slots: int,
    snippet_size: float,
) -> list[list[str]]:
    """Deals what is left to other lanes than before."""
    ended = {end.video_id for position in positions for end in position.ended}
    middle = {
        video.video_id: video.next for position in positions for lane in position.running for video in lane
    }
    left = [entry for entry in entries if entry.video_id not in ended]
    running = [
        _rest(entry, middle[entry.video_id] * snippet_size) for entry in left if entry.video_id in middle
    ]
    waiting = [entry for entry in left if entry.video_id not in middle]
    dealt = assign(waiting, slots, running)
    return [[entry.video_id for entry in slot] for slot in dealt]


def _rest(entry: CatalogEntry, watched_s: float) -> CatalogEntry:
    """A video as long as what is left of it."""
    if entry.duration_s is None:
        return entry
    return replace(entry, duration_s=max(0.0, entry.duration_s - watched_s))


def _move_in(
    model: Streamer,
    saved: SavedRun,
    positions: Sequence[WorkerPosition],
    slots: Sequence[Sequence[str]],
    workers: int,
    rank: int,
    *,
    shared: bool,
) -> WorkerPosition:
    """Gives a worker its part of what the former workers held, who were more, or fewer, or had other lanes.

    Args:
        model: this worker's, fresh.
        saved: the checkpoint.
        positions: of the former workers.
        slots: ids of this worker's videos, per lane.
        workers: number of workers now.
        rank: this one.
        shared: whether all workers have, and had, the same parameters.
    """
    former = saved.assignment
    heir_of = rank % former.workers  # whose parameters this worker goes on with, where all have their own
    _restore(model, saved, heir_of, shared=shared, running=False)
    assert model.learner is not None
    if model.rehearsal is not None:
        lanes = len(model.lanes)
        model.rehearsal.inherit(_past_losses(saved), rank * lanes, workers * lanes)
    wanted = {name for slot in slots for name in slot}
    found: dict[str, RunningVideo] = {}
    for other, position in enumerate(positions):
        mine = {video.video_id for lane in position.running for video in lane} & wanted
        inherits = other % workers == rank if shared else other == rank
        if not mine and not inherits:
            continue
        predecessor = _predecessor(model, saved, other, shared=shared)
        if inherits:
            add_gradients(model, predecessor)
        for lane, videos in enumerate(position.running):
            for video in videos:
                if video.video_id in mine:
                    same = shared or other == heir_of
                    found[video.video_id] = _taken(video, predecessor, lane, same=same)
    running = [[found[name] for name in slot if name in found] for slot in slots]
    if rank > 0:
        return WorkerPosition(running, averaged_steps=positions[heir_of].averaged_steps)
    return WorkerPosition(
        running,
        ended=[end for position in positions for end in position.ended],
        snippets=sum(position.snippets for position in positions),
        events=[sum(counts) for counts in zip(*(position.events for position in positions), strict=True)],
        averaged_steps=positions[heir_of].averaged_steps,
    )


def _past_losses(saved: SavedRun) -> list[dict[str, Any]]:
    """Past losses that the lanes of all former workers kept."""
    paths = [saved.model_path(other) for other in range(saved.assignment.workers)]
    return [lane for path in paths for lane in checkpoint.read(path, mapped=True)["rehearsal"]]


def _predecessor(model: Streamer, saved: SavedRun, other: int, *, shared: bool) -> Streamer:
    """A former worker's model as it was, with all its losses taken in."""
    predecessor = Streamer(
        model.config,
        lanes=saved.assignment.lanes,
        seed=model.levels.seed,
        device=model.levels.device,
        precision=model.levels.arithmetic.precision,
        schedule=model.schedule,
    )
    _restore(predecessor, saved, other, shared=shared)
    predecessor.settle()
    return predecessor


def _taken(video: RunningVideo, predecessor: Streamer, lane: int, *, same: bool) -> RunningVideo:
    """A video with what the model knew of it; `same`: it goes on with the same parameters."""
    assert predecessor.learner is not None
    if video.state is None:
        steps = predecessor.learner.steps
        video = replace(video, state=take_video(predecessor, lane), steps=steps)
    return video if same else replace(video, steps=OTHER_PARAMETERS)
