"""Snippets of a part from a cache as far as it holds them, and what it lacks decoded and stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pipelines.decoder_process import PartEnd, Request
from streamer.snippet_cache import PART_SNIPPETS, CachedRecording, RecordingEnd

Decode = Callable[[Request], Iterator[bytes | PartEnd]]


def cached_snippets(
    request: Request, recording: CachedRecording, decode: Decode
) -> Iterator[bytes | PartEnd]:
    """Gives what `decode` would give.

    Whole parts are stored, and the end of a recording that did not break. (That of a broken one may be due to
    the disk or the network that it came from.)

    Args:
        request: what is wanted.
        recording: what the cache holds of it.
        decode: decodes what it lacks.

    Yields:
        The bytes of each snippet, then the end.

    Raises:
        CacheError: the cache cannot be read or written.
    """
    index = request.first
    while index != request.stop and (part := recording.part(index // PART_SNIPPETS)) is not None:
        rest = np.asarray(part)[index % PART_SNIPPETS :]
        yield from map(np.ndarray.tobytes, rest)
        index += len(rest)
        if len(part) < PART_SNIPPETS:
            break
    end = recording.end
    if index == request.stop:
        yield PartEnd("stop")
    elif end is not None and index >= end.snippets:
        yield PartEnd("end", end.duration_s, False, end.reason)
    else:
        yield from _stored(index, decode(request.continued(index)), request, recording)


def _stored(
    index: int, snippets: Iterator[bytes | PartEnd], request: Request, recording: CachedRecording
) -> Iterator[bytes | PartEnd]:
    """Passes on decoded snippets from `index` on, and stores those parts of which all go by."""
    held: list[bytes] | None = None
    for item in snippets:
        if isinstance(item, PartEnd):
            if item.kind == "end" and not item.failed:
                if held:
                    _store(recording, index // PART_SNIPPETS, held, request)
                recording.store_end(RecordingEnd(index, item.duration_s, item.reason))
        else:
            if index % PART_SNIPPETS == 0:
                held = []
            index += 1
            if held is not None:
                held.append(item)
                if len(held) == PART_SNIPPETS:
                    _store(recording, index // PART_SNIPPETS - 1, held, request)
                    held = None
        yield item


def _store(recording: CachedRecording, number: int, snippets: list[bytes], request: Request) -> None:
    size = request.frame_size
    array = np.frombuffer(b"".join(snippets), np.uint8).reshape(len(snippets), size, size, 3)
    recording.store_part(number, array)
