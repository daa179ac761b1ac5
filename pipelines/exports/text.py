"""Text and times as the files of other tools can hold them."""

from __future__ import annotations

import re
from collections.abc import Iterable

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# What XML cannot hold, and what would end a line or a string in some reader of plain text.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def one_line(text: str) -> str:
    """Text on one line: white space becomes single spaces, control characters become U+FFFD."""
    return writable(" ".join(text.split()))


def writable(text: str) -> str:
    """Text with U+FFFD in place of control characters."""
    return _UNWRITABLE.sub(REPLACEMENT, text)


def clock_time(seconds: float) -> str:
    """Seconds for people to read: `00:12.5`, or `1:02:03.25` from an hour on."""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, fraction = divmod(rest, 1000)
    shown = f"{minutes:02d}:{whole:02d}.{f'{fraction:03d}'.rstrip('0') or '0'}"
    return f"{hours}:{shown}" if hours else shown


def whole_milliseconds(times: Iterable[float], offset_s: float) -> dict[float, int]:
    """Every time in whole milliseconds, `offset_s` later, such that no two become one.

    Args:
        times: seconds, increasing.
        offset_s: seconds.
    """
    rounded: dict[float, int] = {}
    latest = -1
    for time in times:
        latest = max(round((time + offset_s) * 1000), latest + 1)
        rounded[time] = latest
    return rounded
