"""Decoding and probing in processes that can be killed: what hangs or dies costs a video a retry, then it."""

from __future__ import annotations

import functools
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

from pipelines.cached_snippets import cached_snippets
from pipelines.decoder_process import (
    ALIVE,
    END,
    FAULT,
    LENGTH_BYTES,
    PROBED,
    SNIPPET,
    PartEnd,
    Request,
)
from pipelines.snippets import SnippetFormat, VideoPart, error_row, snippet_request, snippet_rows
from streamer.errors import VideoError
from streamer.snippet_cache import CachedRecording, CacheError, SnippetCache, SnippetSettings
from streamer.video import VideoInfo

BYTES_AHEAD = 32 * 2**20
ATTEMPTS = 2
PROBE_TIMEOUT_S = 60.0
GROWTH_S = 1.0


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
        idle: whether the last answer has been taken to its end.
    """

    def __init__(self) -> None:
        self.idle = True
        self._started = False
        packages = str(Path(__file__).parents[1])
        path = os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.decoder_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for the process that asks; this one ends with it
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
        self._ask({"decode": asdict(request)})
        while True:
            kind, content = self._message(timeout_s, "snippet")
            if kind == SNIPPET:
                yield content
                continue
            assert kind == END, kind
            self.idle = True
            yield PartEnd(**json.loads(content))
            return

    def probe(self, uris: Sequence[str], timeout_s: float) -> list[VideoInfo | VideoError]:
        """Asks what videos declare.

        Args:
            uris: paths or addresses.
            timeout_s: how long all of them together may take.

        Returns:
            For each, what `streamer.video.probe` returns or raises.

        Raises:
            DecoderLostError: it hung or died; it does not run any more.
            DecoderFaultError: this software failed there.
        """
        self._ask({"probe": list(uris)})
        kind, content = self._message(timeout_s, "answer")
        assert kind == PROBED, kind
        self.idle = True
        return [
            VideoError(uri, answer["reason"]) if "reason" in answer else VideoInfo(**answer["info"])
            for uri, answer in zip(uris, json.loads(content), strict=True)
        ]

    def kill(self) -> None:
        """Kills it, from any thread; one that waits for its answer finds it lost."""
        self._process.kill()

    def close(self) -> None:
        """Kills it; safe to call twice."""
        self._process.kill()
        self._process.wait()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _ask(self, request: dict[str, Any]) -> None:
        self.idle = False
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            self._raise_lost()

    def _message(self, timeout_s: float, awaited: str) -> tuple[bytes, bytes]:
        """The next message that is more than a sign of life: its kind and its content."""
        while True:
            deadline = monotonic() + timeout_s
            try:
                head = self._read(1 + LENGTH_BYTES, deadline)
                content = self._read(int.from_bytes(head[1:], "little"), deadline)
            except TimeoutError:
                self._process.kill()
                self._process.wait()
                raise DecoderLostError(f"the decoder hung: no {awaited} in {timeout_s:g} s") from None
            self._started = True
            kind = head[:1]
            if kind == FAULT:
                raise DecoderFaultError(content.decode())
            if kind != ALIVE:
                return kind, content

    def _read(self, size: int, deadline: float) -> bytes:
        parts, missing = [], size
        while missing:
            if not self._selector.select(max(0.0, deadline - monotonic())):
                raise TimeoutError
            part = os.read(self._answers, missing)
            if not part:
                self._raise_lost()
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _raise_lost(self) -> NoReturn:
        status = self._process.wait()
        if status < 0:
            raise DecoderLostError(f"the decoder died (signal {-status}, {_signal_name(-status)})") from None
        if not self._started:  # no recording can be the cause
            raise DecoderFaultError(f"the decoder did not start (exit status {status}); see what it printed")
        raise DecoderLostError(f"the decoder died (exit status {status})") from None


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


class ProbePool:
    """Probes several videos at a time in other processes, which are kept for the next ones.

    To start a process takes as long as to probe hundreds of small files. So there is one at first, and
    another for each `GROWTH_S` in which a thread finds all of them busy: few inputs do not wait for many
    starts, many are soon probed by as many processes as threads ask, and none waits long for one that hangs.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._idle: list[DecoderProcess] = []
        self._busy: set[DecoderProcess] = set()
        self._next_start = monotonic()
        self._closed = False

    def probe(self, uris: Sequence[str]) -> list[VideoInfo | VideoError]:
        """Probes videos, one after another. Any number of threads may ask.

        They are asked for together, which costs less; where the process is lost, each on its own, to find out
        which of them is to blame, and that one once more.

        Args:
            uris: paths or addresses.

        Returns:
            For each, what `streamer.video.probe` returns or raises, or an error that says how the process
            was lost.

        Raises:
            DecoderFaultError: this software failed there.
            CancelledError: the pool was closed.
        """
        if len(uris) > 1:
            try:
                return self._probe_once(uris)
            except DecoderLostError as error:
                logging.getLogger(__name__).warning(
                    "%s, or one of %d more: %s; each on its own now", uris[0], len(uris) - 1, error
                )
        return [self._probe_one(uri) for uri in uris]

    def _probe_one(self, uri: str) -> VideoInfo | VideoError:
        reason = ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._probe_once([uri])[0]
            except DecoderLostError as error:  # noqa: PERF203 - this is what the loop is for
                logging.getLogger(__name__).warning("%s: %s, attempt %d", uri, error, attempt)
                reason = f"{error}, tried {ATTEMPTS} times; replace or re-encode the file"
        return VideoError(uri, reason)

    def _probe_once(self, uris: Sequence[str]) -> list[VideoInfo | VideoError]:
        decoder = self._take()
        try:
            return decoder.probe(uris, PROBE_TIMEOUT_S)
        except DecoderLostError:
            if self._closed:  # which has killed it
                raise CancelledError from None
            raise
        finally:
            self._give_back(decoder)

    def close(self) -> None:
        """Kills all processes, also those that are asked at the moment; safe to call twice."""
        with self._changed:
            self._closed = True
            for decoder in self._busy:
                decoder.kill()
            while self._idle:
                self._idle.pop().close()
            self._changed.notify_all()

    def _take(self) -> DecoderProcess:
        with self._changed:
            while not (self._closed or self._idle or monotonic() >= self._next_start):
                self._changed.wait(max(0.0, self._next_start - monotonic()))
            if self._closed:
                raise CancelledError
            if self._idle:
                decoder = self._idle.pop()
            else:
                decoder = DecoderProcess()
                self._next_start = monotonic() + GROWTH_S
            self._busy.add(decoder)
            return decoder

    def _give_back(self, decoder: DecoderProcess) -> None:
        with self._changed:
            self._busy.remove(decoder)
            if decoder.idle and not self._closed:
                self._idle.append(decoder)
            else:
                decoder.close()
            self._changed.notify()
