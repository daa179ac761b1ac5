"""Streams of precomputed feature vectors: one row of an array file per snippet, in place of frames."""

import math
import os
from collections.abc import Iterator
from tokenize import TokenError
from types import TracebackType

import numpy as np

from streamer.errors import VideoError

_GRID_TOLERANCE = 1e-6  # of a snippet: two times closer than this are the same grid point


class VectorReader(Iterator[np.ndarray]):
    """Reads the vectors of one file in order, once; a context manager that lets go of the file on leaving.

    Vector k is the row in force at `start_s + k * snippet_size`; those from `first` up to before `stop` are
    delivered. Rows are read from the disk as they are
    asked for, so memory does not grow with the length of the file.

    Attributes:
        dim: D, the width of a vector.
        duration_s: seconds from `start_s` to the end of the recording or to `end_s`, also if `first` is not
            0; where `stop` comes before that, the seconds up to there.
    """

    dim: int
    duration_s: float

    def __init__(
        self,
        uri: str,
        snippet_size: float,
        start_s: float,
        end_s: float | None,
        first: int = 0,
        stop: int | None = None,
    ) -> None:
        rows = _map_rows(uri)
        total_s = len(rows) * snippet_size
        if start_s >= total_s:
            raise VideoError(uri, f"start_s {start_s:g} is not before the end at {total_s:g} s")
        whole_s = (total_s if end_s is None else min(end_s, total_s)) - start_s
        self.dim = rows.shape[1]
        self._uri = uri
        self._snippet_size = snippet_size
        self._rows: np.ndarray | None = rows
        row = math.floor(start_s / snippet_size + _GRID_TOLERANCE)
        count = min(math.ceil(whole_s / snippet_size - _GRID_TOLERANCE), len(rows) - row)
        end = count if stop is None else min(stop, count)
        self.duration_s = min(whole_s, end * snippet_size) if end == stop else whole_s
        self._next = row + first
        self._stop = row + end

    def __enter__(self) -> "VectorReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> "VectorReader":
        return self

    def __next__(self) -> np.ndarray:
        """Returns the next vector, float32 [D].

        Raises:
            VideoError: the row holds a value that float32 cannot hold (NaN, infinite, or too large).
        """
        assert self._rows is not None, "the reader is closed"
        if self._next >= self._stop:
            raise StopIteration
        index = self._next
        with np.errstate(over="ignore"):
            vector = np.array(self._rows[index], dtype=np.float32)
        if not np.isfinite(vector).all():
            reason = f"row {index} has a value that is not finite in float32; replace it in the file"
            raise VideoError(self._uri, reason, index * self._snippet_size)
        self._next = index + 1
        return vector

    def close(self) -> None:
        """Lets go of the file; safe to call twice."""
        self._rows = None


def open_vectors(
    uri: str,
    *,
    snippet_size: float,
    start_s: float = 0.0,
    end_s: float | None = None,
    first: int = 0,
    stop: int | None = None,
) -> VectorReader:
    """Opens a `.npy` file [n, D] of float16, float32 or float64; row k is the snippet at `k * snippet_size`.

    Args:
        uri: a local file; anything else than numbers (pickled objects, archives) is refused unread.
        snippet_size: seconds per row.
        start_s: seconds of the file to leave out at its beginning.
        end_s: seconds after the file's beginning at which to stop; None for its end.
        first: number of the first vector to deliver; none is delivered if it lies beyond the end.
        stop: number of the first vector not to deliver any more; None for all to the end.

    Returns:
        A single-pass iterator of float32 arrays [D], to be used in a `with` statement.

    Raises:
        VideoError: the file cannot be read as such an array, or ends before `start_s`.
    """
    assert snippet_size > 0, snippet_size
    assert start_s >= 0, start_s
    assert end_s is None or end_s > start_s, (start_s, end_s)
    assert first >= 0, first
    assert stop is None or stop > first, (first, stop)
    return VectorReader(uri, snippet_size, start_s, end_s, first, stop)


def probe_vectors(uri: str) -> tuple[int, int]:
    """Returns the number of rows n and their width D of a `.npy` file, reading its header only.

    Raises:
        VideoError: the file cannot be read as an array [n, D] of floats.
    """
    rows, dim = _map_rows(uri).shape
    return rows, dim


def _map_rows(uri: str) -> np.ndarray:
    """Maps the array [n, D] of a `.npy` file into memory, without reading its values."""
    if "://" in uri:
        raise VideoError(uri, "vectors are read from local files only; download the file first")
    try:
        # Unlike np.load, this reads nothing but the .npy format and has no way into pickle.
        rows = np.lib.format.open_memmap(os.fspath(uri), mode="r")
    except OSError as error:
        raise VideoError(uri, f"cannot be opened: {error.strerror or error}") from error
    except (ValueError, EOFError, OverflowError, TypeError, TokenError) as error:
        # All of these come out of numpy's parser when the header is damaged.
        detail = " ".join(str(error).split())
        raise VideoError(uri, f"not a whole .npy file of numbers: {detail}") from error
    if rows.ndim != 2 or 0 in rows.shape:
        shape = list(rows.shape)
        raise VideoError(uri, f"has shape {shape}; an array [rows, width] with both above 0 is needed")
    if rows.dtype.kind != "f" or rows.dtype.itemsize > 8:
        raise VideoError(uri, f"holds {rows.dtype}; save it as float16, float32 or float64")
    return rows
