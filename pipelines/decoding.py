"""Decoding and probing in processes that can be killed: what hangs or dies costs a video a retry, then it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.cached_snippets import cached_snippets
from pipelines.decoder import ATTEMPTS, DecoderLostError, DecoderProcess
from pipelines.decoder_process import PartEnd, Request
from pipelines.snippets import (
    Featurize,
    SnippetFormat,
    VideoPart,
    error_row,
    snippet_request,
    snippet_rows,
)
from streamer.errors import FeatureError, VideoError
from streamer.extractors import COMB, open_extractor
from streamer.snippet_cache import CachedRecording, CacheError, SnippetCache, SnippetSettings

BYTES_AHEAD = 32 * 2**20


@dataclass(frozen=True)
class DecodingSettings:
    """How the videos of a lane are decoded.

    Attributes:
        decoders: processes that decode ahead at the same time; parts of long videos, or several videos.
        timeout_s: seconds without a snippet after which a decoder is killed.
        cache: folder where decoded snippets are kept for later runs; None for none.
        bytes_ahead: of decoded rows that may wait to be taken, per decoder. Ray Data keeps to this to within
            a few rows. All decoders of a lane are busy where a part of a video fits.
    """

    decoders: int = 1
    timeout_s: float = 120.0
    cache: str | None = None
    bytes_ahead: int = BYTES_AHEAD


def part_rows(part: VideoPart, form: SnippetFormat, settings: DecodingSettings) -> Iterator[dict[str, Any]]:
    """Rows of a part, from the cache or decoded in another process; the last one says how it ended.

    The cache holds frames; features are made of them here.

    Args:
        part: what is wanted.
        form: how snippets are cut and laid out.
        settings: how they are decoded.
    """
    request = snippet_request(part, form)
    decode = functools.partial(decode_patiently, timeout_s=settings.timeout_s)
    try:
        recording = None if settings.cache is None else _recording(request, settings.cache)
        snippets = decode(request) if recording is None else cached_snippets(request, recording, decode)
        yield from snippet_rows(part, snippets, featurize(form))
    except (CacheError, FeatureError) as error:
        yield error_row(part, error)


def featurize(form: SnippetFormat) -> Featurize | None:
    """What makes features of frames, in this process and one thread; None where the model takes frames.

    Raises:
        FeatureError: they cannot be loaded.
    """
    if form.features is None:
        return None
    if form.features != COMB:
        import torch  # which the built-in features do without

        torch.set_num_threads(1)
    extract = open_extractor(form.features, form.feature_dim)

    def features(data: bytes, first: int) -> bytes:
        frames = np.frombuffer(data, np.uint8).reshape(-1, form.frame_size, form.frame_size, 3)
        return extract(frames, first).tobytes()

    return features


def _recording(request: Request, cache: str) -> CachedRecording | None:
    settings = SnippetSettings(
        request.snippet_size, request.frame_size, request.start_s, request.end_s, request.decoder
    )
    return SnippetCache(cache).recording(request.uri, settings)


@functools.cache
def _kept_decoders() -> list[DecoderProcess]:
    """The decoder that this process keeps for the next video, if there is one: to start it takes 0.2 s."""
    return []


def decode_patiently(request: Request, timeout_s: float) -> Iterator[bytes | PartEnd]:
    """Decodes a part in another process; tries again, once, from where that was lost.

    Args:
        request: the part.
        timeout_s: how long it may take from one snippet to the next.

    Yields:
        The bytes of each snippet, then the end, which also says so if the decoder was lost twice.

    Raises:
        DecoderFaultError: this software failed there.
    """
    first = request.first
    for attempt in range(1, ATTEMPTS + 1):
        try:
            for item in _decode_once(request.continued(first), timeout_s):
                yield item
                first += isinstance(item, bytes)
            return
        except DecoderLostError as error:  # noqa: PERF203 - this is what the loop is for
            logging.getLogger(__name__).warning(
                "%s: %s at snippet %d, attempt %d", request.uri, error, first, attempt
            )
            if attempt == ATTEMPTS:
                yield _abandoned(request, first, error)


def _abandoned(request: Request, first: int, error: DecoderLostError) -> PartEnd:
    """The end of a recording whose decoder was lost at snippet `first`, however often it was tried."""
    time_s = request.start_s + first * request.snippet_size
    reason = f"{error} at snippet {first}, tried {ATTEMPTS} times; replace or re-encode the file"
    detail = VideoError(request.uri, reason, time_s if first else None).detail
    return PartEnd("end", time_s if first else 0.0, True, detail)


def _decode_once(request: Request, timeout_s: float) -> Iterator[bytes | PartEnd]:
    kept = _kept_decoders()
    decoder = kept.pop() if kept and kept[-1].alive else DecoderProcess()
    try:
        yield from decoder.decode(request, timeout_s)
    finally:
        if decoder.idle and not kept:
            kept.append(decoder)
        else:
            decoder.close()
