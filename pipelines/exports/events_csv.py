"""One CSV table of the events of all videos, which `streamer evaluate --truth` and spreadsheets read.

The first five columns are those of annotations; times are seconds after the first frame, as in the hierarchy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from pipelines.exports.video import ExportedVideo

SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("level", pa.int8()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("label", pa.string()),
        ("event", pa.int32()),
        ("parent", pa.int32()),
        ("children", pa.int32()),
        ("mean_signal", pa.float32()),
        ("boundary_signal", pa.float32()),
    ]
)

# A spreadsheet computes what begins so. Many video ids begin with a dash, which without a call is harmless.
_FORMULA = re.compile(r"[=@\t\r]|[+-].*[(|!]", re.DOTALL)


class EventsCsv:
    """Writes the table, video by video; a context manager that closes the file.

    Args:
        path: the file to make.
    """

    def __init__(self, path: Path) -> None:
        self._writer = pacsv.CSVWriter(path, SCHEMA)

    def __enter__(self) -> EventsCsv:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def add(self, video: ExportedVideo) -> None:
        """Writes the levels of a video."""
        self._writer.write_table(events_table(video))


def events_table(video: ExportedVideo) -> pa.Table:
    """The events of the levels of `video`, finest level first, with the columns of `SCHEMA`."""
    events = video.hierarchy.to_arrow()
    chosen = events.filter(pa.array(np.isin(events["level"].to_numpy(), video.levels)))
    names = [name for level in video.levels for name in video.names[level]]
    columns = {
        **{name: chosen[name] for name in SCHEMA.names if name != "label"},
        "video_id": _harmless([video.hierarchy.video_id] * len(names)),
        "label": _harmless(names),
    }
    return pa.table({name: columns[name] for name in SCHEMA.names}, SCHEMA)


def _harmless(texts: Sequence[str]) -> pa.Array:
    """Texts with an apostrophe before those that a spreadsheet would compute."""
    return pa.array([f"'{text}" if _FORMULA.match(text) else text for text in texts], pa.string())
