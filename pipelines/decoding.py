"""Decoding in a process that can be killed: what hangs or dies costs a video a retry, and then that video."""

from __future__ import annotations

import functools
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from pipelines.cached_snippets import cached_snippets
from pipelines.decoder_process import ALIVE, END, FAULT, LENGTH_BYTES, SNIPPET, PartEnd, Request
from pipelines.snippets import SnippetFormat, VideoPart, error_row, snippet_request, snippet_rows
from streamer.errors import VideoError
from streamer.snippet_cache import CachedRecording, CacheError, SnippetCache, SnippetSettings

BYTES_AHEAD = 32 * 2**20
ATTEMPTS = 2


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
        yield from snippet_rows(part, snippets)
    except CacheError as error:
        yield error_row(part, error)


def _recording(request: Request, cache: str) -> CachedRecording | None:
    settings = SnippetSettings(
        request.snippet_size, request.frame_size, request.start_s, request.end_s, request.decoder
    )
    return SnippetCache(cache).recording(request.uri, settings)


class DecoderFaultError(Exception):
    """A fault of this software in a decoder's process; holds the traceback from there."""


class DecoderLostError(Exception):
    """A decoder's process that hung or died; says which."""


class DecoderProcess:
    """A decoder's process, seen from the process that needs the snippets.

    Attributes:
        idle: whether the last part has been taken to its end.
    """

    def __init__(self) -> None:
        self.idle = True
        packages = str(Path(__file__).parents[1])
        path = os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.decoder_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._answers, selectors.EVENT_READ)

    @property
    def process_id(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def decode(self, request: Request, timeout_s: float) -> Iterator[bytes | PartEnd]:
        """Asks for a part.

        Args:
            request: the part.
            timeout_s: how long it may take from one snippet to the next.

        Yields:
            The bytes of each snippet, then the end.

        Raises:
            DecoderLostError: it hung or died; it does not run any more.
            DecoderFaultError: this software failed there.
        """
        self.idle = False
        try:
            self._requests.write(json.dumps(asdict(request)).encode() + b"\n")
        except BrokenPipeError:
            raise self._lost() from None
        while True:
            kind, content = self._message(timeout_s)
            if kind == SNIPPET:
                yield content
            elif kind == END:
                self.idle = True
                yield PartEnd(**json.loads(content))
                return
            elif kind == FAULT:
                raise DecoderFaultError(content.decode())
            else:
                assert kind == ALIVE, kind

    def close(self) -> None:
        """Kills it; safe to call twice."""
        self._process.kill()
        self._process.wait()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _message(self, timeout_s: float) -> tuple[bytes, bytes]:
        """The next message: its kind and its content."""
        deadline = monotonic() + timeout_s
        head = self._read(1 + LENGTH_BYTES, deadline, timeout_s)
        return head[:1], self._read(int.from_bytes(head[1:], "little"), deadline, timeout_s)

    def _read(self, size: int, deadline: float, timeout_s: float) -> bytes:
        parts, missing = [], size
        while missing:
            if not self._selector.select(max(0.0, deadline - monotonic())):
                self._process.kill()
                self._process.wait()
                raise DecoderLostError(f"the decoder hung: no snippet in {timeout_s:g} s")
            part = os.read(self._answers, missing)
            if not part:
                raise self._lost()
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _lost(self) -> DecoderLostError:
        status = self._process.wait()
        if status >= 0:
            return DecoderLostError(f"the decoder died (exit status {status})")
        return DecoderLostError(f"the decoder died (signal {-status}, {_signal_name(-status)})")


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else "unknown"


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
