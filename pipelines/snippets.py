"""Rows of snippets: what the decoding stage makes of one video, and what the model reads from it.

A row holds up to `ROW_SNIPPETS` snippets, or features of them, as raw bytes, with the video's id and the
index of the first. The last row of a video, or of a part of it, holds none and says how it ended. Rows never
mix videos. They are cut by number alone, never by the clock: the model computes on several snippets of a row
at once, and the last bits of its numbers depend on how many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipelines.catalog import CatalogEntry
from pipelines.decoder_process import PartEnd, Request
from streamer.config import StreamerConfig
from streamer.errors import FeatureError, StreamerError
from streamer.snippet_cache import CacheError
from streamer.sources import Decoder

ROW_SNIPPETS = 16

ERRORS: dict[str, type[StreamerError]] = {"cache": CacheError, "features": FeatureError}
"""What a row of this status stands for: an error of which Ray would make another, beyond recognition."""

Featurize = Callable[[bytes, int], bytes]
"""Makes features of frames that follow each other, given the place of the first of them in the video."""


@dataclass(frozen=True)
class SnippetFormat:
    """How snippets are cut and laid out; what the decoding stage needs to know of the model.

    Attributes:
        modality: what is read: `frames` (uint8 `[H, H, 3]`) or `vectors` (float32 `[D]`).
        snippet_size: seconds per snippet.
        frame_size: H, pixels.
        feature_dim: D.
        decoder: which library decodes.
        features: frozen features that frames become (float32 `[D]`); None leaves them as they are.
    """

    modality: Literal["frames", "vectors"]
    snippet_size: float
    frame_size: int
    feature_dim: int
    decoder: Decoder
    features: str | None = None

    @staticmethod
    def of(model: StreamerConfig, decoder: Decoder) -> SnippetFormat:
        """The format that a model takes."""
        return SnippetFormat(
            model.modality, model.snippet_size, model.frame_size, model.feature_dim, decoder, model.features
        )

    @property
    def of_frames(self) -> bool:
        """Whether the model takes frames, rather than vectors."""
        return self.modality == "frames" and self.features is None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one snippet, as the model takes it."""
        return (self.frame_size, self.frame_size, 3) if self.of_frames else (self.feature_dim,)

    @property
    def dtype(self) -> type[np.uint8] | type[np.float32]:
        """Type of a snippet's numbers, as the model takes it."""
        return np.uint8 if self.of_frames else np.float32


@dataclass(frozen=True)
class VideoEnd:
    """How a video's stream ended.

    Attributes:
        video_id: the video.
        snippets: how many it holds that were readable, counted from its start.
        duration_s: measured seconds from the first frame to the end, or up to where a file broke; 0 where
            nothing was readable.
        status: `done`, also where the file was cut short but is good up to there, or `failed`.
        reason: what was wrong with the file; None where nothing was.
    """

    video_id: str
    snippets: int
    duration_s: float
    status: Literal["done", "failed"]
    reason: str | None


@dataclass(frozen=True)
class SnippetBlock:
    """Snippets of a video that follow each other.

    Attributes:
        video_id: the video.
        index: place of the first of them in the video.
        data: uint8 `[T, H, H, 3]` or float32 `[T, D]`; read-only, and valid for as long as it is held.
    """

    video_id: str
    index: int
    data: np.ndarray


@dataclass(frozen=True)
class VideoPart:
    """A video, or what is still to be seen of it.

    Attributes:
        entry: the video.
        first: number of the first snippet that is wanted.
        stop: number of the first that is not wanted any more, a multiple of `ROW_SNIPPETS`; None for all to
            the end.
        leads: whether the video is read to its end here if parts of it cannot be read on their own; else
            nothing is read of it.
    """

    entry: CatalogEntry
    first: int = 0
    stop: int | None = None
    leads: bool = True

    def __post_init__(self) -> None:
        assert self.stop is None or (self.stop % ROW_SNIPPETS == 0 and self.stop > self.first), self.stop


def snippet_request(part: VideoPart, form: SnippetFormat) -> Request:
    """What a decoder is asked for."""
    entry = part.entry
    return Request(
        uri=entry.uri,
        dtype="uint8" if form.modality == "frames" else "float32",
        snippet_size=form.snippet_size,
        frame_size=form.frame_size,
        start_s=entry.start_s,
        end_s=entry.end_s,
        decoder=form.decoder,
        first=part.first,
        stop=part.stop,
        leads=part.leads,
    )


def snippet_rows(
    part: VideoPart, snippets: Iterable[bytes | PartEnd], featurize: Featurize | None = None
) -> Iterator[dict[str, Any]]:
    """Makes rows of the snippets of a part; a damaged video ends in a row that says so.

    Args:
        part: what is decoded.
        snippets: their bytes, then how the part ended.
        featurize: makes features of frames, a row at a time; None where the model takes what is decoded.
    """
    index, batch = part.first, []

    def row() -> dict[str, Any]:
        data = b"".join(batch)
        return _row(part, index, len(batch), data if featurize is None else featurize(data, index))

    for item in snippets:
        if isinstance(item, PartEnd):
            if batch:
                yield row()
            yield _end_row(part, index + len(batch), item)
            return
        batch.append(item)
        if (index + len(batch)) % ROW_SNIPPETS == 0:
            yield row()
            index, batch = index + len(batch), []
    raise AssertionError(f"{part.entry.video_id}: the snippets ended without saying how")


def error_row(part: VideoPart, error: CacheError | FeatureError) -> dict[str, Any]:
    """The row that says that the run cannot go on, whatever the video."""
    [status] = [status for status, kind in ERRORS.items() if isinstance(error, kind)]
    return {**_row(part, part.first, 0, b""), "status": status, "reason": str(error)}


def _row(part: VideoPart, index: int, count: int, data: bytes) -> dict[str, Any]:
    return {
        "video_id": part.entry.video_id,
        "first": part.first,
        "index": index,
        "count": count,
        "data": data,
        "snippets": 0,
        "duration_s": 0.0,
        "status": "running",
        "reason": "",
    }


def _end_row(part: VideoPart, snippets: int, end: PartEnd) -> dict[str, Any]:
    status, reason = end.kind, end.reason
    if end.kind == "end":
        failed = end.failed or snippets == 0
        status, reason = ("failed", reason or "holds no snippet") if failed else ("done", reason)
    return {
        **_row(part, snippets, 0, b""),
        "snippets": snippets,
        "duration_s": end.duration_s,
        "status": status,
        "reason": reason or "",
    }


def read_rows(rows: Iterable[dict[str, Any]], form: SnippetFormat) -> Iterator[SnippetBlock | VideoEnd]:
    """Takes rows apart again and asserts their order: one video at a time, every index in turn.

    Yields:
        The snippets of a video, a row at a time, then its end, for one video after the other.

    Raises:
        CacheError: the cache could not be used.
        FeatureError: features of frames could not be computed.
    """
    current: str | None = None
    expected = 0
    for row in rows:
        if row["status"] in ERRORS:
            raise ERRORS[row["status"]](row["reason"])
        video_id, index, count = row["video_id"], row["index"], row["count"]
        if current is None:
            current, expected = video_id, row["first"]
        assert video_id == current, f"{video_id} began before {current} had ended"
        assert index == expected, f"{video_id}: snippet {index} came where {expected} was due"
        if row["status"] == "running":
            block = np.frombuffer(row["data"], dtype=form.dtype).reshape(count, *form.shape)
            yield SnippetBlock(video_id, index, block)
            expected += count
            continue
        assert row["snippets"] == expected, f"{video_id}: {row['snippets']} snippets sent, {expected} came"
        yield VideoEnd(video_id, expected, row["duration_s"], row["status"], row["reason"] or None)
        current = None
    assert current is None, f"the stream ended in the middle of {current}"
