"""Ctrl-C as something to look at, not an exception that may strike anywhere."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

INTERRUPTED = 130  # exit code: what shells report for a command that Ctrl-C ended


@contextmanager
def noticed_interrupt() -> Iterator[Event]:
    """Yields an event that Ctrl-C sets; a second Ctrl-C raises `KeyboardInterrupt` as usual.

    An exception raised by a signal is lost where Python ignores exceptions, as in finalizers and callbacks,
    which a driver that waits for other processes spends much of its time in.
    """
    noticed = Event()

    def notice(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        noticed.set()

    before = signal.signal(signal.SIGINT, notice)
    try:
        yield noticed
    finally:
        signal.signal(signal.SIGINT, before)
