"""A decoder's process, seen from the process that needs what it decodes."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

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
from streamer.errors import VideoError
from streamer.video import VideoInfo

ATTEMPTS = 2  # at a recording, whose decoder may have been lost by chance


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
