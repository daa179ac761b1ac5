"""Where snippets come from: a video, or an array of precomputed features."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath, PurePosixPath
from types import TracebackType
from typing import Literal, Protocol, cast
from urllib.parse import urlsplit

import numpy as np

from streamer.vectors import open_vectors
from streamer.video import SnippetGrid, can_begin_anywhere, open_snippets

Decoder = Literal["pyav", "decord"]


class SnippetSource(Protocol):
    """A single-pass iterator over a recording's snippets, to be used in a `with` block.

    Attributes:
        duration_s: seconds from `start_s` to the end, whichever part of the snippets is delivered; where
            `stop` was reached, the seconds from `start_s` up to there. Known when all have been delivered.
    """

    @property
    def duration_s(self) -> float:
        """Measured seconds from `start_s` to the end, or to `stop`."""
        ...

    def __enter__(self) -> SnippetSource: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[np.ndarray]: ...


def path_of(uri: str) -> PurePath:
    """The path in an address, or the path itself: `#` and `?` are part of a file's name."""
    return PurePosixPath(urlsplit(uri).path) if re.match(r"[a-z][a-z0-9+.\-]*://", uri) else PurePath(uri)


def is_vectors(uri: str) -> bool:
    """Whether `uri` names precomputed features rather than a video."""
    return path_of(uri).suffix.lower() == ".npy"


def open_source(
    uri: str,
    *,
    snippet_size: float,
    frame_size: int,
    start_s: float = 0.0,
    end_s: float | None = None,
    decoder: Decoder = "pyav",
    first: int = 0,
    stop: int | None = None,
) -> SnippetSource:
    """Opens a video or a `.npy` file of features `[n, D]`, one row per snippet.

    Sources of consecutive parts (`first` of one is `stop` of the one before) deliver together what one source
    of the whole delivers. A part that delivers all its `stop - first` snippets says nothing about what
    follows; the first one that delivers fewer ends with the error of the whole, if there is one, and knows
    its duration. What later parts deliver is to be ignored.

    Args:
        uri: file or http(s) address.
        snippet_size: seconds per snippet.
        frame_size: height and width of delivered frames in pixels; vectors have no frames.
        start_s: where to begin, in seconds after the first frame; delivered time 0.
        end_s: where to end; None for the end of the recording.
        decoder: which library decodes video.
        first: number of the first snippet to deliver, counted from `start_s`; beyond the end, none is.
        stop: number of the first snippet not to deliver any more; None delivers all to the end.

    Raises:
        VideoError: the recording cannot be read.
    """
    if is_vectors(uri):
        return open_vectors(
            uri, snippet_size=snippet_size, start_s=start_s, end_s=end_s, first=first, stop=stop
        )
    grid = SnippetGrid(snippet_size, frame_size, start_s, end_s, first, stop)
    # Its duration is None only until all snippets have been delivered.
    return cast(SnippetSource, open_snippets(uri, grid, decoder=decoder))


def divisible(uri: str, decoder: Decoder = "pyav") -> bool:
    """Whether a source may begin in the middle (`first`) at little more than the cost of what it delivers.

    Where not, parts are still exact, but each is decoded from the start of the recording. Opens the recording
    and decodes a few frames at most; one that cannot be opened is not divisible.
    """
    return is_vectors(uri) or can_begin_anywhere(uri, decoder)
