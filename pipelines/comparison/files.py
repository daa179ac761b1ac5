"""The files of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.comparison.runs import ComparisonError
from pipelines.comparison.statistics import Figure
from streamer.atomic import atomic_write

PARQUET_FILE = "comparison.parquet"
MARKDOWN_FILE = "comparison.md"

COMPARISON_SCHEMA = pa.schema(
    [
        ("truth_level", pa.string()),
        ("metric", pa.string()),
        ("selection", pa.string()),
        ("level", pa.int8()),
        ("aggregate", pa.string()),
        ("column", pa.string()),
        ("predictor", pa.string()),
        ("floor", pa.bool_()),
        ("reference", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("videos", pa.int32()),
        ("undefined", pa.int32()),
        ("difference", pa.float64()),
        ("difference_low", pa.float64()),
        ("difference_high", pa.float64()),
        ("wins", pa.int32()),
        ("losses", pa.int32()),
        ("ties", pa.int32()),
        ("pairs", pa.int32()),
    ]
)
"""One row per `Figure`, whose documentation tells what the columns hold."""


def make_folder(out: Path) -> None:
    """Makes the folder of a comparison.

    Raises:
        ComparisonError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ComparisonError(f"{out}: cannot be made: {error.strerror}: choose another --out") from error


def write_comparison(figures: Sequence[Figure], page: str, out: Path) -> list[Path]:
    """Writes both files, each atomically, over those of an earlier comparison.

    Returns:
        The files.

    Raises:
        ComparisonError: one cannot be written.
    """
    parquet, markdown = out / PARQUET_FILE, out / MARKDOWN_FILE
    table = pa.Table.from_pylist([asdict(figure) for figure in figures], schema=COMPARISON_SCHEMA)
    try:
        with atomic_write(parquet) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        with atomic_write(markdown) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ComparisonError(f"{out}: cannot be written: {error.strerror}: choose another --out") from error
    return [parquet, markdown]
