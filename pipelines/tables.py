"""Tables that users write, as CSV or Parquet: their rows, each with its place for error messages."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streamer.errors import StreamerError

Row = tuple[str, Mapping[str, Any]]
"""Where a row stands (`line 3`, `row 2`), and its values by column."""


def table_rows(
    path: Path,
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
    error: type[StreamerError],
    check_schema: Callable[[pa.Schema], None] | None = None,
) -> Iterator[Row]:
    """Yields the rows of a table.

    Values of a CSV file are text, or None where a line is too short; those of a Parquet file have their
    types. Other columns than those named are allowed.

    Args:
        path: a .csv (UTF-8, with a header) or .parquet file.
        required: columns that must be there.
        optional: columns that may be.
        error: what to raise.
        check_schema: called with the schema of a Parquet file before its rows are read.

    Raises:
        error: the file is no such table, cannot be read, or lacks columns or has them twice.
    """
    known = (*required, *optional)
    if _is_csv(path, error):
        yield from _csv_rows(path, required, known, error)
    else:
        yield from _parquet_rows(path, required, known, error, check_schema)


def column_names(path: Path, *, error: type[StreamerError]) -> list[str]:
    """Names of the columns of a table, in its order; none if it is empty.

    Args:
        path: a .csv (UTF-8, with a header) or .parquet file.
        error: what to raise.

    Raises:
        error: the file is no such table, or cannot be read.
    """
    if _is_csv(path, error):
        with _csv_faults(path, error), path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file, skipinitialspace=True, strict=True), [])
    with _parquet_faults(path, error), pq.ParquetFile(path) as table:
        return list(table.schema_arrow.names)


def _is_csv(path: Path, error: type[StreamerError]) -> bool:
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise error(f"{path}: must be a .csv or .parquet file, not {path.suffix or 'one without suffix'}")
    return suffix == ".csv"


@contextmanager
def _csv_faults(path: Path, error: type[StreamerError]) -> Iterator[None]:
    """Turns what a CSV file may be refused for into one line."""
    try:
        yield
    except UnicodeDecodeError as cause:
        raise error(f"{path}: is not UTF-8 text; save it as UTF-8 CSV") from cause
    except csv.Error as cause:
        raise error(f"{path}: is not a readable CSV file ({cause}); export it again") from cause
    except OSError as cause:
        raise error(f"{path}: cannot be read ({cause.strerror}); check its permissions") from cause


@contextmanager
def _parquet_faults(path: Path, error: type[StreamerError]) -> Iterator[None]:
    """Turns what a Parquet file may be refused for into one line."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as cause:
        raise error(f"{path}: is not a readable Parquet file; write it again") from cause
    except OSError as cause:
        raise error(f"{path}: cannot be read ({' '.join(str(cause).split())}); check the file") from cause


def _csv_rows(
    path: Path, required: Sequence[str], known: Sequence[str], error: type[StreamerError]
) -> Iterator[Row]:
    with _csv_faults(path, error), path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True, strict=True)
        _check_columns(path, reader.fieldnames or (), required, known, error)
        for record in reader:
            place = f"line {reader.line_num}"
            if None in record:
                raise error(f"{path}, {place}: more values than columns; quote values with commas")
            yield place, record


def _parquet_rows(
    path: Path,
    required: Sequence[str],
    known: Sequence[str],
    error: type[StreamerError],
    check_schema: Callable[[pa.Schema], None] | None,
) -> Iterator[Row]:
    with _parquet_faults(path, error), pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        _check_columns(path, names, required, known, error)
        if check_schema is not None:
            check_schema(file.schema_arrow)
        records = file.read([name for name in known if name in names]).to_pylist()
    for number, record in enumerate(records, start=1):
        yield f"row {number}", record


def _check_columns(
    path: Path,
    found: Sequence[str],
    required: Sequence[str],
    known: Sequence[str],
    error: type[StreamerError],
) -> None:
    missing = [name for name in required if name not in found]
    if missing:
        raise error(
            f"{path}: lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"found {', '.join(map(repr, found)) or 'none'}"
        )
    twice = [name for name in known if list(found).count(name) > 1]
    if twice:
        raise error(f"{path}: has the column {twice[0]} more than once; keep one of them")
