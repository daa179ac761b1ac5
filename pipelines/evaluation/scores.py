"""Scores as tidy rows, one value of one metric each, and the file that holds those of a run."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.run_folder import RunFolder, RunFolderError
from streamer.atomic import atomic_write

TRUTH = "truth"
"""Predictor of the rows that count the annotated events themselves."""

ALL_LEVELS = "all levels"
"""Level of annotation of the metrics that take all of a video's annotated levels together, as one tree."""

SCHEMA_VERSION = "2"
VERSION_KEY = b"streamer.scores_version"
TRUTH_KEY = b"streamer.truth"
SCORES_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("predictor", pa.string()),
        ("truth_level", pa.string()),
        ("level", pa.int8()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("numerator", pa.float64()),
        ("denominator", pa.float64()),
    ],
    metadata={VERSION_KEY: SCHEMA_VERSION.encode()},
)
COLUMNS = tuple(SCORES_SCHEMA.names)


@dataclass(frozen=True)
class Score:
    """One value.

    Attributes:
        video_id: the video; None for a value that is of all videos together.
        predictor: whose hierarchy it is, or `TRUTH` for counts of the annotation.
        truth_level: name of the level of annotation that was scored against, or `ALL_LEVELS`.
        level: level of the predictor, 0 the finest; None for its whole hierarchy.
        metric: what was measured.
        value: the value; nan where undefined.
        numerator: what the value is a share of `denominator` of; nan for a value that is no share. The
            value over several videos taken together is the sum of these by the sum of those.
        denominator: see `numerator`.
    """

    video_id: str | None
    predictor: str
    truth_level: str
    level: int | None
    metric: str
    value: float
    numerator: float = math.nan
    denominator: float = math.nan


def scores_frame(scores: Iterable[Score]) -> pd.DataFrame:
    """Scores as a table with the columns of `SCORES_SCHEMA`; `level` is Int64, null for a whole hierarchy."""
    return _typed(pd.DataFrame(_columns(scores)))


def write_scores(scores: Iterable[Score], folder: RunFolder, truth: Path) -> None:
    """Writes `evaluation.parquet`.

    Values that are undefined are stored as NaN; numerators and denominators that do not exist as null.

    Args:
        scores: one row each.
        folder: the run.
        truth: the annotations that were scored against; their absolute path goes into the metadata.
    """
    columns = _columns(scores)
    for name in ("numerator", "denominator"):
        columns[name] = [None if math.isnan(number) else number for number in columns[name]]
    known = {VERSION_KEY: SCHEMA_VERSION.encode(), TRUTH_KEY: os.fsencode(truth.absolute())}
    table = pa.Table.from_pydict(columns, SCORES_SCHEMA.with_metadata(known))
    with atomic_write(folder.evaluation) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def scored_truth(folder: RunFolder) -> Path | None:
    """The annotations that a run was scored against.

    Returns:
        Their absolute path; None where there are no scores, or none that can be read or that say so.
    """
    try:
        metadata = pq.read_schema(folder.evaluation).metadata or {}
    except (pa.ArrowException, OSError, ValueError):
        return None
    return Path(os.fsdecode(metadata[TRUTH_KEY])) if TRUTH_KEY in metadata else None


def read_scores(folder: RunFolder) -> pd.DataFrame:
    """Reads `evaluation.parquet`.

    Returns:
        One row per score, as `scores_frame` makes it: video_id (None for values of all videos together),
        predictor, truth_level, level (Int64, null for a whole hierarchy), metric, value (nan where
        undefined), numerator and denominator (nan where the value is no share).

    Raises:
        RunFolderError: the run has not been scored, or the file is damaged or of another version.
    """
    path = folder.evaluation
    remedy = f"streamer evaluate {folder.root} --truth FILE"
    if not path.exists():
        raise RunFolderError(f"{folder.root}: has no scores: make them with {remedy}")
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise RunFolderError(f"{path}: cannot be read ({detail}): make it again with {remedy}") from error
    version = (table.schema.metadata or {}).get(VERSION_KEY, b"1").decode()
    if version != SCHEMA_VERSION or not table.schema.equals(SCORES_SCHEMA):
        raise RunFolderError(
            f"{path}: holds scores of version {version}, this program reads {SCHEMA_VERSION}: "
            f"make them again with {remedy}"
        )
    return _typed(table.to_pandas())


def _columns(scores: Iterable[Score]) -> dict[str, list[Any]]:
    # Not dataclasses.asdict, which copies every value of what may be a million rows.
    rows = list(scores)
    return {name: [getattr(row, name) for row in rows] for name in COLUMNS}


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"level": "Int64", "value": float, "numerator": float, "denominator": float})
