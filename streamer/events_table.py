"""The events table, one row per event of one video, and its Parquet file."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streamer.atomic import atomic_write
from streamer.errors import HierarchyError

SCHEMA_VERSION = "1"
REMEDY = "segment the video again"

_VERSION_KEY = "streamer.schema_version"
_DURATION_KEY = "streamer.duration_s"
_SNIPPET_SIZE_KEY = "streamer.snippet_size"
_SNIPPETS_KEY = "streamer.snippets"
_OWN_KEYS = frozenset((_VERSION_KEY, _DURATION_KEY, _SNIPPET_SIZE_KEY, _SNIPPETS_KEY))
_NULLABLE = ("parent", "mean_signal", "boundary_signal", "representation")


class VideoFacts(NamedTuple):
    """What a hierarchy needs to know of its video beside the rows; stored as metadata of the schema.

    Attributes:
        duration_s: seconds from the first frame to the end of the last.
        snippet_size: seconds per snippet.
        snippets: number of snippets.
    """

    duration_s: float
    snippet_size: float
    snippets: int

    def to_metadata(self) -> dict[str, str]:
        """The facts and the version of the table, as entries of a schema's metadata."""
        return {
            _VERSION_KEY: SCHEMA_VERSION,
            _DURATION_KEY: repr(float(self.duration_s)),
            _SNIPPET_SIZE_KEY: repr(float(self.snippet_size)),
            _SNIPPETS_KEY: str(int(self.snippets)),
        }


def events_schema(dim: int) -> pa.Schema:
    """Returns the columns of the events table for representations of width `dim`."""
    assert dim > 0, dim
    return pa.schema(
        [
            ("video_id", pa.string()),
            ("level", pa.int8()),
            ("event", pa.int32()),
            ("start_s", pa.float64()),
            ("end_s", pa.float64()),
            ("parent", pa.int32()),
            ("children", pa.int32()),
            ("mean_signal", pa.float32()),
            ("boundary_signal", pa.float32()),
            ("representation", pa.list_(pa.field("element", pa.float32()), dim)),
        ]
    )


def pack_representations(representations: Sequence[np.ndarray | None], dim: int) -> pa.Array:
    """Packs vectors [dim] into a column, null where there is none."""
    matrix = np.zeros((len(representations), dim), dtype=np.float32)
    for row, vector in zip(matrix, representations, strict=True):
        if vector is not None:
            row[:] = vector
    unknown = pa.array([vector is None for vector in representations])
    kind = events_schema(dim).field("representation").type
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), type=kind, mask=unknown)


def unpack_representations(table: pa.Table) -> np.ndarray:
    """Returns the representations of an events table, float32 [n, D], a row of NaN where there is none."""
    column = table["representation"].combine_chunks()
    matrix = np.full((len(column), column.type.list_size), np.nan, dtype=np.float32)
    known = column.is_valid().to_numpy(zero_copy_only=False)
    matrix[known] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, matrix.shape[1])
    return matrix


def check_columns(table: pa.Table) -> None:
    """Checks names and types of the columns, and that the rows are of one video.

    Raises:
        HierarchyError: naming the column that is wrong.
    """
    names = events_schema(1).names
    if table.schema.names != names:
        raise HierarchyError(f"no table of events: its columns are not {', '.join(names)}")
    kind = table.schema.field("representation").type
    dim = kind.list_size if pa.types.is_fixed_size_list(kind) else 0
    for expected in events_schema(max(dim, 1)):
        given = table.schema.field(expected.name).type
        if given != expected.type:
            raise HierarchyError(f"column {expected.name} is of type {given}, not {expected.type}")
        if expected.name not in _NULLABLE and table[expected.name].null_count:
            raise HierarchyError(f"column {expected.name} has an entry that is null")
    videos = len(table["video_id"].unique())
    if videos != 1:
        raise HierarchyError(f"the table holds events of {videos} videos; give those of one")


def read_metadata(raw: Mapping[bytes, bytes]) -> tuple[VideoFacts, dict[str, str]]:
    """Splits a schema's metadata into the facts of the video and what else is stored in it.

    Raises:
        HierarchyError: a fact is missing or damaged, or the table is of another version.
    """
    try:
        entries = {key.decode(): value.decode() for key, value in raw.items()}
        version = entries[_VERSION_KEY]
        facts = VideoFacts(
            float(entries[_DURATION_KEY]),
            float(entries[_SNIPPET_SIZE_KEY]),
            int(entries[_SNIPPETS_KEY]),
        )
    except KeyError as error:
        raise HierarchyError(f"the schema's metadata lacks {error}") from error
    except ValueError as error:
        raise HierarchyError(f"the schema's metadata is damaged: {error}") from error
    if version != SCHEMA_VERSION:
        raise HierarchyError(f"{_VERSION_KEY} is {version}; this program reads {SCHEMA_VERSION}")
    return facts, {key: value for key, value in entries.items() if key not in _OWN_KEYS}


def write_table(table: pa.Table, path: str | os.PathLike[str]) -> None:
    """Writes an events table as one Parquet file, whole or not at all.

    Representations that are not known are stored as NaN, not as null: pyarrow before 26 cannot read null
    entries of a fixed-size list back from Parquet.

    Raises:
        OSError: the file cannot be written.
    """
    table = _fill_representations(table)
    with atomic_write(path) as temporary:
        pq.write_table(
            table,
            temporary,
            row_group_size=table.num_rows,
            compression="zstd",
            # pyarrow annotates this as bool only; it documents lists of columns too.
            use_dictionary=["video_id", "level"],  # pyright: ignore[reportArgumentType]
            column_encoding={"representation.list.element": "BYTE_STREAM_SPLIT"},
            write_page_checksum=True,
        )


def read_table(path: str | os.PathLike[str]) -> pa.Table:
    """Reads a Parquet file; whether it holds events is for the caller to check.

    Raises:
        HierarchyError: the file is missing, damaged or of another kind.
    """
    try:
        # Not pq.read_table: it takes folder names such as `run=1` for columns.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        table.validate(full=True)
    except FileNotFoundError as error:
        raise HierarchyError(f"{os.fspath(path)}: no such file; {REMEDY}") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise HierarchyError(
            f"{os.fspath(path)}: not a readable Parquet file ({detail}); {REMEDY}"
        ) from error
    return table


def _fill_representations(table: pa.Table) -> pa.Table:
    """Returns the table with rows of NaN in place of null representations."""
    matrix = unpack_representations(table)
    column = pack_representations(list(matrix), matrix.shape[1])
    place = table.schema.get_field_index("representation")
    return table.set_column(place, table.schema.field(place), column)
