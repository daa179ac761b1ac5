"""The catalog of a run as a Parquet file: what the run reads is settled when it begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.catalog import CatalogEntry
from pipelines.manifest import CatalogError
from streamer.atomic import atomic_write

ROW_GROUP = 1024

CATALOG_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("uri", pa.string()),
        ("kind", pa.string()),
        ("duration_s", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("codec", pa.string()),
        ("fps", pa.float64()),
        ("dim", pa.int32()),
        ("split", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)


def write_catalog(path: Path, entries: Iterable[CatalogEntry]) -> None:
    """Writes a catalog, atomically, in groups of `ROW_GROUP` rows."""
    table = pa.Table.from_pylist([asdict(entry) for entry in entries], schema=CATALOG_SCHEMA)
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary, row_group_size=ROW_GROUP, compression="zstd")


def read_catalog(path: Path) -> list[CatalogEntry]:
    """Reads what `write_catalog` wrote.

    Raises:
        CatalogError: it cannot be read.
    """
    try:
        with pq.ParquetFile(path) as file:
            rows = file.read(columns=CATALOG_SCHEMA.names).cast(CATALOG_SCHEMA).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise CatalogError(f"{path}: cannot be read ({detail}): start over with --fresh") from error
    return [CatalogEntry(**row) for row in rows]
