"""A process that only decodes and probes, so that it can be killed: `python -m pipelines.decoder_process`.

It takes requests from its standard input, a line of JSON each (`{"decode": {...}}` with the fields of a
`Request`, or `{"probe": [URI, ...]}`), and answers on its standard output with messages: a byte for the kind,
the length of what follows (8 bytes, little-endian), and that many bytes. The first message says that it has
started. It ends when its standard input does, also in the middle of decoding. It imports what decoding needs,
no more.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO, Literal

import numpy as np

from streamer.errors import TruncatedVideoError, VideoError
from streamer.sources import Decoder, divisible, open_source
from streamer.video import probe

LENGTH_BYTES = 8
SNIPPET, ALIVE, END, PROBED, FAULT = b"s", b"a", b"e", b"p", b"f"


@dataclass(frozen=True)
class Request:
    """A part of a recording to be decoded.

    Attributes:
        uri: file or address.
        dtype: type of a snippet's numbers, as numpy calls it.
        snippet_size: seconds per snippet.
        frame_size: height and width of frames, pixels.
        start_s: where the recording begins, in seconds after the first frame.
        end_s: where it ends; None for its end.
        decoder: which library decodes.
        first: number of the first snippet that is wanted.
        stop: number of the first that is not wanted any more; None for all.
        leads: whether to read a recording whose parts cannot be read on their own to its end, past `stop`;
            else nothing is read of it.
    """

    uri: str
    dtype: Literal["uint8", "float32"]
    snippet_size: float
    frame_size: int
    start_s: float
    end_s: float | None
    decoder: Decoder
    first: int = 0
    stop: int | None = None
    leads: bool = True

    def continued(self, first: int) -> Request:
        """What is left from a snippet on; once begun, it cannot be left to another part any more."""
        return replace(self, first=first, leads=self.leads or first > self.first)


@dataclass(frozen=True)
class PartEnd:
    """How a part ended.

    Attributes:
        kind: `stop` was reached; the recording was read to its `end`; it is `indivisible`, and nothing of
            this part was read.
        duration_s: seconds from the first frame to the end, or up to where the file broke; 0 where nothing
            was readable.
        failed: whether the file broke.
        reason: what is wrong with the file; None where nothing is.
    """

    kind: Literal["stop", "end", "indivisible"]
    duration_s: float = 0.0
    failed: bool = False
    reason: str | None = None


def decode(request: Request) -> Iterator[np.ndarray | PartEnd | None]:
    """Decodes a part.

    Yields:
        Snippets `[H, W, 3]` or `[D]`; None, as a sign of life, for those that are passed over on the way to
        the first; at last the end. A damaged file is an end, not an exception.
    """
    first, stop = request.first, request.stop
    if (first > 0 or stop is not None) and not divisible(request.uri, request.decoder):
        if not request.leads:
            yield PartEnd("indivisible")
            return
        first, stop = 0, None
    count, duration_s, failed, reason = first, 0.0, False, None
    try:
        with open_source(
            request.uri,
            snippet_size=request.snippet_size,
            frame_size=request.frame_size,
            start_s=request.start_s,
            end_s=request.end_s,
            decoder=request.decoder,
            first=first,
            stop=stop,
        ) as source:
            try:
                for snippet in source:
                    wanted = count >= request.first
                    yield np.ascontiguousarray(snippet, dtype=request.dtype) if wanted else None
                    count += 1
            except TruncatedVideoError as error:
                reason = error.detail
            duration_s = source.duration_s
    except VideoError as error:
        failed, reason, duration_s = True, error.detail, error.time_s or 0.0
    yield PartEnd("stop" if count == stop else "end", duration_s, failed, reason)


def serve(requests: BinaryIO, answers: int) -> None:
    """Answers requests until there are no more.

    Args:
        requests: lines of JSON.
        answers: descriptor that messages are written to.
    """
    for line in iter(requests.readline, b""):
        with _killed_when_closed(requests.fileno()):
            last = _answer(line, answers)
        _send(answers, *last)  # upon which the next request comes


def _answer(line: bytes, answers: int) -> tuple[bytes, bytes]:
    """Sends snippets; returns the kind and the content of the last message."""
    try:
        asked = json.loads(line)
        if "probe" in asked:
            return PROBED, json.dumps([_probed(uri) for uri in asked["probe"]]).encode()
        for item in decode(Request(**asked["decode"])):
            if isinstance(item, PartEnd):
                return END, json.dumps(asdict(item)).encode()
            if item is None:
                _send(answers, ALIVE, b"")
            else:
                _send(answers, SNIPPET, item.tobytes())
        raise AssertionError("the part ended without saying how")
    except Exception:  # a fault of this software, for the process that asked to raise
        return FAULT, traceback.format_exc().encode()


def _probed(uri: str) -> dict[str, Any]:
    """What a video declares (`info`), or why it cannot be read (`reason`)."""
    try:
        return {"info": asdict(probe(uri))}
    except VideoError as error:
        return {"reason": error.reason}


def _send(descriptor: int, kind: bytes, content: bytes) -> None:
    os.write(descriptor, kind + len(content).to_bytes(LENGTH_BYTES, "little"))
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def _killed_when_closed(descriptor: int) -> Iterator[None]:
    """Within the block, this process is killed when the other end of a pipe is closed.

    The kernel does it, by a signal that nothing handles; so it works while a library hangs. (Linux can also
    signal the death of a parent, but then that of the thread which started the process.) Other systems than
    Linux do not: there, the process ends when it next writes.
    """
    if sys.platform != "linux":
        yield
        return
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGIO])
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)
    try:
        if select.select([descriptor], [], [], 0)[0]:  # closed before: no request comes before the answer
            os.kill(os.getpid(), signal.SIGKILL)
        yield
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)


def main() -> None:
    """Serves the process that started this one."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not come between the messages
    _send(answers, ALIVE, b"")
    with open(0, "rb", closefd=False) as requests:
        serve(requests, answers)


if __name__ == "__main__":
    sys.exit(main())
