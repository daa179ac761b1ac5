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
from streamer.video import SnippetGrid, open_snippets

Decoder = Literal["pyav", "decord"]


class SnippetSource(Protocol):
    """A single-pass iterator over a recording's snippets, to be used in a `with` block.

    Attributes:
        duration_s: seconds that the snippets cover; known when all have been delivered.
    """

    @property
    def duration_s(self) -> float:
        """Measured seconds from the first frame to the end."""
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
) -> SnippetSource:
    """Opens a video or a `.npy` file of features `[n, D]`, one row per snippet.

    Args:
        uri: file or http(s) address.
        snippet_size: seconds per snippet.
        frame_size: height and width of delivered frames in pixels; vectors have no frames.
        start_s: where to begin, in seconds after the first frame; delivered time 0.
        end_s: where to end; None for the end of the recording.
        decoder: which library decodes video.

    Raises:
        VideoError: the recording cannot be read.
    """
    if is_vectors(uri):
        return open_vectors(uri, snippet_size=snippet_size, start_s=start_s, end_s=end_s)
    grid = SnippetGrid(snippet_size=snippet_size, frame_size=frame_size, start_s=start_s, end_s=end_s)
    # Its duration is None only until all snippets have been delivered.
    return cast(SnippetSource, open_snippets(uri, grid, decoder=decoder))
