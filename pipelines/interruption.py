"""Ctrl-C and SIGTERM as something to look at, not exceptions that may strike anywhere."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Literal

# Exit codes: what shells report for a command that the signal ended.
INTERRUPTED = 130
STOPPED = 143


class StopRequest(Event):
    """Is set when somebody wants the command to end.

    Attributes:
        state: what becomes of the run: `interrupted` by Ctrl-C, `stopped` by SIGTERM, as job managers and
            schedulers send it.
    """

    state: Literal["interrupted", "stopped"] = "interrupted"


@contextmanager
def noticed_interrupt() -> Iterator[StopRequest]:
    """Yields a request that Ctrl-C and SIGTERM set; a second signal acts as usual.

    An exception raised by a signal is lost where Python ignores exceptions, as in finalizers and callbacks,
    which a driver that waits for other processes spends much of its time in. Ray puts a handler of its own
    in the place of one for SIGTERM that was there before it was initialised, so enter after that.
    """
    noticed = StopRequest()

    def notice(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        if number == signal.SIGTERM:
            noticed.state = "stopped"
        noticed.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, notice) for number in numbers]
    try:
        yield noticed
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
