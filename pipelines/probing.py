"""Probing in processes that can be killed: an input that hangs or crashes FFmpeg costs itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from time import monotonic

from pipelines.decoder import ATTEMPTS, DecoderLostError, DecoderProcess
from streamer.errors import VideoError
from streamer.video import VideoInfo

PROBE_TIMEOUT_S = 60.0
GROWTH_S = 1.0


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
