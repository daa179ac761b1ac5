"""Hierarchies of events: what they are, when they are valid, and how they become tables and files."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NoReturn

import numpy as np
import pyarrow as pa

from streamer.errors import HierarchyError
from streamer.events_table import (
    REMEDY,
    VideoFacts,
    check_columns,
    events_schema,
    pack_representations,
    read_metadata,
    read_table,
    unpack_representations,
    write_table,
)
from streamer.merge_tree import MergeTree

_MAX_LEVELS = 127  # the level column is int8
_MAX_SNIPPETS = 2**31 - 1  # the children column is int32
_GRID_TOLERANCE = 1e-6  # of a snippet: a time this near to a grid point is on it


@dataclass(frozen=True, eq=False)
class Event:
    """One event of one level: the half-open interval [start_s, end_s).

    Attributes:
        start_s: seconds after the first frame.
        end_s: seconds after the first frame.
        mean_signal: mean of the level's signal over the event; None where unknown.
        boundary_signal: value of the signal that ended the event; None for the last one.
        representation: the level's vector when the event ended, float32 [D]; None where unknown.
    """

    start_s: float
    end_s: float
    mean_signal: float | None = None
    boundary_signal: float | None = None
    representation: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """The events of one video at every level. Two hierarchies are compared by their tables (`to_arrow`).

    Attributes:
        video_id: the id of the video.
        duration_s: seconds from the first frame to the end of the last.
        snippet_size: seconds per snippet; snippet k is at `k * snippet_size`.
        levels: events in time order, per level, finest level first.
        snippets: number of snippets of the video.
        dim: D, the width of the representations; taken from the events where it is not given.
        metadata: what is stored beside the events: the configuration as JSON, the model's identity.
        tree: in which the events of level 0 were merged; None where they were not. It has a file of its own.
    """

    video_id: str
    duration_s: float
    snippet_size: float
    levels: Sequence[Sequence[Event]]
    snippets: int
    dim: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tree: MergeTree | None = None

    def __post_init__(self) -> None:
        if self.dim is None:
            known = (e.representation for level in self.levels for e in level if e.representation is not None)
            first = next(known, None)
            object.__setattr__(self, "dim", None if first is None else int(np.size(first)))

    @property
    def num_levels(self) -> int:
        """Number of levels."""
        return len(self.levels)

    def segments(self, level: int) -> list[tuple[float, float]]:
        """Returns (start_s, end_s) of every event of a level, in time order."""
        return [(event.start_s, event.end_s) for event in self.levels[level]]

    def boundaries(self, level: int) -> np.ndarray:
        """Returns the seconds at which one event of a level ends and the next begins, float64 [n-1]."""
        return self._times(level)[0][1:]

    def snippet_counts(self) -> np.ndarray:
        """Returns how many snippets every event of level 0 has, int64 [n]."""
        edges = np.append(self._times(0)[0], self.duration_s)
        return np.diff(_snippets_before(edges, self.snippet_size, self.snippets))

    def validate(self) -> None:
        """Checks that every level tiles [0, duration_s) and that the levels are nested.

        Raises:
            HierarchyError: naming the video, the level and the event. Times are compared exactly.
        """
        self._check_facts()
        finer: np.ndarray | None = None
        for level in range(self.num_levels):
            starts, ends = self._times(level)
            self._check_tiling(level, starts, ends)
            if finer is not None and not (known := np.isin(starts, finer)).all():
                event = int(np.argmin(known))
                what = f"starts at {starts[event]:g} s, where level {level - 1} has no boundary"
                self._fail(level, event, what)
            self._check_representations(level)
            finer = starts

    def to_arrow(self, metadata: Mapping[str, str] | None = None) -> pa.Table:
        """Returns the events table: one row per event, level by level, finest first, in time order.

        Args:
            metadata: entries of the schema's metadata that are added to those of this hierarchy.

        Returns:
            A table with the columns of `events_schema`.

        Raises:
            HierarchyError: the hierarchy is not valid, or D is neither given nor known from an event.
        """
        self.validate()
        if self.dim is None:
            raise HierarchyError(f"{self.video_id}: no event has a representation; give its width as dim")
        events = [event for level in self.levels for event in level]
        level, index, parent, children = self._index_columns()
        columns = [
            pa.array([self.video_id] * len(events), pa.string()),
            pa.array(level, pa.int8()),
            pa.array(index, pa.int32()),
            pa.array([event.start_s for event in events], pa.float64()),
            pa.array([event.end_s for event in events], pa.float64()),
            pa.array(parent, pa.int32(), mask=parent < 0),
            pa.array(children, pa.int32()),
            pa.array([event.mean_signal for event in events], pa.float32()),
            pa.array([event.boundary_signal for event in events], pa.float32()),
            pack_representations([event.representation for event in events], self.dim),
        ]
        facts = VideoFacts(self.duration_s, self.snippet_size, self.snippets).to_metadata()
        schema = events_schema(self.dim).with_metadata({**self.metadata, **(metadata or {}), **facts})
        return pa.Table.from_arrays(columns, schema=schema)

    @staticmethod
    def from_arrow(table: pa.Table) -> "Hierarchy":
        """Reads an events table of one video.

        Raises:
            HierarchyError: the table has other columns, holds more than one video, lacks the metadata that
                `to_arrow` writes, or breaks a rule of `validate_table`.
        """
        check_columns(table)
        facts, metadata = read_metadata(table.schema.metadata or {})
        level = table["level"].to_numpy()
        counts = np.bincount(np.maximum(level, 0))
        if not np.array_equal(level, np.repeat(np.arange(len(counts)), counts)):
            raise HierarchyError(
                "rows are not sorted by level from 0 up; keep the order they were written in"
            )
        events, dim = _read_events(table)
        ends = np.cumsum(counts)
        levels = [
            events[end - count : end] for end, count in zip(ends.tolist(), counts.tolist(), strict=True)
        ]
        hierarchy = Hierarchy(
            video_id=table["video_id"][0].as_py(),
            duration_s=facts.duration_s,
            snippet_size=facts.snippet_size,
            levels=levels,
            snippets=facts.snippets,
            dim=dim,
            metadata=metadata,
        )
        hierarchy.validate()
        hierarchy._check_index_columns(table)
        return hierarchy

    def to_parquet(self, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
        """Writes the events table as one Parquet file, whole or not at all.

        Representations that are not known are stored as NaN; `from_parquet` turns them into None again.

        Args:
            path: the file to make or replace; its folder must exist.
            metadata: as in `to_arrow`.

        Raises:
            HierarchyError: as in `to_arrow`; nothing is written then.
            OSError: the file cannot be written.
        """
        write_table(self.to_arrow(metadata), path)

    @staticmethod
    def from_parquet(path: str | os.PathLike[str]) -> "Hierarchy":
        """Reads and validates a file that `to_parquet` wrote.

        Raises:
            HierarchyError: the file is missing, damaged, of another kind, or fails `validate_table`.
        """
        table = read_table(path)
        try:
            return Hierarchy.from_arrow(table)
        except HierarchyError as error:
            raise HierarchyError(f"{os.fspath(path)}: {error}; {REMEDY}") from error

    def _fail(self, level: int, event: int, what: str) -> NoReturn:
        raise HierarchyError(f"{self.video_id}, level {level}, event {event}: {what}")

    def _times(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns starts and ends of a level's events, float64 [n] each."""
        events = self.levels[level]
        starts = np.array([event.start_s for event in events], dtype=np.float64)
        return starts, np.array([event.end_s for event in events], dtype=np.float64)

    def _check_facts(self) -> None:
        for name in ("duration_s", "snippet_size"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise HierarchyError(f"{self.video_id}: {name} is {value}; it must be above 0")
        if not 0 < self.snippets <= _MAX_SNIPPETS:
            raise HierarchyError(f"{self.video_id}: snippets is {self.snippets}; it must be above 0")
        if not 1 <= self.num_levels <= _MAX_LEVELS:
            raise HierarchyError(
                f"{self.video_id}: has {self.num_levels} levels; 1 to {_MAX_LEVELS} are possible"
            )

    def _check_tiling(self, level: int, starts: np.ndarray, ends: np.ndarray) -> None:
        if not starts.size:
            raise HierarchyError(f"{self.video_id}, level {level}: has no event")
        # Negated, so that NaN is found too.
        empty = ~(ends > starts)
        if empty.any():
            event = int(np.argmax(empty))
            self._fail(level, event, f"ends at {ends[event]:g} s, not after its start at {starts[event]:g} s")
        expected = np.concatenate(([0.0], ends[:-1]))
        wrong = ~(starts == expected)
        if wrong.any():
            event = int(np.argmax(wrong))
            kind = "a gap" if starts[event] > expected[event] else "an overlap"
            self._fail(level, event, f"starts at {starts[event]:g} s, not at {expected[event]:g} s: {kind}")
        if ends[-1] != self.duration_s:
            what = f"is the last but ends at {ends[-1]:g} s, not with the video at {self.duration_s:g} s"
            self._fail(level, len(ends) - 1, what)

    def _check_representations(self, level: int) -> None:
        for index, event in enumerate(self.levels[level]):
            if event.representation is not None and event.representation.shape != (self.dim,):
                shape = list(event.representation.shape)
                self._fail(level, index, f"has a representation of shape {shape}, not [{self.dim}]")

    def _index_columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Returns level, event, parent (-1 at the top) and children of every event, int64 [events] each."""
        starts = [self._times(level)[0] for level in range(self.num_levels)]
        counts = [len(times) for times in starts]
        children = [self.snippet_counts()]
        parents = []
        for finer, coarser in pairwise(starts):
            parents.append(np.searchsorted(coarser, finer, side="right") - 1)
            children.append(np.bincount(parents[-1], minlength=len(coarser)))
        parents.append(np.full(counts[-1], -1))
        level = np.repeat(np.arange(self.num_levels), counts)
        event = np.concatenate([np.arange(count) for count in counts])
        return level, event, np.concatenate(parents), np.concatenate(children)

    def _check_index_columns(self, table: pa.Table) -> None:
        """Checks the columns that say how the events of a table hang together against the events' times."""
        level, event, parent, children = self._index_columns()
        for name, expected in (("event", event), ("parent", parent), ("children", children)):
            given = table[name].fill_null(-1).to_numpy()
            if (wrong := given != expected).any():
                row = int(np.argmax(wrong))
                what = f"{name} is {given[row]}, but by the times of the events it is {expected[row]}"
                self._fail(int(level[row]), int(event[row]), what)


def validate_table(table: pa.Table) -> None:
    """Checks an events table of one video: columns, order, tiling, nesting, and every index in it.

    Raises:
        HierarchyError: naming the level and event, or the column, that is wrong.
    """
    Hierarchy.from_arrow(table)


def _snippets_before(times: np.ndarray, snippet_size: float, snippets: int) -> np.ndarray:
    """Counts the snippets k < `snippets` with k * snippet_size < time, int64 [n]."""
    steps = times / snippet_size
    nearest = np.rint(steps)
    # Times are products k * snippet_size that were rounded; rounded up, they would count one too many.
    on_grid = np.abs(steps - nearest) < _GRID_TOLERANCE
    return np.clip(np.where(on_grid, nearest, np.ceil(steps)), 0, snippets).astype(np.int64)


def _read_events(table: pa.Table) -> tuple[list[Event], int]:
    """Returns the events of a table in its order, and D."""
    matrix = unpack_representations(table)
    vectors = [None if np.isnan(vector).all() else vector for vector in matrix]
    names = ("start_s", "end_s", "mean_signal", "boundary_signal")
    columns = (table[name].to_pylist() for name in names)
    return [Event(*values) for values in zip(*columns, vectors, strict=True)], matrix.shape[1]
