"""Which videos and levels of a run are exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.run_folder import RunFolder
from streamer.config import nearest
from streamer.errors import StreamerError

Row = Mapping[str, Any]


class ExportError(StreamerError):
    """Something to export that is not there, or a place that cannot be written."""


def choose_videos(rows: Sequence[Row], wanted: Sequence[str] | None, root: Path) -> list[Row]:
    """The rows of `videos.parquet` whose hierarchies are exported, in its order.

    Args:
        rows: all rows.
        wanted: ids, or patterns with *, ? and [...]; None for all. What is an id is no pattern.
        root: folder of the run, for errors.

    Raises:
        ExportError: an id or pattern meets no video, or a video that is named has no hierarchy, or none has.
    """
    done = [row for row in rows if row["status"] == "done"]
    if not done:
        raise ExportError(f"{root}: none of its {len(rows)} videos has a hierarchy: give another run")
    if wanted is None:
        return done
    known = {row["video_id"]: row for row in rows}
    chosen: set[str] = set()
    for name in wanted:
        if name in known:
            row = known[name]
            if row["status"] != "done":
                raise ExportError(
                    f"{root}: video {name} has no hierarchy, it is {row['status']} ({row['reason']}): "
                    "leave it out of --videos"
                )
            chosen.add(name)
            continue
        matches = [row["video_id"] for row in done if fnmatchcase(row["video_id"], name)]
        if not matches:
            hint = nearest(name, list(known))
            raise ExportError(f"{root}: no video {name} with a hierarchy{hint}: see videos.parquet")
        chosen.update(matches)
    return [row for row in done if row["video_id"] in chosen]


def check_levels(folder: RunFolder, chosen: Sequence[Row], levels: Sequence[int]) -> None:
    """Makes sure that every level exists in at least one of the chosen videos.

    Raises:
        ExportError: naming the level and those that there are.
    """
    deepest = max((_deepest(folder.hierarchy_of(row["video_id"])) for row in chosen), default=-1)
    unknown = [level for level in levels if level > deepest >= 0]
    if unknown:
        raise ExportError(
            f"{folder.root}: no chosen video has a level {unknown[0]}: the levels are 0 to {deepest}"
        )


def _deepest(path: Path) -> int:
    """The coarsest level in a file of events, by its statistics; -1 if it is damaged, which shows later."""
    try:
        metadata = pq.read_metadata(path)
        place = metadata.schema.names.index("level")
        groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
        return max(group.column(place).statistics.max for group in groups)
    except (pa.ArrowException, OSError, ValueError, AttributeError):
        return -1
