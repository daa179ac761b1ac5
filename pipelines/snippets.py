"""Rows of snippets: what the decoding stage makes of one video, and what the model reads from it.

A row holds up to `ROW_SNIPPETS` snippets as raw bytes, with the video's id and the index of the first. The
last row of a video holds none and says how it ended. Rows never mix videos. They are cut by number alone,
never by the clock: the model computes on several snippets of a row at once, and the last bits of its numbers
depend on how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from pipelines.catalog import CatalogEntry
from streamer.config import StreamerConfig
from streamer.errors import TruncatedVideoError, VideoError
from streamer.sources import Decoder, SnippetSource, open_source

ROW_SNIPPETS = 16


@dataclass(frozen=True)
class SnippetFormat:
    """How snippets are cut and laid out; what the decoding stage needs to know of the model.

    Attributes:
        modality: `frames` (uint8 `[H, H, 3]`) or `vectors` (float32 `[D]`).
        snippet_size: seconds per snippet.
        frame_size: H, pixels.
        feature_dim: D.
        decoder: which library decodes.
    """

    modality: Literal["frames", "vectors"]
    snippet_size: float
    frame_size: int
    feature_dim: int
    decoder: Decoder

    @staticmethod
    def of(model: StreamerConfig, decoder: Decoder) -> SnippetFormat:
        """The format that a model takes."""
        return SnippetFormat(model.modality, model.snippet_size, model.frame_size, model.feature_dim, decoder)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one snippet."""
        return (self.frame_size, self.frame_size, 3) if self.modality == "frames" else (self.feature_dim,)

    @property
    def dtype(self) -> type[np.uint8] | type[np.float32]:
        """Type of a snippet's numbers."""
        return np.uint8 if self.modality == "frames" else np.float32


@dataclass(frozen=True)
class VideoEnd:
    """How a video's stream ended.

    Attributes:
        video_id: the video.
        snippets: how many were delivered.
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


def snippet_rows(entry: CatalogEntry, form: SnippetFormat) -> Iterator[dict[str, Any]]:
    """Decodes one video into rows; a damaged video ends in a row that says so, never in an exception.

    Args:
        entry: the video.
        form: how its snippets are cut and laid out.
    """
    delivered, duration_s, reason, failed = 0, 0.0, None, False
    batch: list[np.ndarray] = []
    try:
        with _open(entry, form) as source:
            try:
                for snippet in source:
                    batch.append(np.ascontiguousarray(snippet, dtype=form.dtype))
                    if len(batch) == ROW_SNIPPETS:
                        yield _row(entry.video_id, delivered, batch)
                        delivered += len(batch)
                        batch = []
            except TruncatedVideoError as error:
                reason = error.detail
            duration_s = source.duration_s
    except VideoError as error:
        reason, failed = error.detail, True
        duration_s = error.time_s or 0.0
    if batch:
        yield _row(entry.video_id, delivered, batch)
        delivered += len(batch)
    if delivered == 0 and not failed:
        reason, failed = reason or "holds no snippet", True
    end = VideoEnd(entry.video_id, delivered, duration_s, "failed" if failed else "done", reason)
    yield {**_row(entry.video_id, delivered, []), **asdict(end), "reason": reason or ""}


def _open(entry: CatalogEntry, form: SnippetFormat) -> SnippetSource:
    return open_source(
        entry.uri,
        snippet_size=form.snippet_size,
        frame_size=form.frame_size,
        start_s=entry.start_s,
        end_s=entry.end_s,
        decoder=form.decoder,
    )


def _row(video_id: str, index: int, batch: list[np.ndarray]) -> dict[str, Any]:
    return {
        "video_id": video_id,
        "index": index,
        "count": len(batch),
        "data": b"".join(snippet.tobytes() for snippet in batch),
        "snippets": 0,
        "duration_s": 0.0,
        "status": "running",
        "reason": "",
    }


def read_rows(rows: Iterable[dict[str, Any]], form: SnippetFormat) -> Iterator[SnippetBlock | VideoEnd]:
    """Takes rows apart again and asserts their order: one video at a time, every index in turn.

    Yields:
        The snippets of a video, a row at a time, then its end, for one video after the other.
    """
    current: str | None = None
    expected = 0
    for row in rows:
        video_id, index, count = row["video_id"], row["index"], row["count"]
        if current is None:
            current, expected = video_id, 0
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
