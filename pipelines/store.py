"""Writes what a video gave: its hierarchy, and beside it the tree of mergers and the signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.run_folder import RunFolder
from streamer.atomic import atomic_write
from streamer.hierarchy import Hierarchy
from streamer.signals import Signal
from streamer.tree_table import write_tree

SIGNALS_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("level", pa.int8()),
        ("snippet", pa.int32()),
        ("time_s", pa.float64()),
        ("signal", pa.float32()),
        ("boundary", pa.bool_()),
    ]
)


REASON = "streamer.reason"
"""Entry of a file's schema metadata: what is odd about a video that is done all the same."""


class HierarchyStore:
    """Writes into the folder of a run.

    Args:
        folder: the run.
        metadata: goes into every file's schema metadata.
        signals: whether signals are stored too.

    Attributes:
        keeps_signals: whether signals are stored too.
    """

    def __init__(self, folder: RunFolder, metadata: Mapping[str, str], *, signals: bool) -> None:
        self._folder = folder
        self._metadata = dict(metadata)
        self.keeps_signals = signals

    def write(self, hierarchy: Hierarchy, signals: Sequence[Signal], reason: str | None = None) -> None:
        """Writes one finished video; its hierarchy last, since that is what marks it as finished.

        Args:
            hierarchy: its events.
            signals: its signals.
            reason: what is odd about its file; kept with the events, for a run that goes on.
        """
        if self.keeps_signals:
            self._write_signals(hierarchy, signals)
        if hierarchy.tree is not None:
            self._folder.trees.mkdir(parents=True, exist_ok=True)
            write_tree(hierarchy, self._folder.tree_of(hierarchy.video_id), self._metadata)
        self._folder.hierarchy.mkdir(parents=True, exist_ok=True)
        metadata = self._metadata if reason is None else {**self._metadata, REASON: reason}
        hierarchy.to_parquet(self._folder.hierarchy_of(hierarchy.video_id), metadata)

    def discard(self, video_id: str) -> None:
        """Removes what an earlier attempt wrote of a video that has failed now."""
        folder = self._folder
        for path in (folder.hierarchy_of(video_id), folder.tree_of(video_id), folder.signals_of(video_id)):
            path.unlink(missing_ok=True)

    def _write_signals(self, hierarchy: Hierarchy, signals: Sequence[Signal]) -> None:
        ordered = sorted(signals, key=lambda signal: (signal.level, signal.index))
        columns = [
            [hierarchy.video_id] * len(ordered),
            [signal.level for signal in ordered],
            [signal.index for signal in ordered],
            [signal.index * hierarchy.snippet_size for signal in ordered],
            [signal.value for signal in ordered],
            [signal.boundary for signal in ordered],
        ]
        table = pa.Table.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, SIGNALS_SCHEMA, strict=True)],
            schema=SIGNALS_SCHEMA.with_metadata(self._metadata),
        )
        self._folder.signals.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._folder.signals_of(hierarchy.video_id)) as temporary:
            pq.write_table(table, temporary, compression="zstd")


def read_signals(folder: RunFolder, video_id: str) -> pa.Table | None:
    """The signals of a video, with the columns of `SIGNALS_SCHEMA`; None where they were not stored."""
    path = folder.signals_of(video_id)
    return pq.read_table(path) if path.exists() else None
