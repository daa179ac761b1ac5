"""Tables of durations, which are all that blind predictors need to know of videos."""

from __future__ import annotations

import csv
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from pipelines.annotations import read_truth
from pipelines.catalog import CatalogEntry
from pipelines.manifest import CatalogError, is_manifest, is_url
from pipelines.preparation import Inputs
from pipelines.tables import table_rows
from pipelines.wording import counted

DURATION_COLUMNS = ("duration_s", "duration")
"""The first of them that a table has holds the seconds; datasets write the second."""

OPTIONAL = ("fps", "uri", "split")
LONGEST_S = 1e7  # months; what is longer is a number in another unit


def are_durations(inputs: Sequence[str]) -> bool:
    """Whether all inputs are tables of durations.

    Raises:
        CatalogError: some are, and others are not.
    """
    tables = [name for name in inputs if duration_column(name) is not None]
    if tables and len(tables) < len(inputs):
        other = next(name for name in inputs if name not in tables)
        raise CatalogError(
            f"{tables[0]} is a table of durations, {other} is not: a run takes one kind, name one of them"
        )
    return bool(tables)


def duration_column(name: str) -> str | None:
    """The column of seconds, where an input is a table that has one; None for any other input."""
    if is_url(name) or not is_manifest(name) or not os.path.isfile(name):
        return None
    columns = _columns(Path(name))
    return next((column for column in DURATION_COLUMNS if column in columns), None)


def duration_inputs(tables: Sequence[str], truth: str | None, console: Console) -> Inputs:
    """Reads tables of durations, and the annotations.

    Args:
        tables: for which `duration_column` names a column.
        truth: annotations of some of their videos.
        console: is told what was found.

    Raises:
        CatalogError: a table cannot be read, holds no video or one of them twice, or has a row without id.
        TruthError: the annotations cannot be read, or do not fit the videos (see `Truth.for_videos`).
    """
    entries: dict[str, CatalogEntry] = {}
    for table in tables:
        for place, entry in _read(table):
            if entry.video_id in entries:
                raise CatalogError(f"{place}: video_id {entry.video_id} was there before; remove one of them")
            entries[entry.video_id] = entry
    if not entries:
        raise CatalogError(f"{tables[0]}: holds no video: add one row per video")
    videos = [entry for entry in entries.values() if entry.status == "ready"]
    hours = sum(entry.duration_s or 0.0 for entry in videos) / 3600
    source = counted(len(tables), "table")
    console.print(
        f"{counted(len(entries), 'video')} in {source} of durations, {hours:.1f} hours", highlight=False
    )
    if not videos:
        first = next(iter(entries.values()))
        raise CatalogError(f"{tables[0]}: no video has a duration: {first.video_id}: {first.reason}")
    annotations = None if truth is None else read_truth(truth)
    if annotations is not None:
        annotations = annotations.for_videos(list(entries))
        for note in annotations.notes:
            console.print(note, style="yellow", highlight=False, soft_wrap=True, markup=False)
    return Inputs(sorted(entries.values(), key=lambda entry: entry.video_id), videos, annotations)


def checksum(tables: Sequence[str]) -> int:
    """Tells tables apart whose contents differ."""
    return zlib.crc32(b"".join(Path(table).read_bytes() for table in tables))


def _columns(path: Path) -> Sequence[str]:
    """Names of a table's columns; none where it cannot be read, which its reader will say in full."""
    try:
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path) as file:
                return file.schema_arrow.names
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file, skipinitialspace=True), [])
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException):
        return []


def _read(table: str) -> list[tuple[str, CatalogEntry]]:
    column = duration_column(table)
    assert column is not None, table
    rows = table_rows(Path(table), required=("video_id", column), optional=OPTIONAL, error=CatalogError)
    return [(f"{table}, {place}", _entry(f"{table}, {place}", row, column)) for place, row in rows]


def _entry(place: str, row: Mapping[str, Any], column: str) -> CatalogEntry:
    video_id = "" if row["video_id"] is None else str(row["video_id"])
    if not video_id.strip() or "\0" in video_id:
        raise CatalogError(f"{place}: video_id is empty or has a zero byte; every row needs one")
    duration_s = _positive(row[column])
    reason = None
    if duration_s is None or duration_s > LONGEST_S:
        duration_s = None
        reason = f"{column} is {row[column]!r}, no number of seconds from 0 to {LONGEST_S:.0f}"
    split = row.get("split")
    return CatalogEntry(
        video_id=video_id,
        uri=str(row.get("uri") or ""),
        kind="video",
        duration_s=duration_s,
        fps=_positive(row.get("fps")),
        split=None if split in (None, "") else str(split),
        status="failed" if duration_s is None else "ready",
        reason=reason,
    )


def _positive(value: Any) -> float | None:
    """A positive number; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < math.inf else None
