"""This project's own annotations: a table with the columns `video_id, level, start_s, end_s, label`.

One row per event; other columns are ignored. A video may have several levels of annotation, and a level may
have gaps, overlaps and any order. Users write these rows themselves, so a faulty one is refused, not skipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.annotations.oddities import order_notes
from pipelines.annotations.truth import Truth
from pipelines.tables import table_rows
from streamer.errors import TruthError
from streamer.metrics import LabelledSegment

COLUMNS = ("video_id", "level", "start_s", "end_s", "label")
TIMES = ("start_s", "end_s")


def read_plain(path: Path) -> Truth:
    """Reads annotated events.

    Args:
        path: a .csv (UTF-8, with a header) or .parquet file.

    Returns:
        The annotations.

    Raises:
        TruthError: the file is unreadable or empty, lacks columns, or has a row with an empty name, a time
            that is no finite number, a negative start, or an end not after the start.
    """
    videos: dict[str, dict[str, list[LabelledSegment]]] = {}
    rows = table_rows(
        path, required=COLUMNS, error=TruthError, check_schema=lambda schema: _check_types(path, schema)
    )
    for place, row in rows:
        video_id, level, event = _parse_row(f"{path}, {place}", row)
        videos.setdefault(video_id, {}).setdefault(level, []).append(event)
    if not videos:
        raise TruthError(f"{path}: holds no events; add one row per annotated event")
    return Truth(path, videos, notes=tuple(order_notes(videos)))


def _check_types(path: Path, schema: pa.Schema) -> None:
    for name in COLUMNS:
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if name in TIMES and not number:
            raise TruthError(f"{path}: column {name} is {kind}; store seconds as float64")
        # An integer as a name is unambiguous (levels are often numbered); a float is not.
        if name not in TIMES and not (text or pa.types.is_integer(kind) or pa.types.is_null(kind)):
            raise TruthError(f"{path}: column {name} is {kind}; store it as string")


def _parse_row(place: str, row: Mapping[str, Any]) -> tuple[str, str, LabelledSegment]:
    video_id, level, label = (
        "" if row[name] is None else str(row[name]) for name in COLUMNS if name not in TIMES
    )
    for name, value in (("video_id", video_id), ("level", level)):
        if not value:
            raise TruthError(f"{place}: {name} is empty; every event needs one")
    start, end = (_seconds(place, name, row[name]) for name in TIMES)
    if start < 0:
        raise TruthError(f"{place}: start_s {start} is negative; times count from the first frame")
    if end <= start:
        raise TruthError(f"{place}: end_s {end} is not after start_s {start}; every event needs a length")
    return video_id, level, (start, end, label)


def _seconds(place: str, name: str, value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds):
        shown = "empty" if value in (None, "") else f"{value!r}"
        raise TruthError(f"{place}: {name} is {shown}; give seconds as a finite number")
    return seconds
