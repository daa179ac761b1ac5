"""Annotated events of many videos, read from CSV or Parquet and checked.

The columns are `video_id, level, start_s, end_s, label`, one row per event; others are ignored. A video
may have several levels of annotation, and a level may have gaps, overlaps and any order.
"""

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.tables import table_rows
from streamer.errors import TruthError
from streamer.metrics import LabelledSegment

COLUMNS = ("video_id", "level", "start_s", "end_s", "label")
TIMES = ("start_s", "end_s")
NAMED_AT_MOST = 5
"""How many unknown videos an error names before it only counts."""

ROUNDING_S = 1e-3
"""Annotations are commonly stored to the millisecond, durations in the ticks of a container."""


@dataclass(frozen=True)
class Truth:
    """Annotations of a set of videos.

    Attributes:
        path: the file they were read from.
        videos: per video_id, per level name (order of the file), events as (start, end, label) in seconds
            and in the order of the file.
    """

    path: Path
    videos: dict[str, dict[str, list[LabelledSegment]]]

    def check_videos(self, known_ids: Collection[str]) -> None:
        """Refuses annotations of videos that are not among the known ones.

        Args:
            known_ids: the video_ids that may be annotated.

        Raises:
            TruthError: at least one annotated video is unknown.
        """
        known = set(known_ids)
        unknown = [video_id for video_id in self.videos if video_id not in known]
        if not unknown:
            return
        named = ", ".join(_with_nearest(video_id, known) for video_id in unknown[:NAMED_AT_MOST])
        more = f" and {len(unknown) - NAMED_AT_MOST} more" if len(unknown) > NAMED_AT_MOST else ""
        raise TruthError(
            f"{self.path}: {len(unknown)} of {len(self.videos)} video_ids are unknown: {named}{more}; "
            "correct them or remove their rows"
        )


def read_truth(path: str | Path) -> Truth:
    """Reads annotated events.

    Args:
        path: a .csv (UTF-8, with a header) or .parquet file.

    Returns:
        The annotations.

    Raises:
        TruthError: the file is missing, unreadable or empty, lacks columns, or has a row with an empty
            name, a time that is no finite number, a negative start, or an end not after the start.
    """
    path = Path(path)
    if not path.is_file():
        raise TruthError(f"{path}: no such truth file; give a .csv or .parquet file")
    videos: dict[str, dict[str, list[LabelledSegment]]] = {}
    rows = table_rows(
        path, required=COLUMNS, error=TruthError, check_schema=lambda schema: _check_types(path, schema)
    )
    for place, row in rows:
        video_id, level, event = _parse_row(f"{path}, {place}", row)
        videos.setdefault(video_id, {}).setdefault(level, []).append(event)
    if not videos:
        raise TruthError(f"{path}: holds no events; add one row per annotated event")
    return Truth(path, videos)


def clip_to_duration(events: Iterable[LabelledSegment], duration: float) -> tuple[list[LabelledSegment], int]:
    """Cuts events at the end of their video.

    Args:
        events: (start, end, label) in seconds.
        duration: length of the video in seconds.

    Returns:
        The events inside the video in the order given, and how many were shortened or left out; those
        that reach past the end by rounding alone (`ROUNDING_S`) are not among these.
    """
    given = list(events)
    inside = [(start, min(end, duration), label) for start, end, label in given if start < duration]
    return inside, sum(start >= duration or end > duration + ROUNDING_S for start, end, _ in given)


def _with_nearest(video_id: str, known: set[str]) -> str:
    nearest = difflib.get_close_matches(video_id, sorted(known), n=1)
    return f"{video_id!r} (nearest known: {nearest[0]!r})" if nearest else repr(video_id)


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
